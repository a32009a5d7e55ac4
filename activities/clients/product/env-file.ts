import { failure } from '../../../workflows/contract/operation/failures.js';
import { LONE_SURROGATE } from '../../templates/template.js';

/** Above it Docker's own limits on a process environment come near; no setting of a product is that long. */
const VALUE_LIMIT_BYTES = 32_768;

const KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Characters that every reader takes literally without quotes. Nothing at all needs them: before a comment, Compose 2
 *  would take the comment for the value. */
const PLAIN = /^[\w./:@%+,-]+$/;

/**
 * A value as it stands behind `KEY=`. Within double quotes `\\`, `\"`, `\$`, `\n` and `\r` are the escapes that PHP
 * dotenv 5 and Docker Compose 2 share; all else is literal there, so that both read back what was given. (docker-compose
 * 1.29 misreads `$` and a backslash at the end. It looks only for variables of its Compose file, which uses none.)
 * `InvalidInput`: NUL, lone surrogates, more than 32 KiB.
 */
export function envValue(value: string): string {
  if (value.includes('\0'))
    throw failure('InvalidInput', 'a value with a NUL character cannot stand in a .env file');
  if (LONE_SURROGATE.test(value))
    throw failure('InvalidInput', 'a value that is not well-formed Unicode cannot stand in a .env file');
  if (Buffer.byteLength(value) > VALUE_LIMIT_BYTES) {
    throw failure('InvalidInput', `a value in a .env file is limited to ${VALUE_LIMIT_BYTES} bytes`);
  }
  if (PLAIN.test(value)) return value;
  const escaped = value
    .replaceAll(/[\\"$]/g, String.raw`\$&`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\r', String.raw`\r`);
  return `"${escaped}"`;
}

export interface EnvFileInput {
  /** text of the product's current `.env.example` */
  example: string;
  /** known keys, from the profile (`environmentOf`) */
  values: Readonly<Record<string, string>>;
  /** text of the client's present `.env`: what it sets and the profile does not know is kept */
  current?: string;
}

const VANISHED = '# slipway: no longer in .env.example';
const ADDED = '# slipway: not in .env.example';

/**
 * The client's `.env`: the example with known keys filled; comments, order and unknown keys kept; known keys that the
 * example lacks appended. With `current`, unknown keys keep the client's values, and those that the example has lost
 * stay behind a comment that says so. Running it on its own result changes nothing.
 */
export function renderEnvFile({ example, values, current }: EnvFileInput): string {
  for (const [key, value] of Object.entries(values)) checkEntry(key, value);
  const kept = current === undefined ? new Map<string, EnvEntry>() : entriesByKey(current);
  const items = splitEnvFile(example);
  const inExample = new Set(items.flatMap((item) => ('key' in item ? [item.key] : [])));
  const body = items.map((item) => ('key' in item ? renderEntry(item, values, kept) : item.raw));
  const added = Object.keys(values).filter((key) => !inExample.has(key));
  const vanished = [...kept.values()].filter(
    (entry) => !inExample.has(entry.key) && !Object.hasOwn(values, entry.key),
  );
  return joinLines([
    ...body,
    ...(added.length === 0 ? [] : [ADDED, ...added.map((key) => `${key}=${envValue(values[key] ?? '')}`)]),
    ...(vanished.length === 0 ? [] : [VANISHED, ...vanished.map((entry) => entry.raw)]),
  ]);
}

/** Keys that a `.env` text sets, in order; for telling what a refresh added. */
export function envKeys(text: string): string[] {
  return [...entriesByKey(text).keys()];
}

function checkEntry(key: string, value: string): void {
  if (!KEY.test(key)) throw failure('InvalidInput', 'a .env key is letters, digits and underscores');
  try {
    envValue(value);
  } catch (error) {
    throw failure('InvalidInput', `${key}: ${(error as Error).message}`);
  }
}

function renderEntry(
  item: EnvEntry,
  values: EnvFileInput['values'],
  kept: ReadonlyMap<string, EnvEntry>,
): string {
  const value = Object.hasOwn(values, item.key) ? values[item.key] : undefined;
  if (value !== undefined) return `${item.head}${envValue(value)}${item.comment}`;
  const own = kept.get(item.key);
  if (own === undefined || own.value === item.value) return item.raw;
  return `${item.head}${own.value === '' ? envValue('') : own.value}${item.comment}`;
}

/** An entry in its parts: `head` up to and with `=`, `value` as written, `comment` with the space before it. */
interface EnvEntry {
  raw: string;
  key: string;
  head: string;
  value: string;
  comment: string;
}

type EnvItem = EnvEntry | { raw: string };

const HEAD = /^[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_.]*)[^\S\n]*=/;
/** A quoted value may span lines; what follows it on its last line is a comment or nothing. */
const QUOTED = /^[^\S\n]*("(?:[^"\\]|\\[\s\S])*"|'[^'\n]*')([^\S\n]*(?:#[^\n]*)?)(?:\n|$)/;
const UNQUOTED = /^[^\S\n]*([^\s#][^\n]*?)([^\S\n]+#[^\n]*|[^\S\n]*)(?:\n|$)/;
const EMPTY = /^()([^\S\n]*(?:#[^\n]*)?)(?:\n|$)/;

function splitEnvFile(text: string): EnvItem[] {
  const items: EnvItem[] = [];
  let rest = text.replaceAll(/\r\n?/g, '\n');
  while (rest !== '') {
    const { item, length } = takeEntry(rest) ?? takeLine(rest);
    items.push(item);
    rest = rest.slice(length);
  }
  return items;
}

function takeEntry(text: string): { item: EnvEntry; length: number } | undefined {
  const head = HEAD.exec(text);
  const key = head?.[1];
  if (head === null || key === undefined) return undefined;
  const behind = text.slice(head[0].length);
  const match = QUOTED.exec(behind) ?? EMPTY.exec(behind) ?? UNQUOTED.exec(behind);
  if (match === null) return undefined;
  const [whole, value = '', tail = ''] = match;
  const comment = tail.startsWith('#') ? ` ${tail}` : tail;
  return {
    item: { raw: head[0] + whole.replace(/\n$/, ''), key, head: head[0], value, comment },
    length: head[0].length + whole.length,
  };
}

function takeLine(text: string): { item: { raw: string }; length: number } {
  const end = text.indexOf('\n');
  return end < 0
    ? { item: { raw: text }, length: text.length }
    : { item: { raw: text.slice(0, end) }, length: end + 1 };
}

function entriesByKey(text: string): Map<string, EnvEntry> {
  const entries = new Map<string, EnvEntry>();
  // PHP dotenv takes the first of two equal keys
  for (const item of splitEnvFile(text))
    if ('key' in item && !entries.has(item.key)) entries.set(item.key, item);
  return entries;
}

function joinLines(lines: string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** Nothing for those of the keys that one of the texts has. */
export function blanksFor(keys: readonly string[], texts: readonly string[]): Record<string, string> {
  const there = new Set(texts.flatMap(envKeys));
  return Object.fromEntries(keys.filter((key) => there.has(key)).map((key) => [key, '']));
}

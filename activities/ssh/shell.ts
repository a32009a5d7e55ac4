import { failure } from '../../workflows/contract/operation/failures.js';
import { checkTemplate } from './shell-template.js';

const text: unique symbol = Symbol('script');

/** A shell script whose every value was quoted by `sh`. There is no other way to make one. */
export interface Script {
  readonly [text]: string;
}

/** What may stand in a `${…}` of a script: values are quoted, arrays are quoted one by one, scripts are inlined. */
export type ScriptPart = string | number | readonly (string | number)[] | Script;

/**
 * The typed shell builder: every value arrives at its command as exactly one literal word.
 *
 * The text is taken raw, so that `printf '%s\n'` reads as in a shell; only `` \` `` and `\${` are unescaped, which
 * JavaScript forces on us: write `"\${name:-x}"` for the shell's own expansion.
 * Values stand outside quotes: `grep -- ${word} ${file}`, never `"${word}"`. A value in quotes, comments, heredocs
 * or arithmetic throws, for quoting has another meaning there; inside `"$( … )"` it is fine. Put `--` before values
 * that may begin with a dash. Throws `InvalidInput` for a NUL, which no shell can pass on.
 */
export function sh(template: TemplateStringsArray, ...parts: ScriptPart[]): Script {
  const literals = checkTemplate(template);
  return make(
    literals.map((literal, index) => (index === 0 ? '' : render(parts[index - 1])) + literal).join(''),
  );
}

/** Several scripts as one, in order; by default one after another on lines of their own. */
export function joinScripts(
  scripts: readonly Script[],
  separator: '\n' | ' ' | ' && ' | ' || ' | ' | ' = '\n',
): Script {
  return make(scripts.map(scriptText).join(separator));
}

/** The script as the remote shell reads it. Only for the transport in this folder and for tests. */
export function scriptText(script: Script): string {
  return script[text];
}

function make(value: string): Script {
  return Object.freeze({ [text]: value });
}

function render(part: ScriptPart | undefined): string {
  if (typeof part === 'string' || typeof part === 'number') return quote(part);
  if (Array.isArray(part)) return part.map(quote).join(' ');
  if (isScript(part)) return part[text];
  throw new TypeError('a script takes strings, numbers, arrays of them and scripts');
}

function isScript(part: unknown): part is Script {
  return typeof part === 'object' && part !== null && text in part;
}

function quote(value: string | number): string {
  if (typeof value !== 'string' && typeof value !== 'number') throw new TypeError('not a string or number');
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new TypeError(`${value} is no number for a shell`);
  const word = String(value);
  if (word.includes('\0'))
    throw failure('InvalidInput', 'a value for a remote command holds a NUL character');
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

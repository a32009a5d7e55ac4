import { readFile, writeFile } from 'node:fs/promises';
import type temporalProto from '@temporalio/proto';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';

export type History = temporalProto.temporal.api.history.v1.IHistory;

function fileOf(name: string): URL {
  const [wing = '', file = ''] = name.split('/');
  return new URL(`${wing}/histories/${file}.json`, import.meta.url);
}

export async function readHistory(name: string): Promise<History> {
  return historyFromJSON(JSON.parse(await readFile(fileOf(name), 'utf8')));
}

/** One event a line, so that a re-recorded history can be compared by eye; without what only tells of this machine. */
export async function writeHistory(name: string, history: History, identity: string): Promise<void> {
  const { events } = JSON.parse(historyToJSON(history), withoutStacks) as { events: unknown[] };
  const lines = events.map((event) => JSON.stringify(event).replaceAll(identity, 'recorder'));
  const text = `{"events":[\n${lines.join(',\n')}\n]}\n`;
  const root = new URL('../..', import.meta.url).pathname;
  if (text.includes(root)) throw new Error(`${name} tells where it was recorded`);
  await writeFile(fileOf(name), text);
}

/** Stacks name the files of this machine; no workflow reads them. */
function withoutStacks(key: string, value: unknown): unknown {
  return key === 'stackTrace' ? '' : value;
}

import { z } from '@hono/zod-openapi';
import { invalidInput } from '../http/router.js';

/** What the database's integers take. */
const Count = z.number().int().min(0).max(2_147_483_647);
const State = z.object({
  run: Count,
  title: z.string(),
  calls: z.record(z.string(), z.object({ step: z.string(), title: z.string(), undo: z.boolean() })),
  holding: z.string().nullable(),
  end: z.string().nullable(),
});
const Place = z.object({
  run: Count,
  /** items up to this event have been answered */
  after: Count,
  /** empty for a place in the archive */
  runId: z.union([z.literal(''), z.uuid()]),
  /** of the server, for the page of history that comes next or was answered in part; null: its first */
  token: z.string().nullable(),
  /** the newest event of the run that was looked at */
  seen: Count,
  state: State,
});
const Line = z.object({ line: Count });
const Cursor = z.union([Place, Line]);
type Cursor = z.output<typeof Cursor>;

/** Where reading goes on. In the archive only run and event count. */
export type Place = z.output<typeof Place>;

export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

export function decodeCursor(text: string): Cursor {
  try {
    return Cursor.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  } catch {
    throw invalidInput([{ field: 'cursor', message: 'must be the cursor of a page before' }]);
  }
}

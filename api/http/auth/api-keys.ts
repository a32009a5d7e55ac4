import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { ulid } from 'ulid';
import type { Db } from '../../../db/database.js';
import { type ApiKeyRow, findApiKey, touchApiKey } from '../../../db/queries/api-keys.js';

/** 256 bits. */
const SECRET_BYTES = 32;
/** `slipway_<id>_<secret>`: the name is for programs that look for leaked keys, the id finds the row. */
const KEY = /^slipway_([0-9A-HJKMNP-TV-Z]{26})_([A-Za-z0-9_-]{43})$/;
/** A write for each request would cost more than the request; nobody asks for seconds. */
const TOUCH_EVERY_MS = 60_000;

const digestOf = (secret: string) => createHash('sha256').update(secret).digest();

/** A new key, with what is kept of it. */
export function makeApiKey(): { id: string; digest: Buffer; key: string } {
  const id = ulid();
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { id, digest: digestOf(secret), key: `slipway_${id}_${secret}` };
}

/**
 * The key's row, or undefined when it is none of ours, was revoked or has expired. Asked from Postgres each time, so
 * that a key which one process revokes is dead for all.
 */
export async function verifyApiKey(db: Db, key: string): Promise<ApiKeyRow | undefined> {
  const [, id, secret] = KEY.exec(key) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const row = await findApiKey(db, id);
  if (row === undefined || !timingSafeEqual(digestOf(secret), row.digest)) return undefined;
  const now = Date.now();
  if (row.expiresAt !== null && row.expiresAt.getTime() <= now) return undefined;
  if ((row.lastUsedAt?.getTime() ?? 0) + TOUCH_EVERY_MS <= now) await touchApiKey(db, id, TOUCH_EVERY_MS);
  return row;
}

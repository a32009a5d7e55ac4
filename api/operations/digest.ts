import { createHmac } from 'node:crypto';

interface Request {
  route: string;
  actor: string;
  body: unknown;
}

export type Digest = (request: Request) => string;

/** Keyed, because bodies hold passwords: the digests stay in the database. */
export function createDigest(secretKey: string): Digest {
  const key = createHmac('sha256', secretKey).update('slipway:request-digest').digest();
  return ({ route, actor, body }) =>
    createHmac('sha256', key)
      .update(JSON.stringify([route, actor, canonical(body)]))
      .digest('base64url');
}

/** The same for objects that differ only in the order of their fields or in fields that are undefined. */
function canonical(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, field]) => [key, canonical(field)]);
}

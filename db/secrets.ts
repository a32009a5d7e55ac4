import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import { ulid } from 'ulid';
import type { Queries } from './database.js';
import { createKnownSecrets, type KnownSecretsOptions } from './known-secrets.js';
import { secrets } from './schema/index.js';

/** 12 bytes is the nonce size that GCM is specified for; the tag is node's default 16 bytes, kept at the end. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface SecretKeys {
  current: string;
  keys: ReadonlyMap<string, Buffer>;
}

/**
 * `SECRET_KEY`: one passphrase, or `id:passphrase,id:passphrase` where the first encrypts and the others still
 * decrypt (rotation; then without commas inside). Keys are SHA-256 of the passphrase. Throws on empty or double ones.
 */
export function parseSecretKeys(text: string): SecretKeys {
  const entries = text.includes(':') ? text.split(',').map(parseKey) : [keyOf('k1', text)];
  const keys = new Map(entries);
  const [first] = entries;
  if (first === undefined || keys.size < entries.length) throw new Error('SECRET_KEY names a key twice');
  return { current: first[0], keys };
}

function parseKey(entry: string): [string, Buffer] {
  const [, id, passphrase] = /^\s*([\w-]{1,32}):([\s\S]*)$/.exec(entry) ?? [];
  if (id === undefined || passphrase === undefined)
    throw new Error('SECRET_KEY must be id:passphrase,id:passphrase');
  return keyOf(id, passphrase);
}

function keyOf(id: string, passphrase: string): [string, Buffer] {
  if (/^[\s,]*$/.test(passphrase)) throw new Error(`SECRET_KEY: the passphrase of "${id}" is empty`);
  return [id, createHash('sha256').update(passphrase).digest()];
}

export interface SecretPlace {
  /** table and row, such as `clients/42` */
  owner: string;
  name: string;
}

export const KNOWN_IS_FULL =
  'more secrets than redaction keeps: those are forgotten whose owners were used longest ago';

export type Secrets = ReturnType<typeof createSecrets>;

/** Stores secrets encrypted and hands out ids; values leave only through `reveal`. */
export function createSecrets(secretKeys: SecretKeys, options: KnownSecretsOptions = {}) {
  const known = createKnownSecrets(options);

  const keyFor = (id: string): Buffer => {
    const key = secretKeys.keys.get(id);
    if (key === undefined) throw new Error(`secret key "${id}" is not in SECRET_KEY`);
    return key;
  };

  const open = (row: typeof secrets.$inferSelect): string => {
    const sealed = Buffer.from(row.ciphertext);
    const decipher = createDecipheriv('aes-256-gcm', keyFor(row.keyId), Buffer.from(row.nonce));
    decipher.setAAD(additionalData(row.id, row));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const value = Buffer.concat([
      decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES)),
      decipher.final(),
    ]).toString('utf8');
    known.add(row.owner, value);
    return value;
  };

  return {
    /** What this process has stored or revealed is masked, and what it has learnt. */
    redact: known.redact,
    redactChunk: known.redactChunk,

    /** Answers the new secret's id. */
    async store(
      db: Queries,
      place: SecretPlace,
      value: string,
      expiresAt: Date | null = null,
    ): Promise<string> {
      const id = ulid();
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', keyFor(secretKeys.current), nonce);
      cipher.setAAD(additionalData(id, place));
      const ciphertext = Buffer.concat([cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      await db
        .insert(secrets)
        .values({ id, ...place, keyId: secretKeys.current, nonce, ciphertext, expiresAt });
      known.add(place.owner, value);
      return id;
    },

    /** The value, or undefined when the secret was erased. Throws when it was tampered with or its key is gone. */
    async reveal(db: Queries, id: string): Promise<string | undefined> {
      const [row] = await db.select().from(secrets).where(eq(secrets.id, id));
      if (row === undefined) return undefined;
      return open(row);
    },

    /** Makes redaction know every secret of an owner, such as `clients/42`, also those made by another process. Answers how many. */
    async learn(db: Queries, owner: string): Promise<number> {
      const rows = await db.select().from(secrets).where(eq(secrets.owner, owner));
      for (const row of rows) open(row);
      return rows.length;
    },

    /** The same while they are in use: nothing but when they were crowded out meanwhile. */
    async keepKnown(db: Queries, owner: string): Promise<void> {
      if (!known.use(owner)) await this.learn(db, owner);
    },

    async erase(db: Queries, id: string): Promise<void> {
      const [erased] = await db.delete(secrets).where(eq(secrets.id, id)).returning({ owner: secrets.owner });
      if (erased === undefined) return;
      const [other] = await db
        .select({ id: secrets.id })
        .from(secrets)
        .where(eq(secrets.owner, erased.owner))
        .limit(1);
      if (other === undefined) known.forget(erased.owner);
    },

    async eraseAllOf(db: Queries, owner: string, name?: string): Promise<void> {
      await db
        .delete(secrets)
        .where(
          name === undefined
            ? eq(secrets.owner, owner)
            : and(eq(secrets.owner, owner), eq(secrets.name, name)),
        );
      if (name === undefined) known.forget(owner);
    },
  };
}

function additionalData(id: string, place: SecretPlace): Buffer {
  return Buffer.from(`${place.owner}\0${place.name}\0${id}`);
}

import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import ssh2 from 'ssh2';

/**
 * The private key with which Slipway logs in everywhere, in OpenSSH format. Made (ed25519, file mode 0600, directory
 * 0700) at the first start; processes that start together end up with the same one.
 */
export async function ensureMasterKey(path: string): Promise<string> {
  const existing = await readIfPresent(path);
  if (existing !== null) return existing;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const beside = `${path}.${randomUUID()}.new`;
  try {
    await writePrivate(beside, makePrivateKey());
    // a link fails when another process was first: a written key is never replaced
    await link(beside, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(beside, { force: true });
  }
  return readFile(path, 'utf8');
}

/**
 * A new ed25519 key in OpenSSH format. ssh2 1.17 spoils one of 256, whose public part begins with a zero byte
 * (mscdex/ssh2 issue 1513): such a one is not kept.
 */
export function makePrivateKey(): string {
  for (;;) {
    const { private: made } = ssh2.utils.generateKeyPairSync('ed25519', { comment: 'slipway' });
    if (!(ssh2.utils.parseKey(made) instanceof Error)) return made;
  }
}

/** The line for `authorized_keys`. Throws a plain error when the key cannot be read: a broken installation. */
export function publicKeyLine(privateKey: string): string {
  const key = parsePrivateKey(privateKey);
  return `${key.type} ${key.getPublicSSH().toString('base64')} slipway`;
}

export function parsePrivateKey(privateKey: string): ssh2.ParsedKey {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw new Error(`the private SSH key cannot be read: ${key.message}`);
  if (!key.isPrivateKey()) throw new Error('the private SSH key is a public one');
  return key;
}

/** `SHA256:…` without padding, as ssh-keygen and ssh show it. */
export function fingerprint(publicKey: Buffer): string {
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`;
}

async function readIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function writePrivate(path: string, content: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

import { existsSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import postgres from 'postgres';
import { askDocker } from './docker-socket.js';
import { pollUntil } from '../process/poll.js';
import type { SqlEngine } from './template.js';

export interface Readiness {
  name: string;
  address: string;
  sqlEngine: SqlEngine;
  sqlUser: string;
  sqlPassword: string;
  sqlPort: number;
  /** the host's file system as its own processes see it, /run included */
  inside: string;
}

/** A host boots in 1 to 3 s; several at once on a busy machine take longer. */
const READY_MS = 45_000;
/** A refused or dropped try is repeated, so one try need not wait. */
const TRY_MS = 2000;

/** Waits until SSH, nginx, Docker, SQL and reverb answer. */
export async function waitUntilReady(host: Readiness): Promise<void> {
  const wait = (what: string, probe: () => Promise<true | undefined> | true | undefined) =>
    pollUntil({ what: `${what} of lab host ${host.name} (${host.address})`, deadlineMs: READY_MS, probe });
  await Promise.all([
    wait('sshd', async () => ((await banner(host.address, 22)).startsWith('SSH-') ? true : undefined)),
    wait('nginx', () => accepts(host.address, 80)),
    wait(
      'dockerd',
      async () =>
        (await askDocker({ socket: dockerSocket(host.inside), path: '/_ping' })) === 'OK' || undefined,
    ),
    wait(host.sqlEngine, () => sqlAnswers(host)),
    wait('reverb', () => existsSync(join(host.inside, 'run/reverb.pid')) || undefined),
  ]);
}

export function dockerSocket(inside: string): string {
  return join(inside, 'run/docker.sock');
}

function banner(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TRY_MS });
    socket.once('data', (chunk) => {
      socket.destroy();
      resolve(chunk.toString());
    });
    socket.once('timeout', () => socket.destroy(new Error(`no banner from ${host}:${port}`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${host}:${port} closed without a banner`)));
  });
}

function accepts(host: string, port: number): Promise<true> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TRY_MS });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('timeout', () => socket.destroy(new Error(`${host}:${port} does not answer`)));
    socket.once('error', reject);
  });
}

async function sqlAnswers(host: Readiness): Promise<true> {
  const { address, sqlUser: user, sqlPassword: password, sqlPort: port } = host;
  if (host.sqlEngine === 'mariadb') {
    const connection = await mysql.createConnection({
      host: address,
      port,
      user,
      password,
      connectTimeout: TRY_MS,
    });
    connection.destroy();
    return true;
  }
  await postgresReady(host.inside);
  const sql = postgres({
    host: address,
    port,
    user,
    password,
    database: 'postgres',
    max: 1,
    connect_timeout: 2,
  });
  try {
    await sql`select 1`;
    return true;
  } finally {
    void sql.end({ timeout: 1 });
  }
}

/** Line 8 of its lock file, as pg_ctl asks: the client hangs for long in its own retries when it meets a server that starts. */
async function postgresReady(inside: string): Promise<void> {
  // /run is new at each boot; once this file is there, the lock file is not the one of a killed server.
  await access(join(inside, 'run/postgresql/lab.pid'));
  const lock = await readFile(join(inside, 'var/lib/postgresql/lab/postmaster.pid'), 'utf8');
  if (lock.split('\n')[7]?.trim() !== 'ready') throw new Error('postgres is starting up');
}

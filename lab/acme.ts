import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:https';
import { join } from 'node:path';
import type { Log } from '../process/log.js';
import { diesWithParent } from '../process/dies-with-parent.js';
import { freePort } from '../process/free-port.js';
import { ensurePebble } from './pebble.js';
import { pollUntil } from '../process/poll.js';
import { run } from '../process/run.js';

export interface AcmeServer {
  /** its directory, as hosts reach it */
  directory: string;
  /** certificate that hosts have to trust */
  ca: string;
  /** what the authority's DNS answers for a name; null: nothing */
  setName(hostname: string, address: string | null): Promise<void>;
  /** true: every order is refused as one too many */
  limit(on: boolean): void;
  close(): Promise<void>;
}

const LIMITED = {
  type: 'urn:ietf:params:acme:error:rateLimited',
  detail: 'too many certificates already issued for this exact set of domains in the last 168h0m0s',
  status: 429,
};
/** Milliseconds until both processes answer; they start within a second on an idle machine. */
const START_MS = 30_000;

/** A certificate authority that looks at port 80 of the names that it certifies, with a DNS of its own. `address`: where hosts reach it. */
export async function startAcme({
  dir,
  address,
  log,
}: {
  dir: string;
  address: string;
  log: Log;
}): Promise<AcmeServer> {
  const tools = await ensurePebble(log);
  const [dnsPort, managementPort, pebblePort, ownPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const certificate = join(dir, 'acme.pem');
  const privateKey = join(dir, 'acme.key');
  const names = `subjectAltName=IP:${address},IP:127.0.0.1`;
  const selfSigned = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=acme'];
  await run('openssl', [...selfSigned, '-addext', names, '-keyout', privateKey, '-out', certificate]);
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${pebblePort}`,
      managementListenAddress: `127.0.0.1:${await freePort()}`,
      certificate,
      privateKey,
      httpPort: 80,
      tlsPort: 443,
    },
  };
  await writeFile(join(dir, 'pebble.json'), JSON.stringify(config));
  const sink = await open(join(dir, 'acme.log'), 'a');
  const start = (file: string, args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess => {
    const [program = file, ...rest] = diesWithParent('TERM', [file, ...args]);
    const stdio = ['ignore', sink.fd, sink.fd] as ['ignore', number, number];
    return spawn(program, rest, { stdio, env: { ...process.env, ...env } });
  };
  const nothing = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-doh', ''];
  const defaults = ['-defaultIPv4', '', '-defaultIPv6', ''];
  const dnsArgs = ['-dnsserver', `127.0.0.1:${dnsPort}`, '-management', `127.0.0.1:${managementPort}`];
  const children = [
    start(tools.dns, [...dnsArgs, ...nothing, ...defaults]),
    start(tools.pebble, ['-config', join(dir, 'pebble.json'), '-dnsserver', `127.0.0.1:${dnsPort}`], {
      PEBBLE_VA_NOSLEEP: '1',
      PEBBLE_VA_ALWAYS_VALID: '0',
      PEBBLE_WFE_NONCEREJECT: '0',
    }),
  ];
  let limited = false;
  const tls = { cert: await readFile(certificate), key: await readFile(privateKey) };
  // in front, with the names that were asked for kept, so that what the authority answers leads back here
  const front = createServer(tls, (asked, answer) => {
    if (limited && asked.url === '/order-plz') {
      answer.writeHead(429, { 'content-type': 'application/problem+json', 'retry-after': '3600' });
      answer.end(JSON.stringify(LIMITED));
      return;
    }
    const { method, url: path, headers } = asked;
    const to = { host: '127.0.0.1', port: pebblePort, method, path, headers, rejectUnauthorized: false };
    const forwarded = request(to, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    forwarded.on('error', () => answer.writeHead(502).end());
    asked.pipe(forwarded);
  });
  front.listen(ownPort, '0.0.0.0');
  const manage = (path: string, body: object) =>
    fetch(`http://127.0.0.1:${managementPort}/${path}`, { method: 'POST', body: JSON.stringify(body) });
  await pollUntil({
    what: 'the certificate authority',
    deadlineMs: START_MS,
    everyMs: 100,
    probe: async () => {
      await manage('clear-a', { host: 'nobody.' });
      return new Promise<true | undefined>((resolve) => {
        const ask = request(
          // it answers nobody who does not say who he is
          {
            ...{ host: '127.0.0.1', port: pebblePort, path: '/dir', rejectUnauthorized: false },
            headers: { 'user-agent': 'lab' },
          },
          (response) => resolve(response.resume().statusCode === 200 ? true : undefined),
        );
        ask.on('error', () => resolve(undefined));
        ask.end();
      });
    },
  });
  return {
    directory: `https://${address}:${ownPort}/dir`,
    ca: tls.cert.toString(),
    async setName(hostname, to) {
      await manage('clear-a', { host: `${hostname}.` });
      if (to !== null) await manage('add-a', { host: `${hostname}.`, addresses: [to] });
    },
    limit(on) {
      limited = on;
    },
    async close() {
      front.closeAllConnections();
      front.close();
      for (const child of children) {
        const ended = once(child, 'exit');
        if (child.exitCode === null && child.kill('SIGTERM')) await ended;
      }
      await sink.close();
    },
  };
}

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { renderVhost, type VhostInput } from '../../../activities/clients/publication/vhost.js';
import { loadProfile } from '../../../activities/clients/product/profile.js';
import { nginxWord } from '../../../activities/templates/template.js';
import { freePort } from '../../../process/free-port.js';
import { pollUntil } from '../../../process/poll.js';
import { endProcess, processId } from '../../../process/process-id.js';
import { run } from '../../../process/run.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { HOSTILE, hostileText } from './hostile.js';

const NGINX = '/usr/sbin/nginx';

/** The addresses that requests of these tests come from; all of 127/8 is this machine. */
const VISITOR = '127.0.0.2';
const STRANGER = '127.0.0.3';
const CHECKER = '127.0.0.4';

let directory: string;
let upstream: Server;
let reverb: Server;

/** Answers with who it is and which headers it was sent. */
function echoServer(name: string): Promise<Server> {
  const server = createServer((incoming, response) => {
    response.end(JSON.stringify({ name, url: incoming.url, headers: incoming.headers }));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-nginx-'));
  [upstream, reverb] = await Promise.all([echoServer('client'), echoServer('reverb')]);
});
after(async () => {
  upstream.close();
  reverb.close();
  await rm(directory, { recursive: true, force: true });
});

function inputOf(over: Partial<VhostInput> = {}): VhostInput {
  return {
    profile: {
      ...loadProfile('sample'),
      websocket: { path: '/app/', upstream: `127.0.0.1:${portOf(reverb)}` },
    },
    variant: { kind: 'live' },
    name: 'client42',
    operation: '01JABCDEFGHJKMNPQRSTVWXYZ0',
    hostname: 'acme.example.test',
    port: portOf(upstream),
    allowedIps: [],
    checkAddresses: [],
    ...over,
  };
}

interface Nginx {
  ask(path: string, from?: string, host?: string): Promise<Answer>;
  stop(): Promise<void>;
}

interface Answer {
  status: number;
  location: string | undefined;
  body: string;
  headers: IncomingHttpHeaders;
}

/** A whole nginx file around `http`, with nothing of the machine's own nginx. */
async function writeConfig(name: string, http: string): Promise<string> {
  const prefix = join(directory, name);
  await mkdir(prefix, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${prefix}/${kind};`,
  );
  await writeFile(
    join(prefix, 'nginx.conf'),
    `daemon off; master_process off; pid ${prefix}/pid; error_log ${prefix}/error.log;\nevents { worker_connections 64; }\n` +
      `http {\naccess_log off;\n${temporary.join('\n')}\n${http}\n}\n`,
  );
  return prefix;
}

const withPort = (text: string, port: number) =>
  text.replaceAll(/^ {2}listen \[::\].*\n/gm, '').replaceAll('  listen 80;', `  listen 127.0.0.1:${port};`);

async function serve(name: string, vhost: string): Promise<Nginx> {
  const port = await freePort();
  const prefix = await writeConfig(name, withPort(vhost, port));
  const child = spawn(NGINX, ['-p', prefix, '-c', 'nginx.conf', '-e', 'error.log'], { stdio: 'ignore' });
  const ask: Nginx['ask'] = (path, from = VISITOR, host = 'acme.example.test') =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port, path, localAddress: from, headers: { host }, agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const { statusCode = 0, headers } = response;
            resolve({
              status: statusCode,
              location: headers.location,
              headers,
              body: Buffer.concat(chunks).toString(),
            });
          });
        },
      );
      outgoing.on('error', reject).end();
    });
  await pollUntil({ what: 'nginx answers', deadlineMs: 10_000, probe: () => ask('/') });
  return { ask, stop: () => endProcess(processId(child.pid as number), 5_000) };
}

async function withVhost(
  name: string,
  over: Partial<VhostInput>,
  body: (nginx: Nginx) => Promise<void>,
): Promise<void> {
  const nginx = await serve(name, renderVhost(inputOf(over)));
  try {
    await body(nginx);
  } finally {
    await nginx.stop();
  }
}

/** `nginx -t` on the file as it is, ports and all. */
async function accepted(name: string, vhost: string): Promise<{ code: number; words: string }> {
  const prefix = await writeConfig(name, vhost);
  const { code, stderr } = await run(
    NGINX,
    ['-t', '-q', '-p', prefix, '-c', 'nginx.conf', '-e', 'error.log'],
    { check: false },
  );
  return { code, words: stderr };
}

/** Short, and without dollars and the control characters of ASCII. */
function writable(value: string): boolean {
  return value.length < 1000 && !/[$\p{Cc}]/u.test(value.replaceAll(/[\u0080-\u009f]/g, ''));
}

/** nginx answers each value as the body of a location of its own. */
async function assertWords(values: string[]): Promise<void> {
  // "x": an empty text would be an answer without a body
  const locations = values.map((value, i) => `location = /${i} { return 200 ${nginxWord(`x${value}`)}; }`);
  const nginx = await serve(
    'words',
    `server {\n  listen 80;\n location / { return 404; }\n${locations.join('\n')}\n}`,
  );
  try {
    const bodies = await Promise.all(values.map(async (_, i) => (await nginx.ask(`/${i}`)).body));
    assert.deepEqual(
      bodies,
      values.map((value) => `x${value}`),
    );
  } finally {
    await nginx.stop();
  }
}

describe('a client’s nginx file', { skip: existsSync(NGINX) ? false : 'nginx is not installed' }, () => {
  test('is accepted by nginx in every variant, without a warning', async () => {
    const certificate = join(directory, 'cert.pem');
    const key = join(directory, 'key.pem');
    const subject = ['-subj', '/CN=acme.example.test', '-days', '2'];
    await run('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
      ...subject,
    ]);
    const tls = { certificate, key };
    const open = { allowedIps: [], checkAddresses: ['10.77.0.1'] };
    const closed = {
      allowedIps: ['10.0.0.7/8', '2001:db8::1/33', '::ffff:10.1.2.3'],
      checkAddresses: ['10.77.0.1', '::1'],
    };
    const variants = [
      { kind: 'live' },
      { kind: 'maintenance' },
      { kind: 'redirect', to: 'https://acme.other.test' },
    ] as const;
    for (const variant of variants) {
      for (const access of [open, closed]) {
        for (const rest of [{}, { tls, acmeRoot: '/srv/slipway/acme' }, { ipv6: false }]) {
          const text = renderVhost(inputOf({ variant, ...access, ...rest }));
          assert.deepEqual(await accepted('variants', text), { code: 0, words: '' }, text);
        }
      }
    }
  });

  test('begins with the mark of its operation and the client', () => {
    assert.equal(renderVhost(inputOf()).split('\n')[0], '# slipway:01JABCDEFGHJKMNPQRSTVWXYZ0 client42');
  });

  test('passes requests to the container with the visitor’s own address and scheme', () =>
    withVhost('live', {}, async (nginx) => {
      const { status, body } = await nginx.ask('/a%20b?c=d');
      const { name, url, headers } = JSON.parse(body) as {
        name: string;
        url: string;
        headers: Record<string, string>;
      };
      assert.deepEqual([status, name, url], [200, 'client', '/a%20b?c=d']);
      assert.equal(headers['host'], 'acme.example.test');
      assert.equal(headers['x-forwarded-for'], VISITOR);
      assert.equal(headers['x-forwarded-proto'], 'http');
    }));

  test('sends the websocket path to reverb with the upgrade', () =>
    withVhost('websocket', {}, async (nginx) => {
      const { name, headers } = JSON.parse((await nginx.ask('/app/key')).body) as {
        name: string;
        headers: Record<string, string>;
      };
      assert.equal(name, 'reverb');
      assert.equal(headers['connection'], 'upgrade');
      assert.equal(headers['host'], 'acme.example.test');
    }));

  test('admits the allowed addresses everywhere and the check addresses on the health path alone', () =>
    withVhost('access', { allowedIps: [`${VISITOR}/32`], checkAddresses: [CHECKER] }, async (nginx) => {
      const statuses = async (from: string) =>
        Promise.all(
          ['/', '/health', '/app/x', '/health/../x'].map(
            async (path) => (await nginx.ask(path, from)).status,
          ),
        );
      assert.deepEqual(await statuses(VISITOR), [200, 200, 200, 200]);
      assert.deepEqual(await statuses(CHECKER), [403, 200, 403, 403]);
      assert.deepEqual(await statuses(STRANGER), [403, 403, 403, 403]);
    }));

  test('answers 503 everywhere under maintenance, and asks to come back', () =>
    withVhost('maintenance', { variant: { kind: 'maintenance' } }, async (nginx) => {
      for (const path of ['/', '/health', '/app/x']) {
        const { status, headers } = await nginx.ask(path);
        assert.deepEqual([status, headers['retry-after']], [503, '60']);
      }
    }));

  test('redirects with path and query kept', () =>
    withVhost('redirect', { variant: { kind: 'redirect', to: 'https://acme.other.test' } }, async (nginx) => {
      const { status, location } = await nginx.ask('/a%20b?c=d');
      assert.deepEqual([status, location], [308, 'https://acme.other.test/a%20b?c=d']);
    }));

  test('answers certificate challenges to everyone, whatever else is closed', async () => {
    const acmeRoot = join(directory, 'acme');
    await mkdir(join(acmeRoot, '.well-known/acme-challenge'), { recursive: true });
    await writeFile(join(acmeRoot, '.well-known/acme-challenge/token'), 'proof');
    const over = { variant: { kind: 'maintenance' }, allowedIps: [VISITOR], acmeRoot } as const;
    // nginx works as another user when it is started by root
    await run('chmod', ['-R', 'a+rX', directory]);
    await withVhost('acme', over, async (nginx) => {
      assert.equal((await nginx.ask('/.well-known/acme-challenge/token', STRANGER)).body, 'proof');
    });
  });

  test('a value in an nginx word is read back by nginx as it was given', async () => {
    await assertWords(HOSTILE.filter(writable));
    const values = fc.array(hostileText.filter(writable), { minLength: 1, maxLength: 50 });
    await fc.assert(fc.asyncProperty(values, assertWords), { numRuns: 10 });
  });
});

test('hostile values never reach the file', () => {
  const targets: ((value: string) => Partial<VhostInput>)[] = [
    (hostname) => ({ hostname }),
    (value) => ({ hostname: `${value}.example.test` }),
    (name) => ({ name }),
    (operation) => ({ operation }),
    (value) => ({ allowedIps: [value] }),
    (value) => ({ checkAddresses: [`10.0.0.1${value}`] }),
    (to) => ({ variant: { kind: 'redirect', to } }),
    (value) => ({ variant: { kind: 'redirect', to: `https://a.test/${value}` } }),
    (value) => ({ acmeRoot: `/srv/${value}` }),
    (value) => ({ tls: { certificate: '/a', key: value } }),
  ];
  // what is a fine value somewhere is none here: spaces, quotes, semicolons, line ends, dollars
  const hostile = hostileText.filter((value) => /[^\w.:/-]/.test(value.trim()));
  fc.assert(
    fc.property(fc.constantFrom(...targets), hostile, (target, value) => {
      assert.throws(
        () => renderVhost(inputOf(target(value))),
        (error) => kindOf(error) === 'InvalidInput',
      );
    }),
    { numRuns: 500 },
  );
});

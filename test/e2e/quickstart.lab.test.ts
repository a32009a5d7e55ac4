import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { chmod, cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hostsDir } from '../../lab/host-files.js';
import { pollUntil } from '../../process/poll.js';
import { run as runCommand } from '../../process/run.js';
import { noLab } from '../support/lab.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Ten seconds alone; the other lab tests run beside it. */
const RUN_MS = 180_000;

describe('npm run quickstart', { skip: noLab, concurrency: false }, () => {
  let copy: string;
  before(async () => {
    copy = await workingCopy();
  });
  after(async () => {
    for (const run of runs) run.end();
    await Promise.all(runs.map((run) => run.ended()));
    await rm(copy, { recursive: true, force: true });
  });

  it('creates a client on a lab host, shows its page, and with --once leaves nothing running', async () => {
    const run = startQuickstart(copy, ['--once']);
    assert.equal(await run.ended(), 0, run.output());
    assert.match(run.output(), /Create client 1 .*: succeeded\n/);
    assert.match(run.output(), /\n200 <!doctype html><title>Demo laboratory</);
    nothingIsLeft(copy, run.output());
  });

  it('leaves nothing running after Ctrl-C in the middle of the create', async () => {
    const run = startQuickstart(copy, []);
    await run.says('Start containers …');
    // a terminal tells the whole foreground group
    process.kill(-run.pid, 'SIGINT');
    assert.notEqual(await run.ended(), 0);
    assert.doesNotMatch(run.output(), /Everything works/);
    nothingIsLeft(copy, run.output());
  });

  it('stays after the demo until it is told to end, and leaves nothing running', async () => {
    const run = startQuickstart(copy, []);
    await run.says('Ctrl-C ends all of it');
    const [, operations = ''] = /^ {2}operations +(\S+)/m.exec(run.output()) ?? [];
    const listed = new URL(operations);
    listed.pathname = `/api/v1${listed.pathname}`;
    const { executions } = (await (await fetch(listed)).json()) as {
      executions: { type: { name: string } }[];
    };
    assert.deepEqual(
      executions.map(({ type }) => type.name),
      ['createClient'],
    );
    const [, api = ''] = /^ {2}API +(http\S+)/m.exec(run.output()) ?? [];
    assert.equal((await fetch(`${api}/health/ready`)).status, 200);
    const [, address = ''] = /^ {2}client .* http:\/\/([\d.]+)\/\)$/m.exec(run.output()) ?? [];
    await followReadme({ copy, api, address });
    // a service manager tells npm alone
    process.kill(run.pid, 'SIGTERM');
    assert.equal(await run.ended(), 0, run.output());
    await assert.rejects(fetch(`${api}/health/live`));
    nothingIsLeft(copy, run.output());
  });

  it('says in one line what is wrong', async () => {
    const run = startQuickstart(copy, ['--server', 'nobody']);
    assert.equal(await run.ended(), 1);
    assert.match(run.output(), /^quickstart: --server nobody is not user@host or user@host:port$/m);
  });
});

/** What each section of README.md has to be typed, with this run's own addresses. */
async function followReadme({ copy, api, address }: { copy: string; api: string; address: string }) {
  const sections = read(join(copy, 'README.md')).split(/^## /m);
  const lines = (title: string) => {
    const section = sections.find((text) => text.startsWith(title)) ?? '';
    const code = [...section.matchAll(/^ {4}(.*)$/gm)].map(([, line]) => line).join('\n');
    return code.replaceAll('http://127.0.0.1:8080', api).replaceAll('10.77.0.11', address);
  };
  // a person types slower than the operations go: what is shown is asked for until it is there
  const requests = lines('The API in five requests');
  const [change = '', decide = ''] = lines('When a step fails').split(
    /(?=^curl -u "\$login" "\$api\/operations\?state)/m,
  );
  const script = `set -eu
    curl() { command curl -sS --fail-with-body "$@"; echo; }
    temporal() { :; } # the same decision once more, by another way
    until_seen() { for _ in $(seq 300); do curl -u "$login" "$api/$2" | grep -q "$1" && return; sleep 0.1; done; exit 9; }
    ${requests}
    until_seen '"completed":"ok"' clients/2/createlog
    ${change}
    until_seen '"state":"holding"' 'operations?client=2'
    ${decide}
    until_seen '"kind":"update_client".*"state":"succeeded"' 'operations?client=2'`;
  const { code, stdout, stderr } = await runCommand('bash', ['-c', script], { cwd: copy, check: false });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /"ready":true/);
  assert.match(stdout, /"name":"web-1"/);
  assert.match(stdout, /nginx names/);
}

/** The files of this tree in a directory of their own, with its dependencies, as after `git clone` and `npm ci`. */
async function workingCopy(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'slipway-quickstart-'));
  const skipped = new Set(['node_modules', '.git', '.slipway', 'dist']);
  const filter = (source: string) => !skipped.has(basename(source));
  await cp(ROOT, dir, { recursive: true, filter });
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  // as private as /root, where many newcomers clone to
  await chmod(dir, 0o700);
  return dir;
}

/** Every one that was started, for a test that fails half-way. */
const runs: Run[] = [];

interface Run {
  pid: number;
  output(): string;
  says(text: string): Promise<unknown>;
  /** exit code, or 128 when a signal ended it */
  ended(): Promise<number>;
  end(): void;
}

function startQuickstart(cwd: string, args: string[]): Run {
  const { PATH, HOME, XDG_CACHE_HOME } = process.env;
  const env = { PATH, HOME, XDG_CACHE_HOME };
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const child: ChildProcess = spawn('npm', ['run', 'quickstart', '--', ...args], {
    cwd,
    env,
    stdio: [...stdio],
    detached: true,
  });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk));
  const closed = once(child, 'close');
  const run: Run = {
    pid: child.pid as number,
    output: () => text,
    says: (wanted) =>
      Promise.race([
        closed.then(() => Promise.reject(new Error(`it ended before it said "${wanted}"\n${text}`))),
        pollUntil({
          what: `the quickstart says "${wanted}"`,
          deadlineMs: RUN_MS,
          probe: () => text.includes(wanted) || undefined,
        }),
      ]),
    async ended() {
      const [code] = (await closed) as [number | null];
      return code ?? 128;
    },
    end() {
      if (child.exitCode === null) child.kill('SIGTERM');
    },
  };
  runs.push(run);
  return run;
}

function nothingIsLeft(copy: string, output: string): void {
  assert.deepEqual(processesOf(copy), []);
  const [, name = '', octet = ''] = /lab host (quickstart\d+) at 10\.77\.0\.(\d+)/.exec(output) ?? [];
  assert.notEqual(name, '', output);
  const names = readdirSync(hostsDir).map((dir) => read(join(hostsDir, dir, 'upper/etc/hostname')).trim());
  assert.ok(!names.includes(name));
  // the address may be another's by now
  const dir = join(hostsDir, octet);
  if (existsSync(dir)) return;
  assert.equal(read('/proc/self/mountinfo').includes(`${dir}/`), false);
  assert.equal(existsSync(`/run/netns/slipway-${octet}`), false);
}

/** Command lines of processes that work in the directory or name it. */
function processesOf(dir: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
    if (`${command} ${workingDirectory(pid)}`.includes(dir)) found.push(`${pid} ${command}`);
  }
  return found;
}

function workingDirectory(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

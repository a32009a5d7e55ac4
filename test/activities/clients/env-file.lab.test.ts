import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { renderEnvFile } from '../../../activities/clients/product/env-file.js';
import { toolsDir } from '../../../start/tools/config.js';
import { buildSampleProgram } from '../../../lab/product/image.js';
import { run } from '../../../process/run.js';
import { HOSTILE, hostileText } from './hostile.js';

const COMPOSE_2 = join(toolsDir, 'docker-compose-2.40.3', 'docker-compose');
/** python-dotenv, which docker-compose 1.29 reads with, belongs to the system's Python */
const PYTHON = '/usr/bin/python3';
const PYTHON_DOTENV = '/usr/lib/python3/dist-packages/dotenv/main.py';

let directory: string;
let program: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-env-'));
  program = await buildSampleProgram({ cacheDir: join(toolsDir, '..', 'sample'), log: () => undefined });
  await writeFile(join(directory, 'VERSION'), '1.0-master\n');
});
after(() => rm(directory, { recursive: true, force: true }));

/** Values under keys of their own, rendered into an example that has half of them. */
function rendered(values: string[]): { text: string; wanted: Record<string, string> } {
  const wanted = Object.fromEntries(values.map((value, i) => [`KEY_${i}`, value]));
  const example = Object.keys(wanted)
    .filter((_, i) => i % 2 === 0)
    .map((key) => `# about ${key}\n${key}=default # why\n`);
  return { text: renderEnvFile({ example: example.join(''), values: wanted }), wanted };
}

type Reader = (text: string, keys: string[]) => Promise<Record<string, string>>;

const readAsProduct: Reader = async (text) => {
  await writeFile(join(directory, '.env'), text);
  const { stdout } = await run(program, ['env:show'], { env: { SAMPLE_ROOT: directory } });
  return JSON.parse(stdout) as Record<string, string>;
};

const readAsCompose2: Reader = async (text, keys) => {
  const lines = keys.map((key) => `      ${key}: "\${${key}}"\n`);
  await writeFile(
    join(directory, 'compose.yml'),
    `services:\n  a:\n    image: x\n    environment:\n${lines.join('')}`,
  );
  await writeFile(join(directory, 'compose.env'), text);
  const args = [
    '--env-file',
    join(directory, 'compose.env'),
    '-f',
    join(directory, 'compose.yml'),
    'config',
    '--format',
    'json',
  ];
  const { stdout, stderr } = await run(COMPOSE_2, args, { env: { PATH: '/usr/bin', HOME: directory } });
  assert.equal(stderr, '');
  const { services } = JSON.parse(stdout) as { services: { a: { environment: Record<string, string> } } };
  // what it prints can be read by it again, so dollars are doubled
  return Object.fromEntries(
    Object.entries(services.a.environment).map(([key, value]) => [key, value.replaceAll('$$', '$')]),
  );
};

const readAsCompose1: Reader = async (text) => {
  const script =
    'import sys, json, io, dotenv; json.dump(dotenv.dotenv_values(stream=io.StringIO(sys.stdin.buffer.read().decode(), newline="")), sys.stdout)';
  const { stdout, stderr } = await run(PYTHON, ['-c', script], { input: text });
  assert.equal(stderr, '');
  return JSON.parse(stdout) as Record<string, string>;
};

async function assertReadBack(read: Reader, values: string[]): Promise<void> {
  const { text, wanted } = rendered(values);
  assert.deepEqual(await read(text, Object.keys(wanted)), wanted);
}

async function forHostileValues(
  read: Reader,
  allowed: (value: string) => boolean = () => true,
): Promise<void> {
  await assertReadBack(read, HOSTILE.filter(allowed));
  const values = fc.array(hostileText.filter(allowed), { minLength: 20, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(values, (some) => assertReadBack(read, some)),
    { numRuns: 15 },
  );
}

test('the product reads back every value as it was given', () => forHostileValues(readAsProduct));

const noCompose2 = existsSync(COMPOSE_2) ? false : 'compose 2 is not built yet';
test('Docker Compose 2 reads back every value as it was given', { skip: noCompose2 }, () =>
  forHostileValues(readAsCompose2),
);

const noDotenv = existsSync(PYTHON_DOTENV) ? false : 'python3-dotenv is not installed';
// it has no escape for a dollar, and takes a backslash before the closing quote for an escape of that quote
const plainForCompose1 = (value: string) => !value.includes('$') && !value.endsWith('\\');
test(
  'docker-compose 1.29 reads back what has neither a dollar nor a backslash at its end',
  { skip: noDotenv },
  () => forHostileValues(readAsCompose1, plainForCompose1),
);

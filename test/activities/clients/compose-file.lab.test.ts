import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  type ComposeFileInput,
  renderComposeFile,
} from '../../../activities/clients/containers/compose-file.js';
import { renderEnvFile } from '../../../activities/clients/product/env-file.js';
import { loadProfile } from '../../../activities/clients/product/profile.js';
import { toolsDir } from '../../../start/tools/config.js';
import { run } from '../../../process/run.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { HOSTILE, hostileText } from './hostile.js';

interface Service {
  image: string;
  container_name: string;
  restart: string;
  labels: Record<string, string>;
  ports: unknown[];
  volumes: unknown[];
  healthcheck: { test: string[]; retries: number };
  logging: { options: Record<string, string> };
  environment?: unknown;
}
interface Config {
  services: { app: Service };
  networks: { default: { ipam: { config: { subnet: string }[] } } };
}

const COMPOSE_2 = join(toolsDir, 'docker-compose-2.40.3', 'docker-compose');
const ENGINES = [
  {
    title: 'Docker Compose 2',
    command: COMPOSE_2,
    args: ['config', '--format', 'json'],
    print: undefined,
    brokenByPrinting: /^$/,
  },
  {
    title: 'docker-compose 1.29',
    command: '/usr/bin/docker-compose',
    args: ['config'],
    // its YAML is of version 1.1, and read by the library that wrote it, which breaks lines at what is a line end there

    brokenByPrinting: /[\u0085\u2028\u2029]/,
    print: 'import sys, json, yaml; json.dump(yaml.safe_load(sys.stdin.buffer.read()), sys.stdout)',
  },
];

type Engine = (typeof ENGINES)[number];

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-compose-'));
});
after(() => rm(directory, { recursive: true, force: true }));

function inputOf(over: Partial<ComposeFileInput> = {}): ComposeFileInput {
  return {
    profile: loadProfile('sample'),
    name: 'client42',
    operation: '01JABCDEFGHJKMNPQRSTVWXYZ0',
    image: 'slipway-sample:1.3-master',
    port: 20_017,
    subnet: '10.213.0.16/28',
    directory: '/srv/docker/clients/client42',
    ...over,
  };
}

/** What Compose understands, from a client's directory with its `.env` beside the file. */
async function configOf(engine: Engine, text: string, env: string): Promise<Config> {
  const client = join(directory, 'client42');
  await mkdir(client, { recursive: true });
  await writeFile(join(client, '.env'), env);
  await writeFile(join(client, 'docker-compose.yml'), text);
  const { stdout } = await run(engine.command, engine.args, {
    cwd: client,
    env: { PATH: process.env['PATH'], HOME: directory },
  });
  const json =
    engine.print === undefined
      ? stdout
      : (await run('/usr/bin/python3', ['-c', engine.print], { input: stdout })).stdout;
  // its own output can be read by it again: dollars are doubled there
  return JSON.parse(json.replaceAll('$$', '$')) as Config;
}

const hostileEnv = renderEnvFile({
  example: 'APP_NAME=x\n',
  values: Object.fromEntries(HOSTILE.map((value, i) => [`KEY_${i}`, value])),
});

for (const engine of ENGINES) {
  const skip = existsSync(engine.command) ? false : `${engine.command} is not there`;
  const printable = (word: string) => word !== '' && !engine.brokenByPrinting.test(word);
  describe(engine.title, { skip }, () => {
    test('accepts the file and understands what it says', async () => {
      const config = await configOf(engine, renderComposeFile(inputOf()), 'APP_NAME=Lab\n');
      const { app } = config.services;
      assert.equal(app.image, 'slipway-sample:1.3-master');
      assert.equal(app.container_name, 'client42');
      assert.equal(app.restart, 'always');
      assert.deepEqual(app.labels, {
        'slipway.client': 'client42',
        'slipway.operation': 'slipway:01JABCDEFGHJKMNPQRSTVWXYZ0',
      });
      assert.equal(config.networks.default.ipam.config[0]?.subnet, '10.213.0.16/28');
      assert.deepEqual(app.healthcheck.test, ['CMD', 'artisan', 'health']);
      assert.deepEqual(app.logging.options, { 'max-size': '10m', 'max-file': '3' });
      assert.equal(app.environment, undefined);
    });

    test('publishes on 127.0.0.1 alone', async () => {
      const config = await configOf(engine, renderComposeFile(inputOf()), '');
      const [port, ...others] = config.services.app.ports;
      assert.deepEqual(others, []);
      if (typeof port === 'string') assert.match(port, /^127\.0\.0\.1:20017:8000(?:\/tcp)?$/);
      else {
        const { host_ip, published, target } = port as { host_ip: string; published: string; target: number };
        assert.deepEqual([host_ip, published, target], ['127.0.0.1', '20017', 8000]);
      }
    });

    test('mounts the client’s own files where the profile wants them', async () => {
      const config = await configOf(engine, renderComposeFile(inputOf()), '');
      const mounts = config.services.app.volumes.map((volume) => {
        const [source, target, mode] =
          typeof volume === 'string'
            ? volume.split(':')
            : [
                (volume as { source: string }).source,
                (volume as { target: string }).target,
                (volume as { read_only?: boolean }).read_only ? 'ro' : 'rw',
              ];
        return `${source} ${target} ${mode ?? 'rw'}`;
      });
      assert.deepEqual(mounts, [
        '/srv/docker/clients/client42/.env /app/.env ro',
        '/srv/docker/clients/client42/public /app/public rw',
        '/srv/docker/clients/client42/php/add_vars.ini /app/php/add_vars.ini ro',
      ]);
    });

    test('understands the same whatever the .env beside it holds', async () => {
      const text = renderComposeFile(inputOf());
      assert.deepEqual(await configOf(engine, text, hostileEnv), await configOf(engine, text, ''));
    });

    test('reads back every word of a command as it was given', async () => {
      const profile = loadProfile('sample');
      const check = async (words: string[]) => {
        const healthcheck = { ...profile.healthcheck, run: words };
        const text = renderComposeFile(inputOf({ profile: { ...profile, healthcheck } }));
        const config = await configOf(engine, text, 'HOME=/wrong\n');
        assert.deepEqual(config.services.app.healthcheck.test.slice(1), words);
      };
      await check(HOSTILE.filter(printable));
      // 1.29 takes half a second each; a run has up to 30 words
      const words = fc.array(hostileText.filter(printable), { minLength: 1, maxLength: 30 });
      await fc.assert(fc.asyncProperty(words, check), { numRuns: 8 });
    });
  });
}

test('values that no Compose file can hold are refused', () => {
  const refused: Partial<ComposeFileInput>[] = [
    { image: 'a\0b' },
    { image: '\ud800' },
    { port: 0 },
    { port: 70_000 },
    { subnet: '10.213.0.16/28\nx' },
    { subnet: 'fe80::1%eth0' },
    { directory: '/srv/../etc' },
    { directory: '/srv/a:b' },
    { directory: 'relative' },
  ];
  for (const over of refused) {
    assert.throws(
      () => renderComposeFile(inputOf(over)),
      (error) => kindOf(error) === 'InvalidInput',
      JSON.stringify(over),
    );
  }
});

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { renderIniFile, renderPhpIni } from '../../../activities/clients/product/ini-file.js';
import { nginxWord, shellWord, yamlScalar } from '../../../activities/templates/template.js';
import { run } from '../../../process/run.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';
import { HOSTILE, hostileText } from './hostile.js';

const invalid = (error: unknown) => kindOf(error) === 'InvalidInput';
const lists = fc.array(hostileText, { minLength: 1, maxLength: 40 });

async function forHostileLists(check: (values: string[]) => Promise<void> | void): Promise<void> {
  await check([...HOSTILE]);
  await fc.assert(
    fc.asyncProperty(lists, async (values) => check(values)),
    { numRuns: 15 },
  );
}

for (const shell of ['/bin/sh', '/bin/bash']) {
  test(`${shell} reads back every word as it was given`, () =>
    forHostileLists(async (values) => {
      const { stdout } = await run(shell, ['-c', `printf '%s\\0' ${values.map(shellWord).join(' ')}`], {
        env: {},
      });
      assert.deepEqual(stdout.split('\0').slice(0, -1), values);
    }));
}

test('YAML 1.2 reads back every scalar as it was given', () =>
  forHostileLists((values) => {
    assert.deepEqual(parse(values.map((value) => `- ${yamlScalar(value)}\n`).join('')), values);
  }));

const noPyYaml = existsSync('/usr/lib/python3/dist-packages/yaml') ? false : 'python3-yaml is not installed';
test('PyYAML, which docker-compose 1.29 reads with, reads back every scalar', { skip: noPyYaml }, () =>
  forHostileLists(async (values) => {
    const script = 'import sys, json, yaml; json.dump(yaml.safe_load(sys.stdin.buffer.read()), sys.stdout)';
    const input = values.map((value) => `- ${yamlScalar(value)}\n`).join('');
    const { stdout } = await run('/usr/bin/python3', ['-c', script], { input });
    assert.deepEqual(JSON.parse(stdout), values);
  }),
);

const noPhp = ['/usr/bin/php', '/usr/local/bin/php'].find((file) => existsSync(file));
test(
  'PHP reads back every INI value that is not refused',
  { skip: noPhp === undefined && 'PHP is not installed' },
  () =>
    forHostileLists(async (values) => {
      const settings = Object.fromEntries(values.filter(isIniValue).map((value, i) => [`k${i}`, value]));
      const code = 'echo json_encode(parse_ini_string(stream_get_contents(STDIN)), JSON_FORCE_OBJECT);';
      const { stdout } = await run(noPhp ?? '', ['-n', '-r', code], { input: renderIniFile(settings) });
      assert.deepEqual(JSON.parse(stdout), settings);
    }),
);

function isIniValue(value: string): boolean {
  try {
    renderIniFile({ k: value });
    return true;
  } catch {
    return false;
  }
}

test('what a grammar cannot hold is refused', () => {
  assert.throws(() => shellWord('a\0b'), invalid);
  assert.throws(() => yamlScalar('\udfff'), invalid);
  for (const value of ['$x', 'a\nb', 'a\0b', '\ud800', 'x'.repeat(3000)])
    assert.throws(() => nginxWord(value), invalid, value);
  for (const value of ['a"b', '${x}', 'a\\', 'a\nb', 'a\0b'])
    assert.throws(() => renderIniFile({ k: value }), invalid, value);
  assert.throws(() => renderIniFile({ 'k\nextension': 'x.so' }), invalid);
});

test('add_vars.ini holds the time zone, and nothing but a time zone', () => {
  assert.equal(renderPhpIni({ timezone: 'Asia/Yekaterinburg' }), 'date.timezone = "Asia/Yekaterinburg"\n');
  for (const timezone of ['', 'Mars/Olympus', '+03:00', 'UTC"\nextension=x', '../UTC', 'Europe/Berlin\0']) {
    assert.throws(() => renderPhpIni({ timezone }), invalid, timezone);
  }
});

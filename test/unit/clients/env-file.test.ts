import assert from 'node:assert/strict';
import { test } from 'node:test';
import { envKeys, envValue, renderEnvFile } from '../../../activities/clients/product/env-file.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';

const invalid = (error: unknown) => kindOf(error) === 'InvalidInput';

const EXAMPLE = `# Settings of the product

APP_NAME="Sample" # shown in the title
APP_URL=http://localhost
  export APP_KEY =
#DB_HOST=127.0.0.1
MAIL_FROM="\${APP_NAME}"
CERTIFICATE="first
second # no comment"
EMPTY=# nothing
`;

test('known keys are filled; comments, order and unknown keys stay as they were', () => {
  const text = renderEnvFile({ example: EXAMPLE, values: { APP_NAME: 'Lab "1"', APP_KEY: 'k', EMPTY: 'e' } });
  assert.equal(
    text,
    EXAMPLE.replace('"Sample" #', String.raw`"Lab \"1\"" #`)
      .replace('APP_KEY =', 'APP_KEY =k')
      .replace('EMPTY=#', 'EMPTY=e #'),
  );
});

test('known keys that the example lacks are appended under a comment', () => {
  const text = renderEnvFile({ example: EXAMPLE, values: { DB_HOST: '10.0.0.1', DB_PORT: '3306' } });
  assert.equal(text, `${EXAMPLE}# slipway: not in .env.example\nDB_HOST=10.0.0.1\nDB_PORT=3306\n`);
});

test('a key that occurs twice is filled twice: readers disagree on which one counts', () => {
  assert.equal(renderEnvFile({ example: 'A=1\nA=2\n', values: { A: '3' } }), 'A=3\nA=3\n');
});

test('line ends of other systems and a missing last one are mended', () => {
  assert.equal(renderEnvFile({ example: 'A=1\r\n# b\r\nC=2', values: { C: '3' } }), 'A=1\n# b\nC=3\n');
});

test('a line that is no entry is kept as it is', () => {
  const example = 'not an entry\n=nothing\n"quoted"=x\n\n';
  assert.equal(renderEnvFile({ example, values: {} }), example);
});

test('a refresh takes new keys with their defaults, keeps what the client has, and marks what vanished', () => {
  const current = 'APP_NAME=Old\nTUNED="by hand" # why\nGONE=1\n';
  const text = renderEnvFile({
    example: '# new text\nAPP_NAME=x\nNEW=default\nTUNED=5\n',
    values: { APP_NAME: 'New' },
    current,
  });
  assert.equal(
    text,
    '# new text\nAPP_NAME=New\nNEW=default\nTUNED="by hand"\n# slipway: no longer in .env.example\nGONE=1\n',
  );
});

test('a refresh keeps values of known and foreign keys as the client wrote them, whatever the example says now', () => {
  const own = 'A=\'single $X\'\nB="two\nlines" # note\nC=\nexport D=plain\nFOREIGN="# no comment"\n';
  const text = renderEnvFile({ example: 'A=1\nB=2\nC=3\nD=4\nE=5\n', values: {}, current: own });
  assert.equal(
    text,
    'A=\'single $X\'\nB="two\nlines"\nC=""\nD=plain\nE=5\n# slipway: no longer in .env.example\nFOREIGN="# no comment"\n',
  );
});

test('a vanished key is marked once, over any number of refreshes, and is its own again when it comes back', () => {
  const without = { example: 'A=1\n', values: {} };
  let text = 'A=1\nGONE=mine\n';
  for (let times = 0; times < 3; times += 1) text = renderEnvFile({ ...without, current: text });
  assert.equal(text, 'A=1\n# slipway: no longer in .env.example\nGONE=mine\n');
  const back = renderEnvFile({ example: 'A=1\nGONE=default\n', values: {}, current: text });
  assert.equal(back, 'A=1\nGONE=mine\n');
});

test('a key that the profile knows is filled even where the client has another value', () => {
  const input = { values: { KEY: 'from the profile' }, current: 'KEY=by hand\n' };
  assert.equal(renderEnvFile({ example: 'KEY=\n', ...input }), 'KEY="from the profile"\n');
  const lacking = renderEnvFile({ example: '', ...input });
  assert.equal(lacking, '# slipway: not in .env.example\nKEY="from the profile"\n');
});

test('a refresh of its own result changes nothing', () => {
  const input = { example: EXAMPLE, values: { APP_NAME: 'a $ b', DB_HOST: 'h' } };
  const first = renderEnvFile({ ...input, current: 'GONE="x\ny"\nAPP_URL=https://own\n' });
  assert.equal(renderEnvFile({ ...input, current: first }), first);
  assert.match(first, /^APP_URL=https:\/\/own$/m);
});

test('keys are told in their order, each once', () => {
  assert.deepEqual(envKeys(EXAMPLE), ['APP_NAME', 'APP_URL', 'APP_KEY', 'MAIL_FROM', 'CERTIFICATE', 'EMPTY']);
  assert.deepEqual(envKeys('A=1\nB=2\nA=3\n'), ['A', 'B']);
});

test('an inherited name is an unknown key like any other', () => {
  assert.equal(
    renderEnvFile({ example: 'constructor=1\ntoString=2\n', values: {} }),
    'constructor=1\ntoString=2\n',
  );
});

test('simple values stand without quotes, all others within', () => {
  assert.equal(envValue('http://a.example.test:80/x'), 'http://a.example.test:80/x');
  assert.equal(envValue(''), '""');
  assert.equal(envValue('a b'), '"a b"');
  assert.equal(envValue('${X}\n\\'), String.raw`"\${X}\n\\"`);
});

test('values and keys that no .env can hold are refused, naming the key and not the value', () => {
  for (const value of ['a\0b', '\ud800', 'x'.repeat(32_769), 'я'.repeat(16_385)]) {
    assert.throws(
      () => renderEnvFile({ example: '', values: { SECRET: value } }),
      (error) =>
        invalid(error) &&
        (error as Error).message.startsWith('SECRET: ') &&
        !(error as Error).message.includes(value),
    );
  }
  for (const key of ['', 'A B', 'A=B', 'A\nB', '1A', 'Ä']) {
    assert.throws(() => renderEnvFile({ example: '', values: { [key]: 'x' } }), invalid, key);
  }
});

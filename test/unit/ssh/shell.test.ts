import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { joinScripts, type Script, scriptText, sh } from '../../../activities/ssh/shell.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';

const SHELLS = ['dash', 'bash'];

/** What the shell says to a script, as bytes. */
function outputOf(shell: string, script: Script): Buffer {
  const { stdout, stderr, status } = spawnSync(shell, ['-s'], {
    input: scriptText(script),
    maxBuffer: 2 ** 24,
  });
  assert.equal(status, 0, stderr.toString());
  assert.equal(stderr.toString(), '');
  return stdout;
}

const HOSTILE = [
  '',
  "'",
  "''\\''",
  '"',
  '`touch /tmp/slipway-hostile`',
  '$(touch /tmp/slipway-hostile)',
  '${HOME}',
  '$HOME !! ~ * ? [a-z] {a,b}',
  "'; touch /tmp/slipway-hostile; '",
  '-n',
  '--help',
  'line\nline\n',
  '\r\n\t\v',
  '\\n\\',
  '# no comment',
  '&& || ; | > < &',
  '\u202eevil\u202c ‮',
  '🚢 é ﷽',
  '\ud800 lone \udfff',
  '\x1b[31m\x07\x7f',
  "x'".repeat(50_000),
];

const hostileText = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom("'", '"', '$', '(', ')', '`', '\\', '\n', ' ', 'a', '-', '!', '{', '}'),
  }),
);
const withoutNul = hostileText.filter((text) => !text.includes('\0'));

const echo = (text: string) => sh`echo ${text}`;

describe('sh', () => {
  for (const shell of SHELLS) {
    it(`hands any text to a command as one literal word in ${shell}`, () => {
      fc.assert(
        fc.property(fc.array(withoutNul, { maxLength: 4 }), withoutNul, (list, value) => {
          const script = sh`printf '%s\0' ${value} ${list} x${value}y`;
          const wanted = [value, ...list, `x${value}y`].map((word) => `${word}\0`).join('');
          assert.deepEqual(outputOf(shell, script), Buffer.from(wanted));
        }),
        { numRuns: 60, examples: HOSTILE.map((text) => [[text, '-x'], text]) },
      );
    });

    it(`keeps values literal inside "$( … )", case and nested scripts in ${shell}`, () => {
      for (const value of HOSTILE) {
        const inner = sh`printf '%s.' ${value}`;
        const script = sh`taken="$(${inner})" # it's a comment
case x in x) printf '%s' "$taken" ;; esac`;
        assert.deepEqual(outputOf(shell, script), Buffer.from(`${value}.`));
      }
    });
  }

  it('refuses a NUL as invalid input, alone and in an array', () => {
    for (const make of [() => sh`echo ${'a\0b'}`, () => sh`echo ${['x', '\0']}`]) {
      assert.throws(make, (error) => kindOf(error) === 'InvalidInput');
    }
  });

  it('refuses a value where quotes do not quote', () => {
    const value = '$(id)';
    const wrong = [
      () => sh`echo "${value}"`,
      () => sh`echo '${value}'`,
      () => sh`echo "a $(echo "${value}")"`,
      () => sh`echo "\${x:-${value}}"`,
      () => sh`echo $${value}`,
      () => sh`echo \`echo ${value}\``,
      () => sh`echo $((${value} + 1))`,
      () => sh`: # ${value}`,
      () => sh`cat <<EOF
${value}
EOF`,
      () => sh`cat <<EOF ${value}
EOF`,
      () => sh`echo 'open`,
    ];
    for (const make of wrong) assert.throws(make, /inside/, String(make));
  });

  it('takes the text raw: backslashes stay, only the two escapes that JavaScript asks for go', () => {
    assert.equal(scriptText(sh`printf '%s\n' "\${x:-1}" \`id\``), 'printf \'%s\\n\' "${x:-1}" `id`');
  });

  it('goes on after a heredoc, an arithmetic shift and a here-string', () => {
    const script = sh`cat <<-'EOT'
	it's "open
	EOT
x=$((1 << 2)); printf '%s' "$x" ${'$x'}; cat <<< ${"it's"}`;
    assert.equal(outputOf('bash', script).toString(), "it's \"open\n4$xit's\n");
  });

  it('joins scripts, and inlines them unquoted', () => {
    assert.equal(outputOf('dash', joinScripts([echo('a'), sh`false`, echo('b')], ' || ')).toString(), 'a\n');
    assert.equal(outputOf('dash', joinScripts([echo('a'), echo('b')])).toString(), 'a\nb\n');
    assert.equal(outputOf('dash', sh`( ${echo('a')} ) | tr a c`).toString(), 'c\n');
  });

  it('takes no number that a shell could not read back', () => {
    assert.equal(scriptText(sh`x ${-1.5}`), "x '-1.5'");
    for (const number of [Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => sh`x ${number}`, TypeError);
  });

  it('accepts no string as a script', () => {
    // @ts-expect-error a string is not a Script: this line failing to compile is the test
    assert.equal(scriptText('rm -rf /'), undefined);
  });
});

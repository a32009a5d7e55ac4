import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { databaseSums, DIFFERENCES } from '../../../activities/clients/containers/database-sums.js';
import { PROGRESS } from '../../../activities/clients/containers/progress.js';
import { sqlLost, sqlTools } from '../../../activities/clients/containers/sql-tools.js';
import { type Script, scriptText, sh } from '../../../activities/ssh/shell.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';

/** With a socket as its input the first bash of all takes itself for a remote shell, and reads bash.bashrc. */
const NESTED = { SHLVL: '1' };

function bash(script: Script, { path = process.env['PATH'], input = '' } = {}) {
  const env = { ...NESTED, ...(path === undefined ? {} : { PATH: path }) };
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['-euc', scriptText(script)], {
    env,
    input,
    encoding: 'utf8',
  });
  return { status, output: `${stdout}${stderr}` };
}

describe("the SQL engines' tools on a host", () => {
  for (const [sqlEngine, missing] of [
    ['mariadb', /mariadb and mariadb-dump are not installed/],
    ['postgres', /psql is not installed/],
  ] as const) {
    it(`of ${sqlEngine} are named where they are missing`, () => {
      const script = sh`host=h port=1 user=u database=d login=l
${sqlTools({ sqlEngine })}
${databaseSums({ sqlEngine })}
echo went on`;
      const { status, output } = bash(script, { path: '/nowhere' });
      assert.equal(status, 1);
      assert.match(output, missing);
      assert.doesNotMatch(output, /went on/);
    });
  }

  it("leave no database's own name before a sequence, and every line of data as it is", () => {
    const text = [
      '  `number` bigint(20) NOT NULL DEFAULT nextval(`client1`.`numbers`),',
      '  `last` bigint(20) DEFAULT lastval(`client1`.`numbers`),',
      '  `theirs` bigint(20) DEFAULT nextval(`client10`.`numbers`),',
      "INSERT INTO `t` VALUES ('  `a` nextval(`client1`.`numbers`)');",
    ];
    // the function alone: the tools themselves are another matter
    const own = /^q='`'\nunqualified\(\).*$/m.exec(scriptText(sqlTools({ sqlEngine: 'mariadb' })))?.[0] ?? '';
    const { stdout } = spawnSync('/bin/bash', ['-euc', `database=client1\n${own}\nunqualified`], {
      input: text.join('\n'),
    });
    assert.deepEqual(String(stdout).trimEnd().split('\n'), [
      '  `number` bigint(20) NOT NULL DEFAULT nextval(`numbers`),',
      '  `last` bigint(20) DEFAULT lastval(`numbers`),',
      ...text.slice(2),
    ]);
  });

  it('that have lost their server are tried again, whatever else they complain of is not', () => {
    const kind = (output: string) => {
      const failure = sqlLost({ what: 'Back up', exitCode: 1, output });
      return failure && kindOf(failure);
    };
    for (const said of [
      'mariadb-dump: Error 2013: Lost connection to server during query when dumping table `big` at row: 1',
      "mariadb-dump: Got error: 2002: \"Can't connect to server on '192.0.2.1'\" when trying to connect",
      'ERROR 2006 (HY000) at line 12 of the dump: Table structure for table `a`',
      'dumping database client1\nthe dump tool ended without a word',
      'pg_dump: error: query failed: server closed the connection unexpectedly',
      'psql: error: connection to server at "192.0.2.1", port 5432 failed: Connection refused',
    ])
      assert.equal(kind(said), 'Unavailable', said);
    for (const said of [
      'ERROR 1062 (23000) at line 2013 of the dump: Dumping data for table `notes`',
      'ERROR 1146 (42S02) at line 1',
      'pg_restore: error: COPY failed for table "a"',
      '',
    ])
      assert.equal(kind(said), undefined, said);
  });

  it('have their findings compared by name, whatever their order', () => {
    const dir = 'dir=$(mktemp -d); trap \'rm -rf "$dir"\' EXIT; cd "$dir"';
    const files = `printf 'table\\t2\\t11\\ta\\ntable\\t1\\t5\\tb c\\nsequence\\t7\\t0\\ts\\n' > one
printf 'table\\t2\\t12\\ta\\nsequence\\t7\\t0\\ts\\ntable\\t1\\t5\\td\\n' > two
printf -- '-- x\\n-- Table structure for table \\x60a\\x60\\nA\\n-- Name: v; Type: VIEW; Schema: public\\nV\\n' > first
printf -- '-- x\\n-- Name: v; Type: VIEW; Schema: public\\nV\\n-- Table structure for table \\x60a\\x60\\nB\\n' > second`;
    const script = `${dir}\n${files}\n${scriptText(DIFFERENCES)}\ndifferences one two first second; differences one one first first`;
    const { stdout, stderr } = spawnSync('/bin/bash', ['-euc', script], {
      env: { ...process.env, ...NESTED },
    });
    assert.equal(String(stderr), '');
    assert.deepEqual(String(stdout).trimEnd().split('\n'), [
      'differs: table a',
      'only in the first: table b c',
      'only in the second: table d',
      'differs: Table structure for table `a`',
    ]);
  });

  it('tell how far they are while they work, and not a moment longer, however their script ends', () => {
    const script = (end: string) => `sleep() { command sleep 0.05; }
${scriptText(PROGRESS)}
file=$(mktemp) count=$(mktemp); trap 'stop_telling; rm -f "$file" "$count"' EXIT
tell() { written dumped "$file" ' packed'; echo >> "$count"; }
tell_every tell
until [ "$(wc -l < "$count")" -ge 2 ]; do command sleep 0.02; done
${end}`;
    for (const end of [
      'stop_telling; command sleep 0.2; echo over',
      'false',
      'trap - EXIT; rm "$file" "$count"; kill -9 $$',
    ]) {
      const began = performance.now();
      // answers when nobody holds its output any more
      const { stdout } = spawnSync('/bin/bash', ['-euc', script(end)], {
        env: { ...process.env, ...NESTED },
        encoding: 'utf8',
        timeout: 10_000,
      });
      const lines = stdout.trimEnd().split('\n');
      const told = lines.filter((line) => line === 'dumped 0 bytes packed');
      assert.ok(told.length >= 2, `${end}: ${stdout}`);
      assert.deepEqual(lines.slice(told.length), end.endsWith('over') ? ['over'] : [], end);
      assert.ok(performance.now() - began < 5_000, end);
    }
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gitFailure } from '../../../activities/git/git-errors.js';
import { kindOf } from '../../../workflows/contract/operation/failures.js';

const table: [string, string][] = [
  ['git@git.example.com: Permission denied (publickey).', 'Unauthorized'],
  ["fatal: could not read Username for 'https://git.example.com': terminal prompts disabled", 'Unauthorized'],
  ['Host key verification failed.\nfatal: Could not read from remote repository.', 'Unauthorized'],
  ['ssh: Could not resolve hostname git.example.com: Temporary failure in name resolution', 'Unavailable'],
  ['ssh: connect to host git.example.com port 22: Connection refused', 'Unavailable'],
  [
    "fatal: unable to access 'https://git.example.com/': The requested URL returned error: 503",
    'Unavailable',
  ],
  ['error: RPC failed; curl 56\nfatal: early EOF', 'Unavailable'],
  ["fatal: couldn't find remote ref refs/heads/dev", 'CommandFailed'],
  ["fatal: '/srv/x.git' does not appear to be a git repository", 'CommandFailed'],
  ["fatal: Unable to create '/srv/git/.git/index.lock': File exists.", 'CommandFailed'],
  ['fatal: write error: No space left on device', 'CapacityExceeded'],
  ['', 'CommandFailed'],
];
for (const [output, kind] of table) {
  test(`${kind} for: ${output}`, () => {
    const failure = gitFailure({ what: 'git on web-1', exitCode: 128, output });
    assert.equal(kindOf(failure), kind);
    assert.match(failure.message, /^git on web-1/);
  });
}

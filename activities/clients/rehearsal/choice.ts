import type { Rehearsal } from '../../../workflows/contract/clients/rehearsal.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { type Script, sh } from '../../ssh/shell.js';

/** Dump, restore and migration of more than this burden the server of a client that serves for too long: some ten minutes each. */
const MIGRATE_MAX_BYTES = 20 * 2 ** 30;
/** The copy, what a migration rewrites of it, and the dump where it is on the same disk. */
const MIGRATE_ROOM = 3;

export interface Room {
  wanted: Rehearsal;
  /** a migration will run at all */
  migrates: boolean;
  /** of the client's database */
  sizeBytes: number;
  /** where its server keeps its data; absent: it does not say */
  freeBytes?: number;
  /** how many networks of the client pool it may choose from */
  networks: number;
  /** why a container without a way out does not reach that server; empty: it does */
  unreached: string;
}

/**
 * `docs/contract/clients.md`, Rehearsal. What was wanted, or what of it can be had, with why. `CapacityExceeded` without
 * room for the copy that a change needs in any case.
 */
export function chooseFrom({ wanted, migrates, sizeBytes, freeBytes, networks, unreached }: Room): {
  mode: Rehearsal;
  because: string;
} {
  if (freeBytes !== undefined && freeBytes < sizeBytes)
    throw failure(
      'CapacityExceeded',
      `a change needs a copy of ${sizeBytes} bytes beside, and where the SQL server keeps its data ${freeBytes} are free`,
      { hint: 'make room there, then retry' },
    );
  if (!migrates) return { mode: 'off', because: 'no migration runs' };
  if (wanted !== 'migrate') return { mode: wanted, because: 'as is asked for' };
  const against = [
    unreached,
    networks === 0 ? 'the client pool is too small for a network of its own' : '',
    sizeBytes > MIGRATE_MAX_BYTES ? `its ${sizeBytes} bytes are more than ${MIGRATE_MAX_BYTES}` : '',
    freeBytes !== undefined && freeBytes < MIGRATE_ROOM * sizeBytes
      ? `${freeBytes} bytes are free, ${MIGRATE_ROOM} times its size would be needed`
      : '',
  ].filter((reason) => reason !== '');
  if (against.length === 0) return { mode: 'migrate', because: 'there is room for it' };
  return { mode: 'restore', because: `no migration is rehearsed: ${against.join('; ')}` };
}

/**
 * Prints what is free at `directory` (empty: not known), and why the SQL server cannot be reached from a network without a
 * way out, whose containers see the host's address in it for certain, and on some engines its others; empty where they can.
 */
export function roomScript({
  directory,
  sqlHost,
  sqlPort,
}: {
  directory: string;
  sqlHost: string;
  sqlPort: number;
}): Script {
  return sh`
PATH=$PATH:/usr/sbin:/sbin
df -P -B1 -- ${directory} 2>/dev/null | awk 'NR == 2 { print $4 }' | grep . || echo
address=$(getent ahostsv4 ${sqlHost} | awk 'NR == 1 { print $1 }')
if ! ip -4 -o addr show 2>/dev/null | awk '{ print $4 }' | cut -d / -f 1 | grep -qxF -- "\${address:-none}"; then
  echo 'the SQL server is on another host'
elif ! ss -H -l -t -n 2>/dev/null | awk '{ print $4 }' | grep -qxE ${`(0\\.0\\.0\\.0|\\*|\\[::\\]):${sqlPort}`}; then
  echo 'the SQL server does not listen on every address of its host'
else
  echo
fi`;
}

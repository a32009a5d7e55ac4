import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import type { StepRef } from '../../../workflows/contract/operation/step.js';
import { type Script, sh } from '../../ssh/shell.js';
import { FOREIGN_EXIT } from './client-files.js';

/**
 * In a client's directory while an operation changes its data in a way that only a backup takes back. It bears that
 * operation's mark: until the backup is back, or the operation is past its commit, nothing of the client is started or
 * published on its behalf. That of an operation that went well stays, and means nothing to others.
 */
const CHANGING_FILE = '.slipway-changing';

/** Names which of its two databases is the client's; absent: the one of its own name. */
const DATABASE_FILE = '.slipway-database';

/** Left alone by whatever replaces the directory's files. */
export const OWN_FILES = '.slipway*';

/** The operation on whose behalf a step works: with the undo of another one, which a clean-up runs, that one. */
function operationOf({ operation, undo }: Pick<StepRef, 'operation' | 'undo'>): string {
  return undo?.of ?? operation;
}

/** Ends with `FOREIGN_EXIT` and a sentence when the directory is not there, or somebody else's. */
export function requireDirectory({ names, operation }: ClientThing): Script {
  return sh`
if [ "$(head -n 1 -- ${names.directory}/.slipway 2>/dev/null)" != ${mark(operation)} ]; then
  printf '%s\n' ${`${names.directory} is not there, or not ours`}
  exit ${FOREIGN_EXIT}
fi`;
}

export function beginChanging({ directory }: ClientNames, step: StepRef): Script {
  return sh`printf '%s\n' ${mark(operationOf(step))} > ${directory}/${CHANGING_FILE}`;
}

export function endChanging({ directory }: ClientNames): Script {
  return sh`rm -f -- ${directory}/${CHANGING_FILE}`;
}

export function chooseDatabase({ directory }: ClientNames, database: string): Script {
  return sh`
printf '%s\n' ${database} > ${directory}/${DATABASE_FILE}.new
mv -f -- ${directory}/${DATABASE_FILE}.new ${directory}/${DATABASE_FILE}`;
}

/** Prints which database is the client's, and whose mark a change of its data has left; a line each, empty where there is none. */
export function readDataState({ directory }: ClientNames): Script {
  return sh`
for file in ${DATABASE_FILE} ${CHANGING_FILE}; do printf '%s\n' "$(head -n 1 -- ${directory}/"$file" 2>/dev/null || true)"; done`;
}

/** Ends with 1 and a sentence while the client's data are neither the old nor the new ones. */
export function refuseChanging({ directory, name }: ClientNames, step: StepRef): Script {
  if (step.committed === true) return sh`:`;
  return sh`
if [ "$(head -n 1 -- ${directory}/${CHANGING_FILE} 2>/dev/null)" = ${mark(operationOf(step))} ]; then
  printf '%s\n' ${`the data of ${name} are not back from the backup yet, so that it stays off`} >&2
  exit 1
fi`;
}

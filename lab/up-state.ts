import { readFile, rename, writeFile } from 'node:fs/promises';
import { stateFile } from './config.js';
import type { LabHostRecord } from './host.js';
import type { ProcessId } from '../process/process-id.js';

/** What `up` started, for `down` and for whoever wants the addresses. */
export interface UpState {
  temporal?: { address: string; uiUrl: string; process: ProcessId };
  postgres?: { url: string; process: ProcessId };
  hosts: LabHostRecord[];
  /** file of the private key that the hosts accept */
  sshKeyFile: string;
}

export async function readUpState(): Promise<UpState | undefined> {
  try {
    return JSON.parse(await readFile(stateFile, 'utf8')) as UpState;
  } catch {
    return undefined;
  }
}

/** Written after each start, so that `down` also finds the half of a killed `up`. */
export async function writeUpState(state: UpState): Promise<void> {
  await writeFile(`${stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(`${stateFile}.new`, stateFile);
}

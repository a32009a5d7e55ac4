import { randomBytes } from 'node:crypto';
import { describe } from './connection.js';
import type { LaneKind } from './lanes.js';
import type { Pool } from './pool.js';
import { endExecScript } from './processes.js';
import type { SshSettings } from './settings.js';
import type { Script } from './shell.js';
import { frame, type Talk, talk } from './talk.js';
import type { SshTarget } from './types.js';

export interface Execution extends Pick<Talk, 'onStdout' | 'onStderr' | 'feed'> {
  target: SshTarget;
  kind: LaneKind;
  script: Script;
  input: string | Uint8Array;
  timeoutMs?: number;
  signal: AbortSignal | undefined;
}

/** Runs a script on a channel of the pool and resolves with its exit code; what it gives up it also ends on the host. */
export type Exec = (execution: Execution) => Promise<number>;

export function createExec({ pool, settings }: { pool: Pool; settings: SshSettings }): Exec {
  async function exec(execution: Execution, onGiveUp: (id: string) => void): Promise<number> {
    const { target, kind, script, input, signal, ...rest } = execution;
    const id = `slipway-${randomBytes(9).toString('hex')}`;
    const { command, stdin } = frame(id, script, input);
    const channel = await pool.open({ target, kind, command, signal });
    return talk({ channel, stdin, where: describe(target), signal, ...rest, onGiveUp: () => onGiveUp(id) });
  }

  /** Nobody waits for it: who gave up wants to go on. If it fails, the fence still keeps attempts apart. */
  function endExec(target: SshTarget, id: string): void {
    const { endGraceMs, runTimeoutMs } = settings;
    const script = endExecScript({ id, graceMs: endGraceMs });
    const quiet = {
      input: '',
      timeoutMs: runTimeoutMs,
      signal: undefined,
      onStdout: ignore,
      onStderr: ignore,
    };
    exec({ target, kind: 'ending', script, ...quiet }, ignore).catch(ignore);
  }

  return (execution) => exec(execution, (id) => endExec(execution.target, id));
}

function ignore(): void {}

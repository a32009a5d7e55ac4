import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Closers } from '../benchmark.js';
import type { Job, Load } from './load.js';

const LOAD = new URL('./load.ts', import.meta.url).pathname;

export type Generate = (job: Job) => Promise<Load>;

/** A process of its own, so that its time is not taken from those that answer in theirs. */
export function startGenerator(closers: Closers): Generate {
  const child = fork(LOAD, { execArgv: ['--import', 'tsx'] });
  closers.push(async () => {
    const gone = once(child, 'exit');
    if (child.kill()) await gone;
  });
  return async (job) => {
    child.send(job);
    const [answer] = (await once(child, 'message')) as [{ done: Load } | { failed: string }];
    if ('failed' in answer) throw new Error(answer.failed);
    return answer.done;
  };
}

import type { Db } from '../../db/database.js';

/** What each step writes: its begin and its success are one statement each, in turn. */
const STATEMENTS_OF_STEP = 2;

export interface RecordTimes {
  db: Db;
  /** Of the operation that has just ended, in milliseconds, one per step. */
  take(steps: number): { begins: number[]; succeeds: number[] };
}

/** Takes the time of every statement that does not belong to a transaction: those of the steps' records. */
export function timeRecords(db: Db): RecordTimes {
  const times: number[] = [];
  const timed = new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name !== 'execute') return value.bind(target);
      return async (...args: unknown[]) => {
        const began = performance.now();
        const answer: unknown = await value.apply(target, args);
        times.push(performance.now() - began);
        return answer;
      };
    },
  });
  return {
    db: timed,
    take(steps) {
      const taken = times.splice(0);
      if (taken.length !== steps * STATEMENTS_OF_STEP) {
        throw new Error(`${steps} steps have written ${taken.length} statements instead of two each`);
      }
      return {
        begins: taken.filter((_, at) => at % 2 === 0),
        succeeds: taken.filter((_, at) => at % 2 === 1),
      };
    },
  };
}

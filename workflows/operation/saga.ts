import type { Undo } from '../contract/step.js';

export interface SagaEntry extends Undo {
  step: string;
  /** a state that must not stay: what cannot be left stands first among the leftovers */
  dangerous?: boolean;
}

/** What must be undone, newest last. Pure: it holds data only, so it behaves alike at every replay. */
export interface Saga {
  /** Registers before the act. A repeated act with the same undo keeps its first entry; changed input adds one. */
  register(undo: SagaEntry): SagaEntry;
  /** A place to come back to with `takeDownTo`. */
  depth(): number;
  /** Removes and answers what lies above `depth`, newest first: the order of undoing. */
  takeDownTo(depth: number): SagaEntry[];
  /** Forgets the entries of a step whose state has been left on success. */
  drop(step: string): void;
  /** The point of no return: nothing registered so far is undone any more. */
  keepAll(): void;
  entries(): SagaEntry[];
}

export function createSaga(entries: SagaEntry[] = []): Saga {
  return {
    register(undo) {
      const known = entries.find(
        (entry) =>
          entry.step === undo.step &&
          entry.activity === undo.activity &&
          JSON.stringify(entry.input) === JSON.stringify(undo.input),
      );
      if (known !== undefined) return known;
      entries.push(undo);
      return undo;
    },
    depth: () => entries.length,
    takeDownTo: (depth) => entries.splice(depth).reverse(),
    drop(step) {
      const others = entries.filter((entry) => entry.step !== step);
      entries.splice(0, entries.length, ...others);
    },
    keepAll() {
      entries.length = 0;
    },
    entries: () => [...entries],
  };
}

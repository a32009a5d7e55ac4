import type { Undo } from '../contract/operation/step.js';

export interface SagaEntry extends Undo {
  step: string;
  /** a state that must not stay: what cannot be left stands first among the leftovers */
  dangerous?: boolean;
}

/** What must be undone, newest last. Pure: it holds data only, so it behaves alike at every replay. */
export interface Saga {
  /** Registers before the act. A repeated act with the same undo keeps its first entry; changed input adds one. */
  register(undo: SagaEntry): SagaEntry;
  /** One that could not be undone: an act that is done again makes the same thing, whose entry this is. */
  remember(undo: SagaEntry): void;
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
  const failed: SagaEntry[] = [];
  const isLike = (undo: SagaEntry) => (entry: SagaEntry) =>
    entry.step === undo.step &&
    entry.activity === undo.activity &&
    JSON.stringify(entry.input) === JSON.stringify(undo.input);
  return {
    register(undo) {
      const known = entries.find(isLike(undo));
      if (known !== undefined) return known;
      const again = failed.findIndex(isLike(undo));
      const entry = failed.splice(again, again < 0 ? 0 : 1)[0] ?? undo;
      entries.push(entry);
      return entry;
    },
    remember: (undo) => void failed.push(undo),
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

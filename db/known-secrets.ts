import { createRedaction } from './redaction.js';

/** About 95 MB (`bench/redaction`): beyond it those go whose owners were used longest ago. */
const MOST_KNOWN = 100_000;
/** What was erased may still stand in an answer of a command or in the log line of the request that erased it. */
const LINGER_MS = 600_000;

export interface KnownSecretsOptions {
  mostKnown?: number;
  /** told once: from now on some are known no more */
  onFull?: (known: number) => void;
}

/** The secrets that this process has seen, by owner (`clients/42`): what its output is redacted by. */
export function createKnownSecrets({ mostKnown = MOST_KNOWN, onFull }: KnownSecretsOptions = {}) {
  const redaction = createRedaction();
  /** those that were used longest ago first */
  const owners = new Map<string, Set<string>>();
  /** since when they are gone, the first ones first */
  const gone = new Map<string, number>();
  let count = 0;
  let wasFull = false;

  /** Whether anything of this owner is known; it is used now. */
  function use(owner: string): boolean {
    const values = owners.get(owner);
    if (values === undefined) return false;
    owners.delete(owner);
    owners.set(owner, values);
    gone.delete(owner);
    return true;
  }

  function drop(owner: string, values: readonly string[]): void {
    const known = owners.get(owner);
    for (const value of values) {
      if (known?.delete(value) !== true) continue;
      redaction.remove(value);
      count -= 1;
    }
    if (known?.size === 0) owners.delete(owner);
  }

  function dropGone(): void {
    for (const [owner, since] of gone) {
      if (Date.now() - since < LINGER_MS) return;
      gone.delete(owner);
      drop(owner, [...(owners.get(owner) ?? [])]);
    }
  }

  function dropOldest(): void {
    for (const [owner, values] of owners) {
      if (count <= mostKnown) return;
      if (!wasFull) onFull?.(count);
      wasFull = true;
      drop(owner, owners.size > 1 ? [...values] : [...values].slice(0, count - mostKnown));
    }
  }

  return {
    redact: redaction.redact,
    redactChunk: redaction.redactChunk,
    use,

    add(owner: string, value: string): void {
      if (!use(owner)) owners.set(owner, new Set());
      const values = owners.get(owner);
      if (values !== undefined && !values.has(value)) {
        values.add(value);
        redaction.add(value);
        count += 1;
      }
      dropGone();
      dropOldest();
    },

    /** Its secrets are known for some minutes more, or until it is used again. */
    forget(owner: string): void {
      if (owners.has(owner) && !gone.has(owner)) gone.set(owner, Date.now());
    },

    count: (): number => count,
  };
}

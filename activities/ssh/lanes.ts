import { failure } from '../../workflows/contract/operation/failures.js';

/**
 * A follower stays for the whole life of a job; short commands must not starve behind it. An ending frees the lane of
 * a command that was given up, so it cannot wait for one of those.
 */
export type LaneKind = 'command' | 'follower' | 'ending';

interface Waiting {
  kind: LaneKind;
  enter(): void;
}

export interface LaneLimits {
  channels: number;
  followers: number;
  endings: number;
}

export interface Lanes {
  /** Resolves with the function that frees the lane (harmless when called twice). First come, first served per kind. */
  take(want: {
    kind: LaneKind;
    waitMs: number;
    where: string;
    signal?: AbortSignal | undefined;
  }): Promise<() => void>;
  busy(): number;
}

/** At most `channels` at a time, at most `followers` of them followers; and `endings` beside them. */
export function createLanes({ channels, followers, endings }: LaneLimits): Lanes {
  const used = { command: 0, follower: 0, ending: 0 };
  const queue: Waiting[] = [];
  const free = (kind: LaneKind) => {
    if (kind === 'ending') return used.ending < endings;
    return used.command + used.follower < channels && (kind === 'command' || used.follower < followers);
  };

  function enter(kind: LaneKind): () => void {
    used[kind] += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      used[kind] -= 1;
      admit();
    };
  }

  function admit(): void {
    for (;;) {
      const next = queue.findIndex(({ kind }) => free(kind));
      if (next < 0) return;
      queue.splice(next, 1)[0]?.enter();
    }
  }

  return {
    busy: () => used.command + used.follower + used.ending + queue.length,
    take({ kind, waitMs, where, signal }) {
      if (signal?.aborted) return Promise.reject(signal.reason as Error);
      if (free(kind) && !queue.some((waiting) => waiting.kind === kind)) return Promise.resolve(enter(kind));
      return new Promise((resolve, reject) => {
        const leave = (error: unknown) => {
          queue.splice(queue.indexOf(waiting), 1);
          settle();
          reject(error);
        };
        const onAbort = () => leave(signal?.reason);
        const timer = setTimeout(
          () =>
            leave(failure('Unavailable', `${where}: no free channel within ${Math.round(waitMs / 1000)} s`)),
          waitMs,
        );
        const settle = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
        };
        const waiting: Waiting = {
          kind,
          enter: () => {
            settle();
            resolve(enter(kind));
          },
        };
        signal?.addEventListener('abort', onAbort);
        queue.push(waiting);
      });
    },
  };
}

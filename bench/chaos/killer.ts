import { setTimeout as delay } from 'node:timers/promises';
import { dice } from './dice.js';

export interface Victim {
  name: string;
  /** how often it is chosen, beside the others */
  weight: number;
  /** resolves once it has been started again; rejects only for what has to stop the benchmark */
  kill(): Promise<void>;
}

export interface Killer {
  /** by name */
  kills(): Record<string, number>;
  /** no more kills; resolves when everything has been started again */
  stop(): Promise<void>;
}

/** One kill every five seconds; with less time than a restart takes, nothing would get on at all. */
const MEAN_MS = 5_000;
/** A program takes some seconds until it works; one that is killed again and again before never does. */
const SPARED_MS = 10_000;

interface StartKiller {
  seed: number;
  victims: readonly Victim[];
  log(line: string): void;
}

/** Kills one victim after the other, at random moments of a Poisson process; the choice is that of the seed. */
export function startKiller({ seed, victims, log }: StartKiller): Killer {
  const roll = dice(seed);
  const kills: Record<string, number> = Object.fromEntries(victims.map(({ name }) => [name, 0]));
  const spared = new Map<string, number>();
  const stopping = new AbortController();
  const restarts = new Set<Promise<void>>();
  let failed: unknown;

  function strike({ name, kill }: Victim): void {
    if ((spared.get(name) ?? 0) > Date.now()) return;
    spared.set(name, Number.POSITIVE_INFINITY);
    kills[name] = (kills[name] ?? 0) + 1;
    log(`kill ${name}`);
    const restart = kill()
      .catch((error: unknown) => (failed ??= error))
      .then(() => void spared.set(name, Date.now() + SPARED_MS));
    restarts.add(restart);
    void restart.then(() => restarts.delete(restart));
  }

  const done = (async () => {
    while (!stopping.signal.aborted) {
      const pause = -Math.log(1 - roll()) * MEAN_MS;
      const victim = choose(victims, roll());
      await delay(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (!stopping.signal.aborted) strike(victim);
    }
  })();

  return {
    kills: () => kills,
    async stop() {
      stopping.abort();
      await done;
      await Promise.all(restarts);
      if (failed !== undefined) throw failed;
    },
  };
}

function choose(victims: readonly Victim[], rolled: number): Victim {
  const total = victims.reduce((sum, { weight }) => sum + weight, 0);
  let left = rolled * total;
  const found = victims.find(({ weight }) => (left -= weight) < 0);
  if (found === undefined) throw new Error('there is nothing to kill');
  return found;
}

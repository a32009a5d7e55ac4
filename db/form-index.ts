/** A form is found by its first characters, as many as the shortest one has. */
export const SHORTEST = 6;

/** Multiplier of the rolling hash: odd, its bits spread over all 32 (2 to the 32 by the golden ratio). */
const BASE = 0x9e3779b1;
/** What the character that leaves the window has been multiplied by. */
const LEAVING = Array.from({ length: SHORTEST }).reduce<number>((power) => Math.imul(power, BASE), 1);
/** No map is large, so that none is ever rebuilt at once when it grows. */
const SHARDS = 2 ** 8;
/** Counters, a byte each: with 400,000 forms most windows of a text still find a zero and need no look into a map. */
const FILTER_SIZE = 2 ** 21;
const FULL = 255;

/** One form; or several with the same beginning, sorted. */
type Bucket = string | string[];

/**
 * Which of very many forms begin at a place of a text: a rolling hash over windows of `SHORTEST` characters, and behind
 * each hash the forms that begin with such a window. A form that is added or removed touches its own bucket only. The
 * automaton of Aho and Corasick, which libraries have, takes ten times the memory and is built anew for each change.
 */
export class FormIndex {
  readonly #shards = Array.from({ length: SHARDS }, () => new Map<number, Bucket>());
  readonly #filter = new Uint8Array(FILTER_SIZE);

  add(form: string): void {
    const hash = hashOf(form);
    const shard = this.#shardOf(hash);
    const bucket = shard.get(hash);
    if (bucket === undefined) {
      shard.set(hash, form);
      const counter = hash & (FILTER_SIZE - 1);
      if (this.#filter[counter] !== FULL) this.#filter[counter] = (this.#filter[counter] ?? 0) + 1;
    } else if (typeof bucket === 'string') shard.set(hash, bucket < form ? [bucket, form] : [form, bucket]);
    else bucket.splice(firstNotBelow(bucket, form), 0, form);
  }

  /** One of those that are equal. */
  remove(form: string): void {
    const hash = hashOf(form);
    const shard = this.#shardOf(hash);
    const bucket = shard.get(hash);
    if (typeof bucket === 'object') {
      const at = firstNotBelow(bucket, form);
      if (bucket[at] === form) bucket.splice(at, 1);
      const [last] = bucket;
      if (bucket.length === 1 && last !== undefined) shard.set(hash, last);
    } else if (bucket === form) {
      shard.delete(hash);
      const counter = hash & (FILTER_SIZE - 1);
      // one that was full may count others, too
      if (this.#filter[counter] !== FULL) this.#filter[counter] = (this.#filter[counter] ?? 1) - 1;
    }
  }

  /** Every place where a form may begin, from the first to the last. */
  candidates(text: string): { at: number; bucket: Bucket }[] {
    const found: { at: number; bucket: Bucket }[] = [];
    const filter = this.#filter;
    let hash = 0;
    for (let end = 0; end < text.length; end += 1) {
      hash = Math.imul(hash, BASE) + text.charCodeAt(end);
      if (end >= SHORTEST) hash -= Math.imul(text.charCodeAt(end - SHORTEST), LEAVING);
      hash |= 0;
      if (end < SHORTEST - 1 || filter[hash & (FILTER_SIZE - 1)] === 0) continue;
      const bucket = this.#shardOf(hash).get(hash);
      if (bucket !== undefined) found.push({ at: end + 1 - SHORTEST, bucket });
    }
    return found;
  }

  #shardOf(hash: number): Map<number, Bucket> {
    return this.#shards[hash >>> 24] as Map<number, Bucket>;
  }
}

function hashOf(form: string): number {
  let hash = 0;
  for (let at = 0; at < SHORTEST; at += 1) hash = (Math.imul(hash, BASE) + form.charCodeAt(at)) | 0;
  return hash;
}

/** How long the longest form is that `text` begins with; 0 without one. */
export function longestAtStart(bucket: Bucket, text: string): number {
  if (typeof bucket === 'string') return text.startsWith(bucket) ? bucket.length : 0;
  // every form that `rest` begins with is sorted before it, and the nearest one begins with it as well
  for (let rest = text; ; ) {
    const after = firstNotBelow(bucket, rest);
    const form = bucket[after] === rest ? rest : bucket[after - 1];
    if (form === undefined) return 0;
    if (text.startsWith(form)) return form.length;
    rest = rest.slice(0, sharedLength(form, rest));
  }
}

/** Whether a form begins with the whole of `text`. */
export function beginsWith(bucket: Bucket, text: string): boolean {
  const form = typeof bucket === 'string' ? bucket : bucket[firstNotBelow(bucket, text)];
  return form?.startsWith(text) === true;
}

function sharedLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}

function firstNotBelow(sorted: readonly string[], text: string): number {
  let from = 0;
  for (let to = sorted.length; from < to; ) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] as string) < text) from = middle + 1;
    else to = middle;
  }
  return from;
}

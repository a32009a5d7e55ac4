import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createKnownSecrets } from '../../db/known-secrets.js';
import { log, observe, printReport, round, writeResult } from '../benchmark.js';
import { quantile, table } from '../figures.js';

/** As many as a process keeps. */
const MANY = 100_000;
const COUNTS = [100, 10_000, MANY];
const CHUNK_BYTES = 4_096;
/** One call is shorter than the clock is exact. */
const CALLS = 200;

interface Sample {
  known: number;
  chunkMs: number;
  lineMs: number;
}

/** One call over 4 kB by how many secrets are known, what adding one takes, and their memory. */
export async function benchRedaction({ repeats }: { repeats: number }): Promise<void> {
  const { measured, environment } = await observe({
    repeats,
    versions: {},
    durability: {},
    measure: () => measure(repeats),
  });
  printReport([callsOf(measured.samples), addsOf(measured)], environment, NOTES);
  await writeResult({ name: 'redaction', environment, metrics: metricsOf(measured) });
}

const NOTES = [
  `chunk: ${CHUNK_BYTES} bytes of a log with one secret in them, its edges searched too; line: the same without edges.`,
  'Generated secrets of 32 characters, four forms of each; no other process is measured.',
  '',
];

interface Measured {
  samples: Sample[];
  addMs: number[];
  /** bytes of heap and buffers that they hold */
  memoryBytes: number;
}

async function measure(repeats: number): Promise<Measured> {
  const known = createKnownSecrets();
  const before = usedBytes();
  const samples: Sample[] = [];
  const addMs: number[] = [];
  for (const count of COUNTS) {
    while (known.count() < count) {
      const secret = randomBytes(24).toString('base64url');
      // six of each client, as in life
      const owner = `clients/${Math.floor(known.count() / 6)}`;
      addMs.push(timed(() => known.add(owner, secret)));
      if (known.count() % 1_000 === 0) await setImmediate();
    }
    const secret = randomBytes(24).toString('base64url');
    known.add('clients/0', secret);
    const chunk = chunkWith(secret);
    if (known.redactChunk(chunk).includes(secret)) throw new Error('a known secret was not masked');
    for (let at = 0; at <= repeats; at += 1) {
      const chunkMs = timed(() => times(CALLS, () => known.redactChunk(chunk))) / CALLS;
      const lineMs = timed(() => times(CALLS, () => known.redact(chunk))) / CALLS;
      // the first one warms up
      if (at > 0) samples.push({ known: count, chunkMs, lineMs });
    }
    log(`${count} known`);
  }
  return { samples, addMs, memoryBytes: usedBytes() - before };
}

function chunkWith(secret: string): string {
  const line = () =>
    `2026-01-01T12:00:00Z app-${randomBytes(4).toString('hex')} GET /api/users?page=7 200 12ms\n`;
  let chunk = `password is ${secret}\n`;
  while (chunk.length < CHUNK_BYTES) chunk += line();
  return chunk.slice(0, CHUNK_BYTES);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function times(count: number, work: () => unknown): void {
  for (let at = 0; at < count; at += 1) work();
}

function timed(work: () => unknown): number {
  const from = performance.now();
  work();
  return performance.now() - from;
}

function quantilesOf(samples: readonly Sample[], known: number, pick: (sample: Sample) => number): number[] {
  const values = samples.filter((sample) => sample.known === known).map(pick);
  return [0.5, 0.95].map((q) => quantile(values, q));
}

const chunk = ({ chunkMs }: Sample) => chunkMs;
const line = ({ lineMs }: Sample) => lineMs;

function callsOf(samples: readonly Sample[]): string {
  const rows = COUNTS.map((known) =>
    [known, ...[chunk, line].flatMap((pick) => quantilesOf(samples, known, pick))].map((cell, at) =>
      at === 0 ? cell : cell.toFixed(4),
    ),
  );
  return table([['known secrets, ms', 'chunk p50', 'p95', 'line p50', 'p95'], ...rows]);
}

function addsOf({ addMs, memoryBytes }: Measured): string {
  const [p50, p99, longest] = [0.5, 0.99, 1].map((q) => quantile(addMs, q).toFixed(3));
  return table([
    ['adding one, ms', 'p50', 'p99', 'longest', `MB for ${MANY}`],
    ['', p50, p99, longest, (memoryBytes / 1e6).toFixed(0)].map((cell) => cell ?? ''),
  ]);
}

/** `chunk<count>P50Ms` and the like by how many are known. */
function metricsOf({ samples, addMs, memoryBytes }: Measured): Record<string, number> {
  const calls = COUNTS.flatMap((known) =>
    Object.entries({ chunk, line }).flatMap(([name, pick]) => {
      const [p50 = Number.NaN, p95 = Number.NaN] = quantilesOf(samples, known, pick);
      return [
        [`${name}${known}P50Ms`, round(p50, 4)],
        [`${name}${known}P95Ms`, round(p95, 4)],
      ];
    }),
  );
  return Object.fromEntries([
    ...calls,
    ['addP50Ms', round(quantile(addMs, 0.5), 4)],
    ['addP99Ms', round(quantile(addMs, 0.99), 4)],
    ['addLongestMs', round(quantile(addMs, 1), 3)],
    ['memoryMb', round(memoryBytes / 1e6, 1)],
  ]);
}

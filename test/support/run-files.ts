/** Runs the test files that it is given, in their order: `node --test` would sort them. */
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** of all files, and of the first `hosts` of them, which load their hosts too */
    concurrency: { type: 'string', default: '1' },
    hosts: { type: 'string', default: '0' },
    'hosts-concurrency': { type: 'string', default: '1' },
    timeout: { type: 'string' },
  },
});

interface Event {
  type: string;
  data: { message?: string; nesting?: number; file?: string; details?: { duration_ms?: number } };
}

/** Milliseconds that each file's tests took. */
const durations = new Map<string, number>();
/** As many as somebody looks at who wants the run to be shorter. */
const SLOWEST = 10;

function countDuration({ type, data }: Event): void {
  if (type !== 'test:pass' && type !== 'test:fail') return;
  if (data.nesting !== 0 || data.file === undefined) return;
  const file = relative('', data.file);
  durations.set(file, (durations.get(file) ?? 0) + (data.details?.duration_ms ?? 0));
}

function slowestFiles(): string[] {
  const sorted = [...durations].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
  return sorted.map(([file, ms]) => `${(ms / 1000).toFixed(1).padStart(8)} s  ${file}`);
}

/** What a run says of itself at its end, such as `pass 12`; all runs are told as one. */
const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;
const counts = new Map<string, number>();

async function* withoutCounts(events: AsyncIterable<Event>): AsyncGenerator<Event> {
  for await (const event of events) {
    countDuration(event);
    const [, name, count] = COUNT.exec(event.data.message ?? '') ?? [];
    if (event.type !== 'test:diagnostic' || event.data.nesting !== 0 || name === undefined) yield event;
    else counts.set(name, (counts.get(name) ?? 0) + Number(count));
  }
}

async function runAll(files: string[], concurrency: number): Promise<void> {
  if (files.length === 0) return;
  const events = run({ files, concurrency, timeout: Number(values.timeout), forceExit: true });
  events.on('test:fail', () => {
    process.exitCode = 1;
  });
  const told = Readable.from(withoutCounts(events)).compose(new spec());
  told.pipe(process.stdout, { end: false });
  await finished(told);
}

const hosts = Number(values.hosts);
await runAll(positionals.slice(0, hosts), Number(values['hosts-concurrency']));
await runAll(positionals.slice(hosts), Number(values.concurrency));
console.log(`\nslowest files:\n${slowestFiles().join('\n')}\n`);
for (const [name, count] of counts) console.log(`ℹ ${name} ${count}`);

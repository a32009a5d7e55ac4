/** Runs the test files that it is given, in their order: `node --test` would sort them. */
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
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
  data: { message?: string; nesting?: number };
}

/** What a run says of itself at its end, such as `pass 12`; all runs are told as one. */
const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;
const counts = new Map<string, number>();

async function* withoutCounts(events: AsyncIterable<Event>): AsyncGenerator<Event> {
  for await (const event of events) {
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
for (const [name, count] of counts) console.log(`ℹ ${name} ${count}`);

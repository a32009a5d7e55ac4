import { benchChaos } from './chaos/bench.js';
import { benchCreateClient } from './create-client/bench.js';
import { benchFanOut } from './fan-out/bench.js';
import { benchFootprint } from './footprint/bench.js';
import { benchHttp } from './http/bench.js';
import { benchLists } from './lists/bench.js';
import { benchLogLatency } from './log-latency/bench.js';
import { benchRecovery } from './recovery/bench.js';
import { benchRedaction } from './redaction/bench.js';
import { benchStepOverhead } from './step-overhead/bench.js';
import { benchSwitch } from './switch/bench.js';

type Options = Record<'repeats' | 'creates' | 'seed' | 'clients' | 'megabytes', number>;

interface Bench {
  what: string;
  /** its own, with their defaults; `repeats` where there are none */
  options?: Partial<Options>;
  run(options: Options): Promise<void>;
}

/** Every benchmark, by the name that `npm run bench -- <name>` takes; each prints its table and writes `results/<name>.json`. */
const BENCHES: Record<string, Bench> = {
  'create-client': {
    what: 'B1: a client from POST to its end, beside one script and beside Ansible',
    run: benchCreateClient,
  },
  'fan-out': {
    what: 'B2: switch_all over many clients on 3 hosts, beside xargs -P and Ansible with the same parallelism',
    // a run of 50 real switches takes minutes
    options: { repeats: 3, clients: 50 },
    run: benchFanOut,
  },
  switch: {
    what: 'how long a client with much data is away while it is switched, beside a script with dump and restore',
    // a run over a gigabyte takes minutes
    options: { repeats: 3, megabytes: 1_000 },
    run: benchSwitch,
  },
  'step-overhead': {
    what: 'B1n, B3: what a durable step costs, beside plain scripts and beside bare Temporal',
    run: benchStepOverhead,
  },
  http: {
    what: 'B4: reads and a start by the API, beside bare Hono',
    run: benchHttp,
  },
  recovery: {
    what: 'B5: the executor killed at each step of a create, beside Ansible run again',
    // one round kills in every other step and behind the others, the next one the other way round
    options: { repeats: 2 },
    run: benchRecovery,
  },
  chaos: {
    what: 'B6: creates under random kills of everything: orphans, duplicates, lost, stuck; beside Ansible',
    options: { creates: 200, seed: 1 },
    run: benchChaos,
  },
  footprint: {
    what: 'B9: memory and time until ready, beside a bare worker',
    run: benchFootprint,
  },
  lists: {
    what: 'pages of clients among ten thousand; pages of a long log beside those of a short one',
    run: benchLists,
  },
  'log-latency': {
    what: 'B10: from a remote line printed until an SSE client has it',
    run: benchLogLatency,
  },
  redaction: {
    what: 'redacting 4 kB with up to 100,000 known secrets; adding one; their memory',
    run: benchRedaction,
  },
};

/** Below ten a 95th percentile says nothing. */
const REPEATS = 10;

async function main(args: string[]): Promise<number> {
  const [name = '', ...rest] = args;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  const options = bench === undefined ? undefined : readOptions(rest, optionsOf(bench));
  if (bench === undefined || options === undefined) {
    console.error(
      `usage: npm run bench -- <name> [options]\n${Object.entries(BENCHES).map(describe).join('\n')}`,
    );
    return 2;
  }
  await bench.run(options);
  return 0;
}

function describe([name, bench]: [string, Bench]): string {
  const flags = Object.entries(optionsOf(bench)).map(([option, value]) => `--${option} ${value}`);
  return `  ${name.padEnd(16)} ${bench.what} [${flags.join(' ')}]`;
}

function optionsOf({ options = { repeats: REPEATS } }: Bench): Partial<Options> {
  return options;
}

/** `--<option> <number>` for what the benchmark knows; undefined for words that mean nothing. */
function readOptions(rest: string[], known: Partial<Options>): Options | undefined {
  const options = { repeats: 1, creates: 1, seed: 1, clients: 1, megabytes: 1, ...known };
  for (let at = 0; at < rest.length; at += 2) {
    const [flag = '', value = ''] = rest.slice(at, at + 2);
    const name = flag.replace(/^--/, '');
    if (!flag.startsWith('--') || !isOption(name, known) || !/^[1-9]\d{0,3}$/.test(value)) return undefined;
    options[name] = Number(value);
  }
  return options;
}

function isOption(name: string, known: Partial<Options>): name is keyof Options {
  return Object.hasOwn(known, name);
}

let exitCode = 1;
try {
  exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error);
}
process.exit(exitCode);

import { benchCreateClient } from './create-client/bench.js';

/** Every benchmark, by the name that `npm run bench -- <name>` takes; each prints its table and writes `results/<name>.json`. */
const BENCHES: Record<string, { what: string; run(options: { repeats: number }): Promise<void> }> = {
  'create-client': {
    what: 'B1: a client from POST to its end, beside one script and beside Ansible',
    run: benchCreateClient,
  },
};

/** Below ten a 95th percentile says nothing. */
const REPEATS = 10;

async function main(args: string[]): Promise<number> {
  const [name = '', ...rest] = args;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  const repeats = readRepeats(rest);
  if (bench === undefined || repeats === undefined) {
    const names = Object.entries(BENCHES).map(([known, { what }]) => `  ${known.padEnd(20)} ${what}`);
    console.error(`usage: npm run bench -- <name> [--repeats ${REPEATS}]\n${names.join('\n')}`);
    return 2;
  }
  await bench.run({ repeats });
  return 0;
}

/** Undefined for words that mean nothing. */
function readRepeats(rest: string[]): number | undefined {
  if (rest.length === 0) return REPEATS;
  const [flag, value = ''] = rest;
  return rest.length === 2 && flag === '--repeats' && /^[1-9]\d{0,2}$/.test(value)
    ? Number(value)
    : undefined;
}

let exitCode = 1;
try {
  exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error);
}
process.exit(exitCode);

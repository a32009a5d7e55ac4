import { joinScripts, sh } from '../../activities/ssh/shell.js';
import type { Rig } from './rig.js';
import { checkFromOutside, type Pattern, type PeerClient } from './things.js';

/** Nothing of it takes longer than a minute, unless it hangs. */
const TIMEOUT_MS = 120_000;

export interface FloorSample {
  ms: number;
  /** milliseconds by section, as the script itself has taken them */
  parts: Map<string, number>;
}

/** All sections as one bash script over one warm SSH connection, then the look from outside. */
export async function createByScript(
  { ssh }: Rig,
  pattern: Pattern,
  { thing, sections }: PeerClient,
): Promise<FloorSample> {
  const scripts = sections.map(({ name, script, input }) => {
    const body = sh`printf 'section %s %s\n' ${name} "$EPOCHREALTIME" >&2
(
set -eu
${script}
)`;
    if (input === null) return sh`${body} </dev/null`;
    return sh`head -c ${Buffer.byteLength(input)} | {
${body}
}`;
  });
  const script = joinScripts([...scripts, sh`printf 'section %s %s\n' end "$EPOCHREALTIME" >&2`]);
  const input = sections.map((section) => section.input ?? '').join('');
  const began = performance.now();
  const { exitCode, stderr } = await ssh.run(pattern.target, script, { input, timeoutMs: TIMEOUT_MS });
  if (exitCode !== 0) throw new Error(`the script ended with ${exitCode}: ${stderr}`);
  const outsideAt = performance.now();
  await checkFromOutside(pattern, thing);
  const end = performance.now();
  const parts = readMarks(stderr);
  parts.set('outside-check', end - outsideAt);
  return { ms: end - began, parts };
}

function readMarks(stderr: string): Map<string, number> {
  const marks = [...stderr.matchAll(/^section (\S+) (\d+\.\d+)$/gm)].map(([, name = '', seconds = '']) => ({
    name,
    ms: Number(seconds) * 1000,
  }));
  return new Map(
    marks.slice(0, -1).map(({ name, ms }, at) => [name, (marks[at + 1]?.ms ?? Number.NaN) - ms]),
  );
}

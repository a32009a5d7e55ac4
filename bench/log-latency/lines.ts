import { type Script, sh } from '../../activities/ssh/shell.js';

/** Of one run; ten runs are the hundred of a figure. */
export const LINES = 10;

/** A reader has come by then. */
const LEAD_SECONDS = 2;

/**
 * Lines that bear the moment of their printing, 150 to 250 ms apart, so that they fall into no rhythm of a reader's.
 * The host's clock is this machine's.
 */
export const PRINT: Script = sh`printf 'ready\n'
sleep ${LEAD_SECONDS}
for number in $(seq ${LINES}); do
  sleep "0.$((150 + RANDOM % 100))"
  printf 'line %s %s\n' "$number" "$EPOCHREALTIME"
done`;

/** Takes text as it comes; answers for each whole line how long ago it was printed, in milliseconds. */
export function createLineReader(): (text: string) => number[] {
  const clock = startClock();
  let rest = '';
  return (text) => {
    const now = clock();
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    return lines.flatMap((line) => {
      const seconds = /^line \d+ (\d+\.\d+)$/.exec(line)?.[1];
      return seconds === undefined ? [] : [now - Number(seconds) * 1000];
    });
  };
}

/** The clock of the lines in fractions of a millisecond, which `Date.now` cuts off; good for some seconds. */
function startClock(): () => number {
  const before = Date.now();
  while (Date.now() === before);
  const offset = Date.now() - performance.now();
  return () => offset + performance.now();
}

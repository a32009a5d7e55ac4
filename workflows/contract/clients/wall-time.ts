/**
 * The moment at which clocks of `timezone` show `wall`, both in milliseconds and `wall` as if it were UTC. An hour that
 * daylight saving skips is moved forward.
 */
export function wallTime(wall: number, timezone: string): number {
  const first = wall - zoneOffset(wall, timezone);
  return wall - zoneOffset(first, timezone);
}

/** What clocks of `timezone` show at a moment, in milliseconds as if it were UTC. */
export function wallClockAt(ms: number, timezone: string): number {
  return ms + zoneOffset(ms, timezone);
}

/** Milliseconds that the zone's clocks are ahead of UTC at that moment. */
function zoneOffset(ms: number, timezone: string): number {
  const part = Object.fromEntries(
    formatOf(timezone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}

/** Making one takes a hundred times as long as using it. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, format);
  return format;
}

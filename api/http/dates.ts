import { wallTime } from '../../workflows/contract/clients/wall-time.js';

const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?)?\s?(Z|[+-]\d{2}:?\d{2})?$/;
/** A licence that ends outside of these years is a typing error. */
const YEARS = { first: 2000, last: 2199 };

/**
 * A moment from `2031-01-31`, `2031-01-31 18:00`, `2031-01-31T18:00:00+03:00` and the like. Without an offset it is
 * the wall clock of `timezone` (an hour that daylight saving skips is moved forward). Null: no such moment.
 */
export function parseMoment(value: string, timezone: string): Date | null {
  const parts = DATE_TIME.exec(value.trim());
  if (parts === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  if (year < YEARS.first || year > YEARS.last) return null;
  const wall = Date.UTC(year, month - 1, day, hour, minute, second);
  const written = [year, month, day, hour, minute, second].join();
  if (wallClock(wall).join() !== written) return null;
  const offset = parts[7];
  if (offset === undefined) return new Date(wallTime(wall, timezone));
  const offsetMs = parseOffset(offset);
  return offsetMs === null ? null : new Date(wall - offsetMs);
}

function wallClock(ms: number): number[] {
  const date = new Date(ms);
  return [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
}

function parseOffset(offset: string): number | null {
  if (offset === 'Z') return 0;
  const hours = Number(offset.slice(1, 3));
  const minutes = Number(offset.slice(-2));
  if (hours > 14 || minutes > 59) return null;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

import type { LicenseNoticeState } from '../../../db/schema/index.js';
import { wallClockAt, wallTime } from '../../../workflows/contract/clients/wall-time.js';

/** `docs/contract/servers.md`, The clock: days before the licence's end, and on its day. */
export const NOTICE_DAYS = [30, 14, 7, 1, 0] as const;

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** A sweep comes once an hour: whatever fell due within the last one was not missed by anybody. */
const SWEEP_MS = HOUR_MS;

export interface License {
  end: Date;
  /** IANA name of the client's zone */
  timezone: string;
  /** hour of the client's day at which notices go out */
  hour: number;
}

export interface DueNotice {
  days: number;
  dueAt: Date;
}

/** When each notice of a licence is due, earliest first: at that hour of the client's own day. */
export function dueNotices({ end, timezone, hour }: License): DueNotice[] {
  const lastDay = Math.floor(wallClockAt(end.getTime(), timezone) / DAY_MS) * DAY_MS;
  return NOTICE_DAYS.map((days) => ({
    days,
    dueAt: new Date(wallTime(lastDay - days * DAY_MS + hour * HOUR_MS, timezone)),
  }));
}

/** Days from one moment to another as a calendar of that zone counts them. */
export function calendarDays(from: Date, to: Date, timezone: string): number {
  const day = (date: Date) => Math.floor(wallClockAt(date.getTime(), timezone) / DAY_MS);
  return day(to) - day(from);
}

/** From when on the client is locked. */
export function lockTime(end: Date, graceDays: number): Date {
  return new Date(end.getTime() + graceDays * DAY_MS);
}

export interface PlannedNotice extends DueNotice {
  state: Extract<LicenseNoticeState, 'planned' | 'superseded'>;
}

export interface NoticePlan {
  /** rows to be written: new ones, and planned ones whose time or state is another now */
  write: PlannedNotice[];
  /** days of the one that goes out now; null: none */
  send: number | null;
}

export interface NoticeWorld extends License {
  now: Date;
  /** of this licence end; empty where it is seen for the first time */
  recorded: readonly (DueNotice & { state: LicenseNoticeState })[];
}

/**
 * What is to be done about the notices of one licence end. After an outage only the nearest goes out; what was due
 * before the end was set is nobody's notice. Deterministic: asked again, with what it said recorded, it says the same.
 */
export function planNotices(world: NoticeWorld): NoticePlan {
  const { now, recorded } = world;
  const known = new Map(recorded.map((notice) => [notice.days, notice]));
  const open = dueNotices(world).filter(({ days }) => (known.get(days)?.state ?? 'planned') === 'planned');
  const told = recorded.filter(({ state }) => state === 'sent' || state === 'maybe_sent');
  // a zone that was changed may make an earlier one due after a later one
  const nearestTold = Math.min(...told.map(({ days }) => days));
  const seenSince = recorded.length === 0 ? now.getTime() - SWEEP_MS : Number.NEGATIVE_INFINITY;
  const isLive = ({ days, dueAt }: DueNotice) => dueAt.getTime() > seenSince && days < nearestTold;
  const due = open.filter((notice) => notice.dueAt <= now && isLive(notice));
  const send = due.at(-1)?.days ?? null;
  const isPast = (notice: DueNotice) => !isLive(notice) || (notice.dueAt <= now && notice.days !== send);
  const write = open
    .map((notice): PlannedNotice => ({ ...notice, state: isPast(notice) ? 'superseded' : 'planned' }))
    .filter(({ days, dueAt, state }) => {
      const before = known.get(days);
      return before?.state !== state || before.dueAt.getTime() !== dueAt.getTime();
    });
  return { write, send };
}

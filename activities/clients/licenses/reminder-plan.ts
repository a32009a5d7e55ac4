import type { LicenseReminderState } from '../../../db/schema/index.js';
import { wallClockAt, wallTime } from '../../../workflows/contract/clients/wall-time.js';

/** `docs/contract/servers.md`, The clock: days before the licence's end, and on its day. */
export const REMINDER_DAYS = [30, 14, 7, 1, 0] as const;

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** A sweep comes once an hour: whatever fell due within the last one was not missed by anybody. */
const SWEEP_MS = HOUR_MS;

export interface License {
  end: Date;
  /** IANA name of the client's zone */
  timezone: string;
  /** hour of the client's day at which reminders go out */
  hour: number;
}

export interface DueReminder {
  days: number;
  dueAt: Date;
}

/** When each reminder of a licence is due, earliest first: at that hour of the client's own day. */
export function dueReminders({ end, timezone, hour }: License): DueReminder[] {
  const lastDay = Math.floor(wallClockAt(end.getTime(), timezone) / DAY_MS) * DAY_MS;
  return REMINDER_DAYS.map((days) => ({
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

export interface PlannedReminder extends DueReminder {
  state: Extract<LicenseReminderState, 'planned' | 'superseded'>;
}

export interface ReminderPlan {
  /** rows to be written: new ones, and planned ones whose time or state is another now */
  write: PlannedReminder[];
  /** days of the one that goes out now; null: none */
  send: number | null;
}

export interface ReminderWorld extends License {
  now: Date;
  /** of this licence end; empty where it is seen for the first time */
  recorded: readonly (DueReminder & { state: LicenseReminderState })[];
}

/**
 * What is to be done about the reminders of one licence end. After an outage only the nearest goes out; what was due
 * before the end was set is nobody's reminder. Deterministic: asked again, with what it said recorded, it says the same.
 */
export function planReminders(world: ReminderWorld): ReminderPlan {
  const { now, recorded } = world;
  const known = new Map(recorded.map((reminder) => [reminder.days, reminder]));
  const open = dueReminders(world).filter(({ days }) => (known.get(days)?.state ?? 'planned') === 'planned');
  const told = recorded.filter(({ state }) => state === 'sent' || state === 'maybe_sent');
  // a zone that was changed may make an earlier one due after a later one
  const nearestTold = Math.min(...told.map(({ days }) => days));
  const seenSince = recorded.length === 0 ? now.getTime() - SWEEP_MS : Number.NEGATIVE_INFINITY;
  const isLive = ({ days, dueAt }: DueReminder) => dueAt.getTime() > seenSince && days < nearestTold;
  const due = open.filter((reminder) => reminder.dueAt <= now && isLive(reminder));
  const send = due.at(-1)?.days ?? null;
  const isPast = (reminder: DueReminder) =>
    !isLive(reminder) || (reminder.dueAt <= now && reminder.days !== send);
  const write = open
    .map((reminder): PlannedReminder => ({ ...reminder, state: isPast(reminder) ? 'superseded' : 'planned' }))
    .filter(({ days, dueAt, state }) => {
      const before = known.get(days);
      return before?.state !== state || before.dueAt.getTime() !== dueAt.getTime();
    });
  return { write, send };
}

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  calendarDays,
  type DueReminder,
  dueReminders,
  lockTime,
  REMINDER_DAYS,
  planReminders,
} from '../../../activities/clients/licenses/reminder-plan.js';
import type { LicenseReminderState } from '../../../db/schema/index.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** What a wall clock shows there, by the platform and not by our own arithmetic. */
function shown(date: Date, timeZone: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return format.format(date);
}

function timesOf(end: string, timezone: string, hour = 9): string[] {
  return dueReminders({ end: new Date(end), timezone, hour }).map(({ dueAt }) => dueAt.toISOString());
}

describe('the times of reminders', () => {
  it('are the hour of the client’s own day, over both changes of the clock', () => {
    // New York: summer time ended on 2 November 2031
    assert.deepEqual(timesOf('2031-11-15T20:00:00Z', 'America/New_York'), [
      '2031-10-16T13:00:00.000Z',
      '2031-11-01T13:00:00.000Z',
      '2031-11-08T14:00:00.000Z',
      '2031-11-14T14:00:00.000Z',
      '2031-11-15T14:00:00.000Z',
    ]);
    // Berlin: it began on 30 March 2031
    assert.deepEqual(timesOf('2031-04-05T10:00:00Z', 'Europe/Berlin').slice(2), [
      '2031-03-29T08:00:00.000Z',
      '2031-04-04T07:00:00.000Z',
      '2031-04-05T07:00:00.000Z',
    ]);
  });

  it('count the day by the client’s calendar, also beside the date line and in quarters of hours', () => {
    // 23:30 UTC is the next day in Auckland and the same one in Honolulu
    assert.equal(timesOf('2031-06-10T23:30:00Z', 'Pacific/Auckland').at(-1), '2031-06-10T21:00:00.000Z');
    assert.equal(timesOf('2031-06-10T23:30:00Z', 'Pacific/Honolulu').at(-1), '2031-06-10T19:00:00.000Z');
    assert.equal(timesOf('2031-06-10T00:00:00Z', 'Asia/Kathmandu').at(-1), '2031-06-10T03:15:00.000Z');
    // midnight belongs to the day that begins
    assert.equal(timesOf('2031-06-10T00:00:00Z', 'UTC').at(-1), '2031-06-10T09:00:00.000Z');
  });

  it('show that hour on the wall in every zone, in order, on days that are so far from the end', () => {
    const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'), 'UTC');
    const ends = fc.date({ min: new Date('2020-01-01'), max: new Date('2045-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(zones, ends, fc.integer({ min: 4, max: 23 }), (timezone, end, hour) => {
        const due = dueReminders({ end, timezone, hour });
        assert.deepEqual(
          due.map(({ days }) => days),
          [...REMINDER_DAYS],
        );
        for (const [index, { days, dueAt }] of due.entries()) {
          // clocks are changed in the small hours
          assert.equal(shown(dueAt, timezone).slice(11), `${String(hour).padStart(2, '0')}:00`);
          assert.equal(calendarDays(dueAt, end, timezone), days);
          if (index > 0) assert.ok((due[index - 1] as DueReminder).dueAt < dueAt);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('move an hour that does not exist forward', () => {
    assert.equal(timesOf('2031-03-30T20:00:00Z', 'Europe/Berlin', 2).at(-1), '2031-03-30T01:00:00.000Z');
  });

  it('lock the client at the end and so many days', () => {
    const end = new Date('2031-03-01T10:00:00Z');
    assert.deepEqual(lockTime(end, 0), end);
    assert.equal(lockTime(end, 3).toISOString(), '2031-03-04T10:00:00.000Z');
  });
});

type Recorded = DueReminder & { state: LicenseReminderState };

/** A client's reminders over time: a clock of sweeps, each of which records what it plans and sends. */
function createTale(timezone: string, hour: number) {
  const ends = new Map<number, Recorded[]>();
  const sent: { end: number; days: number; at: number; dueAt: number }[] = [];
  return {
    ends,
    sent,
    sweep(end: Date, now: Date, answers: 'sent' | 'maybe_sent' | 'busy' | 'failed') {
      const recorded = ends.get(end.getTime()) ?? [];
      // plans of former ends are dropped, what has happened stays
      for (const [other, rows] of ends)
        if (other !== end.getTime())
          ends.set(
            other,
            rows.filter(({ state }) => state !== 'planned'),
          );
      const { write, send } = planReminders({ end, timezone, hour, now, recorded });
      const next = new Map(recorded.map((row) => [row.days, row]));
      for (const row of write) next.set(row.days, row);
      const row = send === null ? undefined : next.get(send);
      if (row !== undefined && answers !== 'busy') {
        next.set(row.days, { ...row, state: answers });
        if (answers !== 'failed')
          sent.push({ end: end.getTime(), days: row.days, at: now.getTime(), dueAt: row.dueAt.getTime() });
      }
      ends.set(end.getTime(), [...next.values()]);
    },
  };
}

describe('the plan of reminders', () => {
  const zones = fc.constantFrom(
    'UTC',
    'America/New_York',
    'Asia/Kathmandu',
    'Pacific/Chatham',
    'Pacific/Kiritimati',
  );
  const hours = fc.integer({ min: 0, max: 23 });
  const begin = Date.UTC(2031, 0, 1);
  /** hours until the next sweep: mostly one, sometimes an outage of weeks */
  const gaps = fc.array(
    fc.oneof({ weight: 30, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 900 })),
    {
      minLength: 50,
      maxLength: 400,
    },
  );
  const answers = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constant('sent' as const) },
      fc.constantFrom('maybe_sent' as const, 'busy' as const, 'failed' as const),
    ),
    { minLength: 7, maxLength: 7 },
  );
  /** after so many sweeps, the end lies so many hours from the begin */
  const changes = fc.array(
    fc.record({ after: fc.integer({ min: 0, max: 300 }), end: fc.integer({ min: 1, max: 9_000 }) }),
    {
      minLength: 1,
      maxLength: 5,
    },
  );

  it('sends each reminder of an end once, never before its time, and never one that a later one has overtaken', () => {
    fc.assert(
      fc.property(zones, hours, gaps, changes, answers, (timezone, hour, steps, dates, said) => {
        const tale = createTale(timezone, hour);
        let now = begin;
        for (const [index, gap] of steps.entries()) {
          now += gap * HOUR_MS;
          const current = dates.findLast(({ after }) => after <= index) ?? dates[0];
          const end = new Date(begin + (current?.end ?? 0) * HOUR_MS);
          tale.sweep(end, new Date(now), said[index % said.length] ?? 'sent');
        }
        const keys = tale.sent.map(({ end, days }) => `${end} ${days}`);
        assert.equal(new Set(keys).size, keys.length);
        for (const { at, dueAt } of tale.sent) assert.ok(dueAt <= at);
        for (const [end] of tale.ends) {
          const days = tale.sent.filter((one) => one.end === end).map((one) => one.days);
          assert.deepEqual(
            days,
            days.toSorted((a, b) => b - a),
          );
        }
        // what is still planned is still to come, but for one that the subject was too busy for
        const open = [...tale.ends.values()]
          .flat()
          .filter((row) => row.state === 'planned' && +row.dueAt <= now);
        assert.ok(open.length <= 1);
      }),
      { numRuns: 100 },
    );
  });

  it('sends every reminder within an hour when no sweep is missing', () => {
    fc.assert(
      fc.property(zones, hours, fc.integer({ min: 31 * 24, max: 40 * 24 }), (timezone, hour, far) => {
        const tale = createTale(timezone, hour);
        const end = new Date(begin + far * HOUR_MS);
        for (let now = begin; now <= end.getTime() + DAY_MS; now += HOUR_MS)
          tale.sweep(end, new Date(now), 'sent');
        assert.deepEqual(
          tale.sent.map(({ days }) => days),
          [...REMINDER_DAYS],
        );
        for (const { at, dueAt } of tale.sent) assert.ok(at - dueAt < HOUR_MS);
      }),
      { numRuns: 20 },
    );
  });

  const day = (text: string) => new Date(`${text}T12:00:00Z`);
  const license = { end: day('2031-06-30'), timezone: 'UTC', hour: 9 };
  const rowsOf = (states: LicenseReminderState[]): Recorded[] =>
    dueReminders(license).map((reminder, index) => ({ ...reminder, state: states[index] ?? 'planned' }));

  it('sends only the nearest after an outage, and records the earlier ones as superseded', () => {
    const plan = planReminders({ ...license, now: day('2031-06-25'), recorded: rowsOf(['sent']) });
    assert.equal(plan.send, 7);
    assert.deepEqual(
      plan.write.map(({ days, state }) => [days, state]),
      [[14, 'superseded']],
    );
  });

  it('sends nothing of what was due before the end was set', () => {
    const plan = planReminders({ ...license, now: day('2031-06-25'), recorded: [] });
    assert.equal(plan.send, null);
    assert.deepEqual(
      plan.write.map(({ days, state }) => [days, state]),
      [
        [30, 'superseded'],
        [14, 'superseded'],
        [7, 'superseded'],
        [1, 'planned'],
        [0, 'planned'],
      ],
    );
  });

  it('repeats neither what may have been sent nor what was refused', () => {
    for (const state of ['maybe_sent', 'failed', 'superseded'] as const) {
      const now = day('2031-06-25');
      const recorded = rowsOf(['sent', 'sent', state]);
      assert.deepEqual(planReminders({ ...license, now, recorded }), { write: [], send: null });
    }
  });

  it('follows the client into another zone', () => {
    const recorded = rowsOf(['sent', 'sent']);
    const plan = planReminders({ ...license, timezone: 'Asia/Tokyo', now: day('2031-06-20'), recorded });
    assert.deepEqual(
      plan.write.map(({ days, dueAt }) => [days, dueAt.toISOString()]),
      [
        [7, '2031-06-23T00:00:00.000Z'],
        [1, '2031-06-29T00:00:00.000Z'],
        [0, '2031-06-30T00:00:00.000Z'],
      ],
    );
  });
});

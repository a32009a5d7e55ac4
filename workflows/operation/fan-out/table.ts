import type {
  ChildReport,
  ChildToStart,
  FanOutResult,
  FanOutRules,
} from '../../contract/operation/fan-out.js';
import { isEnd } from '../../contract/operation/operation.js';

export type ChildState = 'waiting' | 'busy' | 'running' | 'holding' | 'done' | 'failed';

export interface ChildEntry {
  state: ChildState;
  operation: string | null;
  runId?: string;
  hold?: number;
  reason?: string;
  /** milliseconds; when the parent last heard of it */
  heardAt: number;
  /** milliseconds; until then its busy subject is waited for */
  busyUntil?: number;
}

export type Table = Map<string, ChildEntry>;

/** At least so many failures stop a fan-out, however small it is. */
const LEAST_FAILURES = 2;
/** More would make the result of a large failed fan-out too large for a history. */
const OPEN_LIMIT = 200;

export function newTable(children: readonly ChildToStart[]): Table {
  return new Map(
    children.map(({ subject }) => [subject, { state: 'waiting', operation: null, heardAt: 0 }] as const),
  );
}

export function count(table: Table, ...states: ChildState[]): number {
  let found = 0;
  for (const { state } of table.values()) if (states.includes(state)) found += 1;
  return found;
}

/** A canary that failed or waits for a person, or too many of all, held ones included. */
export function isStopped(children: readonly ChildToStart[], table: Table, rules: FanOutRules): boolean {
  const bad = (child: ChildToStart) => ['failed', 'holding'].includes(stateOf(table, child));
  if (children.slice(0, rules.canary).some(bad)) return true;
  const failures = count(table, 'failed', 'holding');
  return failures >= LEAST_FAILURES && failures * 100 > rules.stopAfterFailures * table.size;
}

/** Which children may start now: canaries first, then as many as each group's window has room for. */
export function startable(
  children: readonly ChildToStart[],
  table: Table,
  rules: FanOutRules,
): ChildToStart[] {
  if (isStopped(children, table, rules)) return [];
  const canaries = children.slice(0, rules.canary);
  const proven = canaries.every((child) => stateOf(table, child) === 'done');
  const busy = new Map<string, number>();
  for (const child of children) {
    const taken = ['busy', 'running'].includes(stateOf(table, child)) ? 1 : 0;
    busy.set(groupOf(child), (busy.get(groupOf(child)) ?? 0) + taken);
  }
  const starting: ChildToStart[] = [];
  for (const child of proven ? children : canaries) {
    const used = busy.get(groupOf(child)) ?? 0;
    if (stateOf(table, child) !== 'waiting' || used >= rules.window) continue;
    busy.set(groupOf(child), used + 1);
    starting.push(child);
  }
  return starting;
}

/** Takes in what a child said; false when it is of an earlier operation of that subject, or of none of ours. */
export function hear(table: Table, report: ChildReport, now: number): boolean {
  const entry = table.get(report.subject);
  if (entry === undefined || entry.operation !== report.operation) return false;
  if (entry.state === 'done' || entry.state === 'failed') return false;
  const { reason: _reason, hold: _hold, ...rest } = entry;
  const state = stateAfter(report);
  table.set(report.subject, {
    ...rest,
    state,
    heardAt: now,
    ...(report.runId === undefined ? {} : { runId: report.runId }),
    ...(state === 'holding' && report.hold !== undefined ? { hold: report.hold } : {}),
    ...(report.reason === undefined || state === 'done' ? {} : { reason: report.reason }),
  });
  return true;
}

function stateAfter({ state }: ChildReport): ChildState {
  if (state === 'succeeded' || state === 'succeeded_with_warnings') return 'done';
  if (isEnd(state)) return 'failed';
  return state === 'holding' ? 'holding' : 'running';
}

export function summarize(table: Table): string {
  const parts = [
    `${count(table, 'done')} of ${table.size} done`,
    ...part(count(table, 'running', 'busy'), 'running'),
    ...part(count(table, 'holding'), 'waiting for a person'),
    ...part(count(table, 'failed'), 'failed'),
  ];
  return parts.join(', ');
}

/** What a person reads first: how many, and the first few by name. */
export function troubleOf(table: Table): string {
  const named = [...table]
    .filter(([, { state }]) => state === 'failed' || state === 'holding')
    .slice(0, 5)
    .map(
      ([subject, { state, reason }]) => `${subject} ${state}${reason === undefined ? '' : ` (${reason})`}`,
    );
  return [summarize(table), ...named].join('; ');
}

function part(number: number, what: string): string[] {
  return number === 0 ? [] : [`${number} ${what}`];
}

export function resultOf(table: Table): FanOutResult {
  const open = [...table]
    .filter(([, { state }]) => state !== 'done')
    .slice(0, OPEN_LIMIT)
    .map(([subject, { state, operation, reason }]) => ({
      subject,
      operation,
      state: state === 'failed' ? ('failed' as const) : ('not_started' as const),
      ...(reason === undefined ? {} : { reason }),
    }));
  const [done, failed] = [count(table, 'done'), count(table, 'failed')];
  return { total: table.size, done, failed, notStarted: table.size - done - failed, open };
}

function stateOf(table: Table, { subject }: ChildToStart): ChildState {
  return table.get(subject)?.state ?? 'waiting';
}

function groupOf({ group = '' }: ChildToStart): string {
  return group;
}

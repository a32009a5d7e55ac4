import { quantile, table } from '../figures.js';
import type { AnsibleRun } from './ansible.js';
import type { SlipwayRun } from './slipway.js';

export interface Metrics {
  creates: number;
  succeeded: number;
  orphans: number;
  duplicates: number;
  missing: number;
  lost: number;
  stuck: number;
  kills: number;
  wallMs: number;
  createP50Ms: number;
  createP95Ms: number;
  operatorRetries: number;
  ansibleOrphans: number;
  ansibleDuplicates: number;
  ansibleMissing: number;
  ansibleIncomplete: number;
  ansibleReruns: number;
  ansibleKills: number;
  ansibleWallMs: number;
}

export function metricsOf({ slipway, ansible }: { slipway: SlipwayRun; ansible: AnsibleRun }): Metrics {
  const { created, lost, stuck, dark } = slipway;
  const times = created.map(({ ms }) => ms);
  return {
    creates: created.length,
    succeeded: created.filter(({ state }) => state.startsWith('succeeded')).length,
    orphans: slipway.score.orphans.length,
    duplicates: slipway.score.duplicates.length,
    missing: slipway.score.missing.length + dark.length,
    lost: lost.length,
    stuck: stuck.length,
    kills: total(slipway.kills),
    wallMs: slipway.wallMs,
    createP50Ms: Math.round(quantile(times, 0.5)),
    createP95Ms: Math.round(quantile(times, 0.95)),
    operatorRetries: created.reduce((sum, { retries }) => sum + retries, 0),
    ansibleOrphans: ansible.score.orphans.length,
    ansibleDuplicates: ansible.score.duplicates.length,
    ansibleMissing: ansible.score.missing.length,
    ansibleIncomplete: ansible.incomplete.length,
    ansibleReruns: ansible.reruns,
    ansibleKills: total(ansible.kills),
    ansibleWallMs: ansible.wallMs,
  };
}

export function total(kills: Record<string, number>): number {
  return Object.values(kills).reduce((sum, count) => sum + count, 0);
}

export function printReport(runs: { slipway: SlipwayRun; ansible: AnsibleRun }, environment: object): void {
  const { slipway, ansible } = runs;
  const m = metricsOf(runs);
  const rows = [
    ['under random kills', 'slipway', 'ansible'],
    ['creates', m.creates, m.creates],
    ['orphans', m.orphans, m.ansibleOrphans],
    ['duplicates', m.duplicates, m.ansibleDuplicates],
    ['lost', m.lost, '-'],
    ['stuck, or given up', m.stuck, m.ansibleIncomplete],
    ['parts missing', m.missing, m.ansibleMissing],
    ['kills', m.kills, m.ansibleKills],
    ['retries by a person', m.operatorRetries, m.ansibleReruns],
    ['wall time, s', (m.wallMs / 1000).toFixed(0), (m.ansibleWallMs / 1000).toFixed(0)],
  ];
  const states = new Map<string, number>();
  for (const { state } of slipway.created) states.set(state, (states.get(state) ?? 0) + 1);
  const lines = [
    '',
    table(rows),
    '',
    `slipway: ${[...states].map(([state, count]) => `${count} ${state}`).join(', ')}; p50 ${m.createP50Ms} ms, p95 ${m.createP95Ms} ms`,
    `killed: ${JSON.stringify(slipway.kills)}`,
    `killed beside Ansible: ${JSON.stringify(ansible.kills)}`,
    ...Object.entries(environment).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    ...wrong('slipway', { ...slipway.score, lost: slipway.lost, stuck: slipway.stuck, dark: slipway.dark }),
    ...wrong('ansible', { ...ansible.score, incomplete: ansible.incomplete }),
  ];
  console.log(lines.join('\n'));
}

function wrong(who: string, lists: Record<string, string[]>): string[] {
  return Object.entries(lists).flatMap(([kind, lines]) => lines.map((line) => `${who} ${kind}: ${line}`));
}

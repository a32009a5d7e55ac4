import { median, table } from '../figures.js';
import type { Rerun } from './ansible.js';
import type { Recovery } from './slipway.js';

export interface Metrics {
  resumeP50Ms: number;
  resumeMaxMs: number;
  /** killed between two steps: nobody has to find out that a step's executor is gone */
  resumeBetweenP50Ms: number;
  resumeInsideP50Ms: number;
  endP50Ms: number;
  repeatedEffects: number;
  ansibleRerunP50Ms: number;
  ansibleRepeatedEffects: number;
  kills: number;
  killsInsideStep: number;
}

export interface Samples {
  slipway: Recovery[];
  /** by the task that was killed */
  ansible: Map<string, Rerun[]>;
}

export function metricsOf({ slipway, ansible }: Samples): Metrics {
  const reruns = [...ansible.values()].flat();
  const resumes = (inside?: boolean) =>
    slipway.filter((each) => inside === undefined || each.inside === inside).map(({ resumeMs }) => resumeMs);
  const sum = (all: readonly { repeated: number }[]) =>
    all.reduce((total, { repeated }) => total + repeated, 0);
  return {
    resumeP50Ms: Math.round(median(resumes())),
    resumeMaxMs: Math.max(...resumes()),
    resumeBetweenP50Ms: Math.round(median(resumes(false))),
    resumeInsideP50Ms: Math.round(median(resumes(true))),
    endP50Ms: Math.round(median(slipway.map(({ endMs }) => endMs))),
    repeatedEffects: sum(slipway),
    ansibleRerunP50Ms: Math.round(median(reruns.map(({ ms }) => ms))),
    ansibleRepeatedEffects: sum(reruns),
    kills: slipway.length,
    killsInsideStep: slipway.filter(({ inside }) => inside).length,
  };
}

export function printReport(samples: Samples, environment: object): void {
  const { slipway, ansible } = samples;
  const steps = [...new Set(slipway.map(({ step }) => step))];
  const rows = steps.map((step) => {
    const mine = slipway.filter((sample) => sample.step === step);
    const theirs = ansible.get(step) ?? [];
    const resume = (inside: boolean) => {
      const times = mine.filter((each) => each.inside === inside).map(({ resumeMs }) => resumeMs);
      return times.length === 0 ? '-' : median(times).toFixed(0);
    };
    return [
      step,
      resume(true),
      resume(false),
      median(mine.map(({ endMs }) => endMs)).toFixed(0),
      mine.reduce((sum, { repeated }) => sum + repeated, 0),
      theirs.length === 0 ? '-' : median(theirs.map(({ ms }) => ms)).toFixed(0),
      theirs.length === 0 ? '-' : theirs.reduce((sum, { repeated }) => sum + repeated, 0),
    ];
  });
  const head = ['killed at', 'inside', 'behind', 'end', 'repeated', 'ansible rerun', 'repeated'];
  const lines = [
    '',
    table([head, ...rows]),
    '',
    'ms from kill -9 of the executor, inside the step or behind it, to the next end of a step; then to the end of all.',
    'Slipway by its next process, which a supervisor starts after 100 ms; Ansible by a second run of the whole playbook,',
    'started at once. Repeated: containers, networks, users and migrations that were made again, by the journal of the',
    'Docker engine and by the database.',
    ...Object.entries(environment).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    JSON.stringify(metricsOf(samples)),
  ];
  console.log(lines.join('\n'));
}

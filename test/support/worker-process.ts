/** A worker in a process of its own, for tests that kill it; everything comes by environment variables. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NativeConnection } from '@temporalio/worker';
import { pino } from 'pino';
import { createSsh } from '../../activities/ssh/ssh.js';
import { openDatabase } from '../../db/database.js';
import { createSecrets, parseSecretKeys } from '../../db/secrets.js';
import { createWings } from '../../worker/activities.js';
import { DEFAULT_LIMITS } from '../../worker/limits.js';
import { createWorker } from '../../worker/worker.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { createGate } from './gate.js';
import { labPrivateKey } from './lab.js';
import { EACH_STEP, planReader, readServerPlan } from './planned-fault.js';
import { testBundle } from './services.js';

const read = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

const plans = read('KILL_PLANS');
const freezeAt = Number(read('FREEZE_AT'));
const gate = createGate();
let waiting = 0;

const { db } = openDatabase({ url: read('DATABASE_URL'), poolSize: 10 });
// a client's later operations have plans of their own
const planFor = planReader(db, { once: false });
const secrets = createSecrets(parseSecretKeys(read('SECRET_KEY')));
const ssh = createSsh({ privateKey: labPrivateKey() });
const worker = await createWorker({
  connection: await NativeConnection.connect({ address: read('TEMPORAL_ADDRESS') }),
  namespace: 'default',
  taskQueue: read('TEMPORAL_TASK_QUEUE'),
  workflowBundle: await testBundle(),
  db,
  secrets,
  limits: { ...DEFAULT_LIMITS, undoAttempts: 4 },
  retryWindowMs: 60_000,
  edits: {},
  ...createWings({
    db,
    secrets,
    ssh,
    checkAddresses: [],
    smtpUrl: read('SMTP_URL'),
    mailFrom: 'slipway@example.test',
  }),
  log: pino({ level: 'warn' }, pino.destination(2)),
  inject: dieAsPlanned,
});

/** Dies once in each step that the plan of its operation names. */
async function dieAsPlanned(point: 'before' | 'after', step: StepContext): Promise<void> {
  const ofServer = step.subject.startsWith('server:');
  const plan = ofServer ? await readServerPlan(db, step.subject, step.step) : await planFor(step.subject);
  if (step.phase !== 'do' || (plan?.step !== step.step && plan?.step !== EACH_STEP)) return;
  if (plan.fault === 'is frozen with its worker, and overtaken')
    return point === 'before' ? freeze() : undefined;
  const place = point === 'before' ? 'loses its worker while it runs' : 'loses its worker after its effect';
  if (plan.fault !== place) return;
  const done = join(plans, `${step.operation}-${step.step}`);
  if (existsSync(done)) return;
  const die = (): void => {
    // only now: a step that began meanwhile, behind a short one, has its death still before it
    writeFileSync(done, '');
    process.kill(process.pid, 'SIGKILL');
  };
  if (point === 'after') die();
  // long enough for the first effects of an act on a host, shorter than all of it
  else setTimeout(die, 40);
}

/** Waits until so many acts are about to begin, then stops in the middle of all of them. */
async function freeze(): Promise<void> {
  waiting += 1;
  if (waiting > freezeAt) return;
  if (waiting === freezeAt) {
    gate.open();
    setTimeout(() => process.kill(process.pid, 'SIGSTOP'), 40);
  }
  await gate.wait();
}

console.log('worker is ready');
await worker.run();

import { Worker } from '@temporalio/worker';
import { ulid } from 'ulid';
import { sh } from '../../activities/ssh/shell.js';
import type { OperationRequest } from '../../workflows/contract/operation/operation.js';
import { type Closers, log, observe, withClosers, writeResult } from '../benchmark.js';
import { DURABILITY } from '../environment.js';
import { interleave, type Variant } from '../interleave.js';
import { type LabTarget, startLabTarget } from '../lab-target.js';
import { type Connections, connectServices, startOperationWorker } from '../operation-worker.js';
import { startServices } from '../services.js';
import { openSshConnection } from '../ssh-connection.js';
import { openControlMaster } from './floors.js';
import { type RecordTimes, timeRecords } from './record-times.js';
import { metricsOf, printFigures, type Sample, type Samples, STEPS } from './report.js';
import type { MeasuredActivities, MeasuredParams } from './workflows.js';

const WORKFLOWS = new URL('./workflows.ts', import.meta.url).pathname;
const QUEUE = 'measured';
const BARE_QUEUE = 'bare';
const SCRIPT = 'true\n';
/** Code, connections and prepared statements are warm by then. */
const WARM_UP = 3;

interface Bench {
  connections: Connections;
  lab: LabTarget;
  records: RecordTimes;
}

/** B1n and B3: what a durable step costs, over SSH beside plain scripts, and without an effect beside bare Temporal. */
export async function benchStepOverhead({ repeats }: { repeats: number }): Promise<void> {
  await withClosers(async (closers) => {
    const services = await startServices(log, closers);
    const lab = await startLabTarget(services.dir, log, closers);
    const connections = await connectServices(services, closers);
    const records = timeRecords(connections.database.db);
    await startWorkers({ connections, lab, records }, closers);
    const variants = [
      ...operations({ connections, lab, records }),
      ...(await floors(lab, services.dir, closers)),
    ];
    const samples: Samples = new Map(variants.map(({ name }) => [name, []]));
    log('warm-up');
    await interleave({ variants, repeats: WARM_UP, onSample: () => undefined });
    log(`${repeats} repeats`);
    const { environment } = await observe({
      repeats,
      versions: services.versions,
      target: lab.description,
      durability: { ...DURABILITY, 'bare temporal': DURABILITY.temporal, scripts: 'none' },
      measure: () =>
        interleave({ variants, repeats, onSample: (name, _, sample) => samples.get(name)?.push(sample) }),
    });
    printFigures(samples, environment);
    await writeResult({ name: 'step-overhead', environment, metrics: metricsOf(samples) });
  });
}

async function startWorkers({ connections, lab, records }: Bench, closers: Closers): Promise<void> {
  const activities: MeasuredActivities = {
    nothing: () => Promise.resolve(),
    // as every act on a server: fenced
    remoteTrue: async (_, step) => void (await lab.ssh.runOk(lab.target, sh`true`, { fence: step })),
  };
  const workflowBundle = await startOperationWorker({
    connections,
    closers,
    taskQueue: QUEUE,
    workflows: WORKFLOWS,
    activities,
    db: records.db,
  });
  const bare = await Worker.create({
    connection: connections.native,
    taskQueue: BARE_QUEUE,
    workflowBundle,
    activities: { bareNothing: () => Promise.resolve() },
    // as in worker/worker.ts
    stickyQueueScheduleToStartTimeout: '2 seconds',
    maxHeartbeatThrottleInterval: '3 seconds',
    maxConcurrentActivityTaskExecutions: 40,
  });
  const done = bare.run();
  closers.push(() => {
    bare.shutdown();
    return done;
  });
}

/** Each from before its start until its answer: start, claim and end are in it, which those without a step tell apart. */
function operations({ connections: { client }, records }: Bench): Variant<Sample>[] {
  const operation = (name: string, activity: MeasuredParams['activity'], steps: number): Variant<Sample> => ({
    name,
    async run() {
      const id = ulid();
      const subject = `measured:${id}`;
      const request: OperationRequest = { id, actor: 'bench', requestId: null };
      const params: MeasuredParams = { subject, steps, activity };
      const began = performance.now();
      await client.workflow.execute('measured', {
        workflowId: subject,
        taskQueue: QUEUE,
        args: [{ operation: request, params }],
      });
      return { ms: performance.now() - began, ...records.take(steps) };
    },
  });
  const bare = (name: string, steps: number): Variant<Sample> => ({
    name,
    run: () =>
      timed(() =>
        client.workflow.execute('bare', { workflowId: ulid(), taskQueue: BARE_QUEUE, args: [{ steps }] }),
      ),
  });
  return [
    operation('slipway: 10 × true', 'remoteTrue', STEPS),
    operation('slipway: 10 × nothing', 'nothing', STEPS),
    bare('temporal: 10 × nothing', STEPS),
    operation('slipway: no step', 'nothing', 0),
    bare('temporal: no activity', 0),
  ];
}

async function floors(lab: LabTarget, dir: string, closers: Closers): Promise<Variant<Sample>[]> {
  const connection = await openSshConnection(lab.host, lab.privateKey);
  closers.push(() => connection.close());
  const master = await openControlMaster(lab, dir);
  closers.push(() => master.close());
  const floor = (name: string, runScript: (script: string) => Promise<void>): Variant<Sample> => ({
    name,
    run: () =>
      timed(async () => {
        for (let count = 0; count < STEPS; count += 1) await runScript(SCRIPT);
      }),
  });
  return [floor('ssh2: 10 × true', connection.run), floor('ControlMaster: 10 × true', master.run)];
}

async function timed(work: () => Promise<unknown>): Promise<Sample> {
  const began = performance.now();
  await work();
  return { ms: performance.now() - began };
}

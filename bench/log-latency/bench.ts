import { ulid } from 'ulid';
import { createStepOutput } from '../../activities/operation/step-output.js';
import { scriptText } from '../../activities/ssh/shell.js';
import { pollUntil } from '../../process/poll.js';
import type { OperationRequest } from '../../workflows/contract/operation/operation.js';
import { jobKey } from '../../workflows/contract/operation/step.js';
import {
  type Closers,
  log,
  observe,
  printReport,
  round,
  spread,
  withClosers,
  writeResult,
} from '../benchmark.js';
import { DURABILITY } from '../environment.js';
import { quantile, table } from '../figures.js';
import { interleave } from '../interleave.js';
import { type LabTarget, startLabTarget } from '../lab-target.js';
import { type Connections, connectServices, startOperationWorker } from '../operation-worker.js';
import { type Api, startApiProcess, startServices } from '../services.js';
import { openSshConnection } from '../ssh-connection.js';
import { createLineReader, LINES, PRINT } from './lines.js';
import { followOutput } from './output-stream.js';
import { type PrintingActivities, type PrintingParams, STEP } from './workflows.js';

const WORKFLOWS = new URL('./workflows.ts', import.meta.url).pathname;
const QUEUE = 'printing';
const PRINT_MS = 60_000;
/** A first step begins within a fraction of a second. */
const BEGIN_MS = 15_000;

interface Bench {
  connections: Connections;
  lab: LabTarget;
  api: Api;
}

/** B10: how long after a remote command has printed a line an SSE client of the API has it. */
export async function benchLogLatency({ repeats }: { repeats: number }): Promise<void> {
  await withClosers(async (closers) => {
    const services = await startServices(log, closers);
    const lab = await startLabTarget(services.dir, log, closers);
    const api = await startApiProcess({ services, closers });
    const connections = await connectServices(services, closers);
    const bench = { connections, lab, api };
    await startPrinter(bench, closers);
    const connection = await openSshConnection(lab.host, lab.privateKey);
    closers.push(() => connection.close());
    const variants = [
      { name: 'slipway', run: () => printBySlipway(bench) },
      { name: 'ssh2', run: () => printOver(connection) },
    ];
    await interleave({ variants, repeats: 1, onSample: () => undefined });
    log(`${repeats} repeats of ${LINES} lines`);
    const samples = new Map<string, number[]>(variants.map(({ name }) => [name, []]));
    const { environment } = await observe({
      repeats,
      versions: services.versions,
      target: lab.description,
      durability: { ...DURABILITY, ssh2: 'none' },
      measure: () =>
        interleave({ variants, repeats, onSample: (name, _, times) => samples.get(name)?.push(...times) }),
    });
    const slipway = samples.get('slipway') ?? [];
    const floor = samples.get('ssh2') ?? [];
    const rows = [...samples].map(([name, times]) => [name, ...spread(times), Math.max(...times).toFixed(1)]);
    printReport([table([['printed until seen, ms', 'p50', 'p95', 'min', 'max'], ...rows])], environment, [
      `${slipway.length} lines of a detached job, each on its own, through worker, Postgres and API to an SSE client of`,
      'GET /operations/{id}/output; aim 250 ms p50. ssh2: the same lines of a plain exec, read from its channel.',
      '',
    ]);
    const metrics = {
      p50Ms: round(quantile(slipway, 0.5)),
      p95Ms: round(quantile(slipway, 0.95)),
      maxMs: round(quantile(slipway, 1)),
      floorP50Ms: round(quantile(floor, 0.5)),
      lines: slipway.length,
    };
    await writeResult({ name: 'log-latency', environment, metrics });
  });
}

/** Slipway's own worker and job layer; the act that a product's command is, without a product. */
async function startPrinter({ connections, lab }: Bench, closers: Closers): Promise<void> {
  const output = createStepOutput({ db: connections.database.db, secrets: connections.secrets });
  const activities: PrintingActivities = {
    async print(_, step) {
      const write = output(step);
      const key = jobKey(step);
      const { exitCode } = await lab.ssh.runJob(lab.target, {
        key,
        step,
        script: PRINT,
        timeoutMs: PRINT_MS,
        onOutput: (chunk) => write({ job: key, ...chunk }),
      });
      if (exitCode !== 0) throw new Error(`printing ended with ${exitCode}`);
    },
  };
  await startOperationWorker({ connections, closers, taskQueue: QUEUE, workflows: WORKFLOWS, activities });
}

async function printBySlipway({ connections: { client }, api }: Bench): Promise<number[]> {
  const operation = ulid();
  const subject = `printing:${operation}`;
  const request: OperationRequest = { id: operation, actor: 'bench', requestId: null };
  const params: PrintingParams = { subject };
  const args = [{ operation: request, params }];
  const handle = await client.workflow.start('printing', { workflowId: subject, taskQueue: QUEUE, args });
  await pollUntil({
    what: 'the step has begun',
    deadlineMs: BEGIN_MS,
    probe: async () => {
      const { status } = await api.call('GET', `/operations/${operation}/output?step=${STEP}`);
      return status === 200 ? true : undefined;
    },
  });
  const take = createLineReader();
  const times: number[] = [];
  await followOutput({ port: api.port, operation, step: STEP, onText: (text) => times.push(...take(text)) });
  await handle.result();
  return complete(times);
}

async function printOver(connection: Awaited<ReturnType<typeof openSshConnection>>): Promise<number[]> {
  const take = createLineReader();
  const times: number[] = [];
  await connection.run(scriptText(PRINT), (bytes) => times.push(...take(bytes.toString())));
  return complete(times);
}

function complete(times: number[]): number[] {
  if (times.length !== LINES) throw new Error(`${times.length} of ${LINES} lines were seen`);
  return times;
}

/**
 * Records the histories that `replay.test.ts` replays: `npx tsx test/replay/record.ts [<wing>/<workflow>.<path>…]`.
 * Only where no such execution can still be open; anything else is mended with `patched()`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import type { WorkflowHandle } from '@temporalio/client';
import { operations } from '../../db/schema/index.js';
import { pollUntil } from '../../process/poll.js';
import { startTemporal } from '../../start/services/temporal.js';
import { DEFAULT_LIMITS } from '../../worker/limits.js';
import { createWorker } from '../../worker/worker.js';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { OperationView } from '../../workflows/contract/operation/operation.js';
import { TASK_QUEUE } from '../../workflows/contract/operation/operation.js';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract/search-attributes.js';
import type { ListActivities } from '../support/fan-out-operation.js';
import type { WorldActivities } from '../support/scripted-operation.js';
import { openServices, type Services, testBundle } from '../support/services.js';
import { writeHistory } from './histories.js';
import { historyName, PATHS } from './paths.js';
import { createFleetStandIn, createLedgerStandIn, createStandIns } from './stand-ins.js';

const world: WorldActivities & ListActivities = {
  async make({ key, value }, step) {
    if (key === 'fails-first' && step.try === 1) throw failure('CommandFailed', 'the first try fails');
    return value;
  },
  list: ({ children }) => Promise.resolve(children),
  unmake: () => Promise.resolve(),
};

/** The sample's `value` is the only field that a scripted operation lets an operator change. */
const edits = {
  scripted: (params: unknown, input: object) =>
    Promise.resolve({ ok: true as const, params: { ...(params as object), ...input } }),
};

async function record(services: Services, path: (typeof PATHS)[number], index: number): Promise<void> {
  const id = `01JREPEAT${String(index).padStart(17, '0')}`;
  const handle = await services.client.workflow.start(path.workflow, {
    workflowId: path.subject,
    taskQueue: TASK_QUEUE,
    args: [{ operation: { id, actor: 'admin', requestId: null }, params: path.params }],
  });
  await path.drive?.({ handle, held: (number) => untilHeld(handle, number) });
  await handle.result().catch(() => undefined);
  const [row] = await services.database.db.select().from(operations).where(eq(operations.id, id));
  if (row?.state !== path.ends) throw new Error(`${historyName(path)} ended ${row?.state}, not ${path.ends}`);
  const runId = path.firstRun === true ? handle.firstExecutionRunId : undefined;
  const recorded = services.client.workflow.getHandle(path.subject, runId);
  await writeHistory(historyName(path), await recorded.fetchHistory(), `${process.pid}@${hostname()}`);
  console.log(`${historyName(path)}: ${row.state}`);
}

function untilHeld(handle: WorkflowHandle, number: number): Promise<OperationView> {
  return pollUntil({
    what: `hold ${number}`,
    deadlineMs: 20_000,
    probe: async () => {
      const view = await handle.query<OperationView, []>('view');
      return view.hold?.number === number ? view : undefined;
    },
  });
}

/** More events than any other path has, and fewer than the fan-out that is continued as new. */
const SUGGEST_AT = 300;
const wanted = process.argv.slice(2);
const paths = PATHS.filter((path) => wanted.length === 0 || wanted.includes(historyName(path)));
const dir = await mkdtemp(join(tmpdir(), 'slipway-record-'));
const temporal = await startTemporal({
  dir,
  log: () => undefined,
  searchAttributes: Object.keys(SEARCH_ATTRIBUTES),
  dynamic: [`limit.historyCount.suggestContinueAsNew=${SUGGEST_AT}`],
});
const services = await openServices({ temporal: temporal.address });
const bySubject = new Map(
  PATHS.flatMap((path) => [path.subject, ...(path.children ?? [])].map((subject) => [subject, path])),
);
const standIns = createStandIns();
const worker = await createWorker({
  connection: services.native,
  namespace: 'default',
  taskQueue: TASK_QUEUE,
  workflowBundle: await testBundle(),
  db: services.database.db,
  secrets: { redactChunk: (text) => text },
  limits: DEFAULT_LIMITS,
  retryWindowMs: 60_000,
  edits,
  activities: {
    clients: standIns.clients,
    servers: { ...standIns.servers, ...createFleetStandIn() },
    operation: createLedgerStandIn(),
    test: world,
  },
  log: console,
  async inject(point, step) {
    if (point === 'before') {
      await bySubject.get(step.subject)?.inject?.(step, services.client.workflow.getHandle(step.subject));
    }
  },
});
await worker.runUntil(async () => {
  for (const path of paths) await record(services, path, PATHS.indexOf(path));
});
await services.close();
await temporal.stop();
await rm(dir, { recursive: true, force: true });

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { NativeConnection } from '@temporalio/worker';
import { eq } from 'drizzle-orm';
import { createClientChangeRecords } from '../../../activities/clients/records/client-change-records.js';
import { createClientRecords } from '../../../activities/clients/records/client-records.js';
import { createVersionRecords } from '../../../activities/clients/records/version-records.js';
import { clients, operations, operationUndos, servers } from '../../../db/schema/index.js';
import { bundleWorkflows } from '../../../worker/bundle.js';
import { DEFAULT_LIMITS } from '../../../worker/limits.js';
import { createWorker } from '../../../worker/worker.js';
import type { ClientThing } from '../../../workflows/contract/clients/clients.js';
import type { ClientStatus } from '../../../workflows/contract/clients/statuses.js';
import { type FailureKind, failure } from '../../../workflows/contract/operation/failures.js';
import type { PlannedStep } from '../../../workflows/contract/operation/plan.js';
import { createStandIns } from '../../replay/stand-ins.js';
import { CREATE_CLIENT_STEPS } from '../../support/create-client-steps.js';
import { tableContents } from '../../support/table-contents.js';
import { type CallOptions, type Harness, openHarness, pollUntil } from '../harness.js';

interface Plan {
  kind: string;
  subject: string;
  title: string;
  steps: PlannedStep[];
  busy?: { id: string; kind: string; href: string };
}

/** A request that starts an operation; `path` without its query. */
interface Start {
  method: string;
  path: string;
  form?: Record<string, string>;
}

const PASSWORD = 'Correct-horse-9';

/** Operations on the one server, with a path that starts them. */
const SERVER_ROUTES: [string, string][] = [
  ['/containers/{server_id}/build_dev/{new_version}', '/containers/{id}/build_dev/1.4'],
  ['/containers/{server_id}/build_master/{new_version}', '/containers/{id}/build_master/auto'],
  ['/containers/{server_id}/prune', '/containers/{id}/prune'],
  ['/servers/{id}/reboot_server', '/servers/{id}/reboot_server'],
];

describe('plan=true on a route that starts an operation', () => {
  let api: Harness;
  let stopWorker: () => Promise<void>;
  let serverId: string;
  let names = 0;
  let template: ReturnType<typeof createdClient> | undefined;
  /** what the check of a host finds, by host name of the client */
  const found = new Map<string, FailureKind>();
  /** creates that wait in `migrate`, by host name */
  const gates = new Map<string, { opened: Promise<void>; open(): void }>();

  before(async () => {
    api = await openHarness({ temporal: 'server', alone: true });
    stopWorker = await startWorker(api);
    const form = {
      name: 'web',
      host: '10.1.0.1',
      domain: 'clients.example.test',
      sql_user: 'backend',
      sql_password: 'the sql password',
      ssh_host_key: `SHA256:${'b'.repeat(43)}`,
    };
    const server = await api.call('POST', '/servers', { form });
    assert.equal(server.status, 201, await server.clone().text());
    serverId = String(((await server.json()) as { id: number }).id);
  });
  after(async () => {
    for (const { open } of gates.values()) open();
    await stopWorker?.();
    await api?.close();
  });

  /** The real workflows and records; hosts answer at once. */
  async function startWorker({ address, taskQueue, db, secrets }: Harness): Promise<() => Promise<void>> {
    const connection = await NativeConnection.connect({ address });
    const records = createClientRecords({ db, secrets, imageOf: (product) => `image/${product}` });
    const standIns = createStandIns();
    const worker = await createWorker({
      connection,
      namespace: 'default',
      taskQueue,
      workflowBundle: await bundleWorkflows(),
      db,
      secrets,
      limits: DEFAULT_LIMITS,
      retryWindowMs: 1_000,
      edits: {},
      activities: {
        servers: standIns.servers,
        clients: {
          ...standIns.clients,
          ...records,
          ...createClientChangeRecords({ db }),
          ...createVersionRecords(db),
          surveyHost,
          migrateClient,
        },
      },
      log: { warn: () => undefined },
    });
    const done = worker.run();
    return async () => {
      worker.shutdown();
      await done;
      await connection.close();
    };
  }

  function surveyHost({ names: { hostname, port } }: ClientThing): Promise<void> {
    const kind = found.get(hostname);
    if (kind === undefined) return Promise.resolve();
    return Promise.reject(failure(kind, `something listens on port ${port}`, { hint: 'stop it' }));
  }

  async function migrateClient({ names: { hostname } }: ClientThing): Promise<void> {
    await gates.get(hostname)?.opened;
  }

  const clientForm = (changes: Record<string, string> = {}) => ({
    server_id: serverId,
    name: 'Acme',
    short_name: 'acme',
    admin_login: 'jo',
    password: PASSWORD,
    subdomain: `plan${(names += 1)}`,
    email: 'jo@acme.example',
    version_tag: '1.3-master',
    ...changes,
  });

  function send({ method, path, form }: Start, query = '', options: CallOptions = {}): Promise<Response> {
    return api.call(method, `${path}${query}`, { ...options, ...(form === undefined ? {} : { form }) });
  }

  async function planOf(start: Start, query = '?plan=true', options: CallOptions = {}): Promise<Plan> {
    const response = await send(start, query, options);
    assert.equal(response.status, 200, await response.clone().text());
    return ((await response.json()) as { plan: Plan }).plan;
  }

  async function begin(start: Start, options: CallOptions = {}) {
    const response = await send(start, '', options);
    assert.equal(response.status, 202, await response.clone().text());
    return (await response.json()) as { id: number; operation: { id: string; kind: string } };
  }

  const ended = (id: string) =>
    pollUntil(async () => {
      const [row] = await api.db.select().from(operations).where(eq(operations.id, id));
      return row?.endedAt !== null && row;
    });

  async function createdClient() {
    const { id, operation } = await begin({ method: 'POST', path: '/clients', form: clientForm() });
    assert.match((await ended(operation.id)).state, /^succeeded/);
    return { id, operation: operation.id };
  }

  /** An active client like one that was created, without the time that this takes. */
  async function addClient(status: ClientStatus = 'active'): Promise<number> {
    template ??= createdClient();
    const [made] = await api.db
      .select()
      .from(clients)
      .where(eq(clients.id, (await template).id));
    assert.ok(made);
    const { id: _, ...row } = made;
    const changes = { status, subdomain: `copy${(names += 1)}`, port: null, subnetIndex: null };
    const [copy] = await api.db
      .insert(clients)
      .values({ ...row, ...changes })
      .returning();
    assert.ok(copy);
    return copy.id;
  }

  async function addServer(): Promise<number> {
    const [row] = await api.db
      .select()
      .from(servers)
      .where(eq(servers.id, Number(serverId)));
    assert.ok(row);
    const { id: _, ...rest } = row;
    const other = { ...rest, name: `other${(names += 1)}`, host: `10.2.0.${names}`, stage: true };
    const [made] = await api.db.insert(servers).values(other).returning();
    assert.ok(made);
    return made.id;
  }

  async function addDemo(): Promise<number> {
    const [id, stage] = [await addClient(), await addServer()];
    await api.db.update(clients).set({ kind: 'demo', serverId: stage }).where(eq(clients.id, id));
    return id;
  }

  /** Every such route, with a request for it. A route that is missing here fails the first test. */
  const ROUTES: Record<string, () => Promise<Start>> = {
    'POST /clients': async () => ({ method: 'POST', path: '/clients', form: clientForm() }),
    'DELETE /clients/{id}': async () => ({ method: 'DELETE', path: `/clients/${await addClient()}` }),
    'POST /clients/{id}/admin_password': async () => ({
      method: 'POST',
      path: `/clients/${await addClient()}/admin_password`,
      form: { password: PASSWORD, confirm_password: PASSWORD },
    }),
    'PUT /clients/{id}': async () => ({
      method: 'PUT',
      path: `/clients/${await addClient()}`,
      form: { subdomain: `moved${(names += 1)}`, email: 'new@acme.example', license: 'new', phone: '1' },
    }),
    'POST /clients/{id}/expire_date': async () => ({
      method: 'POST',
      path: `/clients/${await addClient()}/expire_date`,
      form: { sender: 'Jo', license_expires_at: '2032-01-31' },
    }),
    ...Object.fromEntries(
      [
        'demo_enable',
        'demo_disable',
        'maintain/{state}',
        'reboot',
        'pause',
        'resume',
        'send_success',
        'send_expire',
      ].flatMap((verb) =>
        ['GET', 'POST'].map((method) => [
          `${method} /clients/{id}/${verb}`,
          async () => ({
            method,
            path: `/clients/${await addClient(verb === 'resume' ? 'paused' : 'active')}/${verb.replace('{state}', '1')}`,
          }),
        ]),
      ),
    ),
    ...onBoth(
      '/clients/{id}/switch/{image_name}',
      async () => `/clients/${await addClient()}/switch/1.4-master`,
    ),
    ...onBoth('/clients/{id}/migrate', async () => `/clients/${await addClient()}/migrate`),
    ...onBoth('/clients/{subdomain}/update_to/{version}', async () => {
      const id = await addClient();
      const [row] = await api.db.select().from(clients).where(eq(clients.id, id));
      return `/clients/${row?.subdomain}/update_to/1.4-master`;
    }),
    ...Object.fromEntries(
      ['GET', 'POST'].flatMap((method) =>
        SERVER_ROUTES.map(([route, path]) => [
          `${method} ${route}`,
          async () => ({ method, path: path.replace('{id}', serverId) }),
        ]),
      ),
    ),
    'POST /containers/build_master_for_all': async () => ({
      method: 'POST',
      path: '/containers/build_master_for_all',
      form: { version: '1.9-master', info: '# New' },
    }),
    ...Object.fromEntries(
      ['GET', 'POST'].flatMap((method) => [
        [
          `${method} /clients/{id}/move_to/{server_id}`,
          async () => ({ method, path: `/clients/${await addClient()}/move_to/${await addServer()}` }),
        ],
        [
          `${method} /clients/{id}/copy_to/{client_id}`,
          async () => ({ method, path: `/clients/${await addClient()}/copy_to/${await addDemo()}` }),
        ],
      ]),
    ),
    'POST /operations/{id}/cleanup': async () => {
      const { operation } = await createdClient();
      await leaveUndone(operation);
      return { method: 'POST', path: `/operations/${operation}/cleanup` };
    },
    ...fanOutRoutes(),
  };

  /** The source's GET and ours; the fleet of these stand-ins is empty. */
  function fanOutRoutes(): Record<string, () => Promise<Start>> {
    const paths = {
      '/servers/{id}/switch_all/{image_name}': () => `/servers/${serverId}/switch_all/1.4-master`,
      '/servers/{id}/migrate_all': () => `/servers/${serverId}/migrate_all`,
      '/servers/{id}/deploy': () => `/servers/${serverId}/deploy`,
      '/clients/reconfigurate': () => '/clients/reconfigurate',
    };
    return Object.fromEntries(
      Object.entries(paths).flatMap(([route, path]) =>
        ['GET', 'POST'].map((method) => [`${method} ${route}`, async () => ({ method, path: path() })]),
      ),
    );
  }

  async function leaveUndone(operationId: string): Promise<void> {
    await api.db.insert(operationUndos).values({
      operationId,
      id: 'database#9',
      step: 'database',
      seq: 9,
      title: 'Create database',
      activity: 'clients.removeDatabase',
      input: {},
      state: 'failed',
    });
  }

  /** Whoever takes an Idempotency-Key starts an operation. */
  function startingRoutes(): { route: string; parameters: string[] }[] {
    return Object.entries(api.contract.document.paths ?? {}).flatMap(([path, methods]) =>
      Object.entries(methods as Record<string, { parameters?: { name: string }[] }>)
        .map(([method, { parameters = [] }]) => ({
          route: `${method.toUpperCase()} ${path}`,
          parameters: parameters.map(({ name }) => name),
        }))
        .filter(({ parameters }) => parameters.includes('Idempotency-Key')),
    );
  }

  it('is documented on each, as are its header and its answer', () => {
    const routes = startingRoutes();
    assert.deepEqual(routes.map(({ route }) => route).sort(), Object.keys(ROUTES).sort());
    for (const { route, parameters } of routes) {
      assert.ok(parameters.includes('plan') && parameters.includes('Prefer'), route);
    }
  });

  for (const [route, make] of Object.entries(ROUTES)) {
    it(`${route} answers what it then does, and changes nothing`, async () => {
      const start = await make();
      const tables = await tableContents(api.db);
      const key = { headers: { 'Idempotency-Key': `plan-${names}` } };
      const plan = await planOf(start, '?plan=true&hold_window=5', key);
      const preferred = await planOf(start, '', { headers: { prefer: 'wait=1, plan' } });
      assert.deepEqual(outlineOf(preferred), outlineOf(plan));
      assert.deepEqual(await tableContents(api.db), tables);

      const { operation } = await begin(start, key);
      assert.equal(operation.kind, plan.kind);
      const row = await ended(operation.id);
      assert.match(row.state, /^succeeded/);
      const done = await api.call('GET', `/operations/${operation.id}`);
      const { steps } = (await done.json()) as { steps: { key: string; title: string }[] };
      assert.deepEqual(
        steps.map(({ key: step, title }) => [step, title]),
        outlineOf(plan),
      );
    });
  }

  it('names targets and undos: of a create, what it would reserve', async () => {
    const form = clientForm();
    const { kind, title, subject, steps } = await planOf({ method: 'POST', path: '/clients', form });
    const id = subject.split(':')[1];
    assert.deepEqual(
      [kind, title],
      ['create_client', `Create client ${id} on server ${serverId} (${form.subdomain}.clients.example.test)`],
    );
    const listed = steps.map(({ key }) => key).filter((key) => key !== 'commit');
    // the server has certificates made, as servers do by default
    const secured = ['activate', 'certificate', 'https', 'served'];
    assert.deepEqual(
      listed,
      CREATE_CLIENT_STEPS.flatMap((key) => (key === 'activate' ? secured : [key])),
    );
    const step = (key: string) => steps.find((candidate) => candidate.key === key);
    assert.deepEqual(step('check-host'), {
      ...{ key: 'check-host', kind: 'check', title: 'Check the server', target: `server:${serverId}` },
    });
    assert.equal(step('vhost')?.target, `/etc/nginx/conf.d/client${id}.conf`);
    assert.equal(step('container')?.target, 'image/sample:1.3-master');
    assert.deepEqual([step('database')?.undo, step('activate')?.undo], ['clients.removeDatabase', undefined]);
    const { password: _, ...silent } = form;
    const untold = await planOf({ method: 'POST', path: '/clients', form: silent });
    assert.ok(!untold.steps.some(({ key }) => key === 'mail'), 'nobody is told a password that nobody gave');
  });

  it('refuses what a start refuses', async () => {
    const tables = await tableContents(api.db);
    const refusals: [Start, string, number, string][] = [
      [
        { method: 'POST', path: '/clients', form: clientForm({ email: 'no' }) },
        '?plan=1',
        422,
        'invalid_input',
      ],
      [{ method: 'POST', path: '/clients', form: clientForm() }, '?plan=perhaps', 422, 'invalid_input'],
      [{ method: 'DELETE', path: '/clients/2000000000' }, '?plan=true', 404, 'not_found'],
    ];
    for (const [start, query, status, code] of refusals) {
      const response = await send(start, query);
      assert.deepEqual([response.status, await codeOf(response)], [status, code]);
    }
    assert.deepEqual(await tableContents(api.db), tables);
  });

  it('never updates a client instead', async () => {
    const id = await addClient();
    const tables = await tableContents(api.db);
    const form = { id: String(id), city: 'Springfield' };
    const response = await send({ method: 'POST', path: '/clients', form }, '?plan=true');
    assert.deepEqual([response.status, await codeOf(response)], [422, 'invalid_input']);
    assert.deepEqual(await tableContents(api.db), tables);
  });

  it('says what runs on a busy subject, and leaves it alone', async () => {
    const form = clientForm();
    const { id, operation, open } = await beginGated(form);
    const tables = await tableContents(api.db);
    const removal = await planOf({ method: 'DELETE', path: `/clients/${id}` });
    assert.equal(removal.busy?.id, operation.id);
    assert.ok(removal.steps.some(({ key }) => key === 'database'));

    const again = await planOf({ method: 'POST', path: '/clients', form });
    assert.deepEqual([again.busy?.id, again.steps], [operation.id, []]);

    const fields = { password: 'Other-horse-9', confirm_password: 'Other-horse-9' };
    const password = await planOf({ method: 'POST', path: `/clients/${id}/admin_password`, form: fields });
    assert.equal(password.busy?.id, operation.id);
    assert.deepEqual(await tableContents(api.db), tables);
    open();
    const row = await ended(operation.id);
    assert.match(row.state, /^succeeded/);
    const { steps } = (await (await api.call('GET', `/operations/${operation.id}`)).json()) as {
      steps: { key: string }[];
    };
    assert.ok(!steps.some(({ key }) => key.startsWith('admin-password')));
  });

  /** A create that stands before `migrate` until `open` is called. */
  async function beginGated(form: Record<string, string>) {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    gates.set(`${form['subdomain']}.clients.example.test`, { opened, open });
    const made = await begin({ method: 'POST', path: '/clients', form });
    await pollUntil(async () => {
      const view = await api.call('GET', `/operations/${made.operation.id}`);
      const { steps } = (await view.json()) as { steps: { key: string }[] };
      return steps.some(({ key }) => key === 'migrate');
    });
    return { ...made, open };
  }

  it('answers 409 where an earlier operation left things behind', async () => {
    const { id, operation: operationId } = await createdClient();
    await leaveUndone(operationId);
    const form = { password: PASSWORD, confirm_password: PASSWORD };
    const response = await send(
      { method: 'POST', path: `/clients/${id}/admin_password`, form },
      '?plan=true',
    );
    assert.deepEqual([response.status, await codeOf(response)], [409, 'needs_cleanup']);
    const removal = await planOf({ method: 'DELETE', path: `/clients/${id}` });
    assert.equal(removal.busy, undefined);
  });

  it('answers a failing check with its step: 422 for the input, 409 for everything else', async () => {
    const expected: [FailureKind, number, string][] = [
      ['InvalidInput', 422, 'check_refused'],
      ['Conflict', 409, 'check_failed'],
      ['HostKeyMismatch', 409, 'check_failed'],
    ];
    for (const [kind, status, code] of expected) {
      const form = clientForm();
      found.set(`${form.subdomain}.clients.example.test`, kind);
      const tables = await tableContents(api.db);
      const response = await send({ method: 'POST', path: '/clients', form }, '?plan=true');
      assert.equal(response.status, status);
      const { detail, ...problem } = (await response.json()) as Record<string, unknown>;
      const { code: said, kind: of, step, hint } = problem;
      assert.deepEqual([said, of, step, hint], [code, kind, 'check-host', 'stop it']);
      assert.match(String(detail), /^something listens on port 2\d{4}$/);
      assert.deepEqual(await tableContents(api.db), tables);
    }
  });

  it('runs as a workflow of its own that no list shows, and says when nobody works', async () => {
    const alone = await openHarness({ temporal: 'server', store: api.store });
    try {
      const { client } = alone.temporal;
      const id = await addClient();
      const asked = alone.call('DELETE', `/clients/${id}?plan=true`);
      const run = await pollUntil(async () => {
        for await (const info of client.workflow.list({ query: `TaskQueue = '${alone.taskQueue}'` }))
          return info;
        return undefined;
      });
      assert.match(run.workflowId, /^plan:[0-9A-Z]{26}$/);
      assert.equal(run.memo?.['kind'], 'plan');
      assert.equal(run.searchAttributes['OpKind']?.[0], 'plan');
      const handle = client.workflow.getHandle(run.workflowId);
      const [started] = (await handle.fetchHistory()).events ?? [];
      const timeout = started?.workflowExecutionStartedEventAttributes?.workflowExecutionTimeout;
      assert.equal(Number(timeout?.seconds), 30);
      await handle.terminate();
      const response = await asked;
      assert.deepEqual([response.status, await codeOf(response)], [503, 'worker_unavailable']);
    } finally {
      await alone.close();
    }
  });

  it('answers 503 while Temporal is away', async () => {
    const alone = await openHarness({ temporal: 'none', store: api.store });
    try {
      const response = await alone.call('POST', '/clients?plan=true', { form: clientForm() });
      assert.deepEqual([response.status, await codeOf(response)], [503, 'temporal_unavailable']);
    } finally {
      await alone.close();
    }
  });
});

/** The source document lists such routes as GET. */
function onBoth(path: string, make: () => Promise<string>): Record<string, () => Promise<Start>> {
  const start = (method: string) => async () => ({ method, path: await make() });
  return { [`GET ${path}`]: start('GET'), [`POST ${path}`]: start('POST') };
}

function outlineOf({ steps }: Plan): string[][] {
  return steps
    .filter(({ kind }) => kind !== 'commit' && kind !== 'child' && kind !== 'borrow')
    .map(({ key, title }) => [key, title]);
}

async function codeOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { code: unknown }).code;
}

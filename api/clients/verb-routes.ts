import type { z } from '@hono/zod-openapi';
import type { ClientStatus } from '../../workflows/contract/clients/statuses.js';
import type {
  MailClientParams,
  SetDemoParams,
  SetMaintenanceParams,
} from '../../workflows/contract/clients/clients.js';
import type { OperationKind } from '../../workflows/contract/kinds.js';
import { startedAnswer, startOf } from '../operations/caller.js';
import { setExpireDate } from './expire-date.js';
import { startChange } from './start-change.js';
import { PRESENT } from './status.js';
import type { RouteDeps } from '../operations/deps.js';
import { endpoint } from '../http/endpoint.js';
import { oneOf } from '../http/fields.js';
import { type Router } from '../http/router.js';
import { ExpireDateInput } from './schemas.js';
import { IdParams, StartQuery } from '../http/pages.js';
import { starting, STARTS } from '../operations/start-schemas.js';

const tag = 'Clients';

const MaintainParams = IdParams.extend({
  state: oneOf(['1', '0']).openapi({
    param: { name: 'state', in: 'path' },
    description: '`1`: on, `0`: off',
    example: '1',
  }),
});

type Own<Params> = Omit<Params, 'clientId' | 'serverId'>;

/** A word behind a client's path that starts an operation; the source document lists each as GET, POST does the same. */
interface Verb {
  path: string;
  kind: OperationKind;
  summary: string;
  description: string;
  allowed: readonly ClientStatus[];
  params?: typeof MaintainParams;
  operation: (path: { state?: '1' | '0' }) => object;
}

const VERBS: readonly Verb[] = [
  {
    path: 'demo_enable',
    kind: 'set_demo',
    summary: 'Write demo data',
    description: "Runs the product's demo seeder.",
    allowed: PRESENT,
    operation: () => ({ enabled: true }) satisfies Own<SetDemoParams>,
  },
  {
    path: 'demo_disable',
    kind: 'set_demo',
    summary: 'Remove demo data',
    description: "Runs the inverse of the product's demo seeder.",
    allowed: PRESENT,
    operation: () => ({ enabled: false }) satisfies Own<SetDemoParams>,
  },
  {
    path: 'maintain/{state}',
    kind: 'set_maintenance',
    summary: 'Turn the maintenance page on or off',
    description: "The product's own page, by its `cloud_settings` and its command; nginx serves on.",
    allowed: ['active', 'maintenance'],
    params: MaintainParams,
    operation: ({ state }) => ({ on: state === '1' }) satisfies Own<SetMaintenanceParams>,
  },
  {
    path: 'reboot',
    kind: 'reboot_client',
    summary: "Restart a client's containers",
    description: 'Restarts them and waits until they are healthy.',
    allowed: PRESENT,
    operation: () => ({}),
  },
  {
    path: 'pause',
    kind: 'pause_client',
    summary: "Stop a client's containers, and keep them stopped",
    description:
      'Visitors get 503. Data, names and version stay; it is not counted, switched or watched meanwhile.',
    allowed: ['active'],
    operation: () => ({}),
  },
  {
    path: 'resume',
    kind: 'resume_client',
    summary: 'Start a paused client again',
    description: 'Starts its containers, waits until they are healthy, and serves its visitors again.',
    allowed: ['paused'],
    operation: () => ({}),
  },
  {
    path: 'send_success',
    kind: 'mail_client',
    summary: 'Mail address and login',
    description:
      'The password is in it only as long as it is kept: until the first such mail, at most 7 days.',
    allowed: PRESENT,
    operation: () => ({ template: 'send_success' }) satisfies Own<MailClientParams>,
  },
  {
    path: 'send_expire',
    kind: 'mail_client',
    summary: 'Mail that the licence ends soon',
    description: 'Says when it ends, or that it has ended.',
    allowed: PRESENT,
    operation: () => ({ template: 'send_expire' }) satisfies Own<MailClientParams>,
  },
];

const EXPIRE_DATE = endpoint({
  ...starting,
  method: 'post',
  path: '/clients/{id}/expire_date',
  tag,
  summary: 'Set the end of the licence',
  description: "Written to the client's database; a later end unlocks an expired client at once.",
  params: IdParams,
  query: StartQuery,
  body: ExpireDateInput,
  problems: ['wrong_status', ...STARTS],
});

export function addClientVerbRoutes(router: Router, deps: RouteDeps): void {
  for (const verb of VERBS) {
    for (const method of ['get', 'post'] as const) addVerb(router, deps, { verb, method });
  }
  router.add(EXPIRE_DATE, async (c, { params: { id }, query, body }) => {
    const { sender, license_expires_at: written } = body;
    const start = startOf(c, query, { ...body, query });
    return startedAnswer(await setExpireDate(deps, { id, sender, written, ...start }));
  });
}

function addVerb(
  router: Router,
  deps: RouteDeps,
  { verb, method }: { verb: Verb; method: 'get' | 'post' },
): void {
  const { path, kind, summary, description, allowed, operation } = verb;
  router.add(
    {
      ...starting,
      method,
      path: `/clients/{id}/${path}`,
      tag,
      summary,
      description,
      params: verb.params ?? IdParams,
      query: StartQuery,
      problems: ['wrong_status', ...STARTS],
    },
    async (c, { params, query }) => {
      const { id, ...rest } = params as z.output<typeof IdParams> & { state?: '1' | '0' };
      const result = await startChange(deps, {
        kind,
        id,
        ...startOf(c, query),
        allowed,
        wish: () => ({ params: operation(rest) }),
      });
      return startedAnswer(result);
    },
  );
}

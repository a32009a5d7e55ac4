import { z } from '@hono/zod-openapi';
import { REHEARSALS } from '../../workflows/contract/clients/rehearsal.js';
import {
  absolutePath,
  canonicalNetwork,
  domain,
  flag,
  host,
  line,
  oneOf,
  optional,
  pattern,
  rowId,
  wholeNumber,
} from '../http/fields.js';
import { orNull } from '../http/pages.js';

const PORT = { min: 1, max: 65_535 };
export const SQL_PORTS = { mariadb: 3306, postgres: 5432 } as const;

const sshPort = () => wholeNumber(PORT).openapi({ description: 'SSH port, 22 by default', example: 22 });
const sshUser = () =>
  pattern(/^[a-z_][a-z0-9_-]{0,31}$/, 32, 'must be a login name in lower case').openapi({
    description: 'SSH login, `www-data` by default',
    example: 'www-data',
  });
const sqlUser = () =>
  pattern(/^[A-Za-z_][A-Za-z0-9_-]{0,31}$/, 32, 'must be a login name').openapi({
    description: 'Login of the backend at the SQL server',
    example: 'backend',
  });
const sqlPassword = () =>
  line({ min: 1, max: 200 }).openapi({
    description: 'Its password; never answered',
    example: 'correct horse',
  });
const sqlEngine = () =>
  oneOf(['mariadb', 'postgres']).openapi({
    description: 'SQL server there, `mariadb` by default',
    example: 'mariadb',
  });
const sqlPort = () =>
  wholeNumber(PORT).openapi({ description: 'SQL port; by default 3306 or 5432', example: 3306 });
const clientsDomain = () =>
  domain().openapi({ description: 'Clients are `<subdomain>.<domain>`', example: 'clients.example.test' });
const hostKey = () =>
  pattern(/^SHA256:[A-Za-z0-9+/]{43}$/, 50, 'must be a fingerprint such as SHA256:…').openapi({
    description:
      'Pinned host key, as check_host shows it. Absent when creating: what is seen is pinned, unconfirmed',
    example: 'SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s',
  });
const path = (description: string, example: string) => absolutePath().openapi({ description, example });

/** /8 to /28: room for one client at least, and never the whole internet. */
const clientPool = () =>
  z
    .string('must be a single text')
    .max(18)
    .refine((value) => {
      const bits = Number(canonicalNetwork(value)?.split('/')[1]);
      return !value.includes(':') && bits >= 8 && bits <= 28;
    }, 'must be an IPv4 network such as 10.213.0.0/16, from /8 to /28')
    .transform((value) => canonicalNetwork(value) ?? value)
    .openapi({ description: 'Each client gets a /28 of it', example: '10.213.0.0/16' });

const portRange = () =>
  pattern(/^\d{4,5}\s?[-–]\s?\d{4,5}$/, 15, 'must be two ports such as 20000-29999')
    .transform((value, context) => {
      const [from = 0, to = 0] = value.split(/[-–]/).map(Number);
      if (from >= 1024 && to <= PORT.max && from <= to) return { from, to };
      context.addIssue({ code: 'custom', message: 'must be two rising ports from 1024 to 65535' });
      return z.NEVER;
    })
    .openapi({
      type: 'string',
      description: 'Ports for clients on 127.0.0.1 of the server',
      example: '20000-29999',
    });

/** Everything but the id, all optional: what an update takes. */
const changeable = {
  name: optional(line({ min: 1, max: 120 })).openapi({ description: 'Name of the server', example: 'web-3' }),
  host: optional(host()).openapi({
    type: 'string',
    description: 'SSH, SQL and container host as Slipway reaches it; private addresses are allowed',
    example: '10.0.0.13',
  }),
  domain: optional(clientsDomain()),
  sql_user: optional(sqlUser()),
  sql_password: optional(sqlPassword()),
  active: optional(flag()).openapi({ description: 'Whether new clients may be placed there', example: true }),
  ssh_port: optional(sshPort()),
  ssh_user: optional(sshUser()),
  ssh_host_key: optional(hostKey()),
  sql_engine: optional(sqlEngine()),
  sql_port: optional(sqlPort()),
  sql_host: optional(host()).openapi({
    type: 'string',
    description: 'How containers reach SQL; by default as `host`',
    example: '10.0.0.13',
  }),
  base_dir: optional(path('Directory of everything on the host, `/srv` by default', '/srv')),
  vhost_dir: optional(path('Where nginx includes virtual hosts from', '/etc/nginx/conf.d')),
  client_pool: optional(clientPool()),
  port_range: optional(portRange()),
  stage: optional(flag()).openapi({
    description: 'A stage server: copies of clients are allowed there',
    example: false,
  }),
  publisher: optional(flag()).openapi({ description: 'Images are built there', example: false }),
  product: optional(pattern(/^[a-z][a-z0-9-]{0,40}$/, 41, 'must be the name of a product profile')).openapi({
    description: 'Product profile of its clients',
    example: 'laravel',
  }),
  rehearse: optional(oneOf(REHEARSALS)).openapi({
    description:
      'How much of a change of version is tried on a copy first, where a request does not say: `migrate` by default',
    example: 'migrate',
  }),
  tls: optional(oneOf(['auto', 'off'])).openapi({
    description: '`auto`: a certificate per client',
    example: 'auto',
  }),
  tls_cert: optional(path('Wildcard certificate on the host', '/etc/ssl/wildcard.pem')),
  tls_key: optional(path('Its key', '/etc/ssl/wildcard.key')),
};

export const ServerInput = z
  .object({
    id: optional(rowId()).openapi({ description: 'Updates this server; absent: creates one', example: 3 }),
    ...changeable,
  })
  .openapi('ServerInput');
export type ServerFields = Omit<z.output<typeof ServerInput>, 'id'>;

/** Without these there is nothing to create; an update leaves what is absent as it is. */
export const REQUIRED_TO_CREATE = ['name', 'host', 'domain', 'sql_user', 'sql_password'] as const;

export const CheckHostInput = z
  .object({
    ssh_port: optional(sshPort()),
    ssh_user: optional(sshUser()),
    sql_user: optional(sqlUser()),
    sql_password: optional(sqlPassword()),
    sql_engine: optional(sqlEngine()),
    sql_port: optional(sqlPort()),
    domain: optional(clientsDomain()),
  })
  .openapi('CheckHostInput');

const when = (description: string) =>
  z.string().openapi({ format: 'date-time', description, example: '2031-01-31T12:00:00.000Z' });
const bytes = (description: string) =>
  z.number().openapi({ description: `${description}, bytes`, example: 8_589_934_592 });

export const ServerLoadSchema = z
  .object({
    read_at: when('When it was read'),
    load_average: z
      .array(z.number())
      .openapi({ description: 'Over 1, 5 and 15 minutes', example: [0.4, 0.3, 0.2] }),
    cpus: z.number().int().openapi({ description: 'Processors', example: 8 }),
    memory_total_bytes: bytes('Memory'),
    memory_available_bytes: bytes('Memory that is free or can be freed'),
    disk_total_bytes: bytes('File system of the data directory'),
    disk_free_bytes: bytes('Free on it'),
    docker_version: z
      .string()
      .nullable()
      .openapi({ description: 'Version of the Docker engine', example: '27.3.1' }),
    containers_running: z.number().int().openapi({ description: 'Running containers', example: 12 }),
    containers_total: z.number().int().openapi({ description: 'All containers', example: 14 }),
    images: z.number().int().openapi({ description: 'Images', example: 5 }),
    uptime_seconds: z.number().openapi({ description: 'Since the last boot, seconds', example: 86_400 }),
  })
  .openapi('ServerLoad');

const serverFields = {
  id: z.number().int().openapi({ description: 'Id of the server', example: 3 }),
  name: z.string().openapi({ description: 'Name', example: 'web-3' }),
  host: z.string().openapi({ description: 'Host as Slipway reaches it', example: '10.0.0.13' }),
  domain: z.string().openapi({ description: 'Domain of its clients', example: 'clients.example.test' }),
  active: z.boolean().openapi({ description: 'Takes new clients', example: true }),
  ssh_port: z.number().int().openapi({ description: 'SSH port', example: 22 }),
  ssh_user: z.string().openapi({ description: 'SSH login', example: 'www-data' }),
  ssh_host_key: z.string().nullable().openapi({
    description: 'Pinned host key',
    example: 'SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s',
  }),
  ssh_host_key_confirmed: z.boolean().openapi({
    description: 'False: pinned as seen first, no person has said that it is right',
    example: false,
  }),
  sql_engine: z.enum(['mariadb', 'postgres']).openapi({ description: 'SQL server', example: 'mariadb' }),
  sql_host: z.string().openapi({ description: 'SQL host as containers reach it', example: '10.0.0.13' }),
  sql_port: z.number().int().openapi({ description: 'SQL port', example: 3306 }),
  sql_user: z
    .string()
    .openapi({ description: 'SQL login; its password is never answered', example: 'backend' }),
  base_dir: z.string().openapi({ description: 'Base directory', example: '/srv' }),
  vhost_dir: z.string().openapi({ description: 'Directory of virtual hosts', example: '/etc/nginx/conf.d' }),
  client_pool: z.string().openapi({ description: 'Network of its clients', example: '10.213.0.0/16' }),
  port_range: z.string().openapi({ description: 'Ports of its clients', example: '20000-29999' }),
  stage: z.boolean().openapi({ description: 'Stage server', example: false }),
  publisher: z.boolean().openapi({ description: 'Builds images', example: false }),
  product: z.string().openapi({ description: 'Product profile', example: 'laravel' }),
  rehearse: z
    .enum(REHEARSALS)
    .openapi({ description: 'How much of a change is rehearsed', example: 'migrate' }),
  tls: z.enum(['auto', 'off']).openapi({ description: 'Certificates', example: 'auto' }),
  tls_cert: z.string().nullable().openapi({ description: 'Wildcard certificate', example: null }),
  tls_key: z.string().nullable().openapi({ description: 'Its key', example: null }),
  clients: z.number().int().openapi({ description: 'Clients on it', example: 12 }),
  created_at: when('When it was created'),
  updated_at: when('When it was changed last'),
};

export const ServerSchema = z.object(serverFields).openapi('Server');

export const ServerDetailsSchema = z
  .object({
    ...serverFields,
    reachable: z.boolean().openapi({ description: 'Whether it was read just now', example: true }),
    reason: z.string().nullable().openapi({ description: 'Why it was not', example: null }),
    load: orNull(ServerLoadSchema).openapi({
      description: 'As read just now; when not reachable, as read last',
    }),
  })
  .openapi('ServerDetails');

export const CheckHostSchema = z
  .object({
    host: z.string().openapi({ description: 'Host that was checked', example: '10.0.0.13' }),
    server_id: z
      .number()
      .int()
      .nullable()
      .openapi({ description: 'The stored server with this host', example: 3 }),
    ready: z
      .boolean()
      .openapi({ description: 'No requirement is missing (warnings are allowed)', example: false }),
    reachable: z.boolean().openapi({ description: 'The SSH login worked', example: true }),
    ssh_host_key: z.string().nullable().openapi({
      description: 'Fingerprint as seen now',
      example: 'SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s',
    }),
    read_at: when('When it was read'),
    lines: z
      .array(
        z.object({
          key: z.string().openapi({ description: 'Requirement', example: 'docker' }),
          ok: z.boolean().openapi({ description: 'Met', example: true }),
          level: z.enum(['ok', 'warning', 'error']).openapi({ description: 'How bad it is', example: 'ok' }),
          found: z.string().openapi({ description: 'What is there', example: '27.3.1' }),
          need: z.string().openapi({ description: 'What is needed', example: 'a running Docker engine' }),
          fix: z.string().openapi({ description: 'What to do', example: '' }),
        }),
      )
      .openapi({ description: 'One line per requirement' }),
  })
  .openapi('CheckHost');

export const ImagesSchema = z
  .object({
    read_at: when('When it was read'),
    data: z
      .array(
        z.object({
          tag: z.string().openapi({ description: 'Version', example: '1.3-master' }),
          id: z.string().openapi({ description: 'Image id', example: 'sha256:9f2c' }),
          size_bytes: bytes('Size'),
          created_at: when('When it was built'),
          branch: z
            .string()
            .nullable()
            .openapi({ description: 'Branch it was built from', example: 'master' }),
          commit: z
            .string()
            .nullable()
            .openapi({ description: 'Commit it was built from', example: '0f3c2ab' }),
          clients: z
            .array(z.number().int())
            .openapi({ description: 'Ids of the clients that use it', example: [42] }),
        }),
      )
      .openapi({ description: 'Versions of the product image, newest first' }),
  })
  .openapi('Images');

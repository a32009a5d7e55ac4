import { z } from '@hono/zod-openapi';
import {
  allowedIps,
  email,
  freeText,
  line,
  oneOf,
  optional,
  pattern,
  rowId,
  SUBDOMAIN,
  timezone,
  VERSION_TAG,
} from '../http/fields.js';
import { OperationRef } from '../http/problem.js';
import { orNull } from '../http/pages.js';
import { statusesWith } from '../../workflows/contract/clients/statuses.js';
import { CERTIFICATE_STATES, KINDS_OF_CLIENT } from '../../workflows/contract/clients/values.js';

export const CLIENT_STATUSES = statusesWith('listed');

/** bcrypt, which the product hashes with, reads no more than 72 bytes: a longer password would be a shorter one. */
const PASSWORD_BYTES = 72;

const password = () =>
  line({ min: 1, max: PASSWORD_BYTES })
    .refine(
      (value) => Buffer.byteLength(value) <= PASSWORD_BYTES,
      `must have at most ${PASSWORD_BYTES} bytes`,
    )
    .openapi({ description: 'Password of the administrator; never answered', example: 'correct horse' });

/** `cloud_settings.value` of the client's own database is TEXT, which on MariaDB ends at this many bytes. */
const CARRIED_BYTES = 65_535;

const carriedText = () =>
  freeText(CARRIED_BYTES).refine(
    (value) => Buffer.byteLength(value) <= CARRIED_BYTES,
    `must have at most ${CARRIED_BYTES} bytes`,
  );

const name = (description: string, example: string) => line({ max: 255 }).openapi({ description, example });
const subdomain = () =>
  pattern(SUBDOMAIN, 32, 'must be 1 to 32 of a-z, 0-9 and dashes, beginning with a letter').openapi({
    description: 'The client is at `<subdomain>.<domain of the server>`',
    example: 'acme',
  });
const versionTag = () =>
  pattern(VERSION_TAG, 128, 'must be a version tag such as 1.3-master').openapi({
    description: 'Version of the product image, one of those on the server',
    example: '1.3-master',
  });

/** Read once the time zone is known; the exact rule is in `parseMoment`. */
const moment = () =>
  line({ max: 40 }).openapi({
    description: 'End of the licence. Without an offset it is in `timezone`',
    example: '2031-01-31 18:00:00',
  });

/** All optional: what an update takes, and a create after its own check of what it needs. */
const fields = {
  server_id: optional(rowId()).openapi({ description: 'Server to place the client on', example: 3 }),
  name: optional(line({ min: 1, max: 255 })).openapi({
    description: 'Name; the laboratory in the client database is called so',
    example: 'Acme Laboratory',
  }),
  short_name: name('Short name, for lists', 'Acme').optional(),
  admin_f: name("Administrator's family name", 'Doe').optional(),
  admin_i: name("Administrator's first name", 'Jo').optional(),
  admin_o: name("Administrator's patronymic", '').optional(),
  admin_login: optional(
    pattern(
      /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/,
      64,
      'must be 1 to 64 letters, digits, dots, dashes, @ or underscores',
    ),
  ).openapi({
    description: "Administrator's login",
    example: 'jo',
  }),
  password: optional(password()),
  subdomain: optional(subdomain()),
  email: optional(email()).openapi({
    description: "Administrator's e-mail address",
    example: 'jo@acme.example',
  }),
  phone: pattern(/^[+0-9 ().,;#*/-]*$/, 64, 'must be a phone number')
    .openapi({ description: 'Phone number', example: '+1 555 0100' })
    .optional(),
  city: name('City', 'Springfield').optional(),
  timezone: optional(timezone()).openapi({
    description: 'Time zone of the container, `UTC` by default',
    example: 'Europe/Berlin',
  }),
  version_tag: optional(versionTag()),
  allowed_ips: allowedIps().optional().openapi({
    type: 'string',
    description:
      'JSON array of IP addresses or masks, v4 and v6, as a text; empty = everyone. JSON bodies may hold the array itself',
    example: '["192.0.2.7","198.51.100.0/24"]',
  }),
  config: carriedText()
    .optional()
    .openapi({ description: 'Configuration text, carried to the client', example: '' }),
  license: carriedText()
    .optional()
    .openapi({ description: 'Licence text, carried to the client', example: '' }),
  license_expires_at: moment().optional(),
  billing_type: optional(pattern(/^[a-z][a-z0-9_-]{0,31}$/, 32, 'must be a billing type')).openapi({
    description: 'One of `GET /clients/billing_types`; by default after `kind`, else `monthly`',
    example: 'yearly',
  }),
  kind: optional(oneOf(KINDS_OF_CLIENT)).openapi({ description: '`client` by default', example: 'client' }),
};

export const ClientInput = z
  .object({
    id: optional(rowId()).openapi({
      description: 'Updates this client, or creates a failed one again',
      example: 42,
    }),
    restore_from: optional(rowId()).openapi({
      description:
        'Id of a backup on the same server, of this version or an older one: the new client starts with its database and uploads. Only with a create',
      example: 7,
    }),
    ...fields,
  })
  .openapi('ClientInput');
export const ClientUpdate = z.object(fields).openapi('ClientUpdate');
export type ClientFields = z.output<typeof ClientUpdate>;

export const REQUIRED_TO_CREATE = [
  'server_id',
  'name',
  'admin_login',
  'subdomain',
  'email',
  'version_tag',
] as const;

export const PasswordInput = z
  .object({
    password: password(),
    confirm_password: z
      .string('must be a single text')
      .max(200)
      .openapi({ description: 'The same again', example: 'correct horse' }),
  })
  .refine((input) => input.password === input.confirm_password, {
    path: ['confirm_password'],
    message: 'must be the same as password',
  })
  .openapi('PasswordInput');

export const ExpireDateInput = z
  .object({
    sender: line({ min: 1, max: 255 }).openapi({
      description: 'Who changes the date; kept in the audit log',
      example: 'Jo Doe',
    }),
    license_expires_at: line({ min: 1, max: 40 }).openapi({
      description: "New end of the licence. Without an offset it is in the client's time zone",
      example: '2031-01-31 18:00:00',
    }),
  })
  .openapi('ExpireDateInput');

const when = (description: string) =>
  z.string().openapi({ format: 'date-time', description, example: '2031-01-31T12:00:00.000Z' });

export const ClientSchema = z
  .object({
    id: z.number().int().openapi({ description: 'Id of the client', example: 42 }),
    server_id: z.number().int().openapi({ description: 'Server it lives on', example: 3 }),
    status: z.enum(CLIENT_STATUSES).openapi({ description: 'What it is doing', example: 'active' }),
    kind: z.enum(KINDS_OF_CLIENT).openapi({ description: 'Kind', example: 'client' }),
    name: z.string().openapi({ description: 'Name', example: 'Acme Laboratory' }),
    short_name: z.string().openapi({ description: 'Short name', example: 'Acme' }),
    admin_f: z.string().openapi({ description: "Administrator's family name", example: 'Doe' }),
    admin_i: z.string().openapi({ description: "Administrator's first name", example: 'Jo' }),
    admin_o: z.string().openapi({ description: "Administrator's patronymic", example: '' }),
    admin_login: z.string().openapi({ description: "Administrator's login", example: 'jo' }),
    subdomain: z.string().openapi({ description: 'Subdomain', example: 'acme' }),
    url: z
      .string()
      .openapi({ description: 'Where the client is', example: 'https://acme.clients.example.test' }),
    email: z.string().openapi({ description: 'E-mail address', example: 'jo@acme.example' }),
    phone: z.string().openapi({ description: 'Phone number', example: '+1 555 0100' }),
    city: z.string().openapi({ description: 'City', example: 'Springfield' }),
    timezone: z.string().openapi({ description: 'Time zone', example: 'Europe/Berlin' }),
    version_tag: z.string().openapi({ description: 'Version', example: '1.3-master' }),
    allowed_ips: z
      .string()
      .openapi({ description: 'JSON array of addresses that may use it; empty = everyone', example: '[]' }),
    config: z.string().openapi({ description: 'Configuration text', example: '' }),
    license: z.string().openapi({ description: 'Licence text', example: '' }),
    license_expires_at: when('End of the licence').nullable(),
    days_left: z
      .number()
      .int()
      .nullable()
      .openapi({ description: 'Whole days until then; negative when it has passed', example: 90 }),
    billing_type: z.string().openapi({ description: 'Billing type', example: 'yearly' }),
    available: z
      .boolean()
      .nullable()
      .openapi({ description: 'Answered at the last HTTP check; null before the first', example: true }),
    available_checked_at: when('When that was').nullable(),
    available_since: when('Since when it is so').nullable(),
    available_error: z
      .string()
      .nullable()
      .openapi({ description: 'What the last failed check said', example: null }),
    demo: z.boolean().openapi({ description: 'Demo data is in it', example: false }),
    users: z.number().int().nullable().openapi({ description: 'Users in it, counted daily', example: 17 }),
    certificate: z
      .enum(CERTIFICATE_STATES)
      .nullable()
      .openapi({ description: 'Its own certificate; null: none was asked for yet', example: 'issued' }),
    certificate_error: z.string().nullable().openapi({ description: 'Why there is none', example: null }),
    certificate_expires_at: when('Until when it lasts').nullable(),
    operation: orNull(OperationRef).openapi({ description: 'The operation that runs on it' }),
    created_at: when('When it was created'),
    updated_at: when('When it was changed last'),
  })
  .openapi('Client');

export const BillingTypesSchema = z
  .object({
    data: z
      .array(
        z.object({
          id: z.string().openapi({ description: 'Id', example: 'yearly' }),
          title: z.string().openapi({ description: 'Title', example: 'Yearly' }),
        }),
      )
      .openapi({ description: 'All billing types, in order' }),
  })
  .openapi('BillingTypes');

export const BackupSchema = z
  .object({
    id: z.number().int().openapi({ description: 'Id', example: 7 }),
    client_id: z.number().int().openapi({ description: 'Client it was made of', example: 42 }),
    server_id: z.number().int().openapi({ description: 'Server it lies on', example: 3 }),
    kind: z
      .enum(['delete', 'change'])
      .openapi({ description: 'Made before a delete, or before a change', example: 'delete' }),
    operation_id: z
      .string()
      .openapi({ description: 'Operation that made it', example: '01K4Q2V7T3W9Z8X6C5B4N3M2A1' }),
    path: z
      .string()
      .openapi({ description: 'Directory on the server', example: '/srv/backup/clients/client42' }),
    size_bytes: z.number().nullable().openapi({ description: 'Size, bytes', example: 1_048_576 }),
    version_tag: z.string().openapi({ description: 'Version at that time', example: '1.3-master' }),
    created_at: when('When it was made'),
    expires_at: when('When it will be removed'),
    removed_at: when('When it was removed').nullable(),
  })
  .openapi('Backup');

export const CreateLogSchema = z
  .object({
    id: z.number().int().openapi({ description: 'Id of the client', example: 42 }),
    status: z.string().openapi({ description: 'State of the create operation', example: 'running' }),
    log: z
      .array(
        z.object({
          seq: z.number().int().openapi({ description: 'Number of the line, for `after`', example: 5 }),
          time: when('When it was written'),
          step: z.string().nullable().openapi({ description: 'Step it belongs to', example: 'database' }),
          message: z.string().openapi({ description: 'The line', example: 'Create database and user: done' }),
          level: z.enum(['info', 'warning', 'error']).openapi({ description: 'Level', example: 'info' }),
        }),
      )
      .openapi({ description: 'Lines in order; one once seen never changes' }),
    completed: z
      .enum(['ok', 'error'])
      .nullable()
      .openapi({ description: 'Null while it runs', example: null }),
    error: z
      .string()
      .optional()
      .openapi({ description: 'With `error`: what went wrong', example: 'the image is missing' }),
  })
  .openapi('CreateLog');

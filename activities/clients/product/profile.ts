import { readdirSync, readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { TEMPLATES_DIRECTORY } from '../../templates/template.js';

/** What a profile may put into a client's `.env`: the closed list of `{ from: … }`. */
export const ENV_SOURCES = [
  'url',
  'hostname',
  'clientName',
  'laboratoryName',
  'sqlDriver',
  'sqlHost',
  'sqlPort',
  'database',
  'databaseUser',
  'databasePassword',
  'timezone',
  'applicationKey',
  'clientToken',
  'locale',
] as const;
export type EnvSource = (typeof ENV_SOURCES)[number];

/**
 * Values for one client. `applicationKey`: base64 of 32 random bytes (a profile adds its prefix); `sqlPort` in decimal.
 * `sqlDriver` and `locale` come from the profile itself.
 */
export type ClientFacts = Record<Exclude<EnvSource, 'sqlDriver' | 'locale'>, string> & {
  sqlEngine: 'mariadb' | 'postgres';
};

export const PRODUCT_COMMANDS = [
  'migrate',
  'seedDemo',
  'unseedDemo',
  'createAdministrator',
  'setPassword',
  'maintenanceOn',
  'maintenanceOff',
  'countUsers',
  'sanitize',
] as const;
export type ProductCommandName = (typeof PRODUCT_COMMANDS)[number];

const absolutePath = z
  .string()
  .max(255)
  .regex(/^\/[\w./-]*$/, 'must be an absolute path of letters, digits and . _ / -')
  .refine((path) => !path.split('/').includes('..'), 'must not leave its directory');
const relativePath = z
  .string()
  .max(255)
  .regex(/^[\w.][\w./-]*$/, 'must be a relative path of letters, digits and . _ / -')
  .refine((path) => !path.split('/').includes('..'), 'must not leave its directory');
const urlPath = z
  .string()
  .max(200)
  .regex(/^\/[\w./-]*$/, 'must be a URL path of letters, digits and . _ / -');
const argv = z.array(z.string().min(1).max(1000)).min(1).max(50);
const seconds = z.int().min(1).max(3600);
const branch = z
  .string()
  .max(100)
  .regex(/^\w[\w./-]*$/, 'must be the name of a branch');
const image = z
  .string()
  .max(200)
  .regex(/^[a-z0-9]+(?:[._/-][a-z0-9]+)*$/, 'must be an image name without registry port and tag');

const envEntry = z.union(
  [
    z.strictObject({ from: z.enum(ENV_SOURCES), prefix: z.string().max(100).optional() }),
    z.strictObject({ value: z.string().max(10_000) }),
  ],
  `must be { from: one of ${ENV_SOURCES.join(', ')} } or { value: text }`,
);

const command = z.strictObject({
  /** argument vector inside the product's image; never holds data of a client */
  run: argv,
  /** what arrives on standard input: one JSON object with the data that the command is about */
  input: z.literal('json').optional(),
});

const profileSchema = z.strictObject({
  image,
  containerPort: z.int().min(1).max(65_535),
  /** answers 2xx or 3xx without login when the application and its database work */
  healthPath: urlPath,
  /** inside the container; exit code 0 is healthy */
  healthcheck: z.strictObject({
    run: argv,
    intervalSeconds: seconds,
    timeoutSeconds: seconds,
    retries: z.int().min(1).max(100),
    startSeconds: seconds,
  }),
  /** requests under `path` go to `upstream` on the server instead of the container */
  websocket: z
    .strictObject({
      path: urlPath,
      upstream: z.string().regex(/^127\.0\.0\.1:[1-9]\d{0,4}$/, 'must be 127.0.0.1:<port>'),
    })
    .optional(),
  uploadLimitMegabytes: z.int().min(1).max(10_000),
  /** group that reads `.env` inside the container */
  envGid: z.int().min(0).max(65_535),
  locale: z.enum(['ru', 'en']),
  /** the product's own names of the SQL engines */
  sqlDrivers: z.strictObject({ mariadb: z.string().min(1).max(50), postgres: z.string().min(1).max(50) }),
  /** where the client's files appear inside the container */
  mounts: z.strictObject({ env: absolutePath, public: absolutePath, phpIni: absolutePath.optional() }),
  repository: z
    .string()
    .min(1)
    .max(300)
    .regex(/^[^\s-]\S*$/, 'must be the address of a repository'),
  branches: z.strictObject({ dev: branch, master: branch }),
  /** run in the code's directory before the image is built */
  buildCommands: z.array(argv).max(20),
  /** build argument of the product's Dockerfile that takes the version */
  versionArgument: z
    .string()
    .max(100)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a build argument')
    .optional(),
  /** relative to the server's base_dir */
  envExample: relativePath,
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a variable name'), envEntry),
  /** of a copy into another client, beside its `sanitize` command */
  copy: z
    .strictObject({
      /** whose application key it has: `source` where data are encrypted with it */
      applicationKey: z.enum(['target', 'source']),
      /** keys of `.env` that a copy must not have: those that send mails and texts to real people */
      blankEnv: z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a variable name')).max(100),
    })
    .default({ applicationKey: 'target', blankEnv: [] }),
  commands: z.strictObject(
    Object.fromEntries(PRODUCT_COMMANDS.map((name) => [name, command])) as Record<
      ProductCommandName,
      typeof command
    >,
  ),
});

export type ProductProfile = z.infer<typeof profileSchema> & { name: string };

const NAME = /^[a-z][a-z0-9-]{0,49}$/;

/** Reads the text of a profile; `InvalidInput` names `file` and each wrong field. */
export function parseProfile({
  name,
  file,
  text,
}: {
  name: string;
  file: string;
  text: string;
}): ProductProfile {
  const document = parseDocument(text);
  const broken = document.errors[0];
  if (broken !== undefined) throw failure('InvalidInput', `${file}: ${broken.message}`);
  const result = profileSchema.safeParse(document.toJS());
  if (result.success) return { ...result.data, name };
  const fields = result.error.issues.map(
    (issue) => `${issue.path.join('.') || '(whole file)'}: ${issue.message}`,
  );
  throw failure('InvalidInput', `${file}: ${fields.join('; ')}`);
}

/** Profile `templates/products/<name>/profile.yaml`. `NotFound` when there is none, `InvalidInput` when it is wrong. */
export function loadProfile(name: string, directory: URL = PRODUCTS_DIRECTORY): ProductProfile {
  if (!NAME.test(name))
    throw failure('InvalidInput', 'a product profile is named by small letters, digits and dashes');
  const file = `products/${name}/profile.yaml`;
  return parseProfile({ name, file, text: readText(new URL(`${name}/profile.yaml`, directory), file) });
}

/** All profiles, by name. */
export function loadProfiles(directory: URL = PRODUCTS_DIRECTORY): ReadonlyMap<string, ProductProfile> {
  const entries = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return new Map(entries.map((entry) => [entry.name, loadProfile(entry.name, directory)]));
}

const PRODUCTS_DIRECTORY = new URL('products/', TEMPLATES_DIRECTORY);

function readText(url: URL, file: string): string {
  try {
    return readFileSync(url, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw failure('NotFound', `there is no ${file}`, { hint: 'add the profile under templates/products' });
  }
}

/** The known keys of a client's `.env` with their values, as the profile maps them. */
export function environmentOf(profile: ProductProfile, facts: ClientFacts): Record<string, string> {
  const sources: Record<EnvSource, string> = {
    ...facts,
    sqlDriver: profile.sqlDrivers[facts.sqlEngine],
    locale: profile.locale,
  };
  return Object.fromEntries(
    Object.entries(profile.env).map(([key, entry]) => [
      key,
      'value' in entry ? entry.value : (entry.prefix ?? '') + sources[entry.from],
    ]),
  );
}

/** Of the same keys those of some sources, with these values. */
export function environmentNaming(
  { env }: ProductProfile,
  values: Partial<Record<EnvSource, string>>,
): Record<string, string> {
  const named = Object.entries(env).flatMap(([key, entry]) => {
    const value = 'from' in entry ? values[entry.from] : undefined;
    return value === undefined || !('from' in entry) ? [] : [[key, (entry.prefix ?? '') + value]];
  });
  return Object.fromEntries(named);
}

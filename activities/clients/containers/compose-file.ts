import { Document } from 'yaml';
import { failure } from '../../../workflows/contract/operation/failures.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import { escapeUnprintable, LONE_SURROGATE } from '../../templates/template.js';
import type { ProductProfile } from '../product/profile.js';
import { canonicalNetwork } from '../../nginx/addresses.js';

/** The one service of a client's project. */
export const CLIENT_SERVICE = 'app';

export const CLIENT_LABEL = 'slipway.client';
export const OPERATION_LABEL = 'slipway.operation';

/** Beside the Compose file in the client's directory; container paths come from the profile. */
export const CLIENT_FILES = {
  env: '.env',
  public: 'public',
  phpIni: 'php/add_vars.ini',
  compose: 'docker-compose.yml',
};

/** Three files of 10 MB keep some days of a chatty application and can never fill a disk. */
const LOG_LIMITS = { 'max-size': '10m', 'max-file': '3' };

export interface ComposeFileInput {
  profile: ProductProfile;
  /** `client42`: project, container, label */
  name: string;
  /** of the operation that made the client; things keep its mark over later changes */
  operation: string;
  /** `<image>:<version>`, present on the server */
  image: string;
  /** published on 127.0.0.1 */
  port: number;
  /** IPv4 network of the client's own, such as `10.213.0.16/28` */
  subnet: string;
  /** absolute; mounts name it, so that the file means the same wherever Compose is started */
  directory: string;
}

/**
 * Text of the client's own Compose file, for Docker Compose 2 and docker-compose 1.29. It uses no variables, so that
 * the `.env` beside it has no say in it. `InvalidInput` for values that cannot be mounted or published.
 */
export function renderComposeFile(input: ComposeFileInput): string {
  const labels = labelsOf(input);
  const document = new Document(
    withoutInterpolation({
      services: { [CLIENT_SERVICE]: serviceOf(input, labels) },
      networks: {
        default: {
          labels,
          ipam: { driver: 'default', config: [{ subnet: canonicalNetwork(input.subnet) }] },
        },
      },
    }),
  );
  document.commentBefore = ` ${mark(input.operation)} ${input.name}`;
  // YAML 1.1 too (docker-compose 1.29 reads with PyYAML): no folding, and every text in quotes, so that none is a number
  const text = document.toString({
    lineWidth: 0,
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
  });
  return escapeUnprintable(text);
}

/** What everything of a client's bears in Docker. */
export function labelsOf({ name, operation }: { name: string; operation: string }): Record<string, string> {
  return { [CLIENT_LABEL]: name, [OPERATION_LABEL]: mark(operation) };
}

function serviceOf(
  { profile, name, image, port, directory }: ComposeFileInput,
  labels: Record<string, string>,
) {
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw failure('InvalidInput', 'the published port is not a port');
  return {
    image,
    // the same name under both generations of Compose, which join project and service differently
    container_name: name,
    pull_policy: 'never',
    // not unless-stopped: after a crash of its own, Docker 20.10 takes what it ends then for stopped by a person
    restart: 'always',
    labels,
    ports: [`127.0.0.1:${port}:${profile.containerPort}`],
    volumes: mountsOf(profile, directory),
    healthcheck: {
      test: ['CMD', ...profile.healthcheck.run],
      interval: `${profile.healthcheck.intervalSeconds}s`,
      timeout: `${profile.healthcheck.timeoutSeconds}s`,
      retries: profile.healthcheck.retries,
      start_period: `${profile.healthcheck.startSeconds}s`,
    },
    logging: { driver: 'json-file', options: LOG_LIMITS },
  };
}

function mountsOf({ mounts }: ProductProfile, directory: string) {
  // a path with a colon or a dot-dot would not be the mount that it looks like
  if (!/^(?:\/[\w.-]+)+$/.test(directory) || directory.split('/').includes('..')) {
    throw failure('InvalidInput', `${JSON.stringify(directory)} is not a directory that can be mounted`);
  }
  const bind = (file: string, target: string, readOnly: boolean) => ({
    type: 'bind',
    source: `${directory}/${file}`,
    target,
    ...(readOnly ? { read_only: true } : {}),
  });
  return [
    bind(CLIENT_FILES.env, mounts.env, true),
    bind(CLIENT_FILES.public, mounts.public, false),
    ...(mounts.phpIni === undefined ? [] : [bind(CLIENT_FILES.phpIni, mounts.phpIni, true)]),
  ];
}

/** Compose puts variables into every text, keys of labels excepted; `$$` is its literal dollar. */
function withoutInterpolation(value: unknown): unknown {
  if (typeof value === 'string') return checkText(value).replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(withoutInterpolation);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutInterpolation(item)]));
}

function checkText(value: string): string {
  if (!value.includes('\0') && !LONE_SURROGATE.test(value)) return value;
  throw failure(
    'InvalidInput',
    'a value with a NUL character or broken Unicode cannot stand in a Compose file',
  );
}

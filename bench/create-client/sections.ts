import type { Client } from '../../activities/clients/connections.js';
import type { Server } from '../../activities/hosts/connections.js';
import {
  clientFiles,
  type ClientFilesInput,
  writeFilesScript,
} from '../../activities/clients/containers/client-files.js';
import { CLIENT_SERVICE } from '../../activities/clients/containers/compose-file.js';
import { composeCommand, removeFound, startScript } from '../../activities/clients/containers/containers.js';
import { surveyScript } from '../../activities/clients/containers/survey.js';
import { publishScript } from '../../activities/nginx/swap.js';
import { renderVhost } from '../../activities/clients/publication/vhost.js';
import { vhostMarker } from '../../activities/clients/vhost-marker.js';
import {
  loadProfile,
  type ProductCommandName,
  type ProductProfile,
} from '../../activities/clients/product/profile.js';
import type { HostFacts } from '../../activities/hosts/host-facts.js';
import { type Script, sh } from '../../activities/ssh/shell.js';
import type { ClientThing } from '../../workflows/contract/clients/clients.js';
import { databaseStatements, settingsStatements, surveyStatements } from './sql.js';

/** What one of Slipway's steps does on the host, without Slipway. */
export interface Section {
  /** key of the step */
  name: string;
  /** for bash with `set -eu`, in a subshell of its own */
  script: Script;
  /** its standard input; null: none */
  input: string | null;
}

export interface SectionsInput {
  thing: ClientThing;
  server: Server;
  client: Client;
  facts: HostFacts;
  /** the product's `.env.example` as it lies on the server */
  example: string;
  sqlPassword: string;
  adminPassword: string;
  secrets: ClientFilesInput['secrets'];
  /** a second run finds its own things: Slipway looks before, which SQL without a program cannot */
  rerunnable?: boolean;
}

/**
 * Slipway's steps on the host, in its order, by the scripts of its own activities; without fence, ledger, detached jobs
 * and what else makes them durable. SQL goes by the command line client on the host, the look from outside is no part.
 */
export function sectionsOf(input: SectionsInput): Section[] {
  const { thing, server, client, facts, secrets, rerunnable } = input;
  const { product } = thing.names;
  const profile = loadProfile(product);
  const files = clientFiles({ ...input, profile });
  return [
    { name: 'check-host', script: surveyScript(thing, facts, server), input: null },
    { name: 'check-database', script: sql(input, surveyStatements(thing)), input: null },
    {
      name: 'database',
      script: sql(input, databaseStatements(thing, { password: secrets.databasePassword, rerunnable })),
      input: null,
    },
    {
      name: 'files',
      script: sh`cat -- ${`${server.baseDir}/${profile.envExample}`} >/dev/null
${writeFilesScript({ thing, files, envGid: profile.envGid, docker: facts.docker })}`,
      input: files.map(({ content }) => content).join(''),
    },
    { name: 'container', script: startScript(thing, { facts, profile }), input: null },
    { name: 'migrate', script: command(input, profile, 'migrate'), input: null },
    {
      name: 'base-data',
      script: command(input, profile, 'createAdministrator'),
      input: JSON.stringify(baseData(client, input.adminPassword)),
    },
    { name: 'settings', script: sql(input, settingsStatements(thing, client)), input: null },
    vhostSection(input, profile),
  ];
}

/** Statements by the engine's own client, as the backend's login. */
export function sql(
  { server, sqlPassword }: Pick<SectionsInput, 'server' | 'sqlPassword'>,
  statements: string,
): Script {
  const login = ['-h', server.host, '-P', server.sqlPort, '-u', server.sqlUser];
  return sh`printf '%s' ${statements} | MYSQL_PWD=${sqlPassword} mariadb --no-defaults --batch ${login}`;
}

/** One of the product's commands, in a one-off container. */
export function command(
  { thing, facts }: Pick<SectionsInput, 'thing' | 'facts'>,
  profile: ProductProfile,
  name: ProductCommandName,
): Script {
  const key = `${thing.operation.toLowerCase()}-${name.toLowerCase()}`;
  const leftOver = removeFound(facts.docker, ['--filter', `name=^/?${key}-([0-9]+|undo)$`]);
  const run = [
    'run',
    '--rm',
    '-T',
    '--no-deps',
    '--name',
    `${key}-1`,
    CLIENT_SERVICE,
    ...profile.commands[name].run,
  ];
  return sh`${leftOver}
${composeCommand(thing, facts)} ${run}`;
}

function baseData(client: Client, password: string) {
  return {
    name: client.name,
    short_name: client.shortName,
    admin_f: client.adminF,
    admin_i: client.adminI,
    admin_o: client.adminO,
    admin_login: client.adminLogin,
    email: client.email,
    license_expires_at: client.licenseExpiresAt?.toISOString() ?? null,
    password,
  };
}

function vhostSection({ thing, client, facts }: SectionsInput, profile: ProductProfile): Section {
  const { names, operation } = thing;
  const text = renderVhost({
    profile,
    variant: { kind: 'live' },
    name: names.name,
    operation,
    hostname: names.hostname,
    port: names.port,
    allowedIps: client.allowedIps,
    checkAddresses: [facts.peer, '127.0.0.1'],
    ipv6: facts.ipv6,
  });
  const script = publishScript({
    path: names.vhostFile,
    marker: vhostMarker({ operation, name: names.name }),
    nginx: facts.nginx,
    hostname: names.hostname,
    path80: profile.healthPath,
    expected: '^[23]',
    plainBytes: Buffer.byteLength(text),
  });
  return { name: 'vhost', script, input: text };
}

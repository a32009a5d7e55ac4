import { basename, dirname } from 'node:path';
import type { ClientNames, ClientThing } from '../../../workflows/contract/clients/clients.js';
import { databaseOf } from '../../../workflows/contract/clients/databases.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import type { Client } from '../connections.js';
import type { Server } from '../../hosts/connections.js';
import { blanksFor, renderEnvFile } from '../product/env-file.js';
import { renderPhpIni } from '../product/ini-file.js';
import { environmentOf, type ProductProfile } from '../product/profile.js';
import { joinScripts, type Script, sh } from '../../ssh/shell.js';
import { CLIENT_FILES, renderComposeFile } from './compose-file.js';
import { rootContainer } from '../../docker/root-container.js';

/** The directory bears another mark: 73 is EX_CANTCREAT of sysexits. */
export const FOREIGN_EXIT = 73;

/** Where a directory is made before it gets its name, and where it goes before it is removed. */
function besideOf({ directory }: ClientNames, operation: string): string {
  return `${dirname(directory)}/.${basename(directory)}.slipway-${operation.toLowerCase()}`;
}

export interface ClientFile {
  /** relative to the client's directory */
  path: string;
  mode: string;
  content: string;
}

export interface ClientFilesInput {
  thing: ClientThing;
  server: Server;
  client: Client;
  profile: ProductProfile;
  /** text of the product's current `.env.example` on the server */
  example: string;
  /** text of the client's `.env` so far: what is its own in there is kept */
  current?: string;
  /** keys that are to be empty where they are there at all */
  blanked?: readonly string[];
  secrets: { databasePassword: string; clientToken: string; applicationKey: string };
}

/** Texts of everything in a client's directory. */
export function clientFiles({
  thing,
  server,
  client,
  profile,
  example,
  current,
  blanked = [],
  secrets,
}: ClientFilesInput): ClientFile[] {
  const { names, operation } = thing;
  const known = environmentOf(profile, {
    ...secrets,
    sqlEngine: server.sqlEngine,
    sqlHost: server.sqlHost,
    sqlPort: String(server.sqlPort),
    database: databaseOf(names),
    databaseUser: names.name,
    clientName: names.name,
    laboratoryName: client.name,
    hostname: names.hostname,
    url: `${server.tls === 'off' ? 'http' : 'https'}://${names.hostname}`,
    timezone: client.timezone,
  });
  const values = { ...known, ...blanksFor(blanked, [example, current ?? '']) };
  return [
    {
      path: CLIENT_FILES.env,
      mode: '640',
      content: renderEnvFile({ example, values, ...(current === undefined ? {} : { current }) }),
    },
    { path: CLIENT_FILES.phpIni, mode: '644', content: renderPhpIni(client) },
    { path: CLIENT_FILES.compose, mode: '640', content: renderComposeFile({ ...names, profile, operation }) },
  ];
}

/** Shell function `put <path> <mode> <bytes>`: takes so many of standard input; a file has its old text or its new one. */
export const PUT_FILE = sh`put() {
  local made=$1.slipway-new
  rm -f -- "$made"
  ( umask 077; head -c "$3" > "$made" )
  [ "$(stat -c %s -- "$made")" = "$3" ] || { echo "$1 was cut short" >&2; return 1; }
  chmod "$2" -- "$made"
  mv -f -- "$made" "$1"
}`;

export function putFile({ path, mode, content }: ClientFile): Script {
  return sh`put ${path} ${mode} ${Buffer.byteLength(content)}`;
}

/** In the client's directory `$work`: the group that reads `.env` inside the container. */
export function giveEnvGroup(envGid: number): Script {
  return sh`if [ "$(stat -c %g -- .env)" != ${envGid} ] && ! chgrp ${envGid} -- .env 2>/dev/null; then
  as_root "$work" rw 'chgrp "$1" /slipway/.env' ${envGid} </dev/null
fi`;
}

/**
 * Writes the files that come on standard input, one behind the other: into a directory beside, which then gets its
 * name, or into the one that an earlier attempt has made. Exits with `FOREIGN_EXIT` when the name is somebody else's.
 */
export function writeFilesScript(input: {
  thing: ClientThing;
  files: readonly ClientFile[];
  envGid: number;
  docker: readonly string[];
}): Script {
  const { thing, files, envGid, docker } = input;
  const { directory } = thing.names;
  const puts = files.map(putFile);
  return sh`
dir=${directory} beside=${besideOf(thing.names, thing.operation)} mark=${mark(thing.operation)}
${rootContainer(docker, thing.names)}
if [ -e "$dir" ] || [ -L "$dir" ]; then
  [ "$(head -n 1 -- "$dir/.slipway" 2>/dev/null)" = "$mark" ] || exit ${FOREIGN_EXIT}
  work=$dir
else
  rm -rf -- "$beside"
  mkdir -m 750 -- "$beside"
  printf '%s\n' "$mark" > "$beside/.slipway"
  work=$beside
fi
cd -- "$work"
[ -d public ] || mkdir -m 775 public
mkdir -p php
${PUT_FILE}
${joinScripts(puts)}
${giveEnvGroup(envGid)}
cd /
[ "$work" = "$dir" ] || mv -T -- "$beside" "$dir"`;
}

/**
 * Removes the directory when it bears the mark: out of its name first, so that no half of it is ever taken for
 * somebody else's; what belongs to the container's users goes by a container. Writes nothing, and needs Docker only
 * where a plain `rm` is not enough.
 */
export function removeFilesScript(thing: ClientThing, docker: readonly string[]): Script {
  return sh`
dir=${thing.names.directory} beside=${besideOf(thing.names, thing.operation)} mark=${mark(thing.operation)}
${rootContainer(docker, thing.names)}
empty() {
  [ -d "$1" ] || return 0
  find "$1" -mindepth 1 -maxdepth 1 ! -name .slipway -exec rm -rf -- {} + 2>/dev/null || true
  if [ -n "$(find "$1" -mindepth 1 -maxdepth 1 ! -name .slipway -print -quit)" ]; then
    as_root "$1" rw 'find /slipway -mindepth 1 -maxdepth 1 ! -name .slipway -exec rm -rf {} +' </dev/null
  fi
  rm -f -- "$1/.slipway" && rmdir -- "$1"
}
empty "$beside"
if [ -d "$dir" ] && [ ! -L "$dir" ] && [ "$(head -n 1 -- "$dir/.slipway" 2>/dev/null)" = "$mark" ]; then
  # on a disk without room for a longer name it is emptied where it is
  if mv -T -- "$dir" "$beside" 2>/dev/null; then empty "$beside"; else empty "$dir"; fi
fi`;
}

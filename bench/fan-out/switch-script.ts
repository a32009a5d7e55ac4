import { backupScript, dumpLogin } from '../../activities/clients/containers/backup.js';
import { writeFilesScript } from '../../activities/clients/containers/client-files.js';
import { CLIENT_FILES, renderComposeFile } from '../../activities/clients/containers/compose-file.js';
import { startScript } from '../../activities/clients/containers/containers.js';
import { stopScript } from '../../activities/clients/containers/running.js';
import { publishScript } from '../../activities/nginx/swap.js';
import { renderVhost } from '../../activities/clients/publication/vhost.js';
import { vhostMarker } from '../../activities/clients/vhost-marker.js';
import { loadProfile } from '../../activities/clients/product/profile.js';
import { joinScripts, type Script, scriptText, sh } from '../../activities/ssh/shell.js';
import type { ClientThing } from '../../workflows/contract/clients/clients.js';
import type { StepRef } from '../../workflows/contract/operation/step.js';
import type { Pattern } from '../create-client/things.js';
import { command, sql } from '../create-client/sections.js';

interface SwitchInput {
  /** of the client itself */
  pattern: Pattern;
  thing: ClientThing;
  versionTag: string;
  /** names the backup, and the one-off container of the migration */
  run: string;
  /** what is done for the data before they change; absent: as Slipway backs them up */
  data?: Script;
}

/**
 * Slipway's steps of a switch on the host, in its order, by the scripts of its own activities, as one text for bash
 * that needs no standard input; without fence, ledger, detached jobs and what else makes them durable.
 */
export function switchScript({ pattern, thing, versionTag, run, data }: SwitchInput): string {
  const { server, facts, sqlPassword } = pattern;
  const { names, operation } = thing;
  const profile = loadProfile(names.product);
  const next: ClientThing = { operation, names: { ...names, image: `${profile.image}:${versionTag}` } };
  const compose = renderComposeFile({ ...next.names, profile, operation });
  const files = [{ path: CLIENT_FILES.compose, mode: '640', content: compose }];
  const once = { thing: { ...next, operation: run }, facts };
  const versions = `UPDATE \`${names.name}\`.cloud_settings SET value = '${versionTag}' WHERE name = 'version'`;
  const sections: Script[] = [
    fed(publish(pattern, thing, 'maintenance')),
    alone(stopScript(thing, facts.docker)),
    data === undefined
      ? fed({
          script: backupScript({ thing, server, docker: facts.docker, step: backupStep(run) }),
          input: dumpLogin(server, sqlPassword),
        })
      : alone(data),
    fed({
      script: writeFilesScript({ thing: next, files, envGid: profile.envGid, docker: facts.docker }),
      input: compose,
    }),
    alone(command(once, profile, 'migrate')),
    alone(sql({ server, sqlPassword }, versions)),
    alone(startScript(next, { facts, profile, anew: true })),
    fed(publish(pattern, thing, 'live')),
  ];
  return `export LC_ALL=C; set -eu\n${scriptText(joinScripts(sections))}\n`;
}

/** What the backup is named by. */
function backupStep(operation: string): StepRef {
  return { operation, subject: '', step: 'backup', title: 'Back up', phase: 'do', seq: 1, try: 1 };
}

function alone(script: Script): Script {
  return sh`(
set -eu
${script}
) </dev/null`;
}

function fed({ script, input }: { script: Script; input: string }): Script {
  return sh`printf '%s' ${input} | (
set -eu
${script}
)`;
}

function publish(
  { client, facts }: Pattern,
  { names, operation }: ClientThing,
  kind: 'live' | 'maintenance',
) {
  const profile = loadProfile(names.product);
  const text = renderVhost({
    profile,
    variant: { kind },
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
    expected: kind === 'live' ? '^[23]' : '^503',
    plainBytes: Buffer.byteLength(text),
  });
  return { script, input: text };
}

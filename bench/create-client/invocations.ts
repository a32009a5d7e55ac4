import assert from 'node:assert/strict';
import type { LabHost } from '../../lab/host.js';

/** Which docker and nginx commands ran on the host, with which words, and what the SQL server was asked; in order each. */
export interface Invocations {
  docker: string[];
  nginx: string[];
  sql: string[];
}

const CALLS = '/tmp/bench-calls';
/** How often the wait for a client's health looks is a matter of luck. */
const WAITING = 'docker inspect --type container ';

/**
 * Puts wrappers that take notes before docker and nginx on the host, and switches on the SQL server's log of queries,
 * while `watch` runs; `take` answers what came since the last time.
 */
export async function watchInvocations(
  host: LabHost,
  watch: (take: (names: string[]) => Promise<Invocations>) => Promise<void>,
): Promise<void> {
  await host.exec(`
    note() { printf '#!/bin/bash\\nprintf "%%s\\\\n" "%s $*" >> ${CALLS}\\nexec %s "$@"\\n' "$1" "$2"; }
    : > ${CALLS}; chmod 666 ${CALLS}
    note docker /usr/bin/docker > /usr/local/bin/docker
    mv /usr/sbin/nginx /usr/sbin/nginx-real
    note nginx /usr/sbin/nginx-real > /usr/sbin/nginx
    chmod 755 /usr/local/bin/docker /usr/sbin/nginx
    mariadb -e "SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = 1"`);
  try {
    await watch((names) => take(host, names));
  } finally {
    await host.exec(`
      rm -f /usr/local/bin/docker ${CALLS}
      mv -f /usr/sbin/nginx-real /usr/sbin/nginx
      mariadb -e "SET GLOBAL general_log = 0"`);
  }
}

async function take(host: LabHost, names: string[]): Promise<Invocations> {
  const { stdout } = await host.exec(`
    cat ${CALLS}; : > ${CALLS}
    mariadb --batch --skip-column-names -e "SELECT CONCAT('sql ', REPLACE(argument, '\\n', ' ')) FROM mysql.general_log
      WHERE command_type IN ('Query', 'Execute') AND user_host LIKE '${host.sqlUser}[%' ORDER BY event_time;
      TRUNCATE mysql.general_log"`);
  const lines = stdout.split('\n');
  const of = (kind: string) =>
    lines
      .filter((line) => line.startsWith(`${kind} `) && !line.startsWith(WAITING))
      .map((line) => withoutNames(line, names));
  return { docker: of('docker'), nginx: of('nginx'), sql: of('sql') };
}

/** What differs from run to run: names, ids and secrets. */
function withoutNames(line: string, names: string[]): string {
  return names
    .reduce((text, name, at) => text.replaceAll(name, `<${at}>`), line)
    .replaceAll(/\b[0-9a-z]{26}-[a-z:-]+-1\b|\b[0-9a-z]{26}-[a-z:-]+-(?=[[(])/gi, '<job>')
    .replaceAll(/\b[0-9a-z]{26}\b/gi, '<id>')
    .replaceAll(/\b(?:[0-9a-f]{12} ?)+\b/g, '<ids>')
    .replaceAll(/\*[0-9A-F]{40}/g, '<hash>')
    .replaceAll(/10\.213\.[\d./]+/g, '<network>')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** Throws with the difference unless a peer has done exactly what Slipway does. */
export function requireSame(slipway: Invocations, peer: Invocations, name: string): void {
  assert.ok(
    slipway.docker.length > 0 && slipway.nginx.length > 0 && slipway.sql.length > 0,
    'nothing was noted',
  );
  assert.deepEqual(peer, slipway, `${name} does not run the same commands as Slipway`);
}

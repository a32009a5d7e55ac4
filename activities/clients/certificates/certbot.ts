import { capText, failure } from '../../../workflows/contract/operation/failures.js';
import { nameOf, type Server } from '../../hosts/connections.js';
import { type Script, sh } from '../../ssh/shell.js';
import { acmeRootOf, lineageOf } from '../certificate-files.js';

export interface AcmeSettings {
  /** directory of the certificate authority; null: what certbot on the server asks by itself */
  directory: string | null;
  /** who is told by the authority of what expires; null: nobody */
  email: string | null;
}

/** Exit codes away from those of certbot (1), shells (126 and up) and sysexits (64 to 78). */
const BUSY = 86;
const STILL_SERVED = 84;
/** Longer than several certificates in a row; certbot itself refuses to run twice at once. */
const LOCK_WAIT_S = 240;

/** certbot reads keys that belong to root. */
const AS_ROOT: Script = sh`sudo=; [ "$(id -u)" = 0 ] || sudo='sudo -n'`;

/**
 * Passes everything on, and says once more at the end what the authority has answered: versions of certbot before 2.2
 * trip over their own error on Python 3.11 and no longer tell it.
 */
const REPEAT_PROBLEM: Script = sh`awk '
  { print; fflush() }
  /"(type|detail)": ?"/ { if (index($0, "acme:error:") || index($0, "\"detail\"")) { before = last; last = substr($0, 1, 300) } }
  END { if (before != "") print "Problem: " before; if (last != "") print "Problem: " last }'`;

interface IssueScript {
  server: Server;
  hostname: string;
  /** absolute path: a renewal's own PATH may be short */
  nginx: string;
  acme: AcmeSettings;
}

/** Asks for the certificate of one name unless there is one that lasts; one at a time per host. */
export function issueScript({ server, hostname, nginx, acme }: IssueScript): Script {
  const root = acmeRootOf(server);
  const account = acme.email === null ? ['--register-unsafely-without-email'] : ['--email', acme.email];
  const authority = acme.directory === null ? [] : ['--server', acme.directory];
  const names = ['--webroot', '--webroot-path', root, '--domain', hostname, '--cert-name', hostname];
  const silent = ['--non-interactive', '--agree-tos', '--keep-until-expiring'];
  const options = [...names, ...silent, '--deploy-hook', `${nginx} -s reload`, ...account, ...authority];
  return sh`
umask 022
mkdir -p -- ${root}
exec 8< ${root}
flock -w ${LOCK_WAIT_S} 8 || { echo 'another certificate takes too long'; exit ${BUSY}; }
${AS_ROOT}
$sudo certbot certonly -vv ${options} 2>&1 </dev/null 8<&- | ${REPEAT_PROBLEM}
exit "\${PIPESTATUS[0]}"`;
}

/** Removes the lineage of one name; nothing there is no failure. Not while nginx names it: no reload would work any more. */
export function removeScript({ hostname, nginx }: { hostname: string; nginx: readonly string[] }): Script {
  return sh`
command -v certbot >/dev/null 2>&1 || exit 0
${AS_ROOT}
if ${nginx} -T 2>/dev/null </dev/null | grep -qF -- ${lineageOf(hostname)}; then exit ${STILL_SERVED}; fi
said=$($sudo certbot delete --non-interactive --cert-name ${hostname} 2>&1 </dev/null) && exit 0
case $said in *'No certificate found'*) exit 0 ;; esac
printf '%s\n' "$said" >&2
exit 1`;
}

export interface CertbotEnd {
  exitCode: number;
  output: string;
}

/** Whether the next attempt may succeed by itself within minutes. */
function isBusy({ exitCode, output }: CertbotEnd): boolean {
  return exitCode === BUSY || (exitCode !== 0 && /Another instance of Certbot/i.test(output));
}

const CAUSES: [RegExp, string, string][] = [
  [
    /rateLimited|too many (certificates|requests|failed|new orders|registrations|currently)|rate limit/i,
    'the authority limits how often it may be asked',
    'the daily sweep asks again',
  ],
  [
    /DNS problem|NXDOMAIN|SERVFAIL|could not resolve|no (valid )?(A|IP|AAAA)\b.*(records?|addresses)/i,
    'the name is not in the DNS yet',
    'point the name to the server; the daily sweep asks again',
  ],
  [
    /unauthorized|connection refused|Timeout during connect|Fetching http/i,
    'the authority does not reach the server by this name',
    'the name must lead to the server, port 80 open to everyone; the daily sweep asks again',
  ],
];

/** Leaves room in a failure's 1 KiB for the words around those of certbot. */
const QUOTED_BYTES = 500;

/**
 * What certbot's end means. A limit of the authority lasts for hours: it is an answer, not something to wait for within
 * the operation.
 */
export function certbotFailure(end: CertbotEnd, { server, hostname }: { server: Server; hostname: string }) {
  const what = `no certificate for ${hostname} on ${nameOf(server)}`;
  if (isBusy(end)) return failure('Unavailable', `${what}: certbot is busy there`);
  if (end.exitCode === STILL_SERVED) {
    return failure('Conflict', `nginx on ${nameOf(server)} still names the certificate of ${hostname}`, {
      hint: 'take the virtual host away first, then retry; skip this step to leave the certificate',
    });
  }
  const [, cause, hint] = CAUSES.find(([pattern]) => pattern.test(end.output)) ?? [];
  const said = capText(essenceOf(end.output), QUOTED_BYTES);
  return failure('CommandFailed', cause === undefined ? `${what}: ${said}` : `${what}: ${cause}: ${said}`, {
    hint:
      hint ?? "look at certbot's own log on the server (/var/log/letsencrypt); the daily sweep asks again",
  });
}

/** Without what certbot says around every failure. */
function essenceOf(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  const details = lines.filter((line) => line.startsWith('Problem:'));
  if (details.length > 0) return details.join(' ');
  const own = lines.filter(
    (line) =>
      line !== '' && !/^(Saving debug log|Ask for help|Plugins selected|Account registered)/.test(line),
  );
  return own.slice(-4).join(' ');
}

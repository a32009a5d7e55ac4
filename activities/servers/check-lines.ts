import type { CheckLevel, CheckLine } from '../../workflows/contract/servers/probes.js';

interface Requirement {
  need: string;
  fix: string;
  /** what it is when it is not met; default error */
  level?: CheckLevel;
}

/** Requirements on a host, by key (`docs/contract/servers.md`, Servers); `%` is what stands behind the colon. */
const REQUIREMENTS: Record<string, Requirement> = {
  bash: { need: 'bash', fix: 'apt-get install bash' },
  git: { need: 'git', fix: 'apt-get install git' },
  docker: {
    need: 'Docker with a running daemon, usable by the SSH user',
    fix: 'apt-get install docker.io, start it, and add the user to the group docker (or allow docker through sudo)',
  },
  compose: { need: 'docker compose v2 or docker-compose', fix: 'install the Compose plugin of Docker' },
  nginx: { need: 'nginx', fix: 'apt-get install nginx' },
  certbot: { need: 'certbot with its nginx plugin', fix: 'apt-get install certbot python3-certbot-nginx' },
  nvm: { need: 'nvm, where the server builds', fix: 'install nvm for the SSH user', level: 'warning' },
  node: { need: 'node, where the server builds', fix: 'nvm install --lts', level: 'warning' },
  composer: { need: 'composer, where the server builds', fix: 'install composer', level: 'warning' },
  supervisor: {
    need: 'supervisor with a running websocket program (reverb)',
    fix: 'apt-get install supervisor and add a program named reverb',
  },
  sudo_docker: sudo('docker'),
  sudo_docker_compose: sudo('docker-compose'),
  sudo_nginx: sudo('nginx'),
  sudo_certbot: sudo('certbot'),
  sudo_reboot: { ...sudo('/sbin/reboot'), level: 'warning' },
  directory: { need: '% of the SSH user with mode 775', fix: 'install -d -o <user> -g <user> -m 775 %' },
  writable: { need: '% writable by the SSH user', fix: 'make % and let the SSH user write there' },
};

function sudo(command: string): Requirement {
  return {
    need: `${command} through sudo without a password`,
    fix: `add "<user> ALL=(ALL) NOPASSWD: $(command -v ${command})" to a file of /etc/sudoers.d`,
  };
}

/** Below the first a create is refused; below the second there is no room for a new image. */
const LEAST_FREE_BYTES = 200 * 1024 ** 2;
const GOOD_FREE_BYTES = 2 * 1024 ** 3;

export function checkLine(
  line: Omit<CheckLine, 'ok' | 'level' | 'fix'> & { ok: boolean; level?: CheckLevel; fix: string },
): CheckLine {
  return { ...line, level: line.ok ? 'ok' : (line.level ?? 'error'), fix: line.ok ? '' : line.fix };
}

/** One line of the report for one of `hostCheckScript`; undefined for anything else, as a login shell may print. */
export function readCheckLine(text: string, user: string): CheckLine | undefined {
  const [key = '', ok, found = ''] = text.split('|');
  if (ok !== '0' && ok !== '1') return undefined;
  if (key === 'disk') return diskLine(Number(found));
  const [kind = '', ...rest] = key.split(':');
  const requirement = REQUIREMENTS[kind];
  if (requirement === undefined) return undefined;
  const fill = (sentence: string) => sentence.replaceAll('%', rest.join(':')).replaceAll('<user>', user);
  const { level } = requirement;
  return checkLine({
    key,
    ok: ok === '1',
    found,
    need: fill(requirement.need),
    fix: fill(requirement.fix),
    ...(level === undefined ? {} : { level }),
  });
}

function diskLine(freeBytes: number): CheckLine {
  return checkLine({
    key: 'disk',
    ok: freeBytes >= GOOD_FREE_BYTES,
    level: freeBytes >= LEAST_FREE_BYTES ? 'warning' : 'error',
    found: `${Math.floor(freeBytes / 1024 ** 2)} MB free`,
    need: '2 GB free for images and clients, 200 MB at the least',
    fix: 'free space on the disk of the data directory',
  });
}

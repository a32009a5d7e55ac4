import { run } from '../../process/run.js';

export interface User {
  uid: number;
  gid: number;
  /** arguments of setpriv */
  rights?: string[];
}

/** Postgres refuses to run as root: there it runs as `postgres`, who is made when absent. */
export async function serverUser(): Promise<User | null> {
  if (process.getuid?.() !== 0) return null;
  if ((await idOf('-u')).code !== 0) {
    await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], { check: false });
  }
  const uid = Number((await idOf('-u')).stdout);
  const gid = Number((await idOf('-g')).stdout);
  return { uid, gid };
}

function idOf(which: '-u' | '-g') {
  return run('id', [which, 'postgres'], { check: false });
}

export function asUser(user: User | null, command: string[]): string[] {
  if (!user) return command;
  const { uid, gid, rights = [] } = user;
  return ['setpriv', '--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups', ...rights, ...command];
}

/** To search any directory, and nothing else; `no_setuid_fixup` lets access(2) count it too. */
const SEARCH = [
  ...['--inh-caps', '+dac_read_search', '--ambient-caps', '+dac_read_search'],
  ...['--securebits', '+no_setuid_fixup'],
];

/** Below a private directory, as /root is, the server needs a right of its own to get to its files. */
export async function withAccess(user: User, paths: string[]): Promise<User> {
  for (const candidate of [user, { ...user, rights: SEARCH }]) {
    const [program = 'stat', ...args] = asUser(candidate, ['stat', '--format=', ...paths]);
    if ((await run(program, args, { check: false })).code === 0) return candidate;
  }
  throw new Error(`user postgres cannot reach ${paths.join(' or ')}: a parent directory keeps others out`);
}

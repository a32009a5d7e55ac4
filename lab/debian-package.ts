import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from '../process/run.js';

interface DebianPackage {
  name: string;
  version: string;
  /** of Debian, also one that the machine's own sources do not name */
  suite: string;
  /** by Debian's names of processors */
  sha256: Record<string, string>;
  /** its files are unpacked here; nothing is installed */
  dir: string;
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** A package of any suite, from the machine's own mirror by apt with lists of its own; refused unless its hash is the pinned one. */
export async function unpackDebianPackage(wanted: DebianPackage): Promise<void> {
  const { name, version, suite, sha256, dir } = wanted;
  const scratch = join(dir, 'apt');
  for (const path of ['lists/partial', 'cache/archives/partial']) {
    await mkdir(join(scratch, path), { recursive: true });
  }
  const config = join(scratch, 'apt.conf');
  await writeFile(join(scratch, 'list'), `deb [signed-by=${KEYRING}] ${await mirror()} ${suite} main\n`);
  await writeFile(config, settings(scratch));
  await run('apt-get', ['-c', config, '-q', 'update'], { cwd: scratch });
  await run('apt-get', ['-c', config, '-q', 'download', `${name}=${version}`], { cwd: scratch });
  const [file = 'nothing'] = (await readdir(scratch)).filter((entry) => entry.endsWith('.deb'));
  await unpackPinned({ file: join(scratch, file), sha256: Object.values(sha256), dir });
  await rm(scratch, { recursive: true });
}

/** What the machine gets Debian's own packages from. */
async function mirror(): Promise<string> {
  const format = '$(ORIGIN) $(LABEL) $(COMPONENT) $(SITE)';
  const { stdout } = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const [, site] = /^Debian Debian main (\S+)$/m.exec(stdout) ?? [];
  if (site === undefined)
    throw new Error("apt has no lists of Debian's packages; apt-get update brings them");
  return site;
}

/** Nothing of the machine's own lists and archives is touched. root: `_apt` cannot enter a home directory. */
function settings(scratch: string): string {
  return `Dir::Etc::SourceList "${scratch}/list";
Dir::Etc::SourceParts "-";
Dir::State::lists "${scratch}/lists";
Dir::Cache "${scratch}/cache";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
APT::Sandbox::User "root";
`;
}

interface Pinned {
  file: string;
  /** any of these */
  sha256: readonly string[];
  dir: string;
}

/** Unpacks a .deb that has one of the hashes; with another one it throws and leaves `dir` alone. */
export async function unpackPinned({ file, sha256, dir }: Pinned): Promise<void> {
  const found = createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
  if (!sha256.includes(found))
    throw new Error(`${basename(file)} has another SHA-256 than the pinned: ${found}`);
  await run('dpkg-deb', ['-x', file, dir]);
}

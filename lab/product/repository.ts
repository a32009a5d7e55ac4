import { join } from 'node:path';
import { toolsDir } from '../../start/tools/config.js';
import type { LabHost } from '../host.js';
import { writeBuildContext } from './image.js';

/** As the sample profile names it; each lab host has its own, so that nothing is fetched over a network. */
export const SAMPLE_REPOSITORY = '/srv/repositories/sample.git';

/** Where commits are made, as on a developer's machine. */
const WORK = '/srv/repositories/work';

/** `git` in that directory as the SSH user: git refuses what belongs to others. */
const GIT = `
export HOME=/var/www GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=Developer \
  GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=developer@example.test
git() { setpriv --reuid www-data --regid www-data --init-groups git -C ${WORK} "$@"; }
set -eu
`;

/** A bare repository on the host with the sample product's Docker context, on the branches dev and master. */
export async function ensureSampleRepository(host: LabHost): Promise<void> {
  await host.exec(`mkdir -p ${WORK}`);
  const directory = join(host.root, WORK);
  await writeBuildContext({ directory, cacheDir: join(toolsDir, 'sample-product'), log: () => undefined });
  await host.exec(`
chown -R www-data:www-data /srv/repositories
${GIT}
git init -q --bare --initial-branch master ${SAMPLE_REPOSITORY}
git init -q --initial-branch master
git remote add origin ${SAMPLE_REPOSITORY}
git add --all
git commit -q -m 'The sample product'
git branch dev
git push -q origin master dev`);
}

export interface SampleCommit {
  branch: 'dev' | 'master';
  /** new texts by path; null removes */
  files: Record<string, string | null>;
}

/** Commits to a branch of the host's sample repository; answers the commit's id. */
export async function commitToSample(host: LabHost, { branch, files }: SampleCommit): Promise<string> {
  await host.exec(`${GIT} git checkout -q ${branch}`);
  for (const [path, text] of Object.entries(files)) {
    const file = `'${WORK}/${path}'`;
    const script = text === null ? `rm -rf ${file}` : `mkdir -p "$(dirname ${file})"; cat > ${file}`;
    await host.exec(script, { input: text ?? '' });
  }
  const { stdout } = await host.exec(`
chown -R www-data:www-data ${WORK}
${GIT}
git add --all
git commit -q --allow-empty -m change
git push -q origin ${branch}
git rev-parse HEAD`);
  return stdout.trim();
}

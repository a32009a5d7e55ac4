import type { LabHost } from '../../lab/host.js';

/**
 * All that a build changes below a base directory, as one text: files with their content, where git stands, the lock. A
 * checkout without a commit is none; snapshots are looked for by `snapshotsOf`.
 */
export async function treesOf(host: LabHost, baseDir: string): Promise<string> {
  const { stdout } = await host.exec(`
cd ${baseDir}
find git docker www -name .git -prune -o -name '.slipway-*' -prune -o -path docker/clients -prune -o -print | sort
find git docker www -name .git -prune -o -name '.slipway-*' -prune -o -path docker/clients -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum
for tree in git www; do
  head=$(git -c safe.directory='*' -C $tree rev-parse -q --verify HEAD 2>/dev/null) || continue
  echo "$tree $(git -c safe.directory='*' -C $tree symbolic-ref -q HEAD) $head"
  git -c safe.directory='*' -C $tree status --porcelain --untracked-files=no
done
cat slipway/trees.lock 2>/dev/null || true`);
  return stdout;
}

/** What builds have kept of the former code, by the operation that did. */
export async function snapshotsOf(host: LabHost, baseDir: string, operation: string): Promise<string> {
  const { stdout } = await host.exec(
    `ls -Ad ${baseDir}/*/.slipway-${operation.toLowerCase()}* 2>/dev/null || true`,
  );
  return stdout;
}

/** Names of the image's versions with their ids, images without a name, and containers of builds. */
export async function imagesOf(host: LabHost, image = 'slipway-sample'): Promise<string> {
  const { stdout } = await host.exec(`
docker image ls --no-trunc --format '{{.Tag}} {{.ID}}' ${image} | sort
docker image ls -q --filter dangling=true
docker ps -aq --filter status=created`);
  return stdout;
}

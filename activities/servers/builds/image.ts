import type { Build } from '../../../workflows/contract/servers/builds.js';
import { mark } from '../../../workflows/contract/operation/ids.js';
import { OPERATION_LABEL } from '../../clients/containers/compose-file.js';
import { IMAGE_LABELS } from '../../docker/image-labels.js';
import { type Script, sh } from '../../ssh/shell.js';
import { TREES } from './trees.js';

interface ImageInput {
  build: Build;
  commit: string;
  docker: readonly string[];
  baseDir: string;
  /** build argument of the product's Dockerfile that takes the version */
  versionArgument: string | undefined;
}

/**
 * `docker build` of the build directory without the clients' directories, which hold their secrets. The name goes to
 * the new image only when it is whole; layers of one that failed go with it.
 */
export function imageScript({ build, commit, docker, baseDir, versionArgument }: ImageInput): Script {
  const { image, version, branch, operation } = build;
  const labels = [
    `${IMAGE_LABELS.version}=${version}`,
    `${IMAGE_LABELS.branch}=${branch}`,
    `${IMAGE_LABELS.commit}=${commit}`,
    `${OPERATION_LABEL}=${mark(operation)}`,
  ].flatMap((label) => ['--label', label]);
  const given = versionArgument === undefined ? [] : ['--build-arg', `${versionArgument}=${version}`];
  return sh`
image=${image}
made=$(${docker} image ls -q --no-trunc --filter ${`label=${OPERATION_LABEL}=${mark(operation)}`} --filter ${`label=${IMAGE_LABELS.commit}=${commit}`} -- "$image")
if [ -n "$made" ]; then echo "$image is there already"; exit 0; fi
set -o pipefail
untagged() { ${docker} image ls -q --no-trunc --filter dangling=true | sort -u; }
before=$(untagged)
cd -- ${`${baseDir}/${TREES.docker}`}
if tar --create --anchored --exclude=./clients --exclude='./.slipway-*' . |
  ${docker} build --force-rm --tag "$image" ${given} ${labels} --label ${IMAGE_LABELS.built}="$(date -u +%Y-%m-%dT%H:%M:%SZ)" - ; then exit 0; fi
code=$?
for layer in $(comm -13 <(printf '%s\n' "$before") <(untagged)); do ${docker} rmi "$layer" >/dev/null 2>&1 || true; done
exit 1`;
}

/** Takes away the image that bears the operation's mark; who had its name before gets it back. Nothing there is success. */
export function removeImageScript(
  { image, operation, formerImage }: Build,
  docker: readonly string[],
): Script {
  return sh`
image=${image} former=${formerImage ?? ''}
made=$(${docker} image ls -q --no-trunc --filter ${`label=${OPERATION_LABEL}=${mark(operation)}`} -- "$image")
if [ -n "$made" ]; then
  if [ -n "$former" ] && ${docker} image inspect --format . "$former" >/dev/null 2>&1; then
    ${docker} tag "$former" "$image"
    ${docker} rmi "$made" >/dev/null
  else
    ${docker} rmi -- "$image" >/dev/null
  fi
fi`;
}

/** Tags of the product's image, and the id of the wanted one if it is there: lines `tag|<tag>|<id>`. */
export function versionsScript(image: string, docker: readonly string[]): Script {
  return sh`
command -v git >/dev/null || { echo 'there is no git' >&2; exit 1; }
${docker} image ls --no-trunc --format 'tag|{{.Tag}}|{{.ID}}' -- ${image}`;
}

import type { ClientNames } from '../../workflows/contract/clients/clients.js';
import { splitImage } from '../../workflows/contract/clients/versions.js';
import { type Script, sh } from '../ssh/shell.js';

/**
 * Shell function `as_root <directory> <ro|rw> <script> [argument…]`: runs a script as root in a one-off container that
 * sees that directory alone, as `/slipway`, and no network. For files that belong to users of a container. Its
 * standard input is the script's; `$root_name`, where it is set, names it, so that a second one cannot run beside it.
 * Takes the client's image, or what else of the product is there: any has a shell.
 */
export function rootContainer(docker: readonly string[], { image }: Pick<ClientNames, 'image'>): Script {
  const [repository] = splitImage(image);
  return sh`
root_image() {
  for candidate in ${image} $(${docker} images -q -- ${repository} 2>/dev/null) busybox; do
    if ${docker} image inspect --format . -- "$candidate" >/dev/null 2>&1; then printf '%s\n' "$candidate"; return 0; fi
  done
  return 1
}
as_root() {
  local mounted=$1 mode=$2 script=$3 image named=()
  shift 3
  image=$(root_image) || { echo 'no image for a container that runs as root' >&2; return 1; }
  [ -z "\${root_name:-}" ] || named=(--name "$root_name")
  ${docker} run --rm --interactive "\${named[@]}" --network none --user 0:0 --pull never --workdir / --entrypoint /bin/sh \
    --volume "$mounted:/slipway:$mode" "$image" -c "$script" sh "$@"
}`;
}

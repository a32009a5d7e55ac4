import { sh } from '../../ssh/shell.js';

/**
 * `tell_every <command…>` says every 5 s, often enough for whoever waits, how far something is; `stop_telling` ends it, and
 * belongs into the script's trap. What outlives its script for whatever reason ends by itself.
 */
export const PROGRESS = sh`
telling=
tell_every() { ( while sleep 5 && kill -0 "$$" 2>/dev/null; do "$@" || true; done ) </dev/null & telling=$!; }
stop_telling() { [ -z "$telling" ] || kill "$telling" 2>/dev/null || true; telling=; }
written() {
  local size
  if size=$(stat -c %s -- "$2" 2>/dev/null); then echo "$1 $size bytes$3"; fi
}`;

import { type Script, sh } from '../ssh/shell.js';

/** True where the SSH user is root, or may run it through sudo without a password; as `sudo_reboot` of check_host. */
export const MAY_REBOOT: Script = sh`may_reboot() { [ "$(id -u)" = 0 ] || sudo -n -l /sbin/reboot >/dev/null 2>&1; }`;

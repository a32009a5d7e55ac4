import type { LabHost } from '../../lab/host.js';
import { ownBaseDirectory } from './own-base-directory.js';

export interface SmallDisk {
  /** only so many bytes are left from now on */
  fill(room?: number): Promise<void>;
  free(): Promise<void>;
  unmount(): Promise<void>;
}

/** A base directory on a file system of its own, which can become full. */
export async function mountSmallDisk(host: LabHost, baseDir: string): Promise<SmallDisk> {
  // an empty file system of this size takes no memory
  await host.exec(`mkdir ${baseDir} && mount -t tmpfs -o size=1g small ${baseDir}`);
  await ownBaseDirectory(host, baseDir);
  return {
    async fill(room = 0) {
      // shrunk to what is in it: a full disk without filling the machine's memory
      await host.exec(
        `used=$(df -P -B1 ${baseDir} | awk 'NR == 2 { print $3 + ${room} }'); mount -o "remount,size=$used" ${baseDir}`,
      );
    },
    async free() {
      await host.exec(`mount -o remount,size=1g ${baseDir}`);
    },
    async unmount() {
      await host.exec(`umount -l ${baseDir} && rmdir ${baseDir}`);
    },
  };
}

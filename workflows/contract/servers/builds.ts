import type { BuildBranch } from '../clients/versions.js';

export interface BuildImageParams {
  serverId: number;
  branch: BuildBranch;
  /** such as `1.3-master`, or `auto` */
  version: string;
  /** an image of that version that is there: `refuse` it, `replace` it, or `keep` it as it is */
  existing: 'refuse' | 'replace' | 'keep';
  /** what the server's clients are told once the image is there: the operation that announces it */
  release?: string;
}

/** What one build makes, named once by its first activity and recorded in history. */
export interface Build {
  serverId: number;
  /** the operation that builds, whose mark image and snapshots bear */
  operation: string;
  /** branch of the product's repository */
  branch: string;
  version: string;
  /** `<image>:<version>` */
  image: string;
  /** id of the image that had this name before; it gets it back when the build is undone */
  formerImage: string | null;
}

export interface BuildImageResult {
  image: string;
  version: string;
  /** null: the image was there and kept */
  commit: string | null;
  /** clients that were told the new version */
  told?: number;
}

export interface BuildMasterForAllParams {
  /** such as `1.3-master` */
  version: string;
  /** what is new, markdown, for the clients */
  info: string;
  /** servers that have this version build it anew */
  force: boolean;
}

/** A version that clients are told of, as an operation announces it. */
export interface Release {
  operation: string;
  version: string;
  info: string;
}

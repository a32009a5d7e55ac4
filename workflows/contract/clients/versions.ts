/** `registry:5000/image:tag` → image and tag: only a colon behind the last slash begins a tag. */
export function splitImage(reference: string): [string, string] {
  const colon = reference.lastIndexOf(':');
  if (colon < 0 || colon < reference.lastIndexOf('/')) return [reference, ''];
  return [reference.slice(0, colon), reference.slice(colon + 1)];
}

/**
 * Order of version tags such as `1.4-master`: first their numbers one by one (an absent one is 0), then what stands
 * behind the dash, as text. Negative when the first is lower. A tag without numbers is lower than any with.
 */
export function compareVersions(one: string, other: string): number {
  const [left, leftSuffix] = versionParts(one);
  const [right, rightSuffix] = versionParts(other);
  if ((left.length === 0) !== (right.length === 0)) return left.length - right.length;
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const [a, b] = [left[index] ?? 0n, right[index] ?? 0n];
    if (a !== b) return a < b ? -1 : 1;
  }
  if (leftSuffix === rightSuffix) return 0;
  return leftSuffix < rightSuffix ? -1 : 1;
}

/** Numbers of any length: a date with a time is longer than a number holds exactly. */
function versionParts(tag: string): [bigint[], string] {
  const [, numbers, suffix = ''] = /^v?(\d+(?:\.\d+)*)(?:[-_.]?(.*))$/s.exec(tag) ?? [];
  if (numbers === undefined) return [[], tag];
  return [numbers.split('.').map(BigInt), suffix];
}

export const BUILD_BRANCHES = ['dev', 'master'] as const;
export type BuildBranch = (typeof BUILD_BRANCHES)[number];

/** Room for four numbers and three words; Docker itself takes tags of 128 characters. */
export const VERSION = /^(?=.{1,100}$)\d{1,6}(\.\d{1,6}){0,3}(-[a-z0-9]{1,20}){0,4}$/;

/** Docker's own rule for tags. */
export const TAG = /^\w[\w.-]{0,127}$/;

/** Asks for the next version instead of naming one. */
export const AUTO_VERSION = 'auto';

/** The branch that a version bears the name of, if it does. */
export function branchOf(version: string): BuildBranch | undefined {
  return BUILD_BRANCHES.find((branch) => version.endsWith(`-${branch}`));
}

/** Its numbers; undefined for a tag that is no version, such as `latest`. */
export function numbersOf(version: string): number[] | undefined {
  return VERSION.test(version) ? (version.split('-')[0] ?? '').split('.').map(Number) : undefined;
}

/** The next minor of the newest of `tags`, whatever their branch: `1.3.7-dev` → `1.4-<branch>`; the first is `1.0`. */
export function nextVersion(tags: readonly string[], branch: BuildBranch): string {
  const newest = tags
    .map(numbersOf)
    .filter((numbers) => numbers !== undefined)
    .map(([major = 0, minor = 0]) => ({ major, minor }))
    .sort((one, other) => other.major - one.major || other.minor - one.minor)[0];
  const { major, minor } =
    newest === undefined ? { major: 1, minor: 0 } : { ...newest, minor: newest.minor + 1 };
  return `${major}.${minor}-${branch}`;
}

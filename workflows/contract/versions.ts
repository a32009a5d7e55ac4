/** Versions of a product's image: numbers, then words, last of all the branch, such as `1.3-master` or `1.3.1-rc1-dev`. */

export const BUILD_BRANCHES = ['dev', 'master'] as const;
export type BuildBranch = (typeof BUILD_BRANCHES)[number];

/** Room for four numbers and three words; Docker itself takes tags of 128 characters. */
export const VERSION = /^(?=.{1,100}$)\d{1,6}(\.\d{1,6}){0,3}(-[a-z0-9]{1,20}){0,4}$/;

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

/** By number, a missing one counts as 0: below 0 when `one` is older. What is no version is older than any. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [numbersOf(one) ?? [-1], numbersOf(other) ?? [-1]];
  const length = Math.max(left.length, right.length);
  for (let place = 0; place < length; place += 1) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
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

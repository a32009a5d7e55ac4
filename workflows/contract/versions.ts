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

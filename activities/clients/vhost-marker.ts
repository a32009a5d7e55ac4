import { mark } from '../../workflows/contract/operation/ids.js';

/** First line of a client's vhost: whose it is, for those who find the file. */
export function vhostMarker({ operation, name }: { operation: string; name: string }): string {
  return `# ${mark(operation)} ${name}`;
}

/** Whose an activity is: its name carries it, `clients.ensureDatabase`. Tests and benchmarks have wings of their own. */
export type Wing = 'operation' | 'clients' | 'servers' | 'test' | 'bench';

export function activityName(wing: Wing, name: string): string {
  return `${wing}.${name}`;
}

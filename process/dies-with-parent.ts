/** Wraps a command so that the kernel signals it when this process dies, however it dies. Linux only; elsewhere as it is. */
export function diesWithParent(signal: 'TERM' | 'INT' | 'KILL', command: string[]): string[] {
  return process.platform === 'linux' ? ['setpriv', '--pdeathsig', signal, ...command] : command;
}

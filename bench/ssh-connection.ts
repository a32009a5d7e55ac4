import { connect } from 'node:net';
import ssh2 from 'ssh2';
import type { LabHost } from '../lab/host.js';

/** What a script without Slipway would use: one connection without Nagle's delay, and nothing around it. */
export interface SshConnection {
  /** Runs a script that comes on standard input; throws unless it ends with 0. */
  run(script: string, onOutput?: (bytes: Buffer) => void): Promise<void>;
  close(): Promise<void>;
}

export async function openSshConnection(host: LabHost, privateKey: string): Promise<SshConnection> {
  const client = new ssh2.Client();
  const lost = new Promise<never>((_, reject) => {
    client.once('error', reject);
    client.once('close', () => reject(new Error('the SSH connection was closed')));
  });
  lost.catch(() => undefined);
  const ready = new Promise<void>((resolve) => client.once('ready', resolve));
  const { address, sshPort: port, sshUser: username } = host;
  client.connect({ sock: connect({ host: address, port, noDelay: true }), username, privateKey });
  await Promise.race([ready, lost]);

  const exec = (script: string, onOutput: (bytes: Buffer) => void) =>
    new Promise<void>((resolve, reject) => {
      client.exec('exec bash -s', (error, channel) => {
        if (error !== undefined) return reject(error);
        let code: number | null = null;
        channel.on('data', onOutput);
        channel.stderr.resume();
        channel.once('exit', (status: number | null) => (code = status));
        channel.once('close', () =>
          code === 0 ? resolve() : reject(new Error(`a script ended with ${code}`)),
        );
        channel.end(script);
      });
    });
  return {
    run: (script, onOutput = () => undefined) => Promise.race([exec(script, onOutput), lost]),
    async close() {
      client.end();
    },
  };
}

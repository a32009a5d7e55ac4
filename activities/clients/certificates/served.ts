import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls';
import { failure } from '../../../workflows/contract/operation/failures.js';

/** A handshake takes milliseconds; a closed firewall says nothing at all. */
const HANDSHAKE_MS = 10_000;

/**
 * Until when the certificate lasts that `host` serves for `hostname`. `CommandFailed` when it serves none, one of another
 * name, or one that has expired. Who has signed it is for browsers to judge.
 */
export async function readServed({
  host,
  hostname,
  signal,
}: {
  host: string;
  hostname: string;
  signal: AbortSignal;
}): Promise<{ expiresAt: Date }> {
  const certificate = await handshake(host, hostname, signal);
  const wrong = checkServerIdentity(hostname, certificate);
  if (wrong !== undefined)
    throw failure('CommandFailed', `${host} serves another certificate for ${hostname}: ${wrong.message}`);
  const expiresAt = new Date(certificate.valid_to);
  if (expiresAt.getTime() <= Date.now())
    throw failure('CommandFailed', `the certificate of ${hostname} expired at ${expiresAt.toISOString()}`);
  return { expiresAt };
}

function handshake(host: string, hostname: string, signal: AbortSignal): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 443, servername: hostname, rejectUnauthorized: false });
    const refuse = (why: string) => {
      socket.destroy();
      reject(
        signal.aborted
          ? (signal.reason as Error)
          : failure('CommandFailed', `${host}:443 does not serve ${hostname} over TLS: ${why}`),
      );
    };
    const abort = () => refuse('aborted');
    signal.addEventListener('abort', abort, { once: true });
    socket.once('close', () => signal.removeEventListener('abort', abort));
    socket.setTimeout(HANDSHAKE_MS, () => refuse(`no answer within ${HANDSHAKE_MS / 1000} s`));
    socket.once('error', (error) => refuse(error.message));
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
  });
}

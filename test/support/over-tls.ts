import { connect } from 'node:tls';

export interface OverTls {
  /** common name of whoever has signed the certificate */
  issuer: string;
  /** such as `DNS:a.example.test` */
  names: string;
  /** head and body of the answer to a request for the page */
  answer: string;
}

/** What is served on a host's port 443 under that name. */
export function askOverTls({ address, hostname }: { address: string; hostname: string }): Promise<OverTls> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: 443, servername: hostname, rejectUnauthorized: false });
    let answer = '';
    socket.on('secureConnect', () => socket.write(`GET / HTTP/1.0\r\nHost: ${hostname}\r\n\r\n`));
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on('end', () => {
      const { issuer, subjectaltname } = socket.getPeerCertificate();
      resolve({ issuer: String(issuer?.CN), names: subjectaltname ?? '', answer });
    });
  });
}

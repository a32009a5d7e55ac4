import { SMTPServer } from 'smtp-server';

export interface CaughtMail {
  to: string[];
  text: string;
}

/** A real SMTP server on loopback that keeps what it is given, and hands it to `onMail`. */
export async function startMailServer({
  onMail,
}: {
  onMail?: (mail: CaughtMail) => void;
} = {}): Promise<{ url: string; mails: CaughtMail[]; close(): Promise<void> }> {
  const mails: CaughtMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        const mail = { to, text: Buffer.concat(chunks).toString() };
        mails.push(mail);
        onMail?.(mail);
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.server.address() as { port: number };
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

import { once } from 'node:events';
import { Readable } from 'node:stream';
import SmtpConnection from 'nodemailer/lib/smtp-connection';

/** A server that has not answered by then is down; mail waits, so there is no hurry. */
const CONNECT_MS = 10_000;
/** RFC 5321 4.5.3.2 allows minutes for the final answer; above half a minute a step had better be tried again. */
const ANSWER_MS = 30_000;

export interface OutgoingMail {
  /** one checked address each */
  from: string;
  to: string;
  /** the whole message, headers included */
  raw: Buffer;
}

/**
 * What became of a mail. `refused`: the server has it not, for certain (`permanent`: it said 5xx, asking again is
 * useless). `unknown`: the connection ended after the text had begun to go out, without a final answer.
 */
export type MailOutcome =
  | { kind: 'accepted' }
  | { kind: 'refused'; permanent: boolean; reason: string }
  | { kind: 'unknown'; reason: string };

export interface MailTransport {
  /** `host:port`, for messages */
  name: string;
  send(mail: OutgoingMail, signal: AbortSignal): Promise<MailOutcome>;
}

export interface SmtpServer {
  host: string;
  port: number;
  /** TLS from the first byte; otherwise STARTTLS is used where the server offers it */
  secure: boolean;
  login?: { user: string; password: string };
}

/** `smtp://user:password@host:587` or `smtps://…:465`; throws with the reason when it is neither. */
export function parseSmtpUrl(text: string): SmtpServer {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    throw new Error('the mail server is given as smtp://user:password@host:port or smtps://…');
  }
  const secure = url.protocol === 'smtps:';
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    ...(url.username === ''
      ? {}
      : { login: { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) } }),
  };
}

/** Sends over one connection per mail. Never throws: every error is an outcome. */
export function createSmtpTransport(server: SmtpServer): MailTransport {
  return {
    name: `${server.host}:${server.port}`,
    async send(mail, signal) {
      const sending = { begun: false };
      const connection = new SmtpConnection({
        host: server.host,
        port: server.port,
        secure: server.secure,
        connectionTimeout: CONNECT_MS,
        greetingTimeout: CONNECT_MS,
        socketTimeout: ANSWER_MS,
      });
      const failed = once(connection, 'error').then(([error]) => Promise.reject(error as Error));
      const abort = () => connection.close();
      const aborted = once(signal, 'abort').then(() => Promise.reject(new Error('the attempt was ended')));
      for (const promise of [failed, aborted]) promise.catch(() => undefined);
      try {
        if (signal.aborted) return { kind: 'refused', permanent: false, reason: 'the attempt was ended' };
        await Promise.race([deliver(connection, { mail, server, sending }), failed, aborted]);
        return { kind: 'accepted' };
      } catch (error) {
        return outcomeOf(error as SmtpError, sending.begun);
      } finally {
        abort();
      }
    },
  };
}

interface Delivery {
  mail: OutgoingMail;
  server: SmtpServer;
  sending: { begun: boolean };
}

async function deliver(connection: SmtpConnection, { mail, server, sending }: Delivery): Promise<void> {
  await settled((done) => connection.connect(done));
  const { login } = server;
  if (login !== undefined) {
    await settled((done) =>
      connection.login({ credentials: { user: login.user, pass: login.password } }, done),
    );
  }
  // read only once the server has said 354, which is where doubt about the outcome begins
  const text = new Readable({
    read() {
      sending.begun = true;
      this.push(mail.raw);
      this.push(null);
    },
  });
  const envelope = { from: mail.from, to: [mail.to] };
  await settled((done) => connection.send(envelope, text, done));
}

function settled(act: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    act((error) => (error ? reject(error) : resolve()));
  });
}

interface SmtpError extends Error {
  responseCode?: number;
}

function outcomeOf(error: SmtpError, begun: boolean): MailOutcome {
  const code = error.responseCode;
  if (code !== undefined && code >= 400)
    return { kind: 'refused', permanent: code >= 500, reason: error.message };
  return begun
    ? { kind: 'unknown', reason: error.message }
    : { kind: 'refused', permanent: false, reason: error.message };
}

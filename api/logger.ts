import { type DestinationStream, type Logger, pino } from 'pino';

/** Shorter values would blank ordinary words out of the log. */
const SECRET_MIN_LENGTH = 6;

interface LoggerOptions {
  level: string;
  /** secret values this process has seen; they are blanked wherever they appear */
  secretsInUse: () => ReadonlySet<string>;
  destination?: DestinationStream;
}

/** JSON lines on standard output. */
export function createLogger({ level, secretsInUse, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service: 'api' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: ['*.password', '*.authorization', '*.sql_password', 'password', 'authorization'],
    hooks: { streamWrite: (text: string) => redact(text, secretsInUse()) },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

function redact(text: string, secrets: ReadonlySet<string>): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length < SECRET_MIN_LENGTH) continue;
    // as it stands inside a JSON string
    clean = clean.replaceAll(JSON.stringify(secret).slice(1, -1), '[redacted]');
  }
  return clean;
}

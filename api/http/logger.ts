import { type DestinationStream, type Logger, pino } from 'pino';
import { redact } from '../../db/redaction.js';

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

import { type DestinationStream, type Logger, pino } from 'pino';

interface LoggerOptions {
  level: string;
  /** blanks secret values wherever they appear */
  redact: (line: string) => string;
  destination?: DestinationStream;
}

/** JSON lines on standard output. */
export function createLogger({ level, redact, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service: 'api' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: ['*.password', '*.authorization', '*.sql_password', 'password', 'authorization'],
    hooks: { streamWrite: redact },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

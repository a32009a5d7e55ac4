import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { failure } from '../../workflows/contract/operation/failures.js';
import { joinScripts, type Script, scriptText, sh } from './shell.js';

// Reads exactly as many bytes as were announced, so that what follows is left to the script's commands; neither
// stands in an argument. A script cut short with its connection must not run: its length is compared.
const BOOTSTRAP =
  'export LC_ALL=C; slipway_script=$(head -c "$1"); [ "${#slipway_script}" = "$1" ] || exit 97; eval "$slipway_script"';

const LAST_LINE = sh`# end`;

export interface Framed {
  /** for the login shell, whichever it is: fixed text, the id and a number */
  command: string;
  /** the script, then the input */
  stdin: Buffer;
}

/** One exec for script and input: the command line holds neither of them, only the exec's id. */
export function frame(id: string, script: Script, input: string | Uint8Array = ''): Framed {
  // "$(…)" drops newlines at the end, so the text must not end with one
  const text = Buffer.from(scriptText(joinScripts([script, LAST_LINE])));
  return {
    command: `exec bash -c '${BOOTSTRAP}' ${id} ${text.length}`,
    stdin: Buffer.concat([text, Buffer.from(input)]),
  };
}

export interface Talk {
  channel: ClientChannel;
  stdin: Buffer;
  /** what comes behind `stdin`, until it returns; a write is done when there is room for the next. Its error ends the talk */
  feed?(write: (bytes: Buffer) => Promise<void>): Promise<void>;
  where: string;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** told when the command is left running, for whatever reason but a cut connection */
  onGiveUp(): void;
  /** the next bytes are read when it is done; an error ends the talk */
  onStdout(bytes: Buffer): Promise<void> | void;
  onStderr(bytes: Buffer): Promise<void> | void;
}

/**
 * Sends the input, hands on the output, resolves with the exit code (128 + n for a signal). When it is aborted, timed
 * out (`Unavailable`) or its reader fails, the channel is closed. A channel that closes without an exit code was cut:
 * `Unavailable`.
 */
export function talk(options: Talk): Promise<number> {
  const { channel, where, timeoutMs, signal, onGiveUp, onStdout, onStderr } = options;
  return new Promise((resolve, reject) => {
    let over = false;
    const finish = (settle: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const give = (error: unknown) =>
      finish(() => {
        reject(error);
        channel.close();
        onGiveUp();
      });
    const onAbort = () => give(signal?.reason);
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => give(timeoutFailure(where, timeoutMs)), timeoutMs);
    const reading = Promise.all([
      readAll(channel, () => over, onStdout),
      readAll(channel.stderr, () => over, onStderr),
    ]);
    reading.catch(give);
    channel.on('error', give);
    channel.on('close', (code: number | null | undefined, name?: string) => {
      const exit = exitCode(code, name);
      reading.then(() => finish(() => (exit === null ? reject(cutFailure(where)) : resolve(exit))), give);
    });
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) return onAbort();
    send(options).catch(give);
  });
}

/** Thrown by a write to a command that reads no more: why it does not is told by its end. */
const READS_NO_MORE = new Error('the command reads no more');

async function send({ channel, stdin, feed }: Talk): Promise<void> {
  if (feed === undefined) return void channel.end(stdin);
  const write = (bytes: Buffer) =>
    new Promise<void>((resolve, reject) => {
      channel.write(bytes, (error) => (error ? reject(READS_NO_MORE) : resolve()));
    });
  try {
    await write(stdin);
    await feed(write);
    channel.end();
  } catch (error) {
    if (error !== READS_NO_MORE) throw error;
  }
}

function exitCode(code: number | null | undefined, name: string | undefined): number | null {
  if (typeof code === 'number') return code;
  if (name === undefined) return null;
  const signals: Record<string, number | undefined> = constants.signals;
  return 128 + (signals[name.startsWith('SIG') ? name : `SIG${name}`] ?? 0);
}

function timeoutFailure(where: string, timeoutMs: number) {
  return failure('Unavailable', `${where}: no end within ${timeoutMs / 1000} s`);
}

function cutFailure(where: string) {
  return failure('Unavailable', `${where}: the connection was cut while the command ran`);
}

/** Takes what is there in one piece, and waits for the reader before it takes more; after an error it only empties. */
function readAll(stream: Readable, stopped: () => boolean, onBytes: Talk['onStdout']): Promise<void> {
  return new Promise((resolve, reject) => {
    let reading = false;
    let ended = false;
    let failed = false;
    const hand = async (bytes: Buffer) => {
      if (failed || stopped()) return;
      try {
        await onBytes(bytes);
      } catch (error) {
        failed = true;
        reject(error);
      }
    };
    const read = async () => {
      if (reading) return;
      reading = true;
      for (
        let bytes = stream.read() as Buffer | null;
        bytes !== null;
        bytes = stream.read() as Buffer | null
      ) {
        await hand(bytes);
      }
      reading = false;
      if (ended) resolve();
    };
    stream.on('readable', () => void read());
    stream.on('end', () => {
      ended = true;
      if (!reading) resolve();
    });
  });
}

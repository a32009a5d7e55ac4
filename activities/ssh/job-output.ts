export interface TextPiece {
  /** of its first byte in the job's output */
  offset: number;
  /** the byte after its last one */
  end: number;
  text: string;
}

/** Bytes in, text out: a character that is split over two chunks waits for its rest. Offsets count bytes. */
export function createTextReader(offset: number) {
  let next = offset;
  let held: Buffer = Buffer.alloc(0);

  function take(bytes: Buffer): TextPiece | null {
    if (bytes.length === 0) return null;
    const piece = { offset: next, end: next + bytes.length, text: bytes.toString('utf8') };
    next += bytes.length;
    return piece;
  }

  return {
    /** the byte after the last one that was handed out: where a following attempt goes on */
    offset: () => next,
    /** the byte after the last one that was read */
    received: () => next + held.length,
    read(bytes: Buffer): TextPiece | null {
      const all = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      const whole = all.length - unfinishedBytes(all);
      held = all.subarray(whole);
      return take(all.subarray(0, whole));
    },
    /** what is held at the end is no character and never will be */
    flush(): TextPiece | null {
      const rest = held;
      held = Buffer.alloc(0);
      return take(rest);
    },
    /** forgets what is held: it will be read again */
    drop(): void {
      held = Buffer.alloc(0);
    },
  };
}

/** How many bytes at the end begin a UTF-8 character without finishing it (RFC 3629, 3). */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const length = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return byte < 0xf5 && length > back ? back : 0;
  }
  return 0;
}

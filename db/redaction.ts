import { beginsWith, FormIndex, longestAtStart, SHORTEST } from './form-index.js';

const MASK = '***';

interface Span {
  from: number;
  to: number;
}

/** Masks known values wherever they stand: as they are, base64, URL-encoded, in JSON, or quoted for a shell. */
export function createRedaction() {
  const forms = new FormIndex();
  /** mirrored, they are found by their ends: a chunk may begin with the rest of one */
  const mirrored = new FormIndex();
  /** of all that were ever added; it only bounds how far into a chunk such a rest can reach */
  let longest = 0;

  function spansIn(text: string, isChunk: boolean): Span[] {
    const spans: Span[] = [];
    for (const { at: from, bucket } of forms.candidates(text)) {
      const rest = text.slice(from);
      if (isChunk && beginsWith(bucket, rest)) return [...spans, { from, to: text.length }];
      const length = longestAtStart(bucket, rest);
      if (length > 0) spans.push({ from, to: from + length });
    }
    return spans;
  }

  function restAtStart(chunk: string): Span[] {
    const head = mirror(chunk.slice(0, longest));
    const start = mirrored.candidates(head).find(({ at, bucket }) => beginsWith(bucket, head.slice(at)));
    return start === undefined ? [] : [{ from: 0, to: head.length - start.at }];
  }

  return {
    /** A value that was added twice is known until it was removed twice. */
    add(value: string): void {
      for (const form of formsOf(value)) {
        forms.add(form);
        mirrored.add(mirror(form));
        longest = Math.max(longest, form.length);
      }
    },

    remove(value: string): void {
      for (const form of formsOf(value)) {
        forms.remove(form);
        mirrored.remove(mirror(form));
      }
    },

    redact: (text: string): string => mask(text, spansIn(text, false)),

    /**
     * Redacts one chunk of a stream without knowing its neighbours, so that a chunk which a later attempt repeats reads
     * the same: a secret cut by the chunk's edges is masked too, unless fewer than six characters of it are in here.
     */
    redactChunk: (text: string): string => mask(text, [...restAtStart(text), ...spansIn(text, true)]),
  };
}

/** Spans stand in the order of their beginnings; those that overlap are one. */
function mask(text: string, spans: readonly Span[]): string {
  let masked = '';
  let shown = 0;
  for (const { from, to } of spans) {
    if (from >= shown) masked += text.slice(shown, from) + MASK;
    shown = Math.max(shown, to);
  }
  return masked + text.slice(shown);
}

function formsOf(value: string): Set<string> {
  // shorter ones would mask ordinary words; generated secrets are far longer
  if (value.length < SHORTEST) return new Set();
  return new Set([
    value,
    // half a character has no such form
    encodeURIComponent(value.toWellFormed()),
    ...base64Forms(value),
    JSON.stringify(value).slice(1, -1),
    value.replaceAll("'", String.raw`'\''`),
  ]);
}

/** Base64 reads bytes in threes, so a value looks different behind 0, 1 or 2 others, as in `login:password`. */
function base64Forms(value: string): string[] {
  return [0, 1, 2].map((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(value)]);
    const encoded = bytes.toString('base64').replace(/=+$/, '');
    // characters at the edges mix with the neighbours' bits
    const firstOwn = shift === 0 ? 0 : shift + 1;
    return encoded.slice(firstOwn, bytes.length % 3 === 0 ? undefined : -1);
  });
}

function mirror(text: string): string {
  let mirrored = '';
  for (let at = text.length - 1; at >= 0; at -= 1) mirrored += text[at];
  return mirrored;
}

const MASK = '***';
/** Shorter values would mask ordinary words; generated secrets are far longer. */
const SHORTEST = 6;

/** Replaces every known secret, as it is, base64 or URL-encoded, wherever it stands. */
export function redact(text: string, values: Iterable<string>): string {
  let redacted = text;
  for (const form of formsOf(values)) {
    if (redacted.includes(form)) redacted = redacted.replaceAll(form, MASK);
  }
  return redacted;
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

function formsOf(values: Iterable<string>): string[] {
  const forms = new Set<string>();
  for (const value of values) {
    if (value.length < SHORTEST) continue;
    forms.add(value);
    forms.add(encodeURIComponent(value));
    for (const form of base64Forms(value)) forms.add(form);
    forms.add(JSON.stringify(value).slice(1, -1));
  }
  return [...forms].sort((a, b) => b.length - a.length);
}

/**
 * Redacts one chunk of a stream without knowing its neighbours, so that a chunk which a later attempt repeats reads
 * the same: a secret cut by the chunk's edges is masked too, unless fewer than six characters of it are in here.
 */
export function redactChunk(text: string, values: Iterable<string>): string {
  const forms = formsOf(values);
  const whole = redact(text, values);
  const tail = longest(forms, (form, length) => whole.endsWith(form.slice(0, length)));
  const head = longest(forms, (form, length) => whole.startsWith(form.slice(form.length - length)));
  const end = tail === 0 ? whole : whole.slice(0, whole.length - tail) + MASK;
  return head === 0 ? end : MASK + end.slice(Math.min(head, end.length));
}

function longest(forms: string[], matches: (form: string, length: number) => boolean): number {
  let found = 0;
  for (const form of forms) {
    for (let length = form.length - 1; length >= SHORTEST && length > found; length -= 1) {
      if (matches(form, length)) found = length;
    }
  }
  return found;
}

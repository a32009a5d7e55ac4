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

function formsOf(values: Iterable<string>): string[] {
  const forms = new Set<string>();
  for (const value of values) {
    if (value.length < SHORTEST) continue;
    forms.add(value);
    forms.add(encodeURIComponent(value));
    forms.add(Buffer.from(value).toString('base64').replace(/=+$/, ''));
    forms.add(JSON.stringify(value).slice(1, -1));
  }
  return [...forms].sort((a, b) => b.length - a.length);
}

export interface StreamRedactor {
  /** Text that can be passed on now; the rest waits for what follows, in case a secret is cut by two chunks. */
  push(text: string): string;
  end(): string;
}

/** Redacts a stream over a window as long as the longest form of any known value. */
export function createStreamRedactor(values: () => Iterable<string>): StreamRedactor {
  let held = '';
  return {
    push(text) {
      const forms = formsOf(values());
      held = redact(held + text, values());
      const keep = longestOpenEnd(held, forms);
      const out = held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return out;
    },
    end() {
      const out = held;
      held = '';
      return out;
    },
  };
}

/** Length of the longest tail of `text` that is the beginning of a secret. */
function longestOpenEnd(text: string, forms: string[]): number {
  let longest = 0;
  for (const form of forms) {
    for (let length = Math.min(form.length - 1, text.length); length > longest; length -= 1) {
      if (form.startsWith(text.slice(text.length - length))) longest = length;
    }
  }
  return longest;
}

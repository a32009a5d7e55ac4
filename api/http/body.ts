import type { Ctx } from './environment.js';
import { Problem } from './problem.js';

export const MEDIA_TYPES = [
  'multipart/form-data',
  'application/x-www-form-urlencoded',
  'application/json',
] as const;

/** 256 KB: the largest legitimate body is a licence text of some tens of kilobytes. */
export const BODY_LIMIT_BYTES = 256 * 1024;

/**
 * The fields of a body of any accepted type, still unvalidated. A form field that is given twice becomes an array
 * and a file stays a file, so that the schema refuses both by name. 400 unreadable, 415 another type.
 */
export async function readFields(c: Ctx): Promise<Record<string, unknown>> {
  const contentType = c.req.header('content-type');
  const encoding = c.req.header('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') throw unsupported();
  const bytes = await c.req.arrayBuffer();
  if (contentType === undefined) {
    if (bytes.byteLength > 0) throw unsupported();
    return {};
  }
  const [mediaType = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((part) => part.startsWith('charset='))?.slice('charset='.length);
  if (charset !== undefined && !['utf-8', '"utf-8"', 'utf8'].includes(charset)) throw unsupported();
  if (mediaType === 'application/json') return parseJson(bytes);
  if (mediaType === 'multipart/form-data' || mediaType === 'application/x-www-form-urlencoded') {
    return parseForm(bytes, contentType);
  }
  throw unsupported();
}

function parseJson(bytes: ArrayBuffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Problem('invalid_body', { detail: 'The body is not valid JSON in UTF-8', cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Problem('invalid_input', {
    detail: 'The body must be a JSON object',
    errors: [{ field: '', message: 'must be an object' }],
  });
}

async function parseForm(bytes: ArrayBuffer, contentType: string): Promise<Record<string, unknown>> {
  let form: FormData;
  try {
    form = await new Response(bytes, { headers: { 'content-type': contentType } }).formData();
  } catch (cause) {
    throw new Problem('invalid_body', { detail: 'The body is not a valid form', cause });
  }
  // no prototype: a field may be called anything
  const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const key of new Set(form.keys())) {
    const values = form.getAll(key);
    fields[key] = values.length === 1 ? values[0] : values;
  }
  return fields;
}

function unsupported(): Problem {
  return new Problem('unsupported_media_type', { detail: `Send one of ${MEDIA_TYPES.join(', ')}` });
}

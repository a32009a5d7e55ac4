export const ADMIN = { login: 'admin', password: 'a long bench password' };

export interface CallOptions {
  fields?: Record<string, string>;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  etag: string | null;
  body: Record<string, unknown>;
}

export type Call = (method: string, path: string, options?: CallOptions) => Promise<Answer>;

export const AUTHORIZATION = `Basic ${Buffer.from(`${ADMIN.login}:${ADMIN.password}`).toString('base64')}`;

/** The API at a port of 127.0.0.1, as its administrator. */
export function apiCaller(port: number): Call {
  return async (method, path, { fields, headers = {} } = {}) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields ?? {})) form.set(name, value);
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: AUTHORIZATION, ...headers },
      ...(fields === undefined ? {} : { body: form }),
    });
    const text = await response.text();
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status: response.status, etag: response.headers.get('etag'), body };
  };
}

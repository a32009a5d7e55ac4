export type Fields = Record<string, string>;

export interface ApiClient {
  get<T>(path: string): Promise<T>;
  /** multipart form-data, as an admin panel sends it */
  post<T>(path: string, fields: Fields): Promise<T>;
}

/** No answer takes longer than a check of a host, which is awaited for 5 s. */
const ANSWER_MS = 15_000;

/** The public API with Basic auth; anything but success is an error that says in one line what the API said. */
export function createApiClient({ url, login }: { url: string; login: string }): ApiClient {
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  const call = async <T>(method: string, path: string, body?: FormData): Promise<T> => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const init = { method, headers: { authorization }, signal, ...(body === undefined ? {} : { body }) };
    const response = await fetch(`${url}${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${problemLine(text)}`);
    return JSON.parse(text) as T;
  };
  return {
    get: (path) => call('GET', path),
    post: (path, fields) => call('POST', path, formOf(fields)),
  };
}

function formOf(fields: Fields): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== '') form.set(name, value);
  return form;
}

interface Problem {
  title?: string;
  detail?: string;
  errors?: { field: string; message: string }[];
}

function problemLine(text: string): string {
  try {
    const { title = '', detail, errors = [] } = JSON.parse(text) as Problem;
    const fields = errors.map(({ field, message }) => `${field} ${message}`).join(', ');
    return [title, detail, fields].filter(Boolean).join(': ');
  } catch {
    return text.slice(0, 200);
  }
}

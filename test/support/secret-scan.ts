import { sql } from 'drizzle-orm';
import type { Db } from '../../db/database.js';
import type { LabHost } from '../../lab/host.js';
import type { System } from './system.js';

export interface Secret {
  name: string;
  value: string;
}

/** Where a secret might show, with all texts that were found there. */
export type Sources = Record<string, string[]>;

/** `<secret> as <form> in <source>: …text around it…` for every secret that stands in a source in any form. */
export function findSecrets(secrets: readonly Secret[], sources: Sources): string[] {
  const found: string[] = [];
  for (const [source, texts] of Object.entries(sources)) {
    for (const { name, value } of secrets) {
      for (const [form, written] of formsOf(value)) {
        const text = texts.find((candidate) => candidate.includes(written));
        if (text === undefined) continue;
        const at = text.indexOf(written);
        const around = text.slice(Math.max(0, at - 120), at + written.length + 40);
        found.push(`${name} as ${form} in ${source}: …${around.replaceAll(written, '<here>')}…`);
      }
    }
  }
  return found;
}

function formsOf(value: string): [string, string][] {
  const uri = encodeURIComponent(value);
  // within a longer text, base64 has one of three spellings; its ends depend on the neighbours
  const base64 = [0, 1, 2].map((before): [string, string] => {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
      .toString('base64')
      .replace(/=+$/, '');
    const ragged = (Buffer.byteLength(value) + before) % 3 === 0 ? 0 : 1;
    return [`base64 (${before})`, text.slice(before === 0 ? 0 : before + 1, text.length - ragged)];
  });
  const forms: [string, string][] = [
    ['plain text', value],
    ['JSON', JSON.stringify(value).slice(1, -1)],
    ...base64,
    ...base64.map(([name, text]): [string, string] => [
      `${name}, URL-safe`,
      text.replaceAll('+', '-').replaceAll('/', '_'),
    ]),
    ['URL', uri],
    ['form', uri.replaceAll('%20', '+')],
    ['hex', Buffer.from(value).toString('hex')],
  ];
  return [...new Map(forms.map(([name, text]) => [text, name]))].map(([text, name]) => [name, text]);
}

/** Every text of a value, bytes decoded: payloads of a history are bytes. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => [key, ...textsIn(part)]);
}

/** Histories of all runs of the system's own workflows, one text per value. */
export async function readHistories(system: System): Promise<string[]> {
  const texts: string[] = [];
  for await (const { workflowId, runId } of system.client.workflow.list({
    query: `TaskQueue = '${system.taskQueue}'`,
  })) {
    const history = await system.client.workflow.getHandle(workflowId, runId).fetchHistory();
    texts.push(...textsIn(history));
  }
  return texts;
}

/** All columns of all rows of all tables, but for the one that holds secrets encrypted. */
export async function readTables(db: Db): Promise<string[]> {
  const tables = await db.execute(sql`
    select format('%I.%I', table_schema, table_name) as name from information_schema.tables
    where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'`);
  const rows = await Promise.all(
    tables.map(({ name }) =>
      db.execute(sql.raw(`select to_jsonb(t) - 'ciphertext' as row from ${String(name)} t`)),
    ),
  );
  return rows.flatMap((of) => of.flatMap(({ row }) => textsIn(row)));
}

export interface ProcessWatch {
  /** every command line that was seen, and how often was looked */
  stop(): Promise<{ lines: string[]; looks: number }>;
}

const WATCHER = `
import glob, os, time
seen, looks = set(), 0
while not os.path.exists('STOP'):
    looks += 1
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        try: seen.add(open(path, 'rb').read())
        except OSError: pass
    time.sleep(0.02)
print(looks)
for line in seen: print(line.replace(b'\\0', b' ').replace(b'\\n', b' ').decode('utf8', 'replace'))
`;

/** Looks at the command lines of all processes of a host every 20 ms. */
export function watchProcesses(host: LabHost, name: string): ProcessWatch {
  const stopFile = `/tmp/${name}.stop`;
  const done = host.exec('exec python3 -', { input: WATCHER.replace('STOP', stopFile) });
  return {
    async stop() {
      await host.exec(`touch ${stopFile}`);
      const [looks = '', ...lines] = (await done).stdout.split('\n');
      await host.exec(`rm ${stopFile}`);
      return { looks: Number(looks), lines };
    },
  };
}

import { parseArgs } from 'node:util';

export interface QuickstartArguments {
  /** end after the demo instead of staying */
  once: boolean;
  /** null: a lab host on this machine */
  server: GivenServer | null;
}

export interface GivenServer {
  sshUser: string;
  host: string;
  sshPort: string;
  domain: string;
  sqlUser: string;
  sqlPassword: string;
  sqlEngine: string;
  product: string;
  versionTag: string;
}

export const USAGE = `npm run quickstart -- [--once]
npm run quickstart -- [--once] --server user@host[:port] --domain clients.example.com --sql-user backend
                      [--sql-engine mariadb|postgres] [--product laravel] [--version-tag 1.3-master]
  --once     ends after the demo client has answered
  --server   uses a server of yours instead of a lab host on this machine; the password of --sql-user comes from the
             environment variable SQL_PASSWORD, --version-tag names an image that the server has`;

const OPTIONS = {
  once: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  server: { type: 'string' },
  domain: { type: 'string', default: '' },
  'sql-user': { type: 'string', default: '' },
  'sql-engine': { type: 'string', default: 'mariadb' },
  product: { type: 'string', default: 'laravel' },
  'version-tag': { type: 'string', default: '1.3-master' },
} as const;

/** Throws one line about what is wrong; answers null when only the usage was asked for. */
export function readArguments(args: string[], sqlPassword = ''): QuickstartArguments | null {
  const { values } = parseArgs({ args, options: OPTIONS, allowPositionals: false });
  if (values.help) return null;
  if (values.server === undefined) return { once: values.once, server: null };
  const [, sshUser = '', host = '', sshPort = '22'] =
    /^([a-z_][a-z0-9_-]*)@([A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d+))?$/.exec(values.server) ?? [];
  if (host === '') throw new Error(`--server ${values.server} is not user@host or user@host:port`);
  return {
    once: values.once,
    server: {
      sshUser,
      host,
      sshPort,
      domain: values.domain,
      sqlUser: values['sql-user'],
      sqlPassword,
      sqlEngine: values['sql-engine'],
      product: values.product,
      versionTag: values['version-tag'],
    },
  };
}

import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ensureMasterKey, publicKeyLine } from '../activities/ssh/keys.js';
import { exitWith } from '../process/stop-signals.js';
import { type LabHost, startLabHost } from './host.js';
import { startMailServer } from './mail-server.js';
import { isAlive, type ProcessId } from '../process/process-id.js';
import { prepareLab } from './prepare.js';
import { deliverProduct } from './product/deliver.js';
import { type ApiClient, createApiClient, type Fields } from './quickstart/api-client.js';
import { type QuickstartArguments, readArguments, USAGE } from './quickstart/arguments.js';
import { checkHost, demoClient, fetchPage, followCreateLog } from './quickstart/demo.js';
import {
  aborted,
  closers,
  endEverything,
  interrupt,
  interrupted,
  keep,
  keepFirst,
} from './quickstart/ending.js';
import { type RunningSlipway, startSlipway } from './quickstart/slipway.js';

const SAMPLE_VERSION = '1.3-master';

const began = performance.now();
const log = (line: string): void => console.log(line);
const step = (title: string): void => {
  log(`\n[${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s] ${title}`);
};

/** The demo came to its end; Ctrl-C from then on is the ordinary end of a quickstart that stays. */
let shown = false;

/** A server as the API takes it, and where its nginx answers. */
interface Target {
  address: string;
  versionTag: string;
  fields: Fields;
}

async function quickstart({ once, server }: QuickstartArguments): Promise<void> {
  // the records of a lab host go with it; those of a server of yours stay, and `npm start` goes on with them
  const dataDir = resolve(server === null ? '.slipway/quickstart' : '.slipway');
  await prepareDataDir(dataDir, server === null);
  const logFile = join(dataDir, 'slipway.log');
  const privateKey = await ensureMasterKey(join(dataDir, 'ssh/id_ed25519'));
  const authorizedKey = publicKeyLine(privateKey);

  const lab = server === null ? await prepareImage() : null;
  const mail = await startMailServer({ onMail: ({ to }) => log(`  (a mail to ${to.join()} was caught)`) });
  closers.push(() => mail.close());
  step(`Starting Postgres, Temporal, worker and API (output in ${logFile})`);
  const [slipway, host] = await Promise.all([
    keepFirst(startSlipway({ dataDir, logFile, smtpUrl: mail.url, interrupted: aborted() })),
    lab === null ? null : keep(startHost(lab, authorizedKey)),
  ]);
  log(`API at ${slipway.apiUrl}, Temporal at ${slipway.temporalAddress}`);
  const login = (await readFile(join(dataDir, 'admin-password'), 'utf8')).trim();
  const api = createApiClient({ url: slipway.apiUrl, login });
  interrupted.signal.throwIfAborted();

  const target = host === null ? givenTarget(server, authorizedKey) : labTarget(host);
  const demo = demonstrate(api, target);
  const url = await Promise.race([demo, slipway.ended, aborted()]);
  tell({ slipway, dataDir, url, address: target.address, once });
  shown = true;
  if (!once) await Promise.race([slipway.ended, aborted()]);
}

/** A lab host lives for one run, so its records start anew; keys stay. */
async function prepareDataDir(dataDir: string, anew: boolean): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const holder = await readFile(join(dataDir, 'running.json'), 'utf8').catch(() => null);
  if (holder !== null && isAlive(JSON.parse(holder) as ProcessId)) {
    throw new Error(`Slipway runs in ${dataDir} already: end it first, or work in another directory`);
  }
  if (!anew) return;
  for (const name of ['postgres', 'temporal', 'slipway.log']) {
    await rm(join(dataDir, name), { recursive: true, force: true });
  }
}

async function prepareImage(): Promise<string> {
  step('Tools, packages and the sample product (minutes the first time, seconds from then on)');
  const [image = ''] = await prepareLab([SAMPLE_VERSION], log);
  return image;
}

async function startHost(image: string, authorizedKey: string): Promise<LabHost> {
  const name = `quickstart${process.pid}`;
  const images = [image];
  const host = await startLabHost({ name, sql: 'mariadb', compose: 'v2', authorizedKey, log, images });
  await deliverProduct(host);
  return host;
}

function labTarget(host: LabHost): Target {
  return {
    address: host.address,
    versionTag: SAMPLE_VERSION,
    fields: {
      name: host.name,
      host: host.address,
      domain: 'clients.example.test',
      sql_user: host.sqlUser,
      sql_password: host.sqlPassword,
      ssh_host_key: host.hostKey.fingerprint,
      product: 'sample',
      tls: 'off',
    },
  };
}

function givenTarget(server: QuickstartArguments['server'], authorizedKey: string): Target {
  if (server === null) throw new Error('no server is given');
  log(`\n${server.sshUser}@${server.host} must accept this line in its authorized_keys:\n${authorizedKey}`);
  return {
    address: server.host,
    versionTag: server.versionTag,
    fields: {
      name: server.host,
      host: server.host,
      ssh_port: server.sshPort,
      ssh_user: server.sshUser,
      domain: server.domain,
      sql_user: server.sqlUser,
      sql_password: server.sqlPassword,
      sql_engine: server.sqlEngine,
      product: server.product,
      tls: 'off',
    },
  };
}

const CHECKED = ['ssh_port', 'ssh_user', 'sql_user', 'sql_password', 'sql_engine', 'domain'];

/** Registers the server, creates a client on it and looks at its page, all as a user would; answers its address. */
async function demonstrate(api: ApiClient, { address, versionTag, fields }: Target): Promise<string> {
  step(`Checking the server: POST /servers/check_host/${address}`);
  const checked = Object.entries(fields).filter(([name]) => CHECKED.includes(name));
  const known = await checkHost(api, address, Object.fromEntries(checked), log);

  step('Registering it: POST /servers/ (form-data)');
  const id = known === null ? {} : { id: String(known) };
  const server = await api.post<{ id: number; name: string; domain: string }>('/servers/', {
    ...id,
    ...fields,
  });
  log(`server ${server.id}, ${server.name}: clients are <subdomain>.${server.domain}`);

  step('Creating a client: POST /clients/ (form-data), then GET /clients/{id}/createlog');
  const { id: clientId } = await api.post<{ id: number }>('/clients/', demoClient(server.id, versionTag));
  await followCreateLog(api, clientId, log);

  const { url } = await api.get<{ url: string }>(`/clients/${clientId}`);
  step(`Its page through nginx: GET ${url} at ${address}`);
  const { status, body } = await fetchPage(address, `${url}/`);
  if (status !== 200) throw new Error(`${url} answers ${status} at ${address}`);
  log(`${status} ${body.trim().slice(0, 300)}`);
  return url;
}

interface Told {
  slipway: RunningSlipway;
  dataDir: string;
  url: string;
  address: string;
  once: boolean;
}

function tell({ slipway, dataDir, url, address, once }: Told): void {
  step('Everything works');
  const { hostname } = new URL(url);
  log(`  API              ${slipway.apiUrl}   (page: ${slipway.apiUrl}/docs)`);
  log(`  login            ${join(dataDir, 'admin-password')}   (user:password)`);
  log(`  operations       ${operationsUrl(slipway.uiUrl)}   (Temporal's Web UI)`);
  log(`  client           ${url}   (curl -H 'Host: ${hostname}' http://${address}/)`);
  log(`  log              ${join(dataDir, 'slipway.log')}`);
  if (!once) log('\nCtrl-C ends all of it.');
}

/** Probes and sweeps carry no kind of operation; without the filter they are most of what the Web UI lists. */
function operationsUrl(uiUrl: string): string {
  return `${uiUrl}/namespaces/default/workflows?query=${encodeURIComponent('OpKind IS NOT NULL')}`;
}

async function main(): Promise<void> {
  const wanted = readArguments(process.argv.slice(2), process.env['SQL_PASSWORD']);
  if (wanted === null) return log(USAGE);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  // What is said to a terminal that was closed is lost, and what runs is ended all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    await quickstart(wanted);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    await endEverything();
  }
}

main().then(
  // 130 as shells say of a command that was interrupted
  () => process.exit(interrupted.signal.aborted && !shown ? 130 : 0),
  (error: unknown) => exitWith(`quickstart: ${error instanceof Error ? error.message : String(error)}`),
);

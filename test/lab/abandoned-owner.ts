import { startLabHost } from '../../lab/host.js';

// Starts a host, tells where, and waits to be killed.
const [name = 'abandoned', authorizedKey = ''] = process.argv.slice(2);
const host = await startLabHost({
  name,
  sql: 'postgres',
  compose: 'v2',
  authorizedKey,
  log: () => undefined,
});
console.log(JSON.stringify(host));
setInterval(() => undefined, 60_000);

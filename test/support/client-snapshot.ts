import type { LabHost } from '../../lab/host.js';
import { readClientDatabase } from './client-database.js';
import { hostnameOf } from './client-checks.js';
import { getPage } from './neighbour.js';
import type { System } from './system.js';

export type ClientSnapshot = Awaited<ReturnType<typeof clientSnapshot>>;

/** All that a change may touch of a client: its files to the byte, its database, what its container reads, its page and its row. */
export async function clientSnapshot(system: System, host: LabHost, id: number) {
  const name = `client${id}`;
  const hostname = await hostnameOf(system, id);
  const [files, users, laboratories, settings, page, client] = await Promise.all([
    host.exec(`
cd /srv/docker/clients/${name}
for file in .env php/add_vars.ini docker-compose.yml /etc/nginx/conf.d/${name}.conf; do
  stat -c '%n %a %u %g' "$file"; sed 's/${name}_b/${name}/' "$file" | md5sum
done
ls -A . php | grep -v -e '^.slipway-former-' -e '^.slipway-database$'
ls -A /etc/nginx/conf.d | grep -F ${name}. | grep -v slipway-former
docker exec ${name} artisan env:show | sed 's/${name}_b/${name}/'
docker inspect -f '{{.State.Running}}' ${name}`),
    readClientDatabase(
      host,
      id,
      'select login, surname, name, patronymic, email, password from users order by 1',
    ),
    readClientDatabase(host, id, 'select code, name from laboratories order by 1'),
    readClientDatabase(host, id, 'select name, value from cloud_settings order by 1'),
    getPage({ address: host.address, hostname }),
    system.call('GET', `/clients/${id}`),
  ]);
  const { updated_at: _, operation: __, ...row } = client.body;
  return { files: files.stdout.split('\n'), users, laboratories, settings, page, hostname, row };
}

/** What an operation keeps until it is sure. */
export async function keptFormer(host: LabHost, id: number, operation: string): Promise<string[]> {
  const { stdout } = await host.exec(`
ls -A /srv/docker/clients/client${id} | grep -i former-${operation} || true
ls -A /etc/nginx/conf.d | grep -F client${id}.conf | grep -i former-${operation} || true`);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Of the sample product, that benchmarks create clients of. */
export const VERSION = '1.3-master';

/** Of a client to be created. No password is given, hence no mail: its server would be another program's time. */
export function clientFields({
  serverId,
  subdomain,
}: {
  serverId: number;
  subdomain: string;
}): Record<string, string> {
  return {
    server_id: String(serverId),
    name: 'Test laboratory',
    short_name: 'lab',
    admin_f: 'Family',
    admin_i: 'Given',
    admin_o: 'Middle',
    admin_login: 'chief',
    subdomain,
    email: 'chief@example.test',
    phone: '+1 555 0100',
    city: 'Springfield',
    timezone: 'Europe/Moscow',
    version_tag: VERSION,
    allowed_ips: '[]',
    config: 'free text',
    license: 'free text',
    license_expires_at: '2030-01-01 00:00:00',
  };
}

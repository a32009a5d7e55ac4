import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type AcmeServer, startAcme } from '../../../lab/acme.js';
import type { LabHost } from '../../../lab/host.js';
import { noLab, sharedHost } from '../../support/lab.js';
import { ask, moveEnded, startMove, startTarget } from '../../support/move-world.js';
import { askOverTls } from '../../support/over-tls.js';
import { openSystem, type System } from '../../support/system.js';

describe('a client with a certificate is moved to a host of the same domain', { skip: noLab }, () => {
  const source = noLab === false ? sharedHost('maria') : (undefined as never);
  let target: LabHost;
  let acme: AcmeServer;
  let system: System;
  let dir: string;
  let from: number;
  let to: number;
  const domain = noLab === false ? `tls.${source.name}.example.test` : '';

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-acme-'));
    await chmod(dir, 0o711);
    target = await startTarget(source);
    acme = await startAcme({ dir, address: source.gateway, log: () => undefined });
    for (const host of [source, target])
      await host.exec('cat >> /etc/ssl/certs/ca-certificates.crt', { input: acme.ca });
    system = await openSystem({ slot: 100, acme: { directory: acme.directory, email: 'ops@example.test' } });
    from = await system.addServer(source, { tls: 'auto', domain });
    to = await system.addServer(target, { tls: 'auto', domain });
  });
  after(async () => {
    await system?.close();
    await acme?.close();
    await target?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** The client is created with its certificate, and then moved; DNS stays behind. */
  async function created(subdomain: string): Promise<{ id: number; hostname: string }> {
    const hostname = `${subdomain}.${domain}`;
    await acme.setName(hostname, source.address);
    const { id, operation } = await system.addClient(from, { subdomain, name: 'Moved laboratory' });
    assert.equal((await system.ended(operation)).state, 'succeeded');
    return { id, hostname };
  }

  it('it is served over TLS by both while DNS still leads to the old one, and never redirected in circles', async () => {
    const { id, hostname } = await created('moves');

    const view = await moveEnded(system, await startMove(system, { id, to }));
    assert.deepEqual(
      view.warnings.filter(({ step }) => step !== 'outside-check'),
      [],
    );
    assert.deepEqual(view.result, { url: `https://${hostname}/` });
    for (const { address } of [target, source]) {
      const { issuer, names, answer } = await askOverTls({ address, hostname });
      assert.match(issuer, /^Pebble /);
      assert.equal(names, `DNS:${hostname}`);
      assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*Moved laboratory/);
    }
    const plain = await ask(target, hostname);
    assert.deepEqual([plain.status, plain.location], [308, `https://${hostname}/`]);
    // what comes in over http is passed on over TLS
    assert.equal((await ask(source, hostname)).status, 200);
    const { body } = await system.call('GET', `/clients/${id}`);
    assert.deepEqual([body['server_id'], body['url']], [to, `https://${hostname}`]);
  });

  it('not even where Slipway cannot look at port 443 of the new host', async () => {
    const { id, hostname } = await created('unseen');
    const closed = `INPUT -s ${source.gateway} -p tcp --dport 443 -j REJECT --reject-with tcp-reset`;
    await target.exec(`iptables -I ${closed}`);

    const view = await moveEnded(system, await startMove(system, { id, to }));
    await target.exec(`iptables -D ${closed}`);
    assert.deepEqual(
      view.warnings.map(({ step }) => step).filter((step) => step !== 'outside-check'),
      ['served'],
    );
    assert.equal((await ask(source, hostname)).status, 200);
    const { answer } = await askOverTls({ address: source.address, hostname });
    assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*Moved laboratory/);
  });
});

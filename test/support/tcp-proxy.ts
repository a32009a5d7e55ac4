import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** `refuse` closes new connections at once, as sshd does beyond MaxStartups. */
export type ProxyMode = 'pass' | 'black-hole' | 'refuse';

export interface TcpProxy {
  port: number;
  /** connections accepted so far */
  accepted(): number;
  /** connections that exist now */
  connected(): number;
  /** for connections that exist and for new ones */
  setMode(mode: ProxyMode): void;
  /** milliseconds that every chunk waits in each direction */
  setDelay(delayMs: number): void;
  /** resets every connection now; new ones pass */
  cut(): void;
  close(): Promise<void>;
}

/** Stands between a client and a port of this machine, and misbehaves on request. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  let mode: ProxyMode = 'pass';
  let delayMs = 0;
  let accepted = 0;

  function forward(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (mode === 'black-hole') return;
      if (delayMs === 0) to.write(chunk);
      else setTimeout(() => to.writable && to.write(chunk), delayMs);
    });
    from.on('end', () => mode === 'pass' && to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => sockets.delete(from));
  }

  const server = createServer({ noDelay: true }, (client) => {
    accepted += 1;
    sockets.add(client);
    clients.add(client);
    client.on('close', () => clients.delete(client));
    if (mode === 'refuse') {
      client.on('error', () => {});
      client.on('close', () => sockets.delete(client));
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: '127.0.0.1', port: targetPort, noDelay: true });
    sockets.add(upstream);
    forward(client, upstream);
    forward(upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    connected: () => clients.size,
    setMode: (next) => {
      mode = next;
    },
    setDelay: (next) => {
      delayMs = next;
    },
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

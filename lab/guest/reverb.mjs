// Stand-in for Laravel Reverb: accepts the websocket handshake and keeps the line open, no more.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const server = createServer((_request, response) => response.end('reverb stand-in\n'));
server.on('upgrade', (request, socket) => {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.on('error', () => socket.destroy());
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
});
// 8080 is Reverb's own default port.
server.listen(8080, '127.0.0.1', () => writeFileSync('/run/reverb.pid', `${process.pid}\n`));

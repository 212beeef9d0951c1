/** Sends back what it is sent, on a port of 127.0.0.1 that it prints. */
import { type AddressInfo, createServer } from 'node:net';

const server = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));

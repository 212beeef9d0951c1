/** Whether a server of HTTP/2 lets a client in by TLS. */
import { type ConnectionOptions, connect } from 'node:tls';

/** The preface, and an empty SETTINGS: who is let in has the server's SETTINGS for an answer. */
const GREETING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from('000000040000000000', 'hex'),
]);

/** By a bare socket: by TLS 1.3 a client is told of its refusal after its handshake, and Node's HTTP/2 then waits on. */
export function isLetInByTls(port: number, tls: ConnectionOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: 'localhost', ALPNProtocols: ['h2'], ...tls });
    const end = (letIn: boolean): void => {
      socket.destroy();
      resolve(letIn);
    };
    socket.write(GREETING);
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

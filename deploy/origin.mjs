/** The API behind the gateway, as small as can be: says hello to every request. For the demo, Compose and the tests. */
import { createServer } from 'node:http';

const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.end('hello\n');
});
// A gateway keeps connections: closing an idle one just when it sends the next request would cost that request.
server.keepAliveTimeout = 0;
server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? '0.0.0.0', () => {
  process.stdout.write(`${JSON.stringify({ '@message': 'serving', port: server.address().port })}\n`);
});

// As the first process of a container it would otherwise ignore them.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0));

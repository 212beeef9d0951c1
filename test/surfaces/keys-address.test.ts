/** Whom the admin API counts when a connection tells its address in another form than an operator would. */
import { expect, test } from '@jest/globals';
import fastify from 'fastify';
import { Undecidable } from '../../src/core/errors.ts';
import { installAuth } from '../../src/surfaces/keys/auth.ts';

test.each([
  { remoteAddress: '192.0.2.1', counted: '192.0.2.1' },
  { remoteAddress: '::ffff:192.0.2.1', counted: '192.0.2.1' },
  { remoteAddress: '2001:db8::1', counted: '2001:db8:0:0::/64' },
])('a connection from $remoteAddress is counted as $counted', async ({ remoteAddress, counted }) => {
  const addresses: string[] = [];
  const app = fastify();
  installAuth(app, {
    admit({ address }) {
      addresses.push(address);
      throw new Undecidable('STORE_OPEN', 'enough is known');
    },
  });
  app.get('/', () => 'never reached');
  const { body } = await app.inject({ url: '/', remoteAddress, headers: { authorization: 'Bearer x' } });
  await app.close();
  expect(addresses).toEqual([counted]);
  expect(body).not.toContain('never reached');
});

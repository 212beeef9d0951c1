/** Whether a way to Redis is open, looked at from outside. */
import { Cluster } from 'ioredis';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';

/** Of a Cluster, to any primary. */
export function isConnected({ client }: RedisConnection): boolean {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  return client.status === 'ready' && nodes.some(({ status }) => status === 'ready');
}

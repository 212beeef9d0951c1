/** What is warned of though the service starts: variables that are ignored, and slips of the keyboard. */
import { describe, expect, test } from '@jest/globals';
import { warningsAbout } from '../../src/config/warnings.ts';

describe('a warning names the variable and the reason:', () => {
  test.each([
    ['REDIS_PIPELINE_WINDOW', 'is ignored: commands of one turn of the event loop always leave in one write'],
    [
      'REDIS_PERSECOND_CLUSTER_PIPELINE_PARALLELISM',
      'is ignored: commands of one turn of the event loop always leave in one write',
    ],
    ['MEMCACHE_MAX_IDLE_CONNS', 'is ignored: memcached is not offered'],
    ['REDIS_HOST', 'is unknown and has no effect'],
    ['REDIS_PASSWORD', 'is unknown and has no effect'],
    ['CONFIG_GRPC_XDS_NODE_ID', 'is ignored: policies over xDS are not offered yet'],
    ['XDS_CLIENT_BACKOFF_JITTER', 'is ignored: policies over xDS are not offered yet'],
    ['REDIS_ULR', 'is unknown and has no effect: is REDIS_URL meant?'],
    ['REDIS_PER_SECOND_URL', 'is unknown and has no effect: is REDIS_PERSECOND_URL meant?'],
    ['RUNTIME_SUBDIR', 'is unknown and has no effect'],
    ['RUNTIME_IGNORE_DOT_FILES', 'is unknown and has no effect: is RUNTIME_IGNOREDOTFILES meant?'],
    ['REDIS_FLUX_CAPACITOR', 'is unknown and has no effect'],
  ])('%s', (variable, reason) => {
    expect(warningsAbout({ [variable]: 'x' })).toEqual([{ variable, reason }]);
  });
});

test('nothing is said of variables that are read, empty, or meant for others', () => {
  const quiet = {
    REDIS_URL: 'x',
    RUNTIME_ROOT: 'x',
    REDIS_PIPELINE_LIMIT: '',
    REDIS_ULR: ' ',
    HOST_NAME: 'x',
    PATH: 'x',
  };
  expect(warningsAbout(quiet)).toEqual([]);
});

// Every pod beside a service named redis has these.
test('nothing is said of what Kubernetes tells about a service named redis', () => {
  const linked = {
    REDIS_SERVICE_HOST: '10.0.0.1',
    REDIS_SERVICE_PORT: '6379',
    REDIS_SERVICE_PORT_MAIN: '6379',
    REDIS_PORT: 'tcp://10.0.0.1:6379',
    REDIS_PORT_6379_TCP: 'tcp://10.0.0.1:6379',
    REDIS_PORT_6379_TCP_PROTO: 'tcp',
    REDIS_PORT_6379_TCP_PORT: '6379',
    REDIS_PORT_6379_TCP_ADDR: '10.0.0.1',
    REDIS_PORT_1_SCTP: 'sctp://10.0.0.1:1',
    REDIS_PORT_1_SCTP_PROTO: 'sctp',
    REDIS_MASTER_PORT: 'sctp://10.0.0.1:1',
  };
  expect(warningsAbout(linked)).toEqual([]);
});

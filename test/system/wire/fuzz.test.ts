/** Broken HTTP/2 from a fixed seed: the process lives, good calls are answered, every connection ends, memory is bounded. */
import { describe, expect, test } from '@jest/globals';
import { fuzz } from '../../support/http2-fuzz.ts';
import { residentMib } from '../../support/memory.ts';
import { TestService } from '../../support/service.ts';
import { TRANSPORTS, transportEnv } from '../../support/transports.ts';

const SEED = 20_261_123;
// `make fuzz` goes on as long as one likes.
const FUZZ_MILLIS = 4_000;
const GROWTH_MIB_MAX = 200;

describe.each(TRANSPORTS)('%s:', (transport) => {
  test('no broken connection ends the process, stays open or keeps memory', async () => {
    const service = await TestService.start(transportEnv(transport));
    const pid = service.child.pid as number;
    const residentAtFirst = residentMib(pid);
    const { connections, hung } = await fuzz(service.grpcPort, SEED, FUZZ_MILLIS);
    const growth = residentMib(pid) - residentAtFirst;
    await service.stop();
    expect(hung).toEqual([]);
    expect(connections).toBeGreaterThan(16);
    expect(growth).toBeLessThan(GROWTH_MIB_MAX);
    expect(service.output).not.toContain('"level":"error"');
  }, 60_000);
});

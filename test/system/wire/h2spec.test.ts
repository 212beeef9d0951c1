/** HTTP/2 as an outside suite reads its specification: h2spec against the running service. */
import { describe, expect, test } from '@jest/globals';
import { findH2spec, runH2spec } from '../../support/h2spec.ts';
import { TestService } from '../../support/service.ts';
import { TRANSPORTS, type Transport, transportEnv } from '../../support/transports.ts';

/** Cases that may fail; docs/adr/0028-what-h2spec-is-excused.md says why, by section. */
const EXCUSED: Readonly<Record<Transport, readonly string[]>> = {
  lean: [],
  node: [
    'http2/5.1 closed: Sends a DATA frame after sending RST_STREAM frame',
    'http2/5.1 closed: Sends a HEADERS frame after sending RST_STREAM frame',
    'http2/5.1 closed: Sends a DATA frame',
    'http2/5.1 closed: Sends a HEADERS frame',
    'http2/5.1.1 Sends stream identifier that is numerically smaller than previous',
    'http2/5.3.1 Sends PRIORITY frame that depend on itself',
    'http2/6.3 Sends a PRIORITY frame with 0x0 stream identifier',
    'http2/6.7 Sends a PING frame with ACK',
    // Where the answer is quicker than the frame.
    'http2/6.9 Sends a WINDOW_UPDATE frame with a flow control window increment of 0 on a stream',
    'http2/6.9.1 Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
  ],
};
// Of all its sections: fewer would mean that the report was not understood.
const CASES_MIN = 140;

const h2spec = findH2spec();

if (h2spec === undefined)
  test.skip('h2spec is not run: it is not installed (make tools builds it with Go)', () => undefined);
else
  describe.each(TRANSPORTS)('%s:', (transport) => {
    test('every case of h2spec passes but those that are excused', async () => {
      const service = await TestService.start(transportEnv(transport));
      const { cases, failed } = await runH2spec(h2spec, service.grpcPort);
      await service.stop();
      expect(cases).toBeGreaterThan(CASES_MIN);
      expect(failed.filter((name) => !EXCUSED[transport].includes(name))).toEqual([]);
    }, 120_000);
  });

/** Sends broken HTTP/2 to a service of its own, on each transport for so many minutes, and says what came of it. */
import { fuzz } from '../test/support/http2-fuzz.ts';
import { residentMib } from '../test/support/memory.ts';
import { TestService } from '../test/support/service.ts';
import { TRANSPORTS, transportEnv } from '../test/support/transports.ts';

const MINUTE_MILLIS = 60_000;
const minutes = Number(process.argv[2] ?? 1);
if (!(minutes > 0)) throw new Error('usage: make fuzz ARGS=minutes');

for (const transport of TRANSPORTS) {
  // Other connections at each run: what it finds is found again by the seed that it prints.
  const seed = Date.now() % 2 ** 31;
  const service = await TestService.start(transportEnv(transport));
  const pid = service.child.pid as number;
  const residentAtFirst = residentMib(pid);
  const report = await fuzz(service.grpcPort, seed, minutes * MINUTE_MILLIS);
  const growth = Math.round(residentMib(pid) - residentAtFirst);
  await service.stop();
  const errors = service.output.split('\n').filter((line) => line.includes('"level":"error"'));
  process.stdout.write(
    `${transport}: seed ${seed}, ${JSON.stringify(report)}, ${growth} MiB more, ${errors.length} errors\n`,
  );
  for (const line of errors.slice(0, 10)) process.stdout.write(`${line}\n`);
  if (report.hung.length > 0 || errors.length > 0) process.exitCode = 1;
}

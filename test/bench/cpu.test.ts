/** Whose CPU time the benchmark counts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { processTree, readCpu } from '../../bench/cpu.ts';

test('a service is measured with the processes that it has started, and they with theirs', async () => {
  const script = 'sh -c "sleep 30 & echo ready; wait" & wait';
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  await once(child.stdout, 'data');
  const pid = child.pid!;
  const tree = processTree(pid);
  expect(tree).toHaveLength(3);
  expect(tree[0]).toBe(pid);
  expect(readCpu(tree).micros).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);

  process.kill(-pid);
  await once(child, 'close');
  expect(() => readCpu(tree)).toThrow('ENOENT');
});

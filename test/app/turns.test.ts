/** Tasks of one name one after the other, and nothing left behind. */
import { expect, test } from '@jest/globals';
import { Turns } from '../../src/app/turns.ts';

test('tasks of one name run in their order and never at once; those of others beside them', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const task = (name: string) => async () => {
    seen.push(`${name} begins`);
    await new Promise(setImmediate);
    seen.push(`${name} ends`);
  };
  await Promise.all([turns.take('a', task('a1')), turns.take('a', task('a2')), turns.take('b', task('b1'))]);
  expect(seen.slice(0, 2)).toEqual(['a1 begins', 'b1 begins']);
  const ofA = seen.filter((text) => text.startsWith('a'));
  expect(ofA).toEqual(['a1 begins', 'a1 ends', 'a2 begins', 'a2 ends']);
});

test('a task that fails fails alone', async () => {
  const turns = new Turns();
  const failed = turns.take('a', () => Promise.reject(new Error('mine')));
  const next = turns.take('a', () => Promise.resolve('done'));
  await expect(failed).rejects.toThrow('mine');
  expect(await next).toBe('done');
});

test('nothing is kept of names without a task', async () => {
  const turns = new Turns();
  const tasks = ['a', 'a', 'b'].map((name) => turns.take(name, () => Promise.resolve()));
  expect(turns.size).toBe(2);
  await Promise.all(tasks);
  await turns.take('c', () => Promise.reject(new Error('mine'))).catch(() => undefined);
  expect(turns.size).toBe(0);
});

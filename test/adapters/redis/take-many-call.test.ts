import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Command } from 'ioredis';
import { HASH_CHARACTERS, subjectHash } from '../../../src/adapters/redis/counter-key.ts';
import { bulk, TakeManyCalls } from '../../../src/adapters/redis/take-many-call.ts';

test('a call has the bytes that the client itself would write', () => {
  const command = fc.constantFrom('EVALSHA', 'EVAL');
  const texts = fc.array(fc.nat().map(String), { minLength: 1, maxLength: 20 });
  const prefix = fc.oneof(fc.constantFrom('', 'hr:', 'käse:hr:', '{🧀}:'), fc.string({ unit: 'grapheme' }));
  fc.assert(
    fc.property(command, fc.string(), prefix, texts, texts, (name, script, before, subjects, args) => {
      const hashes = subjects.map(subjectHash);
      const calls = new TakeManyCalls(before, 20);
      const written = calls.command({ command: name as 'EVAL', script }, hashes, args.map(bulk).join(''), args.length);
      const keys = hashes.map((hash) => before + hash.slice(0, HASH_CHARACTERS));
      const own = new Command(name, [script, String(keys.length), ...keys, ...args]).toWritable({});
      expect(String(written.toWritable({}))).toBe(String(own));
    }),
    { seed: 25 },
  );
});

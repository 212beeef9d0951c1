import { expect, test } from '@jest/globals';
import { checkConfigArguments } from '../../src/cli/check-config-arguments.ts';

const own = { path: 'p', everyFile: false, mergeDomains: false };
const reference = { path: 'd', everyFile: true, mergeDomains: false };

test.each([
  { args: ['p'], means: own },
  { args: ['-merge_domain_configs', 'p'], means: { ...own, mergeDomains: true } },
  { args: ['p', '--merge_domain_configs=false'], means: own },
  { args: ['-config_dir', 'd'], means: reference },
  { args: ['--config_dir', 'd', '-merge_domain_configs'], means: { ...reference, mergeDomains: true } },
  { args: ['-merge_domain_configs=T', '--config_dir=d'], means: { ...reference, mergeDomains: true } },
  { args: ['-config_dir=a=b'], means: { ...reference, path: 'a=b' } },
])('$args are understood', ({ args, means }) => {
  expect(checkConfigArguments(args)).toEqual(means);
});

test.each([
  [[]],
  [['p', 'q']],
  [['-config_dir']],
  [['-config_dir', '']],
  [['-config_dir', 'd', 'p']],
  [['-merge_domain_configs=maybe', 'p']],
  [['-merge_domain_configs']],
  [['--strict', 'p']],
  [['']],
])('%j make no sense', (args) => {
  expect(checkConfigArguments(args)).toBeUndefined();
});

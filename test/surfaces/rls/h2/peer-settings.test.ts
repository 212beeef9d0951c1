/** What a client may ask for by SETTINGS. */
import { describe, expect, test } from '@jest/globals';
import { ConnectionError } from '../../../../src/surfaces/rls/h2/errors.ts';
import { ERROR, SETTING } from '../../../../src/surfaces/rls/h2/frames.ts';
import { type PeerSettings, readSettings } from '../../../../src/surfaces/rls/h2/peer-settings.ts';
import { settingsOf } from './frames-in.ts';

type Settings = readonly (readonly [id: number, value: number])[];

function read(settings: Settings): PeerSettings {
  const bytes = settingsOf(...settings);
  return readSettings(Buffer.concat([Buffer.of(0xff), bytes, Buffer.of(0xff)]), 1, bytes.length + 1);
}

test.each<[what: string, settings: Settings, read: Partial<PeerSettings>]>([
  ['nothing', [], {}],
  ['the smallest table', [[SETTING.headerTableSize, 0]], { headerTableBytes: 0 }],
  ['a table beyond 2^31', [[SETTING.headerTableSize, 2 ** 32 - 1]], { headerTableBytes: 2 ** 32 - 1 }],
  [
    'the least of several tables, if it comes last',
    [
      [1, 4_096],
      [1, 100],
    ],
    { headerTableBytes: 100 },
  ],
  [
    'the least of several tables, if it comes first',
    [
      [1, 0],
      [1, 4_096],
    ],
    { headerTableBytes: 0 },
  ],
  ['no window', [[SETTING.initialWindowSize, 0]], { initialWindowBytes: 0 }],
  ['the largest window', [[SETTING.initialWindowSize, 2 ** 31 - 1]], { initialWindowBytes: 2 ** 31 - 1 }],
  [
    'the last of several windows',
    [
      [4, 5],
      [4, 3],
      [4, 4],
    ],
    { initialWindowBytes: 4 },
  ],
  ['the smallest frames', [[SETTING.maxFrameSize, 16_384]], { frameBytesMax: 16_384 }],
  ['the largest frames', [[SETTING.maxFrameSize, 16_777_215]], { frameBytesMax: 16_777_215 }],
  [
    'what concerns servers that push',
    [
      [SETTING.enablePush, 0],
      [SETTING.enablePush, 1],
    ],
    {},
  ],
  [
    'what nobody knows',
    [
      [0, 1],
      [SETTING.maxConcurrentStreams, 7],
      [0xffff, 2 ** 32 - 1],
    ],
    {},
  ],
])('a client may ask for %s', (_what, settings, expected) => {
  const nothing = { headerTableBytes: undefined, initialWindowBytes: undefined, frameBytesMax: undefined };
  expect(read(settings)).toEqual({ ...nothing, ...expected });
});

describe('a client must not', () => {
  test.each<[what: string, settings: Settings, code: number]>([
    ['say more than yes and no to push', [[SETTING.enablePush, 2]], ERROR.protocol],
    ['have windows over 2^31 - 1', [[SETTING.initialWindowSize, 2 ** 31]], ERROR.flowControl],
    ['have frames under 16,384 bytes', [[SETTING.maxFrameSize, 16_383]], ERROR.protocol],
    ['have frames over 2^24 - 1 bytes', [[SETTING.maxFrameSize, 16_777_216]], ERROR.protocol],
  ])('%s', (_what, settings, code) => {
    expect(() => read(settings)).toThrow(ConnectionError);
    expect(() => read(settings)).toThrow(expect.objectContaining({ code }));
  });
});

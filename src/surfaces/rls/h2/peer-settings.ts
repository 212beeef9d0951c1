/** What a client asks for by SETTINGS (RFC 9113 §6.5), in so far as it concerns who answers. */
import { ConnectionError } from './errors.ts';
import {
  ERROR,
  FRAME_BYTES_CEILING,
  INITIAL_FRAME_BYTES_MAX,
  SETTING,
  SETTING_BYTES,
  uint32At,
  WINDOW_BYTES_CEILING,
} from './frames.ts';

/** Undefined: not spoken of. */
export interface PeerSettings {
  headerTableBytes: number | undefined;
  initialWindowBytes: number | undefined;
  frameBytesMax: number | undefined;
}

/** @throws ConnectionError for values that must not be */
export function readSettings(bytes: Buffer, from: number, to: number): PeerSettings {
  if ((to - from) % SETTING_BYTES !== 0) throw new ConnectionError(ERROR.frameSize, 'SETTINGS of a broken length');
  const settings: PeerSettings = {
    headerTableBytes: undefined,
    initialWindowBytes: undefined,
    frameBytesMax: undefined,
  };
  for (let at = from; at < to; at += SETTING_BYTES) {
    const id = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    take(settings, id, uint32At(bytes, at + 2));
  }
  return settings;
}

function take(settings: PeerSettings, id: number, value: number): void {
  switch (id) {
    case SETTING.headerTableSize:
      // What is told of in one frame takes effect in order: the smallest has to be acknowledged (RFC 7541 §4.2).
      settings.headerTableBytes = Math.min(value, settings.headerTableBytes ?? value);
      break;
    case SETTING.enablePush:
      if (value > 1) throw new ConnectionError(ERROR.protocol, 'SETTINGS_ENABLE_PUSH is neither 0 nor 1');
      break;
    case SETTING.initialWindowSize:
      if (value > WINDOW_BYTES_CEILING) throw new ConnectionError(ERROR.flowControl, 'an initial window over 2^31 - 1');
      settings.initialWindowBytes = value;
      break;
    case SETTING.maxFrameSize:
      if (value < INITIAL_FRAME_BYTES_MAX || value > FRAME_BYTES_CEILING)
        throw new ConnectionError(ERROR.protocol, 'SETTINGS_MAX_FRAME_SIZE out of range');
      settings.frameBytesMax = value;
  }
}

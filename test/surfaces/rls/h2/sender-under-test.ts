/** A sender whose frames a test reads in the turn in which they are written. */
import { Socket } from 'node:net';
import { HpackDecoder } from '../../../../src/surfaces/rls/h2/hpack/decoder.ts';
import { Outbox } from '../../../../src/surfaces/rls/h2/outbox.ts';
import { RequestHead } from '../../../../src/surfaces/rls/h2/request-head.ts';
import { Sender } from '../../../../src/surfaces/rls/h2/sender.ts';
import { Stream } from '../../../../src/surfaces/rls/h2/stream.ts';
import { ManualClock } from '../../../support/clock.ts';
import { type Frame, framesIn } from './frames-in.ts';

export class SenderUnderTest {
  readonly sender: Sender;
  readonly answered: number[] = [];
  readonly #outbox: Outbox;
  readonly #decoder = new HpackDecoder({ tableBytesMax: 4_096, listBytesMax: 65_536 });

  constructor() {
    const socket = new Socket();
    // Nothing leaves: what is written stays until `written` has read it.
    socket.destroy();
    this.#outbox = new Outbox({ socket, clock: new ManualClock(), onBehind: () => undefined });
    this.sender = new Sender(this.#outbox, (stream) => {
      stream.isClosed = true;
      this.answered.push(stream.id);
    });
  }

  stream(id: number): Stream {
    return new Stream(id, new RequestHead(), this.sender.initialWindow);
  }

  /** The frames since the last time. */
  written(): Frame[] {
    const { out } = this.#outbox;
    const { frames } = framesIn(Buffer.from(out.bytes.subarray(0, out.length)));
    out.length = 0;
    return frames;
  }

  /** A message of gRPC, as RateLimitCall sends it. */
  message(stream: Stream, bytes: Uint8Array): void {
    const at = this.sender.beginMessage(stream);
    this.sender.out.append(bytes);
    this.sender.endMessage(stream, at);
  }

  /** All blocks have to be read in order, so once. */
  fields(block: Buffer): string[] {
    const fields: string[] = [];
    this.#decoder.decode(block, 0, block.length, { field: (name, value) => void fields.push(`${name}: ${value}`) });
    return fields;
  }
}

/** Whether any call has moved lately on a connection. What becomes of one on which none has is its owner's matter. */
import type { Clock, Timer } from '../../../ports/clock.ts';

/** How often it is looked, until the connection is idle. */
const TICKS = 10;

export class IdleWatch {
  readonly #clock: Pick<Clock, 'after'>;
  #quietTicks = 0;
  #timer: Timer | undefined;

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
  }

  /** A call moved: a request, a part of one, or an answer. */
  moved(): void {
    this.#quietTicks = 0;
  }

  /** @param onIdle called once, when none has moved for so long, or a tick longer */
  start(millis: number, onIdle: () => void): void {
    this.#quietTicks += 1;
    if (this.#quietTicks > TICKS) onIdle();
    else this.#timer = this.#clock.after(millis / TICKS, () => this.start(millis, onIdle));
  }

  stop(): void {
    this.#timer?.cancel();
  }
}

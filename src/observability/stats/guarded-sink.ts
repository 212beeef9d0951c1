/** A sink whose failures stay here: a statistic that cannot be sent must not cost a decision, or the process. */
import type { StatName } from './names.ts';
import type { StatsSink } from './sink.ts';

/** @param what is a closed set of words @param error whatever was thrown */
export type OnFailure = (what: string, error: unknown) => void;

export class GuardedSink implements StatsSink {
  readonly #sink: StatsSink;
  readonly #onFailure: OnFailure;

  constructor(sink: StatsSink, onFailure: OnFailure) {
    this.#sink = sink;
    this.#onFailure = onFailure;
  }

  counter(name: StatName, by: number): void {
    try {
      this.#sink.counter(name, by);
    } catch (error) {
      this.#onFailure('a counter', error);
    }
  }

  gauge(name: StatName, read: () => number): void {
    try {
      this.#sink.gauge(name, read);
    } catch (error) {
      this.#onFailure('a gauge', error);
    }
  }

  timer(name: StatName): (millis: number) => void {
    let add: ((millis: number) => void) | undefined;
    return (millis) => {
      try {
        add ??= this.#sink.timer(name);
        add(millis);
      } catch (error) {
        this.#onFailure('a timer', error);
      }
    };
  }

  forget(name: StatName): void {
    try {
      this.#sink.forget(name);
    } catch (error) {
      this.#onFailure('a name', error);
    }
  }
}

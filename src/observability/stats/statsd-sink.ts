/** Statistics as lines of statsd. */
import type { StatName } from './names.ts';
import type { StatsSink } from './sink.ts';
import type { LineForm, LineForms } from './statsd-lines.ts';
import type { Transport } from './transport.ts';

/** Durations that one timer sends in one flush; of more, every second is sent, or every fourth, and told so. */
export const DURATIONS_MAX = 2_048;

export class StatsdSink implements StatsSink {
  readonly #forms: LineForms;
  readonly #transport: Pick<Transport, 'send'>;
  readonly #timers: { readonly form: LineForm; readonly durations: Durations }[] = [];

  constructor(forms: LineForms, transport: Pick<Transport, 'send'>) {
    this.#forms = forms;
    this.#transport = transport;
  }

  counter(name: StatName, by: number): void {
    const { head, tail } = this.#formOf(name);
    this.#transport.send(`${head}:${by}|c${tail}`);
  }

  gauge(name: StatName, read: () => number): void {
    const { head, tail } = this.#formOf(name);
    this.#transport.send(`${head}:${read()}|g${tail}`);
  }

  timer(name: StatName): (millis: number) => void {
    const durations = new Durations();
    this.#timers.push({ form: this.#formOf(name), durations });
    return (millis) => durations.add(millis);
  }

  forget(name: StatName): void {
    name.kept = undefined;
  }

  /** Sends what the timers took. */
  flushTimers(): void {
    for (const { form, durations } of this.#timers) {
      const { head, tail } = form;
      const rate = durations.rate === 1 ? '' : `|@${durations.rate}`;
      for (const millis of durations.take()) this.#transport.send(`${head}:${toMicros(millis)}|ms${rate}${tail}`);
    }
  }

  #formOf(name: StatName): LineForm {
    name.kept ??= this.#forms(name);
    return name.kept as LineForm;
  }
}

/** Milliseconds to the microsecond, without an exponent. */
function toMicros(millis: number): string {
  return String(Math.round(millis * 1_000) / 1_000);
}

/** Durations of one flush: all of them, or every second, fourth, … so that no number of calls makes more than DURATIONS_MAX. */
export class Durations {
  readonly #kept = new Float64Array(DURATIONS_MAX);
  #count = 0;
  #every = 1;
  #skipped = 0;

  /** The part of the durations that is kept. */
  get rate(): number {
    return 1 / this.#every;
  }

  add(millis: number): void {
    this.#skipped += 1;
    if (this.#skipped < this.#every) return;
    this.#skipped = 0;
    if (this.#count === DURATIONS_MAX) {
      this.#halve();
      return;
    }
    this.#kept[this.#count] = millis;
    this.#count += 1;
  }

  /** @returns what was kept; what follows begins anew */
  take(): readonly number[] {
    const taken = [...this.#kept.subarray(0, this.#count)];
    this.#count = 0;
    this.#every = 1;
    this.#skipped = 0;
    return taken;
  }

  /** Keeps the second of every two; what came last is the first of the next two. */
  #halve(): void {
    for (let index = 0; index < DURATIONS_MAX / 2; index++) this.#kept[index] = this.#kept[2 * index + 1] as number;
    this.#count = DURATIONS_MAX / 2;
    this.#skipped = this.#every;
    this.#every *= 2;
  }
}

/** One series of Prometheus, and its lines in the text format 0.0.4. */
import { metricNameOf } from './prometheus-mapping.ts';

export abstract class Series {
  /** `a="1",b="2"`: names in order, values escaped; empty without labels. */
  readonly labels: string;
  /** How many statistics come to this series. */
  names = 0;

  constructor(labels: string) {
    this.labels = labels;
  }

  abstract add(value: number): void;
  abstract set(value: number): void;
  /** What no page has shown yet. */
  abstract get untold(): number;
  /** What is written is told. */
  abstract lines(metric: string): string;
}

/** A counter or a gauge. */
export class Scalar extends Series {
  #value = 0;
  #told = 0;

  override add(value: number): void {
    this.#value += value;
  }

  override set(value: number): void {
    this.#value = value;
  }

  override get untold(): number {
    return this.#value - this.#told;
  }

  override lines(metric: string): string {
    this.#told = this.#value;
    return sample(metric, this.labels, this.#value);
  }
}

export class Histogram extends Series {
  readonly #bounds: readonly number[];
  /** Of each bucket alone; the last one has no upper bound. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds the upper ends of buckets, each of which belongs to its bucket */
  constructor(labels: string, bounds: readonly number[]) {
    super(labels);
    this.#bounds = [...bounds].sort((one, other) => one - other);
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  override add(value: number): void {
    this.#sum += value;
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
  }

  /** A duration is added, never set. */
  override set(value: number): void {
    this.add(value);
  }

  override get untold(): number {
    return 0;
  }

  override lines(metric: string): string {
    let text = '';
    let count = 0;
    const before = this.labels === '' ? '' : `${this.labels},`;
    for (const [bucket, own] of this.#counts.entries()) {
      count += own;
      text += sample(`${metric}_bucket`, `${before}le="${this.#bounds[bucket] ?? '+Inf'}"`, count);
    }
    return text + sample(`${metric}_sum`, this.labels, this.#sum) + sample(`${metric}_count`, this.labels, count);
  }
}

/** Two sets of the same labels are the same text. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([label, value]) => `${metricNameOf(label)}="${escaped(value)}"`)
    .sort()
    .join(',');
}

function sample(metric: string, labels: string, value: number): string {
  return labels === '' ? `${metric} ${value}\n` : `${metric}{${labels}} ${value}\n`;
}

function escaped(value: string): string {
  return value.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

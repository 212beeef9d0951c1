/** Many subjects with one limit, asked for through the limiter and the store's guard, and what each of them was told. */
import { keyHasher } from '../../src/adapters/node-crypto/hash-api-key.ts';
import { systemClock } from '../../src/adapters/system-clock/system-clock.ts';
import { Limiter } from '../../src/app/limiter.ts';
import { StoreGuard } from '../../src/app/store-guard.ts';
import { compilePolicy } from '../../src/core/compile-policy.ts';
import { Undecidable } from '../../src/core/errors.ts';
import { subjectOf } from '../../src/core/subject.ts';
import type { CounterStore } from '../../src/ports/counter-store.ts';
import { of, request } from '../core/build.ts';

export interface SubjectLoadOptions {
  readonly store: CounterStore;
  readonly subjects: number;
  /** Of each subject, in a window that does not end. */
  readonly limit: number;
  readonly timeoutMillis: number;
}

const DOMAIN = 'd';
const KEY = 'who';

export class SubjectLoad {
  readonly guard: StoreGuard;
  /** By subject. */
  readonly admitted: number[];
  denied = 0;
  readonly undecided = new Map<string, number>();
  slowestMillis = 0;
  readonly #limiter: Limiter;
  #asked = 0;

  constructor({ store, subjects, limit, timeoutMillis }: SubjectLoadOptions) {
    this.admitted = Array.from({ length: subjects }, () => 0);
    const observer = { storeCalled: () => undefined, breakerChanged: () => undefined };
    this.guard = new StoreGuard({ store, clock: systemClock, timeoutMillis, observer });
    const policy = compilePolicy({
      domain: DOMAIN,
      descriptors: [{ key: KEY, limits: [{ requests: limit, per: 'year' }] }],
    });
    this.#limiter = new Limiter({
      policies: { current: () => new Map([[DOMAIN, policy]]) },
      store: this.guard,
      clock: systemClock,
      observer: { decided: () => undefined, undecided: () => undefined, refused: () => undefined },
      hasher: keyHasher({ secret: undefined, previousSecret: undefined }),
    });
  }

  get decided(): number {
    return this.denied + this.admitted.reduce((sum, count) => sum + count, 0);
  }

  get failed(): number {
    return [...this.undecided.values()].reduce((sum, count) => sum + count, 0);
  }

  /** What the store knows a subject by. */
  subject(index: number): string {
    return subjectOf(DOMAIN, [{ key: KEY, value: subjectName(index) }]);
  }

  /** All subjects in turn, so many decisions in all. */
  async ask(decisions: number, atOnce: number): Promise<void> {
    let left = decisions;
    await this.#work(atOnce, () => left-- > 0);
  }

  async askUntil(isOver: () => boolean, atOnce: number): Promise<void> {
    await this.#work(atOnce, () => !isOver());
  }

  async #work(atOnce: number, goesOn: () => boolean): Promise<void> {
    const worker = async (): Promise<void> => {
      while (goesOn()) await this.#decide();
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }

  async #decide(): Promise<void> {
    const index = this.#asked++ % this.admitted.length;
    const startedAt = performance.now();
    try {
      const { decision } = await this.#limiter.decide(request([of({ [KEY]: subjectName(index) })]), { door: 'rls' });
      if (decision.allowed) this.admitted[index]! += 1;
      else this.denied += 1;
    } catch (error) {
      if (!(error instanceof Undecidable)) throw error;
      this.undecided.set(error.code, (this.undecided.get(error.code) ?? 0) + 1);
      // A caller that is told at once that nothing works comes back a little later.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.slowestMillis = Math.max(this.slowestMillis, performance.now() - startedAt);
  }
}

function subjectName(index: number): string {
  return `subject ${index}`;
}

/** Who may use the admin API, and how often: right tokens by their own limit, wrong ones by the address they come from. */
import { Undecidable } from '../core/errors.ts';
import type { Answer } from '../core/headers.ts';
import type { Admin, AdminTokens } from '../ports/admin-tokens.ts';
import type { CallTrace } from '../ports/observer.ts';
import { ADMIN_ADDRESS, ADMIN_DOMAIN, ADMIN_TOKEN } from './admin-policy.ts';
import type { Limiter } from './limiter.ts';

export interface AdminGateOptions {
  readonly tokens: AdminTokens;
  /** Knows the policy of the admin API alone. */
  readonly limiter: Pick<Limiter, 'decide'>;
}

export interface Presented {
  readonly token: string;
  readonly address: string;
  /** A right token's limit is charged. */
  readonly charged: boolean;
  readonly trace: CallTrace | undefined;
}

export type Admission =
  | { readonly kind: 'admitted'; readonly admin: Admin; readonly answer: Answer | undefined }
  | { readonly kind: 'wrong'; readonly answer: Answer }
  | { readonly kind: 'limited'; readonly answer: Answer };

// As many as the built-in limit lets an address guess in a minute: whoever sends more at once is not mistaken, but guesses.
const WRONG_WAITING_MAX = 20;

export class AdminGate {
  readonly #options: AdminGateOptions;
  /** How many wrong tokens of an address wait for the counters; no entry: none. Calls in flight bound it. */
  readonly #wrongWaiting = new Map<string, number>();

  constructor(options: AdminGateOptions) {
    this.#options = options;
  }

  /** @throws Undecidable when the counters cannot be reached, or too many wrong tokens of the address wait for them */
  async admit(presented: Presented): Promise<Admission> {
    // Before the token is judged: what is not counted must not tell a right one from a wrong one.
    if ((this.#wrongWaiting.get(presented.address) ?? 0) >= WRONG_WAITING_MAX) {
      throw new Undecidable('STORE_BUSY', 'too many calls from this address wait for the counter store');
    }
    const admin = this.#options.tokens.adminOf(presented.token);
    return admin === undefined ? this.#refuse(presented) : this.#admit(admin, presented);
  }

  async #refuse({ address, trace }: Presented): Promise<Admission> {
    this.#countWaiting(address, 1);
    try {
      const { decision, answer } = await this.#decide(ADMIN_ADDRESS, address, 1, trace);
      return { kind: decision.allowed ? 'wrong' : 'limited', answer };
    } finally {
      this.#countWaiting(address, -1);
    }
  }

  #countWaiting(address: string, more: 1 | -1): void {
    const waiting = (this.#wrongWaiting.get(address) ?? 0) + more;
    if (waiting === 0) this.#wrongWaiting.delete(address);
    else this.#wrongWaiting.set(address, waiting);
  }

  async #admit(admin: Admin, { address, charged, trace }: Presented): Promise<Admission> {
    // An address whose guesses are used up learns nothing more: not even from the right one.
    const guesses = await this.#decide(ADMIN_ADDRESS, address, 0, trace);
    if (!guesses.decision.allowed) return { kind: 'limited', answer: guesses.answer };
    if (!charged) return { kind: 'admitted', admin, answer: undefined };
    const { decision, answer } = await this.#decide(ADMIN_TOKEN, admin.fingerprint, 1, trace);
    return decision.allowed ? { kind: 'admitted', admin, answer } : { kind: 'limited', answer };
  }

  #decide(key: string, value: string, hitsAddend: number, trace: CallTrace | undefined) {
    const descriptor = { entries: [{ key, value }], hitsAddend, isNegativeHits: false };
    const request = { domain: ADMIN_DOMAIN, descriptors: [descriptor], hitsAddend: 0 };
    return this.#options.limiter.decide(request, { door: 'admin', trace });
  }
}

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

// Whoever sends wrong tokens in bulk shall not fill the queue of the counter store, where decisions wait, too.
const WRONG_WAITING_MAX = 32;

export class AdminGate {
  readonly #options: AdminGateOptions;
  #wrongWaiting = 0;

  constructor(options: AdminGateOptions) {
    this.#options = options;
  }

  /** @throws Undecidable when the counters cannot be reached, or too many wrong tokens wait for them */
  admit(presented: Presented): Promise<Admission> {
    const admin = this.#options.tokens.adminOf(presented.token);
    return admin === undefined ? this.#refuse(presented) : this.#admit(admin, presented);
  }

  async #refuse({ address, trace }: Presented): Promise<Admission> {
    if (this.#wrongWaiting >= WRONG_WAITING_MAX) {
      throw new Undecidable('STORE_BUSY', 'too many wrong tokens wait for the counter store');
    }
    this.#wrongWaiting += 1;
    try {
      const { decision, answer } = await this.#decide(ADMIN_ADDRESS, address, 1, trace);
      return { kind: decision.allowed ? 'wrong' : 'limited', answer };
    } finally {
      this.#wrongWaiting -= 1;
    }
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

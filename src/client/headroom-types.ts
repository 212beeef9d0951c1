/** What /v1 takes and answers, as it stands on the wire. Times are ISO 8601, unless they say otherwise. */

export type KeyType = 'secret' | 'publishable';
export type KeyStatus = 'active' | 'disabled' | 'revoked';

export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly type: KeyType;
  readonly prefix: string;
  /** 0: the policy's default. */
  readonly rate_limit_per_minute: number;
  /** 0: the policy's default. */
  readonly rate_limit_per_day: number;
  readonly status: KeyStatus;
  readonly expires_at: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  /** One more with every change. */
  readonly version: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface KeyCreation {
  readonly name: string;
  /** Default: secret. */
  readonly type?: KeyType;
  readonly rate_limit_per_minute?: number;
  readonly rate_limit_per_day?: number;
  readonly expires_at?: string | null;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly status?: 'active' | 'disabled';
}

/** What is absent stays. */
export interface KeyChange {
  readonly name?: string;
  readonly rate_limit_per_minute?: number;
  readonly rate_limit_per_day?: number;
  readonly status?: 'active' | 'disabled';
  /** null: never. */
  readonly expires_at?: string | null;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface CreatedKey extends KeyRecord {
  /** Shown this once. */
  readonly key: string;
}

export interface RotatedKey extends CreatedKey {
  /** Until when the key before is good; null: not any more. */
  readonly previous_key_expires_at: string | null;
}

export interface KeyQuery {
  readonly type?: KeyType;
  readonly status?: KeyStatus;
  /** How the name begins. */
  readonly name?: string;
  readonly sort?: 'created_at' | '-created_at' | 'name' | '-name';
}

export interface WindowUsage {
  readonly name: string;
  readonly seconds: number;
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  readonly reset_seconds: number;
  /** Unix second. */
  readonly reset_at: number;
}

export interface KeyUsage {
  readonly id: string;
  readonly policies: readonly {
    readonly domain: string;
    readonly policy: string;
    readonly windows: readonly WindowUsage[];
  }[];
}

/** Nothing named: every window in every domain. */
export interface KeyReset {
  readonly window?: string;
  readonly domain?: string;
}

export interface AuditEntry {
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** At least one of them. */
export interface AdminLimitReset {
  /** What wrong tokens from there have used. */
  readonly address?: string;
  /** What the presented token has used. */
  readonly token?: true;
}

export interface AdminLimitResetAnswer {
  readonly reset: readonly { readonly limit: string; readonly value: string }[];
}

export interface CheckDescriptor {
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  /** The cost for this descriptor; 0 reads without charging. */
  readonly hits_addend?: number;
}

/** Either `api_key` or `descriptors`. */
export interface CheckRequest {
  readonly domain?: string;
  readonly descriptors?: readonly CheckDescriptor[];
  readonly api_key?: string;
  readonly hits?: number;
}

/** A denial is an answer like any other. */
export interface CheckAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  readonly windows: readonly {
    /** Which descriptor of the request it belongs to, from 0. */
    readonly descriptor: number;
    readonly name: string;
    readonly limit: number;
    readonly remaining: number;
    readonly reset_seconds: number;
    /** Unix second. */
    readonly reset_at: number;
  }[];
  /** For the caller who is decided about. */
  readonly headers: Readonly<Record<string, string>>;
  readonly retry_after_seconds?: number;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** What a case file may hold, checked as it is read: a misspelled field would be a claim that nothing checks. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** Lines of a configuration file by its name. */
const Files = z.record(z.string(), z.array(z.string()));
const Environment = z.record(z.string(), z.string());
const Entries = z.array(z.tuple([z.string(), z.string()]));
const Unit = z.enum(['UNKNOWN_UNIT', 'SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR', 'WEEK']);
const Counters = z.record(z.string(), z.number());

const AskedDescriptor = z.strictObject({
  entries: Entries,
  hits_addend: z.union([z.number(), z.string()]).optional(),
  limit: z.strictObject({ requests_per_unit: z.number(), unit: z.union([Unit, z.number()]) }).optional(),
});
const Call = z.strictObject({
  domain: z.string(),
  descriptors: z.array(AskedDescriptor),
  hits_addend: z.number().optional(),
});
const Request = z.strictObject({
  method: z.string().optional(),
  path: z.string(),
  body: z.string().optional(),
  port: z.enum(['http', 'debug']).optional(),
});
const Refusal = z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string().optional() }) });
const Status = z.strictObject({
  code: z.enum(['OK', 'OVER_LIMIT']),
  no_limit: z.literal(true).optional(),
  requests_per_unit: z.number().optional(),
  unit: Unit.optional(),
  name: z.string().optional(),
  limit_remaining: z.number(),
});
const Answer = z.strictObject({
  overall_code: z.enum(['OK', 'OVER_LIMIT']).optional(),
  statuses: z.array(Status).optional(),
  headers: z.array(z.tuple([z.string(), z.string()])).optional(),
  dynamic_metadata: z.union([z.json(), z.null()]).optional(),
});
const HttpAnswer = z.strictObject({
  status: z.number(),
  content_type: z.string().optional(),
  text: z.string().optional(),
  json: z.json().optional(),
});

const timing = {
  at_second: z.number().optional(),
  within_ms: z.number().optional(),
  /** What the Go service answers instead; of no use to this runner. */
  reference: z.unknown().optional(),
};
const Step = z.union([
  z.strictObject({ call: Call, expect: z.union([Refusal, Answer]).optional(), ...timing }),
  z.strictObject({ http: Request, expect: HttpAnswer.optional(), ...timing }),
  z.strictObject({
    health: z.string(),
    expect: z.union([Refusal, z.strictObject({ status: z.string() })]).optional(),
    ...timing,
  }),
  z.strictObject({
    counter: z.strictObject({ domain: z.string(), entries: Entries, unit: Unit }),
    expect: z.number(),
    ...timing,
  }),
  z.strictObject({ reload: z.record(z.string(), z.array(z.string()).nullable()), ...timing }),
  z.strictObject({ restart: Environment, ...timing }),
  z.strictObject({ store: z.enum(['break', 'stop', 'start']), ...timing }),
]);

const ConformanceCase = z.strictObject({
  name: z.string(),
  files: Files,
  env: Environment.optional(),
  align: z.enum(['second', 'minute']).optional(),
  steps: z.array(Step).min(1),
  no_new_keys: z.literal(true).optional(),
  config_error: z.strictObject({ files: z.array(z.string()), message: z.string().optional() }).optional(),
  stats: z
    .strictObject({ equal: Counters.optional(), at_least: Counters.optional(), absent: z.array(z.string()).optional() })
    .optional(),
  divergence: z.string().optional(),
  reference: z.string().optional(),
  quirk: z.string().optional(),
  source: z.string().optional(),
  was: z.string().optional(),
  origin: z.string().optional(),
});

export type ConformanceCase = z.infer<typeof ConformanceCase>;
export type Step = z.infer<typeof Step>;
export type Call = z.infer<typeof Call>;
export type HttpRequest = z.infer<typeof Request>;
export type ExpectedAnswer = z.infer<typeof Answer>;
export type ExpectedRefusal = z.infer<typeof Refusal>;
export type ExpectedHttp = z.infer<typeof HttpAnswer>;
export type ExpectedStats = NonNullable<ConformanceCase['stats']>;

const FOLDER = fileURLToPath(new URL('cases/', import.meta.url));

/**
 * The cases of all files whose name `isWanted`, in the order of the names.
 *
 * @throws Error naming the file and the place in it that is not of the format
 */
export function loadCases(isWanted: (file: string) => boolean): ConformanceCase[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json') && isWanted(file));
  return files.sort().flatMap((file) => {
    const parsed = z.array(ConformanceCase).safeParse(JSON.parse(readFileSync(FOLDER + file, 'utf8')));
    if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  });
}

/** Mappings that operators write: PROMETHEUS_MAPPER_YAML, in the form of statsd_exporter. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { StatsConfigError } from './config.ts';
import { compiledPattern, filledIn, foundBy } from './mogrifiers.ts';
import type { StatName } from './names.ts';
import {
  isOwnMetric,
  type Mappings,
  type MetricType,
  metricNameOf,
  plainSeries,
  type SeriesName,
} from './prometheus-mapping.ts';

const VARIABLE = 'PROMETHEUS_MAPPER_YAML';

const matchType = z.enum(['glob', 'regex']);
// Summaries are not offered: quantiles of several replicas cannot be put together.
const observerType = z.literal('histogram', { error: "expected 'histogram': summaries are not offered" });
const buckets = z.array(z.number()).min(1);
const histogram = {
  timer_type: observerType.optional(),
  observer_type: observerType.optional(),
  buckets: buckets.optional(),
  histogram_options: z.strictObject({ buckets: buckets.optional() }).optional(),
};

const mappingSchema = z.strictObject({
  match: z.string().min(1),
  match_type: matchType.optional(),
  match_metric_type: z.enum(['counter', 'gauge', 'observer', 'timer']).optional(),
  name: z
    .string()
    .regex(
      /^(?!headroom_|target_info$)[a-zA-Z_$][a-zA-Z0-9_${}]*$/,
      "expected a metric's name, and not one of Headroom's own",
    )
    .optional(),
  labels: z
    .record(z.string().regex(/^(?!__|le$)[a-zA-Z_][a-zA-Z0-9_]*$/, "expected a label's name, and not le"), z.string())
    .optional(),
  help: z.string().optional(),
  action: z.enum(['map', 'drop']).optional(),
  ...histogram,
});

const fileSchema = z.strictObject({
  defaults: z.strictObject({ match_type: matchType.optional(), ...histogram }).optional(),
  mappings: z.array(mappingSchema),
});

type Rule = z.infer<typeof mappingSchema>;
type File = z.infer<typeof fileSchema>;

/** @throws StatsConfigError if it cannot be read, or asks for what is not offered */
export function readMappings(path: string): Mappings {
  const file = readFile(path);
  const compiled = file.mappings.map((rule, index) => compileRule(rule, file, `${path}: mappings[${index}]`));
  // As statsd_exporter: a glob that matches counts before every regular expression.
  const rules = [...compiled.filter(({ isGlob }) => isGlob), ...compiled.filter(({ isGlob }) => !isGlob)];
  return {
    labels: new Set(file.mappings.flatMap(({ labels = {} }) => Object.keys(labels))),
    seriesOf(name, type) {
      for (const rule of rules) {
        const found = rule.types.has(type) ? rule.match(name) : undefined;
        if (found !== undefined) return rule.series(name, found);
      }
      return plainSeries(name);
    },
  };
}

function readFile(path: string): File {
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new StatsConfigError(VARIABLE, `${path}: ${(error as Error).message}`, { cause: error });
  }
  const parsed = fileSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const message = issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message;
  throw new StatsConfigError(VARIABLE, `${path}: ${issue?.path.join('.')}: ${message}`);
}

interface CompiledRule {
  readonly isGlob: boolean;
  readonly types: ReadonlySet<MetricType>;
  /** @returns the whole name, and what stood in the place of each `*` or group */
  match(name: StatName): readonly string[] | undefined;
  series(name: StatName, found: readonly string[]): SeriesName | undefined;
}

function compileRule(rule: Rule, { defaults }: File, where: string): CompiledRule {
  const { name, match, labels = {}, help, action, match_metric_type: metricType } = rule;
  if (name === undefined && action !== 'drop') throw new StatsConfigError(VARIABLE, `${where}.name: is required`);
  const bucketsOf = ({ histogram_options, buckets }: Partial<Rule>) => histogram_options?.buckets ?? buckets;
  const isGlob = (rule.match_type ?? defaults?.match_type ?? 'glob') === 'glob';
  return {
    isGlob,
    types: typesOf(metricType),
    match: isGlob ? globOf(match) : regexOf(match),
    series(stat, found) {
      if (action === 'drop' || name === undefined) return undefined;
      // Where groups took no part, nothing may be left of a name.
      const metric = metricNameOf(filledIn(name, found)) || plainSeries(stat).metric;
      // What a caller has chosen may be one of Headroom's own names.
      if (isOwnMetric(metric)) return undefined;
      const filled = Object.entries(labels).map(([label, value]) => [label, filledIn(value, found)] as const);
      return {
        metric,
        labels: Object.fromEntries(filled),
        buckets: bucketsOf(rule) ?? bucketsOf(defaults ?? {}),
        help,
      };
    },
  };
}

function typesOf(metricType: Rule['match_metric_type']): ReadonlySet<MetricType> {
  if (metricType === undefined) return new Set(['counter', 'gauge', 'timer']);
  return new Set([metricType === 'observer' ? 'timer' : metricType]);
}

/** `*` stands for one part. A domain is one, whatever dots it has; written out with its dots it is found, too. */
function globOf(match: string): CompiledRule['match'] {
  const pattern = match.split('.');
  return ({ full, parts }) => matchParts(pattern, full, parts) ?? matchParts(pattern, full, full.split('.'));
}

function matchParts(pattern: readonly string[], full: string, parts: readonly string[]): string[] | undefined {
  if (pattern.length !== parts.length) return undefined;
  const found = [full];
  for (const [index, part] of parts.entries()) {
    if (pattern[index] === '*') found.push(part);
    else if (pattern[index] !== part) return undefined;
  }
  return found;
}

function regexOf(match: string): CompiledRule['match'] {
  const expression = compiledPattern(VARIABLE, match);
  return ({ full }) => foundBy(expression, full);
}

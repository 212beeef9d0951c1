/** As much of JSON Schema 2020-12 as the published schema uses; a keyword beyond that is an error, not a pass. */

export type Schema = Readonly<Record<string, unknown>>;

/** Says nothing about a value. */
const ANNOTATIONS = new Set(['$schema', '$defs', 'title', 'description', 'default']);

type Rule = (value: unknown, expected: never, schema: Schema, root: Schema) => boolean;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One rule a keyword; each passes what its keyword does not speak of. */
const RULES: Readonly<Record<string, Rule>> = {
  type: (value, type: string) => {
    if (type === 'object') return isObject(value);
    if (type === 'array') return Array.isArray(value);
    if (type === 'integer') return Number.isInteger(value);
    return typeof value === type;
  },
  enum: (value, allowed: readonly unknown[]) => allowed.includes(value),
  minimum: (value, least: number) => typeof value !== 'number' || value >= least,
  maximum: (value, most: number) => typeof value !== 'number' || value <= most,
  minLength: (value, least: number) => typeof value !== 'string' || [...value].length >= least,
  maxLength: (value, most: number) => typeof value !== 'string' || [...value].length <= most,
  pattern: (value, pattern: string) => typeof value !== 'string' || new RegExp(pattern, 'u').test(value),
  minItems: (value, least: number) => !Array.isArray(value) || value.length >= least,
  maxItems: (value, most: number) => !Array.isArray(value) || value.length <= most,
  items: (value, each: Schema, _, root) => !Array.isArray(value) || value.every((item) => isValid(each, item, root)),
  required: (value, keys: readonly string[]) => !isObject(value) || keys.every((key) => Object.hasOwn(value, key)),
  properties: (value, schemas: Readonly<Record<string, Schema>>, _, root) =>
    !isObject(value) ||
    Object.entries(schemas).every(([key, each]) => !Object.hasOwn(value, key) || isValid(each, value[key], root)),
  additionalProperties: (value, allowed: boolean, { properties = {} }) =>
    allowed || !isObject(value) || Object.keys(value).every((key) => Object.hasOwn(properties as object, key)),
  $ref: (value, pointer: string, _, root) => isValid(resolve(root, pointer), value, root),
};

/** @throws Error for a keyword that is not known here */
export function isValid(schema: Schema, value: unknown, root: Schema = schema): boolean {
  return Object.entries(schema).every(([keyword, expected]) => {
    if (ANNOTATIONS.has(keyword)) return true;
    const rule = RULES[keyword];
    if (rule === undefined) throw new Error(`the keyword ${keyword} is not checked`);
    return rule(value, expected as never, schema, root);
  });
}

function resolve(root: Schema, pointer: string): Schema {
  const found = pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((node, step) => (node as Schema)[step], root);
  if (!isObject(found)) throw new Error(`${pointer} leads nowhere`);
  return found;
}

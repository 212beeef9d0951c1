/** Writes the JSON Schema of policy files, for editors: docs/policy.schema.json, or the file that is named. */
import { writeFileSync } from 'node:fs';
import { type Key, ROOT, type Shape } from '../src/adapters/policy-file/schema.ts';

const [file = 'docs/policy.schema.json'] = process.argv.slice(2);

/** Each shape once, by the path of the key that it first stands at. */
const definitions = new Map<Shape, { readonly name: string; content: object }>();

function shapeSchema(shape: Shape): object {
  return {
    type: 'object',
    properties: Object.fromEntries([...shape.keys].map(([name, key]) => [name, keySchema(name, key)])),
    ...(shape.required.length === 0 ? {} : { required: shape.required }),
    additionalProperties: false,
  };
}

function reference(name: string, shape: Shape): object {
  const known = definitions.get(shape);
  if (known !== undefined) return { $ref: `#/$defs/${known.name}` };
  const definition = {
    name: [...definitions.values()].some((each) => each.name === name) ? `${name}_2` : name,
    content: {},
  };
  // Before its content, which may refer to it.
  definitions.set(shape, definition);
  definition.content = shapeSchema(shape);
  return { $ref: `#/$defs/${definition.name}` };
}

function keySchema(name: string, key: Key): object {
  return { ...(key.description === undefined ? {} : { description: key.description }), ...typeSchema(name, key) };
}

function typeSchema(name: string, key: Key): object {
  switch (key.type) {
    case 'text':
      return {
        type: 'string',
        ...(key.lengthMin === undefined ? {} : { minLength: key.lengthMin }),
        ...(key.lengthMax === undefined ? {} : { maxLength: key.lengthMax }),
        ...(key.pattern === undefined ? {} : { pattern: key.pattern.matches.source }),
      };
    case 'enum':
      return { type: 'string', enum: key.words };
    case 'flag':
      return { type: 'boolean' };
    case 'count':
      return { type: 'integer', minimum: 0, maximum: key.max };
    case 'free':
      return { type: 'object' };
    case 'map':
      return reference(name, key.shape());
    case 'list':
      return {
        type: 'array',
        ...(key.itemsMin === undefined ? {} : { minItems: key.itemsMin }),
        ...(key.itemsMax === undefined ? {} : { maxItems: key.itemsMax }),
        items: reference(name, key.shape()),
      };
  }
}

const root = shapeSchema(ROOT);
const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Headroom policy file',
  ...root,
  $defs: Object.fromEntries([...definitions.values()].map(({ name, content }) => [name, content])),
};
writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);

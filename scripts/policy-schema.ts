/** Writes the JSON Schema of policy files, for editors: docs/policy.schema.json, or the file that is named. */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { policySchema } from '../src/adapters/policy-file/schema.ts';

const [file = 'docs/policy.schema.json'] = process.argv.slice(2);
writeFileSync(file, `${JSON.stringify(z.toJSONSchema(policySchema), null, 2)}\n`);

/** Sends property-based requests, made from /openapi.json, to the built service: no 5xx, and no answer that the document does not allow. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DOCUMENTED_POLICY, TestService } from '../test/support/service.ts';

// The built-in limits would end the run in its first seconds.
const ADMIN_POLICY = `
domain: headroom_admin
descriptors:
  - key: admin_token
    limits: [ { requests: 4294967295, per: minute } ]
  - key: admin_address
    limits: [ { requests: 4294967295, per: minute } ]
`;
const SECONDS_MAX = 120;
/**
 * Not among them: that whatever the document allows is accepted, since it cannot say what the policies, the record and
 * its version allow; that what was deleted is gone, since a revoked key stays to be seen; and that Allow names only
 * documented methods, since /v1/keys/lookup is an id, too.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'missing_required_header',
  'unsupported_method',
  'ignored_auth',
];

/** 413 is a refusal, too: what breaks `maxItems` may be longer than any body may be. */
const SETTINGS = `
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "404", "405", "409", "412", "413", "415"]
`;

const [schemathesis, ...args] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'headroom-schemathesis-'));
copyFileSync(DOCUMENTED_POLICY, join(folder, 'policy.yaml'));
writeFileSync(join(folder, 'admin.yaml'), ADMIN_POLICY);
writeFileSync(join(folder, 'schemathesis.toml'), SETTINGS);
const token = randomBytes(24).toString('base64url');
const service = await TestService.start({ POLICY_PATH: folder, ADMIN_TOKEN: token });
const options = ['--checks', CHECKS.join(), '--max-time', String(SECONDS_MAX), '--no-color'];
const run = spawn(
  schemathesis as string,
  ['run', `${service.http}/openapi.json`, ...options, '--header', `Authorization: Bearer ${token}`, ...args],
  { cwd: folder, stdio: 'inherit' }, // where it leaves what it remembers
);
const [code] = (await once(run, 'exit')) as [number | null];
await service.stop();
rmSync(folder, { recursive: true });
const errors = service.output.split('\n').filter((line) => line.includes('"level":"error"'));
const passed = code === 0 && errors.length === 0;
process.stdout.write([...errors, `schemathesis: ${passed ? 'passed' : 'failed'}`, ''].join('\n'));
process.exit(passed ? 0 : 1);

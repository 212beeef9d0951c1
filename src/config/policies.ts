/** Where the policies come from: POLICY_PATH, or the reference's runtime directory. */
import { type Env, EnvError } from './env.ts';

export type PolicySourceConfig =
  | {
      readonly type: 'path';
      /** A file or a directory. */
      readonly path: string;
    }
  | {
      /** The directory `root/subdirectory/appDirectory`. */
      readonly type: 'runtime';
      readonly root: string;
      readonly subdirectory: string;
      readonly appDirectory: string;
      /** Followed is the symbolic link `root`; otherwise the directory. */
      readonly watchRoot: boolean;
      readonly ignoreDotFiles: boolean;
    };

export interface PoliciesConfig {
  readonly source: PolicySourceConfig;
  /** Several files may hold rules of one domain. */
  readonly mergeDomains: boolean;
  /** The ports open whether or not policies could be loaded. */
  readonly startWithoutPolicies: boolean;
  /** Health is down while no policy is in force. */
  readonly healthNeedsPolicies: boolean;
}

const RUNTIME = [
  'RUNTIME_ROOT',
  'RUNTIME_SUBDIRECTORY',
  'RUNTIME_APPDIRECTORY',
  'RUNTIME_WATCH_ROOT',
  'RUNTIME_IGNOREDOTFILES',
] as const;

/** @throws EnvError */
export function policiesOf(env: Env): PoliciesConfig {
  return {
    source: sourceOf(env),
    mergeDomains: env.MERGE_DOMAIN_CONFIG,
    startWithoutPolicies: env.FORCE_START_WITHOUT_INITIAL_CONFIG,
    healthNeedsPolicies: env.HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED,
  };
}

function sourceOf(env: Env): PolicySourceConfig {
  const runtime = RUNTIME.find((name) => env.given.has(name));
  const path = env.POLICY_PATH;
  if (path !== undefined && runtime !== undefined)
    throw new EnvError('POLICY_PATH', `contradicts ${runtime}: unset one of them`);
  if (path !== undefined) return { type: 'path', path };
  if (runtime === undefined)
    throw new EnvError('POLICY_PATH', 'is required, or RUNTIME_ROOT: a policy file or a directory of them');
  // The reference would watch nothing, load nothing, and let everything pass.
  if (env.RUNTIME_WATCH_ROOT && env.RUNTIME_SUBDIRECTORY === '')
    throw new EnvError('RUNTIME_SUBDIRECTORY', 'is required with RUNTIME_WATCH_ROOT=true, which is the default');
  return {
    type: 'runtime',
    root: env.RUNTIME_ROOT,
    subdirectory: env.RUNTIME_SUBDIRECTORY,
    appDirectory: env.RUNTIME_APPDIRECTORY,
    watchRoot: env.RUNTIME_WATCH_ROOT,
    ignoreDotFiles: env.RUNTIME_IGNOREDOTFILES,
  };
}

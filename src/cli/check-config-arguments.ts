/** The arguments of `headroom check-config`: Headroom's own, and those of envoyproxy/ratelimit's checker. */
import { parseBool } from '../config/parse-value.ts';

export interface CheckConfigArguments {
  readonly path: string;
  /** Whether `path` is a directory of which every file is a policy, as with -config_dir; else it is what POLICY_PATH may be. */
  readonly everyFile: boolean;
  readonly mergeDomains: boolean;
}

const FLAG = /^--?(config_dir|merge_domain_configs)(?:=(.*))?$/s;

/** @returns undefined for what makes no sense */
export function checkConfigArguments(args: readonly string[]): CheckConfigArguments | undefined {
  const rest = [...args];
  const paths: string[] = [];
  let directory: string | undefined;
  let mergeDomains: boolean | undefined = false;
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [, flag, value] = FLAG.exec(argument) ?? [];
    if (flag === 'config_dir') directory = value ?? rest.shift() ?? '';
    else if (flag !== undefined) mergeDomains = parseBool(value ?? 'true');
    else if (argument.startsWith('-')) return undefined;
    else paths.push(argument);
  }
  const [path, ...more] = directory === undefined ? paths : [directory, ...paths];
  if (!path || more.length > 0 || mergeDomains === undefined) return undefined;
  return { path, everyFile: directory !== undefined, mergeDomains };
}

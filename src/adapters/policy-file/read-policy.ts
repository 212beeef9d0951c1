/** Reads policy files into one set, or says in which file, line and key the first mistake is. */
import { compilePolicy } from '../../core/compile-policy.ts';
import type { DescriptorDefinition, PolicyDefinition } from '../../core/definition.ts';
import { PolicyError } from '../../core/errors.ts';
import type { DomainPolicy, PolicySet } from '../../core/policy.ts';
import { ContentError, offsetOf, type Path, readContent } from './content.ts';
import { type PolicyFault, PolicyFileError } from './policy-file-error.ts';
import { type PolicyPlace, type PolicyText, readTexts } from './policy-place.ts';
import { YamlError, YamlText } from './yaml-text.ts';

export interface SetOptions {
  /** Files of one domain add up; otherwise a second one is an error. */
  readonly mergeDomains: boolean;
}

/**
 * The set of `POLICY_PATH`, or of another place.
 * @throws PolicyFileError when anything in any file is wrong; there are no partial sets. ChangedMeanwhile
 */
export function readPolicies(place: PolicyPlace | string, options: SetOptions = { mergeDomains: false }): PolicySet {
  return parsePolicies(readTexts(typeof place === 'string' ? { type: 'path', path: place } : place), options);
}

/** @throws PolicyFileError */
export function parsePolicies(texts: readonly PolicyText[], options: SetOptions): PolicySet {
  const policies = new Map<string, DomainPolicy>();
  for (const { name, text } of texts) {
    const policy = parsePolicy(text, name, policies, options);
    policies.set(policy.domain, policy);
  }
  return policies;
}

/**
 * @param file its name, for messages
 * @param others the policies that it is to stand beside
 * @returns the policy of its domain; with `mergeDomains`, what `others` has of that domain included
 */
export function parsePolicy(
  text: string,
  file: string,
  others: PolicySet = new Map(),
  { mergeDomains }: SetOptions = { mergeDomains: false },
): DomainPolicy {
  const source = new SourceFile(file, text);
  const { definition } = source;
  try {
    const other = others.get(definition.domain);
    if (other !== undefined && !mergeDomains) {
      throw new PolicyError(['domain'], `duplicate domain '${definition.domain}' in config file`);
    }
    if (definition.headers === 'ietf') refuseUnspeakableNames(definition.descriptors, ['descriptors']);
    return compilePolicy(definition, other);
  } catch (error) {
    if (error instanceof PolicyError) throw source.fault('meaning', error.path, error.message);
    throw error;
  }
}

/** A file's text and its content. What finds the lines of mistakes is not kept: it is several times as large as both. */
class SourceFile {
  readonly definition: PolicyDefinition;
  readonly #file: string;
  readonly #text: string;

  /** @throws PolicyFileError */
  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    try {
      this.definition = readContent(new YamlText(text));
    } catch (error) {
      if (error instanceof ContentError) throw this.#faultAt('form', error.offset, error.path, error.message);
      if (!(error instanceof YamlError)) throw error;
      throw this.#faultAt('form', error.offset, [], `error loading config file: yaml: ${error.message}`);
    }
  }

  fault(fault: PolicyFault, path: Path, message: string): PolicyFileError {
    return this.#faultAt(fault, offsetOf(new YamlText(this.#text), path), path, message);
  }

  #faultAt(fault: PolicyFault, offset: number, path: Path, message: string): PolicyFileError {
    const line = this.#text.slice(0, offset).split(/\r\n?|\n/).length;
    const where = path.length === 0 ? '' : ` ${keyText(path)}:`;
    return new PolicyFileError(fault, `${this.#file}:${line}:${where} ${message}`);
  }
}

/** The style `ietf` writes names into header fields. Elsewhere a rate_limit may be named by any text. */
function refuseUnspeakableNames(descriptors: readonly DescriptorDefinition[] | undefined, path: Path): void {
  descriptors?.forEach(({ rate_limit, descriptors: next }, index) => {
    if (!/^[\x20-\x7e]{0,64}$/.test(rate_limit?.name ?? '')) {
      const message = 'with `headers: ietf` a window is named by 1 to 64 printable ASCII characters';
      throw new PolicyError([...path, index, 'rate_limit', 'name'], message);
    }
    refuseUnspeakableNames(next, [...path, index, 'descriptors']);
  });
}

function keyText(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

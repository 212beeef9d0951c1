/** Reads policy files into one set, or says in which file, line and key the first mistake is. */
import { PolicyCompiler } from '../../core/compile-policy.ts';
import type { PolicyDefinition } from '../../core/definition.ts';
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
export function parsePolicies(texts: readonly PolicyText[], { mergeDomains }: SetOptions): PolicySet {
  const compilers = new Map<string, PolicyCompiler>();
  for (const { name, text } of texts) addFile(new SourceFile(name, text), compilers, mergeDomains);
  return new Map([...compilers].map(([domain, compiler]) => [domain, compiler.policy()]));
}

/**
 * @param file its name, for messages
 * @throws PolicyFileError
 */
export function parsePolicy(text: string, file: string): DomainPolicy {
  const [policy] = parsePolicies([{ name: file, text }], { mergeDomains: false }).values();
  return policy as DomainPolicy;
}

function addFile(source: SourceFile, compilers: Map<string, PolicyCompiler>, mergeDomains: boolean): void {
  const { definition } = source;
  const { domain } = definition;
  try {
    const others = compilers.get(domain);
    if (others !== undefined && !mergeDomains) {
      throw new PolicyError(['domain'], `duplicate domain '${domain}' in config file`);
    }
    const compiler = others ?? new PolicyCompiler(domain);
    compiler.add(definition);
    compilers.set(domain, compiler);
  } catch (error) {
    if (error instanceof PolicyError) throw source.fault('meaning', error.path, error.message);
    throw error;
  }
}

// For a line of a log: keys may be nested a thousand deep, and texts be as long as their file.
const KEY_MAX = 300;
const MESSAGE_MAX = 500;

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
    const key = keyText(path);
    const where = key === '' ? '' : ` ${key.length > KEY_MAX ? `…${key.slice(-KEY_MAX)}` : key}:`;
    const told = message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX)}…` : message;
    return new PolicyFileError(fault, `${this.#file}:${line}:${where} ${told}`);
  }
}

function keyText(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

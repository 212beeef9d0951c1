/** Reads policy files into one set, or says in which file, line and key the first mistake is. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isMap, isScalar, LineCounter, type Node, type Pair, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { compilePolicy } from '../../core/compile-policy.ts';
import { PolicyError } from '../../core/errors.ts';
import type { DomainPolicy, PolicySet } from '../../core/policy.ts';
import { policySchema, TEXT_KEYS } from './schema.ts';

/** A whole set that cannot be used; the message begins with `file:line: key: `. */
export class PolicyFileError extends Error {
  readonly code = 'POLICY_INVALID';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PolicyFileError';
  }
}

type Path = readonly (string | number)[];

/**
 * @param path a file, or a directory of which every *.yaml and *.yml is read (dot files are not)
 * @throws PolicyFileError when anything in any file is wrong; there are no partial sets
 */
export function readPolicies(path: string): PolicySet {
  const policies = new Map<string, DomainPolicy>();
  for (const file of policyFiles(path)) {
    const policy = parsePolicy(readText(file), file, policies);
    policies.set(policy.domain, policy);
  }
  return policies;
}

/**
 * @param file its name, for messages
 * @param others the policies that it is to stand beside
 */
export function parsePolicy(text: string, file: string, others: PolicySet = new Map()): DomainPolicy {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.1', merge: true, lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken) throw new PolicyFileError(`${file}:${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  keepTextAsWritten(document);
  const parsed = policySchema.safeParse(resolved(document, file));
  if (!parsed.success) throw fileError(file, document, lines, ...firstIssue(parsed.error, document));
  try {
    const policy = compilePolicy(parsed.data);
    if (others.has(policy.domain)) {
      throw new PolicyError(['domain'], `duplicate domain '${policy.domain}' in config file`);
    }
    return policy;
  } catch (error) {
    if (error instanceof PolicyError) throw fileError(file, document, lines, error.path, error.message);
    throw error;
  }
}

/** The plain content, anchors and merge keys resolved. */
function resolved(document: Document, file: string): unknown {
  try {
    return (
      document.toJS({ maxAliasCount: ALIASES_MAX, reviver: (_, value) => (value === null ? undefined : value) }) ?? {}
    );
  } catch (error) {
    throw new PolicyFileError(`${file}:1: ${(error as Error).message}`, { cause: error });
  }
}

// Enough for every rule of a large file to share an anchor; a document that expands further is an attack or a mistake.
const ALIASES_MAX = 10_000;

/** Whether a file of this name in a directory of policies is one of them. */
export function isPolicyFile(name: string): boolean {
  return /^[^.].*\.ya?ml$/.test(name);
}

function policyFiles(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter(isPolicyFile);
    if (names.length === 0) throw new PolicyFileError(`${path}: no *.yaml file in this directory`);
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(path: string, error: unknown): PolicyFileError {
  if (error instanceof PolicyFileError) return error;
  return new PolicyFileError(`${path}: cannot read: ${(error as Error).message}`, { cause: error });
}

function keepTextAsWritten(document: Document): void {
  visit(document, {
    Pair(_, pair: Pair) {
      if (!isScalar(pair.key) || !TEXT_KEYS.has(String(pair.key.value)) || !isScalar(pair.value)) return;
      if (typeof pair.value.value === 'number' && !Number.isInteger(pair.value.value)) return;
      // Nothing at all after the colon is no text, and so no value.
      if (pair.value.source) pair.value.value = pair.value.source;
    },
  });
}

/** The issue that stands first in the file, as path and message. */
function firstIssue(error: z.ZodError, document: Document): [Path, string] {
  const issues = error.issues.map(described);
  const at = ([path]: [Path, string]) => offsetOf(document.contents, path);
  return issues.toSorted((a, b) => at(a) - at(b))[0] as [Path, string];
}

function described(issue: z.core.$ZodIssue): [Path, string] {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  if (issue.code !== 'unrecognized_keys') return [path, issue.message];
  const key = issue.keys[0] as string;
  return [[...path, key], `config error, unknown key '${key}'`];
}

function fileError(file: string, document: Document, lines: LineCounter, path: Path, message: string): PolicyFileError {
  const offset = offsetOf(document.contents, path);
  const where = path.length === 0 ? '' : ` ${keyText(path)}:`;
  return new PolicyFileError(`${file}:${lines.linePos(offset).line}:${where} ${message}`);
}

/** Where the key that `path` leads to is written; where the deepest existing one is, if that is missing. */
function offsetOf(contents: unknown, path: Path): number {
  let node = contents;
  let offset = (contents as Node | null)?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!pair) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else {
      node = (node as { items?: unknown[] } | null)?.items?.[Number(step)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    }
  }
  return offset;
}

function keyText(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

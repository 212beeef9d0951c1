/** What a source file reaches for: the modules that it imports, and the clocks and dice that it reads. */
import { parseSync } from '@swc/core';

export interface Import {
  readonly from: string;
  /** Nothing of it is left when the types are gone. */
  readonly typeOnly: boolean;
}

export interface SourceFile {
  readonly imports: readonly Import[];
  /** `Date.now`, `Math.random`, `performance.now`, `new Date` */
  readonly chance: readonly string[];
  /** The file is nothing but types. */
  readonly typesOnly: boolean;
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

const CHANCE = new Set(['Date.now', 'Math.random', 'performance.now']);
const TYPE_DECLARATIONS = new Set(['TsInterfaceDeclaration', 'TsTypeAliasDeclaration']);

/** Every way of naming a module is found: static, re-export, dynamic, and `import('…')` in a type. */
export function readSource(text: string): SourceFile {
  const module = parseSync(text, { syntax: 'typescript', target: 'es2024' }) as unknown as Node;
  const imports: Import[] = [];
  const chance: string[] = [];
  for (const node of nodes(module)) {
    const found = importOf(node);
    if (found !== undefined) imports.push(found);
    const read = chanceOf(node);
    if (read !== undefined) chance.push(read);
  }
  return { imports, chance, typesOnly: (module.body as readonly Node[]).every(isTypeOnly) };
}

function* nodes(value: unknown): Generator<Node> {
  if (typeof value !== 'object' || value === null) return;
  if (typeof (value as Node).type === 'string') yield value as Node;
  for (const child of Object.values(value)) yield* nodes(child);
}

function importOf(node: Node): Import | undefined {
  const source = node.source as { readonly value: string } | null | undefined;
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return source ? { from: source.value, typeOnly: isTypeOnly(node) } : undefined;
    case 'TsImportType':
      return { from: (node.argument as { readonly value: string }).value, typeOnly: true };
    case 'CallExpression': {
      if ((node.callee as Node).type !== 'Import') return undefined;
      const [first] = node.arguments as readonly { readonly expression: Node }[];
      // A computed name could be anything: it is told as such, and no rule allows it.
      return {
        from: first?.expression.type === 'StringLiteral' ? String(first.expression.value) : '?',
        typeOnly: false,
      };
    }
    default:
      return undefined;
  }
}

function chanceOf(node: Node): string | undefined {
  if (node.type === 'NewExpression') {
    const isNow = (node.arguments as readonly unknown[] | null)?.length === 0;
    return isNow && nameOf(node.callee as Node) === 'Date' ? 'new Date' : undefined;
  }
  if (node.type !== 'MemberExpression') return undefined;
  const name = `${nameOf(node.object as Node)}.${nameOf(node.property as Node)}`;
  return CHANCE.has(name) ? name : undefined;
}

function nameOf(node: Node): string {
  return node.type === 'Identifier' ? String(node.value) : '';
}

function isTypeOnly(node: Node): boolean {
  if (node.typeOnly === true || TYPE_DECLARATIONS.has(node.type)) return true;
  if (node.type === 'ExportDeclaration') return TYPE_DECLARATIONS.has((node.declaration as Node).type);
  const specifiers = (node.specifiers ?? []) as readonly { readonly isTypeOnly?: boolean }[];
  return specifiers.length > 0 && specifiers.every(({ isTypeOnly: each }) => each === true);
}

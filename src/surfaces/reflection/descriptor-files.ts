/** The proto files behind the services that are served, found by their names and by the names in them. */
import { type DescFile, type DescMessage, type DescService, toBinary } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/**
 * Our files hold only what is served of upstream's under the same names: what a client learns here is what Headroom
 * reads and writes.
 */
export class DescriptorFiles {
  /** In full, by name. */
  readonly serviceNames: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #messages = new Set<string>();

  constructor(services: readonly DescService[]) {
    this.serviceNames = services.map(({ typeName }) => typeName).sort();
    for (const file of new Set(services.map((service) => service.file))) this.#add(file);
  }

  /** The file of this name and all that it needs, each a FileDescriptorProto in binary; undefined: there is none. */
  byName(name: string): readonly Uint8Array[] | undefined {
    const file = this.#files.get(name);
    return file && withDependencies(file).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  }

  /** The same for the file that declares this message, enum, service, method, field, oneof or value, named in full. */
  bySymbol(symbol: string): readonly Uint8Array[] | undefined {
    return this.byName(this.#symbols.get(symbol)?.proto.name ?? '');
  }

  isMessage(name: string): boolean {
    return this.#messages.has(name);
  }

  #add(file: DescFile): void {
    for (const each of withDependencies(file)) {
      if (this.#files.has(each.proto.name)) continue;
      this.#files.set(each.proto.name, each);
      for (const symbol of symbolsOf(each)) this.#symbols.set(symbol, each);
      for (const { typeName } of messagesOf(each)) this.#messages.add(typeName);
    }
  }
}

/** The file first. */
function withDependencies(file: DescFile): readonly DescFile[] {
  const found = new Map([[file.name, file]]);
  // A map tells what is added while it is walked, too.
  for (const each of found.values()) for (const needed of each.dependencies) found.set(needed.name, needed);
  return [...found.values()];
}

function* symbolsOf(file: DescFile): Generator<string> {
  for (const type of nestedTypes(file)) {
    yield type.typeName;
    if (type.kind === 'service') for (const { name } of type.methods) yield `${type.typeName}.${name}`;
    if (type.kind === 'message')
      for (const { name } of [...type.fields, ...type.oneofs]) yield `${type.typeName}.${name}`;
    // A value's name stands beside its enum, not in it.
    if (type.kind === 'enum') for (const { name } of type.values) yield beside(type.typeName, name);
  }
}

function messagesOf(file: DescFile): readonly DescMessage[] {
  return [...nestedTypes(file)].filter((type) => type.kind === 'message');
}

function beside(typeName: string, name: string): string {
  return `${typeName.slice(0, typeName.lastIndexOf('.') + 1)}${name}`;
}

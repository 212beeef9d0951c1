/** The document at /openapi.json as something to hold answers against. */
import { z } from 'zod';
import { type HttpAnswer, http1 } from './clients-http.ts';

export type Json = { readonly [name: string]: Json };

export class OpenApi {
  readonly document: Json;
  /** Compiled once per operation and status: tests hold every answer against one. */
  readonly #schemas = new Map<string, z.ZodType>();

  private constructor(document: Json) {
    this.document = document;
  }

  /** @param http address of the HTTP port */
  static async of(http: string): Promise<OpenApi> {
    return new OpenApi(JSON.parse((await http1(`${http}/openapi.json`)).text));
  }

  /** What a `$ref` of this document points to. */
  resolve(ref: string): unknown {
    return ref
      .slice(2)
      .split('/')
      .reduce<unknown>((json, step) => (json as Record<string, unknown> | undefined)?.[step], this.document);
  }

  schemaOf(json: unknown): z.ZodType {
    return z.fromJSONSchema(this.#inline(json) as z.core.JSONSchema.JSONSchema);
  }

  /** @param method in lower case @param path as the document writes it */
  responseSchema(method: string, path: string, status: number): z.ZodType {
    const name = `${method} ${path} ${status}`;
    const known = this.#schemas.get(name);
    if (known) return known;
    const responses = this.document.paths?.[path]?.[method]?.responses;
    const response = responses?.[String(status)] ?? responses?.[`${String(status)[0]}XX`];
    if (response === undefined) throw new Error(`the document has no answer ${name}`);
    const content = response.content?.['application/json']?.schema;
    const schema = content === undefined ? z.undefined() : this.schemaOf(content);
    this.#schemas.set(name, schema);
    return schema;
  }

  /** @returns what is wrong with an answer; undefined: nothing */
  mistakesOf(method: string, path: string, { status, text }: HttpAnswer): string | undefined {
    const operation = this.#operationAt(method.toLowerCase(), path.split('?', 1)[0] as string);
    const schema = this.responseSchema(method.toLowerCase(), operation, status);
    const { error } = schema.safeParse(text === '' ? undefined : JSON.parse(text));
    return error && `${method} ${operation} ${status}: ${z.prettifyError(error)}`;
  }

  /** The path of the document that an address meets: one without parameters first. */
  #operationAt(method: string, address: string): string {
    const paths = Object.keys(this.document.paths ?? {}).filter((path) => this.document.paths?.[path]?.[method]);
    const met = paths.filter((path) => new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(address));
    const path = met.find((each) => !each.includes('{')) ?? met[0];
    if (path === undefined) throw new Error(`the document has no ${method} ${address}`);
    return path;
  }

  /** The same schema without references. */
  #inline(json: unknown): unknown {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return json.map((each) => this.#inline(each));
    if ('$ref' in json) return this.#inline(this.resolve(String(json.$ref)));
    return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, this.#inline(value)]));
  }
}

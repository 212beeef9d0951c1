/** The header blocks of the calls on one connection, prepared: fields as Envoy sends them, indexed from the second call on. */
import { METHOD_PATH } from '../workload.ts';
import { entryBytes, TABLE_BYTES } from './hpack-decoder.ts';
import { STATIC_TABLE } from './static-table.ts';

const METHOD_POST = 0x80 | 3;
const SCHEME_HTTP = 0x80 | 6;
const TIMEOUT = 'grpc-timeout';

// The deadline is far off, since calls wait for their turn in a closed loop.
const FIELDS: readonly (readonly [name: string, value: string])[] = [
  [':path', METHOD_PATH],
  [':authority', 'ratelimit'],
  ['te', 'trailers'],
  [TIMEOUT, '30S'],
  ['content-type', 'application/grpc'],
  ['x-envoy-internal', 'true'],
  ['x-forwarded-for', '10.0.0.1'],
  ['x-envoy-expected-rq-timeout-ms', '30000'],
];
const FIELDS_BYTES = FIELDS.reduce((sum, field) => sum + entryBytes(field), 0);

export class RequestHeaders {
  /** Of the first call: what may be indexed is put into the server's table. */
  readonly first: Buffer;
  /** Of all later ones. */
  readonly later: Buffer;
  readonly #isIndexed: boolean;

  /** @param tableBytesMax the server's SETTINGS_HEADER_TABLE_SIZE */
  constructor(tableBytesMax: number) {
    this.#isIndexed = FIELDS_BYTES <= tableBytesMax;
    // A smaller table must be acknowledged before it is used (RFC 7541 §4.2): here by not using any, or by its own size.
    const resize = tableBytesMax >= TABLE_BYTES ? [] : integer(0x20, 5, this.#isIndexed ? tableBytesMax : 0);
    const insert = this.#isIndexed ? LITERAL_INDEXED : LITERAL_PLAIN;
    const head = [METHOD_POST, SCHEME_HTTP];
    const literals = FIELDS.flatMap(([name, value]) => literal(insert, name, value));
    this.first = Buffer.from([...resize, ...head, ...literals]);
    this.later = this.#isIndexed
      ? Buffer.from([...head, ...FIELDS.flatMap((_, at) => indexed(at))])
      : Buffer.from([...head, ...literals]);
  }

  /** Of a later call with a deadline of its own. @param timeout as grpc-timeout has it, such as `5m` */
  laterWithin(timeout: string): Buffer {
    const fields = FIELDS.flatMap(([name, value], at) => {
      if (name === TIMEOUT) return literal(LITERAL_PLAIN, name, timeout);
      return this.#isIndexed ? indexed(at) : literal(LITERAL_PLAIN, name, value);
    });
    return Buffer.from([METHOD_POST, SCHEME_HTTP, ...fields]);
  }
}

/** RFC 7541 §6.2.1 and §6.2.2: how a literal begins, and how many bits of that byte its name's index has. */
type LiteralForm = readonly [pattern: number, bits: number];
const LITERAL_INDEXED: LiteralForm = [0x40, 6];
const LITERAL_PLAIN: LiteralForm = [0x00, 4];

function literal([pattern, bits]: LiteralForm, name: string, value: string): number[] {
  const index = STATIC_TABLE.findIndex(([known]) => known === name) + 1;
  return [...integer(pattern, bits, index), ...(index === 0 ? text(name) : []), ...text(value)];
}

/** The newest field has the first index after the static table. */
function indexed(at: number): number[] {
  return integer(0x80, 7, STATIC_TABLE.length + FIELDS.length - at);
}

/** Without Huffman: it is sent once per connection. */
function text(value: string): number[] {
  return [...integer(0x00, 7, value.length), ...Buffer.from(value, 'latin1')];
}

/** RFC 7541 §5.1. */
function integer(pattern: number, bits: number, value: number): number[] {
  const mask = 2 ** bits - 1;
  if (value < mask) return [pattern | value];
  const bytes = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

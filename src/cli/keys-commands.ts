/** What can be done with keys at the prompt: one entry per command. How its result is printed is given along. */
import { type HeadroomClient, iteratePages, type KeyQuery, type KeyRecord, type Page } from '../client/client.ts';
import { type Arguments, expiryOf, metadataOf, type OptionKinds, present, UsageError } from './keys-arguments.ts';
import { countText, createdText, KEY_COLUMNS, recordText, rotatedText, usageText } from './keys-text.ts';
import { Table } from './table.ts';

export interface CommandContext {
  readonly client: HeadroomClient;
  readonly args: Arguments;
  /** Everything on standard input. */
  readonly readInput: () => Promise<string>;
}

/** What is printed: an object a line for programs, text for people. Lists come in several lots. */
export interface Printed {
  readonly objects: readonly object[];
  readonly text: string;
}

export interface Command {
  /** The operand's name; none: it takes none. */
  readonly operand?: string;
  readonly summary: string;
  /** Lines of the help. */
  readonly help?: readonly string[];
  readonly options?: OptionKinds;
  /** @throws UsageError, HeadroomError, and what fetch throws */
  readonly run: (context: CommandContext, operand: string) => AsyncIterable<Printed> | Promise<Printed>;
}

const TYPES = ['secret', 'publishable'] as const;
const SETTABLE = ['active', 'disabled'] as const;
const STATUSES = [...SETTABLE, 'revoked'] as const;
const SORTS = ['created_at', '-created_at', 'name', '-name'] as const;

const CHANGEABLE: OptionKinds = {
  name: 'text',
  'per-minute': 'number',
  'per-day': 'number',
  status: 'text',
  expires: 'text',
  metadata: 'many',
};
const CHANGEABLE_HELP = [
  '--name TEXT            for people',
  '--per-minute N         requests a minute; 0: what the policy says',
  '--per-day N            requests a day; 0: what the policy says',
  '--status STATUS        active or disabled',
  '--expires TIME         2027-01-31, 2027-01-31T12:00:00Z or never',
  '--metadata NAME=VALUE  as often as needed; all of it is replaced',
];
const IF_VERSION = '--if-version N         only if the key is still at this version';

export const COMMANDS: Readonly<Record<string, Command>> = {
  create: {
    summary: 'create a key, and show it this once',
    help: [
      '--type TYPE            secret (the default) or publishable',
      ...CHANGEABLE_HELP,
      '--idempotency-key KEY  makes the same command again show the same key, for 24 hours',
    ],
    options: { ...CHANGEABLE, type: 'text', 'idempotency-key': 'text' },
    async run({ client, args }) {
      const name = args.text('name');
      if (name === undefined) throw new UsageError('--name is required');
      const creation = { ...changeOf(args), name, ...present({ type: args.choice('type', TYPES) }) };
      const created = await client.createKey(creation, present({ idempotencyKey: args.text('idempotency-key') }));
      return { objects: [created], text: createdText(created) };
    },
  },
  list: {
    summary: 'list keys: all of them, or one page',
    help: [
      '--type TYPE            secret or publishable',
      '--status STATUS        active, disabled or revoked',
      '--name TEXT            how the name begins; sorts by name',
      '--sort ORDER           created_at (the default), -created_at, name or -name',
      '--page N               this page alone',
      '--page-size N          up to 100, the default',
    ],
    options: { type: 'text', status: 'text', name: 'text', sort: 'text', page: 'number', 'page-size': 'number' },
    run: list,
  },
  show: {
    operand: 'ID',
    summary: 'show one key',
    run: async ({ client }, id) => oneRecord(await client.getKey(id)),
  },
  set: {
    operand: 'ID',
    summary: 'change a key; it counts from the next decision on',
    help: [...CHANGEABLE_HELP, IF_VERSION],
    options: { ...CHANGEABLE, 'if-version': 'number' },
    async run({ client, args }, id) {
      const change = changeOf(args);
      if (Object.keys(change).length === 0) throw new UsageError('there is nothing to change');
      return oneRecord(await client.changeKey(id, change, ifVersion(args)));
    },
  },
  revoke: {
    operand: 'ID',
    summary: 'revoke a key for good',
    help: [IF_VERSION],
    options: { 'if-version': 'number' },
    run: async ({ client, args }, id) => oneRecord(await client.revokeKey(id, ifVersion(args))),
  },
  rotate: {
    operand: 'ID',
    summary: 'give a record a new key, and show it this once',
    help: ['--grace SECONDS        how long the key before stays good; default 0', IF_VERSION],
    options: { grace: 'number', 'if-version': 'number' },
    async run({ client, args }, id) {
      const rotated = await client.rotateKey(id, args.number('grace'), ifVersion(args));
      return { objects: [rotated], text: rotatedText(rotated) };
    },
  },
  usage: {
    operand: 'ID',
    summary: 'show what is used and left, window by window',
    async run({ client }, id) {
      const usage = await client.keyUsage(id);
      return { objects: [usage], text: usageText(usage) };
    },
  },
  reset: {
    operand: 'ID',
    summary: 'forget what was used, in all windows or in one',
    help: ['--window NAME          such as minute', '--domain NAME          in one domain alone'],
    options: { window: 'text', domain: 'text' },
    async run({ client, args }, id) {
      const reset = present({ window: args.text('window'), domain: args.text('domain') });
      const usage = await client.resetKey(id, reset);
      return { objects: [usage], text: usageText(usage) };
    },
  },
  lookup: {
    operand: 'KEY',
    summary: 'show the record of a key; - reads it from standard input',
    async run({ client, readInput }, operand) {
      const key = operand === '-' ? (await readInput()).trim() : operand;
      return oneRecord(await client.lookupKey(key));
    },
  },
};

async function* list({ client, args }: CommandContext): AsyncGenerator<Printed> {
  const query: KeyQuery = present({
    type: args.choice('type', TYPES),
    status: args.choice('status', STATUSES),
    name: args.text('name'),
    sort: args.choice('sort', SORTS),
  });
  const page = args.number('page');
  const pageSize = args.number('page-size') ?? 100;
  const table = new Table(KEY_COLUMNS);
  const lot = ({ data }: Page<KeyRecord>): Printed => ({ objects: data, text: table.lines(data) });
  if (page !== undefined) {
    const only = await client.listKeys(query, { page, pageSize });
    yield lot(only);
    yield note(countText(only.pagination.total_count, only.pagination));
    return;
  }
  let count = 0;
  const pages = iteratePages<KeyRecord>((request) => client.listKeys(query, request), { pageSize, prefetch: true });
  for await (const each of pages) {
    count += each.data.length;
    yield lot(each);
  }
  yield note(countText(count));
}

function note(text: string): Printed {
  return { objects: [], text: `\n${text}\n` };
}

function oneRecord(record: KeyRecord): Printed {
  return { objects: [record], text: recordText(record) };
}

function changeOf(args: Arguments) {
  return present({
    name: args.text('name'),
    rate_limit_per_minute: args.number('per-minute'),
    rate_limit_per_day: args.number('per-day'),
    status: args.choice('status', SETTABLE),
    expires_at: expiryOf(args.text('expires')),
    metadata: metadataOf(args.many('metadata')),
  });
}

function ifVersion(args: Arguments): { readonly ifVersion?: number } {
  return present({ ifVersion: args.number('if-version') });
}

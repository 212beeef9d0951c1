/** `headroom keys …`: picks the command, prints what it gives, and says in one line what went wrong. */
import { createGovernedFetch, HeadroomClient, HeadroomError, RateLimitWaitError } from '../client/client.ts';
import { type OptionKinds, readArguments, UsageError } from './keys-arguments.ts';
import { COMMANDS, type Command, type CommandContext, type Printed } from './keys-commands.ts';
import { visible } from './visible-text.ts';

/** What the command line has around it. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
}

/** Nobody waits longer at a prompt. */
const WAIT_MILLIS_MAX = 60_000;

/** What is shorter stands in any sentence, and keeps nobody out. */
const SECRET_CHARACTERS_MIN = 8;

const COMMON: OptionKinds = { json: 'flag', help: 'flag' };

/** @returns the exit code: 0, 1 if it could not be done, 2 if the command line makes no sense */
export async function runKeys(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name = '--help', ...rest] = args;
  try {
    if (name === '--help' || name === '-h') return help(terminal);
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) throw new UsageError(`there is no 'keys ${name}'`);
    return await run(command, rest, terminal);
  } catch (error) {
    terminal.writeError(`headroom: ${withoutTokens(reasonOf(error, terminal), terminal)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function run(command: Command, rest: readonly string[], terminal: Terminal): Promise<number> {
  const args = readArguments(rest, { ...command.options, ...COMMON });
  if (args.flag('help')) return help(terminal);
  const operand = operandOf(command, args.operands);
  const context: CommandContext = { client: clientOf(terminal), args, readInput: () => textOf(terminal.stdin) };
  const print = ({ objects, text }: Printed): void => {
    terminal.write(args.flag('json') ? objects.map((each) => `${JSON.stringify(each)}\n`).join('') : text);
  };
  const result = command.run(context, operand);
  if (result instanceof Promise) print(await result);
  else for await (const printed of result) print(printed);
  return 0;
}

function operandOf({ operand }: Command, given: readonly string[]): string {
  const [first, ...more] = operand === undefined ? ['', ...given] : given;
  if (first === undefined) throw new UsageError(`${operand} is missing`);
  if (more.length > 0) throw new UsageError(`cannot make sense of '${more.join(' ')}'`);
  return first;
}

function clientOf(terminal: Terminal): HeadroomClient {
  const [source, token] = tokensOf(terminal)[0] ?? [];
  if (token === undefined) throw new UsageError('HEADROOM_TOKEN is not set, nor is ADMIN_TOKEN');
  // fetch would refuse it as well, and say in its error what it is.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(`${source}: expected a token of printable ASCII without spaces or line breaks`);
  }
  const fetch = createGovernedFetch({ maxWaitMillis: WAIT_MILLIS_MAX, maxAttempts: 3 });
  return new HeadroomClient({ baseUrl: addressOf(terminal), token, fetch });
}

/** The first is the one to use. */
function tokensOf({ env }: Terminal): readonly (readonly [source: string, token: string])[] {
  const own = [['HEADROOM_TOKEN', env.HEADROOM_TOKEN?.trim() ?? '']] as const;
  const services = (env.ADMIN_TOKEN ?? '').split(',').map((token) => ['ADMIN_TOKEN', token.trim()] as const);
  return [...own, ...services].filter(([, token]) => token !== '');
}

/** Never repeated where it is refused: whoever gets this wrong may have put a password into it. */
function addressOf({ env }: Terminal): string {
  const address = env.HEADROOM_URL?.trim() || 'http://127.0.0.1:8080';
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('HEADROOM_URL: expected an address such as http://127.0.0.1:8080');
  }
  if (url.username !== '' || url.password !== '' || /[?#]/.test(address)) {
    throw new UsageError('HEADROOM_URL: expected an address without user name, password, query and fragment');
  }
  return address;
}

async function textOf(input: Terminal['stdin']): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of input) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** One line. A developer's mistake is not explained away: it keeps its stack. */
function reasonOf(error: unknown, terminal: Terminal): string {
  if (error instanceof HeadroomError) {
    const { field } = error.details;
    return visible(`${error.message} (${error.code}${typeof field === 'string' ? `, ${field}` : ''})`);
  }
  if (error instanceof UsageError) return `${visible(error.message)}; see 'headroom keys --help'`;
  if (error instanceof RateLimitWaitError) return error.message;
  const { cause, stack } = error as Error;
  if (cause === undefined) return stack ?? String(error);
  const { code, message } = cause as NodeJS.ErrnoException;
  return `cannot reach ${addressOf(terminal)}: ${visible(code ?? message)}`;
}

/** Whatever an error repeats, of an answer or of the command line: errors end up in logs. */
function withoutTokens(text: string, terminal: Terminal): string {
  const secrets = tokensOf(terminal).flatMap(([, token]) => (token.length < SECRET_CHARACTERS_MIN ? [] : [token]));
  // One may be the beginning of another.
  secrets.sort((a, b) => b.length - a.length);
  return secrets.reduce((left, secret) => left.replaceAll(secret, '[token]'), text);
}

function help(terminal: Terminal): number {
  terminal.write(`${HELP_HEAD}\n${Object.entries(COMMANDS).map(commandHelp).join('\n')}`);
  return 0;
}

const HELP_HEAD = `usage: headroom keys COMMAND [OPTIONS]

HEADROOM_URL says where the service is (default http://127.0.0.1:8080), HEADROOM_TOKEN who asks (default: the first of
ADMIN_TOKEN). Every command takes --json: one JSON object a line instead of text for people.
`;

function commandHelp([name, { operand, summary, help: lines = [] }]: [string, Command]): string {
  const title = operand === undefined ? name : `${name} ${operand}`;
  return [`  ${title.padEnd(14)} ${summary}`, ...lines.map((line) => `      ${line}`)]
    .map((line) => `${line}\n`)
    .join('');
}

/** Writes the counting scripts out for given windows. A straight line costs Redis about two thirds of what a loop does. */
import { readSource } from './scripts.ts';

const RECORD_FORMAT = 'I4I5I7';
const RECORD_BYTES = 16;

/** A Lua function has at most 200 variables, some for each window. Limits of more windows take the loops of take.lua. */
export const STRAIGHT_WINDOWS_MAX = 16;

/** Before the first window's length, by take.lua's ARGV: jitter, four of the hit, keyed, five of the key, how many windows. */
const KEYED_MAX_AT = 12;
/** Before the first window's max, by take-many.lua's ARGV: jitter, fitting, cost, need. */
const MANY_MAX_AT = 4;

const COUNTS = readSource('counts.lua');
const TAKE = withCounts(readSource('take.lua'));
const STRAIGHT = readSource('take-straight.lua');
const MANY = readSource('take-many.lua');
/** Where take.lua lets a straight path begin. */
const STRAIGHT_MARK = '-- (the straight path stands here)\n';

/** The script for any hits. */
export const generalScript = TAKE;

/**
 * @param lengths the windows' lengths in seconds, shortest first
 * @returns the script for one hit with an API key and these windows
 */
export function keyedScript(lengths: readonly number[]): string {
  return TAKE.replace(STRAIGHT_MARK, () => writtenOut(STRAIGHT, lengths, KEYED_MAX_AT));
}

/** @returns the script for any number of hits without an API key, each with these windows */
export function manyScript(lengths: readonly number[]): string {
  return withCounts(writtenOut(MANY, lengths, MANY_MAX_AT));
}

function withCounts(script: string): string {
  return script.replace('-- (counts.lua stands here)\n', () => COUNTS);
}

function writtenOut(template: string, lengths: readonly number[], maxAt: number): string {
  const numbers = lengths.map((_, index) => index + 1);
  return template
    .split('\n')
    .map((line) => line.replace(/LIST\((.*?)\)/g, (_, list: string) => numbers.map((w) => number(list, w)).join(', ')))
    .flatMap((line) => (/(_|\b)W\b/.test(line) ? numbers.map((w) => number(line, w)) : [line]))
    .join('\n')
    .replace(/SECONDS_(\d+)/g, (_, w: string) => String(lengths[Number(w) - 1]))
    .replaceAll('MAX_AT', String(maxAt))
    .replaceAll('FORMAT', `'<${RECORD_FORMAT.repeat(lengths.length)}'`)
    .replaceAll('BYTES', String(RECORD_BYTES * lengths.length));
}

function number(text: string, w: number): string {
  return text.replace(/(_|\b)W\b/g, `$1${w}`);
}

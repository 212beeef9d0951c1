/** Writes the counting script out for given windows. A straight line costs Redis about two thirds of what a loop does. */
import { readSource } from './scripts.ts';

const STRAIGHT = readSource('take-straight.lua');
/** Where take.lua lets a straight path begin. */
const MARK = '-- (the straight path stands here)\n';

const RECORD_FORMAT = 'I4I5I7';
const RECORD_BYTES = 16;

/** Before the first window's length, by take.lua's ARGV: jitter, four of the hit, keyed, five of the key, how many windows. */
const PLAIN_MAX_AT = 7;
const KEYED_MAX_AT = 12;

/** The script for any hits. */
export const generalScript = readSource('take.lua');

/**
 * @param lengths the windows' lengths in seconds, shortest first
 * @param keyed the hit has an API key
 * @returns the script for one hit with these windows
 */
export function straightScript(lengths: readonly number[], keyed: boolean): string {
  const numbers = lengths.map((_, index) => index + 1);
  const straight = STRAIGHT.replaceAll(keyed ? '--key: ' : '--plain: ', '')
    .split('\n')
    .filter((line) => !line.startsWith('--'))
    .map((line) => line.replace(/LIST\((.*?)\)/g, (_, list: string) => numbers.map((w) => number(list, w)).join(', ')))
    .flatMap((line) => (/(_|\b)W\b/.test(line) ? numbers.map((w) => number(line, w)) : [line]))
    .join('\n')
    .replace(/SECONDS_(\d+)/g, (_, w: string) => String(lengths[Number(w) - 1]))
    .replaceAll('MAX_AT', String(keyed ? KEYED_MAX_AT : PLAIN_MAX_AT))
    .replaceAll('FORMAT', `'<${RECORD_FORMAT.repeat(lengths.length)}'`)
    .replaceAll('BYTES', String(RECORD_BYTES * lengths.length));
  return generalScript.replace(MARK, () => straight);
}

function number(text: string, w: number): string {
  return text.replace(/(_|\b)W\b/g, `$1${w}`);
}

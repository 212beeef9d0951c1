/** Lines of statsd, and of DogStatsD: what a statistic is called on the wire, with its tags. */
import type { Mogrified, Mogrify } from './mogrifiers.ts';
import type { StatName } from './names.ts';

/** What stands around the value of every line of one statistic. */
export interface LineForm {
  /** The name, and in statsd the tags. */
  readonly head: string;
  /** The tags of DogStatsD, beginning with `|`; else empty. */
  readonly tail: string;
}

export type LineForms = (name: StatName) => LineForm;

/** `name.__k=v`, by name of the tag, as envoyproxy/ratelimit writes them. */
export function statsdForms(extraTags: Readonly<Record<string, string>>): LineForms {
  const suffix = tagsOf(extraTags)
    .map(([tag, value]) => `.__${tag}=${value}`)
    .join('');
  return ({ full }) => ({ head: `${full}${suffix}`, tail: '' });
}

/** `name:…|#k:v`. */
export function dogStatsdForms(extraTags: Readonly<Record<string, string>>, mogrify: Mogrify): LineForms {
  const extra = tagsOf(extraTags);
  return ({ full }) => {
    const { name, tags }: Mogrified = mogrify(full);
    const all = [...extra, ...tags].map(([tag, value]) => `${unseparated(tag)}:${unseparated(value)}`);
    return { head: name.replace(/[:|]/g, '_'), tail: all.length === 0 ? '' : `|#${all.join(',')}` };
  };
}

/** Its characters would end the tag, or the name that it stands in: so the reference replaces them, too. */
function tagsOf(extraTags: Readonly<Record<string, string>>): [string, string][] {
  const escaped = (text: string): string => text.toWellFormed().replace(/[.:|\p{Cc}]/gu, '_');
  return Object.entries(extraTags)
    .map(([tag, value]): [string, string] => [escaped(tag), escaped(value)])
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

/** A tag may hold parts of a name that a caller has chosen. */
function unseparated(text: string): string {
  return text.replace(/[,|]/g, '_');
}

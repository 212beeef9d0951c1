/** A strict reader of Prometheus's text format, version 0.0.4: what it does not understand, it refuses. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

export type Labels = Readonly<Record<string, string>>;

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? ([^ ]+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\\\|\\"|\\n)*)"(?:,|$)/;
const SUFFIXES: Readonly<Record<string, RegExp>> = { histogram: /_(bucket|sum|count)$/ };

/** @throws for a line that is not of the format, a sample before its TYPE, or one that comes twice */
export function parsePrometheus(text: string): Map<string, Family> {
  const families = new Map<string, { name: string; type: string; help: string; samples: Sample[] }>();
  const helps = new Map<string, string>();
  const seen = new Set<string>();
  for (const line of text.split('\n')) {
    const [mark, word, name = '', ...rest] = line.split(' ');
    if (line === '' || (mark === '#' && word !== 'HELP' && word !== 'TYPE')) continue;
    if (mark === '#' && word === 'HELP') helps.set(name, rest.join(' '));
    else if (mark === '#') {
      if (families.has(name)) throw new Error(`TYPE comes twice: ${line}`);
      families.set(name, { name, type: rest.join(' '), help: helps.get(name) ?? '', samples: [] });
    } else {
      const sample = parseSample(line);
      const family = [...families.values()].find(
        ({ name, type }) => name === sample.name.replace(SUFFIXES[type] ?? /$^/, ''),
      );
      if (!family) throw new Error(`no TYPE before ${line}`);
      const series = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (seen.has(series)) throw new Error(`a series comes twice: ${line}`);
      seen.add(series);
      family.samples.push(sample);
    }
  }
  return families;
}

/** The value of the one sample with these labels; 0 when there is none. */
export function sampleValue(text: string, name: string, labels: Labels = {}): number {
  const found = samplesOf(text, name, labels);
  if (found.length > 1) throw new Error(`${found.length} samples of ${name} have ${JSON.stringify(labels)}`);
  return found[0]?.value ?? 0;
}

/** All samples of the name that have these labels, whatever others they have. */
export function samplesOf(text: string, name: string, labels: Labels = {}): Sample[] {
  return [...parsePrometheus(text).values()]
    .flatMap(({ samples }) => samples)
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
}

function parseSample(line: string): Sample {
  const match = SAMPLE.exec(line);
  if (!match) throw new Error(`no sample: ${line}`);
  const [, name = '', labels = '', value = ''] = match;
  return { name, labels: parseLabels(labels), value: parseValue(value) };
}

function parseLabels(text: string): Labels {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const match = LABEL.exec(rest);
    if (!match) throw new Error(`no label: ${rest}`);
    const [all, name = '', value = ''] = match;
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    rest = rest.slice(all.length);
  }
  return labels;
}

function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  const value = Number(text);
  if (text === '' || Number.isNaN(value)) throw new Error(`no value: ${text}`);
  return value;
}

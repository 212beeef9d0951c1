/** EXTRA_TAGS as labels of Prometheus: none may come twice, or be another label. */
import { StatsConfigError } from './config.ts';
import { metricNameOf } from './prometheus-mapping.ts';

/** @param used the labels that series may have already @throws StatsConfigError */
export function extraLabels(
  extraTags: Readonly<Record<string, string>>,
  used: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  const labels = new Map<string, string>();
  for (const [tag, value] of Object.entries(extraTags)) {
    const label = metricNameOf(tag);
    const refuse = (reason: string): never => {
      throw new StatsConfigError('EXTRA_TAGS', `${tag}: ${reason}`);
    };
    if (label === '') refuse('expected a name');
    if (label === 'le' || label.startsWith('__')) refuse(`the label ${label} is reserved by Prometheus`);
    if (used.has(label)) refuse(`the label ${label} is used already`);
    if (labels.has(label)) refuse(`there are two tags for the label ${label}`);
    labels.set(label, value);
  }
  return Object.fromEntries(labels);
}

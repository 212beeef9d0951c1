/** Merge keys, `<<`: which keys are one, and which maps their values add. */
import { type NodeId, YamlError, type YamlText } from './yaml-text.ts';

/** @param text the key's, where it is at hand */
export function isMergeKey(yaml: YamlText, key: NodeId, text = yaml.text(key)): boolean {
  return text === '<<' && yaml.mayBeMergeKey(key);
}

/**
 * The maps in the order in which their keys count as written: of a list the first one counts most, and so comes last.
 * @throws YamlError
 */
export function mergedMaps(yaml: YamlText, value: NodeId): readonly NodeId[] {
  const maps = yaml.kind(value) === 'list' ? [...yaml.children(value)].reverse() : [value];
  for (const map of maps) {
    if (yaml.kind(map) === 'map') continue;
    throw new YamlError(yaml.offset(map), 'map merge requires map or sequence of maps as the value');
  }
  return maps;
}

/** Where the record of an API key is in Redis: beside the counters that its decisions read. */

/** @param prefix of all keys, `hr:` included. The braces are Redis Cluster's hash tag: counters of the key carry the same. */
export function recordKey(prefix: string, id: string): string {
  return `${prefix}key:{${id}}`;
}

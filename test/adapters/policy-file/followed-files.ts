/** Policy files under test: followed with the real clock and file system, their log and loads at hand. */

import { PolicyFiles, type PolicyFilesOptions } from '../../../src/adapters/policy-file/policy-files.ts';
import type { PolicyPlace } from '../../../src/adapters/policy-file/policy-place.ts';
import { systemClock } from '../../../src/adapters/system-clock/system-clock.ts';
import type { Log } from '../../../src/ports/log.ts';
import { until } from '../../support/children.ts';

export interface Line {
  readonly level: keyof Log;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export class FollowedFiles {
  readonly lines: Line[] = [];
  /** What `onLoad` was told. */
  readonly loads: boolean[] = [];
  readonly #opened: PolicyFiles[] = [];

  /** Reads without following. */
  open(place: PolicyPlace, options: Partial<PolicyFilesOptions> = {}): PolicyFiles {
    const files = new PolicyFiles({
      place,
      mergeDomains: false,
      mayBeWithout: false,
      clock: systemClock,
      log: this.log,
      onLoad: (loaded) => this.loads.push(loaded),
      ...options,
    });
    this.#opened.push(files);
    return files;
  }

  follow(place: PolicyPlace, options: Partial<PolicyFilesOptions> = {}): PolicyFiles {
    const files = this.open(place, options);
    files.follow();
    return files;
  }

  close(): void {
    for (const files of this.#opened) files.close();
  }

  /** Why sets were refused. */
  get refusals(): readonly string[] {
    return this.lines.filter(({ level }) => level === 'error').map(({ fields }) => String(fields.reason));
  }

  get log(): Log {
    const write = (level: keyof Log) => (fields: object, message: string) => {
      this.lines.push({ level, fields: { ...fields }, message });
    };
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  }
}

/** A file of one domain with one rule. */
export const limited = (max: number, domain = 'd') =>
  `domain: ${domain}\ndescriptors:\n  - key: k\n    limits: [{ requests: ${max}, per: day }]\n`;

export function maxOf(files: PolicyFiles, domain = 'd'): number | undefined {
  return files.current()?.get(domain)?.root.children.get('k')?.limit?.windows[0]?.max;
}

export function untilMax(files: PolicyFiles, max: number | undefined, domain = 'd'): Promise<void> {
  return until(`the limit is ${max}`, () => maxOf(files, domain) === max);
}

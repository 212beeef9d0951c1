import { describe, expect, test } from '@jest/globals';
import type { KeyHasher } from '../../src/core/api-key.ts';
import { settle } from '../../src/core/decision.ts';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { Hit } from '../../src/core/hit.ts';
import { planOf } from '../../src/core/plan.ts';
import type { DomainPolicy } from '../../src/core/policy.ts';
import { of, plan, policyOf, request, taken } from './build.ts';
import { keyOf } from './key-build.ts';

const per = (requests: number, length: string) => ({ requests, per: length });
const secret = keyOf('secret');
const publishable = keyOf('publishable', 'publishable');

function policyWith(rest: Partial<DescriptorDefinition> = {}): DomainPolicy {
  return policyOf([{ key: 'api_key', api_keys: true, limits: [per(300, 'minute'), per(10_000, 'day')], ...rest }]);
}

function hitOf(policy: DomainPolicy, asked: Descriptor, beside: readonly Descriptor[] = []): Hit {
  const { hits } = plan(policy, [asked, ...beside]);
  return hits[0] as Hit;
}

const maxes = (windows: Hit['windows'] | undefined) => windows?.map(({ max }) => max);

describe('a key that may have a record', () => {
  test('is looked up by its id and recognised by its hash, and is counted beside its record', () => {
    const hit = hitOf(policyWith(), of({ api_key: secret.key }));
    expect(hit).toMatchObject({ record: secret.id, subject: `1:d7:api_keyr16:${secret.id}` });
    expect(hit.key).toMatchObject({ hashes: [`hash of ${secret.key}`], ownLimits: true, refusesInactive: true });
  });

  test('is counted by its hash if there is no record, beside where one would be', () => {
    const { key } = hitOf(policyWith(), of({ api_key: secret.key }));
    expect(key?.unknown).toMatchObject({ record: secret.id, subject: expect.stringContaining('k50:hash of csk_') });
  });

  test('is recognised by its hash under the previous secret, too', () => {
    const hasher: KeyHasher = { hash: (key) => `new ${key}`, previousHash: (key) => `old ${key}` };
    const { hits } = planOf(request([of({ api_key: secret.key })]), policyWith(), hasher);
    expect(hits[0]?.key?.hashes).toEqual([`new ${secret.key}`, `old ${secret.key}`]);
  });

  test('never is part of what goes to the store, but for its id', () => {
    const hasher: KeyHasher = { hash: () => 'HASH', previousHash: () => undefined };
    const asked = [of({ api_key: secret.key }), of({ api_key: publishable.key })];
    const text = JSON.stringify(planOf(request(asked), policyWith({ unknown_keys: 'share' }), hasher).hits);
    for (const { key } of [secret, publishable]) expect(text).not.toContain(key.slice(16, 36));
  });

  test.each<{ title: string; classes: DescriptorDefinition['classes']; known: number; unknown: number }>([
    {
      title: 'the class of its type with a record, that of its prefix without',
      classes: [
        { name: 'p', type: 'publishable', limits: [per(1, 'minute')] },
        { name: 'c', prefix: 'cpk_', limits: [per(2, 'minute')] },
      ],
      known: 1,
      unknown: 2,
    },
    {
      title: 'the class of its prefix, if it stands first',
      classes: [
        { name: 'c', prefix: 'cpk_', limits: [per(2, 'minute')] },
        { name: 'p', type: 'publishable', limits: [per(1, 'minute')] },
      ],
      known: 2,
      unknown: 2,
    },
    {
      title: 'the class of its type with a record, and the limits of the node without',
      classes: [{ name: 'p', type: 'publishable', limits: [per(1, 'hour')] }],
      known: 1,
      unknown: 300,
    },
    {
      title: 'the limits of the node, if the class is of the other type',
      classes: [{ name: 's', type: 'secret', limits: [per(1, 'hour')] }],
      known: 300,
      unknown: 300,
    },
  ])('meets $title', ({ classes, known, unknown }) => {
    const hit = hitOf(policyWith({ classes }), of({ api_key: publishable.key }));
    expect([maxes(hit.windows)?.[0], maxes(hit.key?.unknown?.windows)?.[0]]).toEqual([known, unknown]);
  });

  test.each([
    { inactive: undefined, refuses: true, fails: false },
    { inactive: 'deny', refuses: true, fails: false },
    { inactive: 'error', refuses: true, fails: true },
    { inactive: 'default', refuses: false, fails: false },
  ] as const)('that is inactive is treated as inactive_keys: $inactive says', ({ inactive, refuses, fails }) => {
    const policy = policyWith({ inactive_keys: inactive });
    const { descriptors, hits } = plan(policy, [of({ api_key: secret.key })]);
    expect(hits[0]?.key?.refusesInactive).toBe(refuses);
    expect(descriptors[0]?.failsInactive).toBe(fails);
  });

  test('that is inactive fails no call where the limit is in shadow mode', () => {
    const policy = policyWith({ inactive_keys: 'error', shadow_mode: true });
    expect(plan(policy, [of({ api_key: secret.key })]).descriptors[0]?.failsInactive).toBe(false);
  });

  test('does not bring its own numbers to the limit of a node below it, nor to an override of the request', () => {
    const policy = policyWith({ descriptors: [{ key: 'path', limits: [per(5, 'minute')] }] });
    expect(hitOf(policy, of({ api_key: secret.key, path: '/' })).key?.ownLimits).toBe(false);
    const overridden = of({ api_key: secret.key }, { override: { requestsPerUnit: 3, unit: 'minute' } });
    expect(hitOf(policy, overridden)).toMatchObject({ windows: [{ max: 3 }], key: { ownLimits: false } });
  });
});

describe('a text that cannot be a key of ours', () => {
  const typo = of({ api_key: `${secret.key.slice(0, -1)}!` });

  test.each(['', 'csk_demo', `${secret.key} `, secret.key.toLowerCase()])(
    'is counted by its hash, and nothing is looked up: %j',
    (text) => {
      const hit = hitOf(policyWith(), of({ api_key: text }));
      expect(hit.subject).toBe(`1:d7:api_keyk${`hash of ${text}`.length}:hash of ${text}`);
      expect(hit.key).toBeUndefined();
      expect(hit.record).toBeUndefined();
    },
  );

  test('is refused without a call of the store where unknown keys are denied', () => {
    const planned = plan(policyWith({ unknown_keys: 'deny' }), [typo]);
    expect(planned.hits).toEqual([]);
    expect(settle(planned, taken(planned, [])).allowed).toBe(false);
  });

  test('has the other descriptors read and not charged, but for those that always are', () => {
    const policy = policyOf([
      { key: 'api_key', api_keys: true, unknown_keys: 'deny', limits: [per(1, 'minute')] },
      { key: 'own', limits: [per(5, 'minute')] },
      { key: 'reference', rate_limit: { unit: 'minute', requests_per_unit: 5 } },
    ]);
    const planned = plan(policy, [typo, of({ own: 'x' }), of({ reference: 'x' })]);
    expect(settle(planned, taken(planned, [0, 0])).allowed).toBe(false);
    expect(planned.hits.map(({ cost, charging }) => [cost, charging])).toEqual([
      [0, 'together'],
      [1, 'always'],
    ]);
  });

  test('denies nobody in shadow mode', () => {
    const policy = policyWith({ unknown_keys: 'deny', shadow_mode: true });
    const planned = plan(policy, [typo]);
    expect(planned.hits).toEqual([]);
    expect(settle(planned, taken(planned, [])).allowed).toBe(true);
  });
});

describe('unknown keys that share', () => {
  const policy = policyWith({
    unknown_keys: 'share',
    classes: [{ name: 'p', prefix: 'cpk_', limits: [per(100, 'minute')] }],
  });
  const unknownOf = (asked: Descriptor, beside: readonly Descriptor[] = [], callerAddress?: string) => {
    const [hit] = plan(policy, [asked, ...beside], { callerAddress }).hits;
    return hit?.key?.unknown ?? hit;
  };
  const shared = unknownOf(of({ api_key: secret.key }), [of({ remote_address: '1.2.3.4' })])?.subject;

  test('count as one by the address in another descriptor, whatever they look like', () => {
    expect(shared).toBe('1:d7:api_keya7:1.2.3.4');
    for (const text of [publishable.key, 'csk_demo', '']) {
      expect(unknownOf(of({ api_key: text }), [of({ remote_address: '1.2.3.4' })])?.subject).toBe(shared);
    }
  });

  test('count as one by the address that the door knows', () => {
    expect(unknownOf(of({ api_key: 'x' }), [of({ remote_address: '9.9.9.9' })], '1.2.3.4')?.subject).toBe(shared);
  });

  test('count as one by all addresses that one caller can choose among', () => {
    const subjects = ['2001:db8::1', '2001:DB8:0::2', '2001:db8::ffff:1', '2001:db8:0:1::1'].map((address) => {
      return unknownOf(of({ api_key: 'x' }), [of({ remote_address: address })])?.subject;
    });
    expect(new Set(subjects.slice(0, 3)).size).toBe(1);
    expect(subjects[3]).not.toBe(subjects[0]);
    expect(unknownOf(of({ api_key: 'x' }), [of({ remote_address: '::ffff:1.2.3.4' })])?.subject).toBe(shared);
  });

  test.each(['remote_address', 'masked_remote_address'])('count apart from those of another %s', (key) => {
    const subjects = ['1.2.3.4', '1.2.3.5'].map((address) => {
      return unknownOf(of({ api_key: 'x' }), [of({ [key]: address })])?.subject;
    });
    expect(new Set(subjects).size).toBe(2);
  });

  test('all count as one where nobody tells the address', () => {
    expect(unknownOf(of({ api_key: 'x' }))?.subject).toBe(unknownOf(of({ api_key: 'y' }))?.subject);
  });

  test('meet the limit of their class', () => {
    expect(maxes(unknownOf(of({ api_key: publishable.key }))?.windows)).toEqual([100]);
    expect(maxes(unknownOf(of({ api_key: secret.key }))?.windows)).toEqual([300, 10_000]);
  });

  test('are found an address once, however many keys a request has', () => {
    let asked = 0;
    const other = {
      ...of({ other: 'x' }),
      get entries() {
        asked += 1;
        return [{ key: 'other', value: 'x' }];
      },
    };
    const before = plan(policy, [other]) && asked;
    plan(policy, [other, ...Array.from({ length: 500 }, () => of({ api_key: 'x' }))]);
    expect(asked - before).toBeLessThan(10);
  });

  test('take the address beside the key before others, and that of the door before it', () => {
    const nested = policyOf([
      {
        key: 'remote_address',
        descriptors: [{ key: 'api_key', api_keys: true, unknown_keys: 'share', limits: [per(1, 'minute')] }],
      },
    ]);
    const asked = of({ remote_address: '1.2.3.4', api_key: 'x' });
    const [, hit] = plan(nested, [of({ remote_address: '9.9.9.9' }), asked, asked]).hits;
    expect(hit?.subject).toBe('1:d14:remote_addressv7:1.2.3.47:api_keya7:1.2.3.4');
    const [told] = plan(nested, [asked], { callerAddress: '8.8.8.8' }).hits;
    expect(told?.subject).toBe('1:d14:remote_addressv7:1.2.3.47:api_keya7:8.8.8.8');
  });
});

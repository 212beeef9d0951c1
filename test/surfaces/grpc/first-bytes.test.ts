/** By its first bytes a connection is told from one that came to the wrong port, as early as can be. */
import { METHODS } from 'node:http';
import { expect, test } from '@jest/globals';
import { type Protocol, protocolOf } from '../../../src/surfaces/grpc/first-bytes.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

test.each<[bytes: string, protocol: Protocol]>([
  ['', 'more'],
  ['P', 'more'],
  ['PR', 'more'],
  ['PRI', 'more'],
  [PREFACE.slice(0, -1), 'more'],
  [PREFACE, 'http2'],
  [`${PREFACE}\0\0`, 'http2'],
  ['PRI * HTTP/1.1\r\n', 'neither'],
  ['PRO', 'more'],
  ['PROPFIND', 'more'],
  ['PROPFIND ', 'http1'],
  ['POST', 'more'],
  ['POST /', 'http1'],
  ['GET / HTTP/1.1', 'http1'],
  ['get /', 'neither'],
  ['GET\t', 'neither'],
  ['GETS', 'neither'],
  ['\x16\x03\x01', 'neither'],
  ['SSH-2.0', 'neither'],
])('%j: %s', (bytes, protocol) => {
  expect(protocolOf(Buffer.from(bytes, 'latin1'))).toBe(protocol);
});

test('every method of HTTP/1.1 is known, and waited for until its end', () => {
  for (const method of METHODS) {
    for (let at = 0; at <= method.length; at++) expect(protocolOf(Buffer.from(method.slice(0, at)))).toBe('more');
    expect(protocolOf(Buffer.from(`${method} `))).toBe('http1');
  }
});

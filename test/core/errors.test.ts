import { expect, test } from '@jest/globals';
import { Conflict, InvalidRequest, NotFound, PreconditionFailed } from '../../src/core/errors.ts';

test.each([
  { error: new InvalidRequest('page', 'too small'), name: 'InvalidRequest', code: 'INVALID_REQUEST' },
  { error: new NotFound('page', 'too small'), name: 'NotFound', code: 'NOT_FOUND' },
  { error: new Conflict('page', 'too small'), name: 'Conflict', code: 'CONFLICT' },
  { error: new PreconditionFailed('page', 'too small'), name: 'PreconditionFailed', code: 'PRECONDITION_FAILED' },
])('$name says in a log what it is, and to programs its code and what is in the way', ({ error, name, code }) => {
  expect(error).toMatchObject({ name, code, field: 'page', message: 'too small' });
});

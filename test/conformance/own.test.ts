/** The cases for what the specification says and no recorded case touches. */
import { describeCases } from './describe-cases.ts';

describeCases((file) => file.startsWith('own-'));

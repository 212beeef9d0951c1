/** The cases whose answers were recorded from the reference, and where Headroom diverges from it on purpose. */
import { describeCases } from './describe-cases.ts';

describeCases((file) => !file.startsWith('own-'));

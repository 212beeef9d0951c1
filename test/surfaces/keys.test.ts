/** The admin API of one process. */
import { describeAdminApi } from './keys-contract.ts';
import { describeLists } from './keys-lists-contract.ts';

const inMemory = async () => ({});

describeAdminApi('memory', inMemory);
describeLists('memory', inMemory);

/** The admin API of one process. */
import { describeRecords } from './keys-contract.ts';
import { describeLists } from './keys-lists-contract.ts';
import { describeUsage } from './keys-usage-contract.ts';

const inMemory = async () => ({});

describeRecords('memory', inMemory);
describeUsage('memory', inMemory);
describeLists('memory', inMemory);

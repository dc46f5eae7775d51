import { join } from 'node:path';

const SCENARIO = join(import.meta.dirname, '..', '..', 'captures', 'seed-own-address');

/** Where the seed's router and its site file are. */
export const seedRouter = { state: join(SCENARIO, 'router'), site: join(SCENARIO, 'redirect-verify.yaml') };

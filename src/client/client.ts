/**
 * The one door of `headroom/client`. It lists what is promised to stay, so that files behind it may change; this is the
 * only file that exports for others, since a package needs one address.
 */
export type { Clock, Fetch, Timer } from './environment.ts';
export { HeadroomError, PaginationError, RateLimitWaitError } from './errors.ts';
export {
  createGovernedFetch,
  type GovernedEvent,
  type GovernedFetch,
  type GovernedFetchOptions,
  governedFetch,
} from './governed-fetch.ts';
export {
  type CallOptions,
  type ChangeOptions,
  type CreationOptions,
  HeadroomClient,
  type HeadroomClientOptions,
  type ListOptions,
} from './headroom-client.ts';
export type * from './headroom-types.ts';
export {
  type FetchPage,
  iterateItems,
  iteratePages,
  type Page,
  type PageRequest,
  type PagesOptions,
  type Pagination,
} from './pages.ts';
export type { GovernedInit, GovernedInput, KeyOf, RequestFacts } from './request.ts';

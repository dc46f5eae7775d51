import type { PolicyRouteDevice } from '../../model/policy-route.ts';
import type { RouterSource } from './split-sections.ts';

/** A language in which the whole state of a router is written, rather than one of several parts: a vendor's configuration. */
export interface DeviceDialect {
  /** As the report names it. */
  readonly name: string;
  /** Whether a text is of this language, by its content. */
  recognise(source: RouterSource): boolean;
  /** Reads the texts of one router, in their order; later statements change earlier ones. Throws InputError for those of two routers. */
  parse(sources: readonly RouterSource[]): PolicyRouteDevice;
}

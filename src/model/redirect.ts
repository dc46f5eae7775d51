import type { Family, IpAddress } from '../net/ip-address.ts';
import type { IpPrefix } from '../net/prefix.ts';
import type { Span } from '../text/span.ts';
import type { Service } from './intent.ts';

/** One selection of packets that the configuration redirects, as far as its text says it. For inferring an intent only, never for a verdict. */
export interface RedirectSelection {
  /** Absent: of IPv4. */
  readonly family?: Family;
  readonly services: readonly Service[];
  /** Selects by source port: the servers' replies. */
  readonly replies: boolean;
  readonly clients: readonly IpPrefix[];
  readonly servers: readonly IpPrefix[];
  readonly ingress?: string;
  readonly origin: Span;
}

/** Where redirected packets go, and which they are. Vendor-independent. */
export interface Redirect {
  readonly nextHops: readonly { readonly address: IpAddress; readonly interface?: string; readonly origin?: Span }[];
  readonly selections: readonly RedirectSelection[];
}

import type { IpAddress } from '../net/ip-address.ts';

/** Which SPP and SPS are to be joined, and what is entered on SPS as SPP's address. */
export interface JoinIntent {
  readonly spp: IpAddress;
  /** Each node that talks to SPP. */
  readonly sps: readonly IpAddress[];
  /** The host name or address entered when joining; absent: what the captured client asked for, else SPP's address. */
  readonly entered?: string;
}

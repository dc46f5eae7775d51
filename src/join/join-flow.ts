import type { JoinIntent } from '../model/join-intent.ts';
import { formatIpAddress, type IpAddress } from '../net/ip-address.ts';

/** HTTPS, which SPS needs once, while it joins. */
export const HTTPS_PORT = 443;
/** Between SPP and SPS nodes, both ways, for good. */
export const CLUSTER_PORT = 8649;

/** A connection that must be possible. */
export interface JoinFlow {
  readonly client: IpAddress;
  readonly server: IpAddress;
  readonly port: number;
  /** For people: `SPS 172.16.0.1 to SPP 10.0.0.20, tcp 443`. */
  readonly label: string;
  /** Index of the SPS node. */
  readonly node: number;
  readonly fromSps: boolean;
}

/** What SPP and each SPS need of each other. IPv4 only: of other addresses there is nothing to say. Ref: seed, SPP to SPS join. */
export function joinFlows({ spp, sps }: JoinIntent): readonly JoinFlow[] {
  if (spp.family !== 4) return [];
  return sps.flatMap((address, node) => {
    if (address.family !== 4) return [];
    const flow = (fromSps: boolean, port: number): JoinFlow => ({
      client: fromSps ? address : spp,
      server: fromSps ? spp : address,
      port,
      node,
      fromSps,
      label: fromSps
        ? `SPS ${formatIpAddress(address)} to SPP ${formatIpAddress(spp)}, tcp ${port}`
        : `SPP ${formatIpAddress(spp)} to SPS ${formatIpAddress(address)}, tcp ${port}`,
    });
    return [flow(true, HTTPS_PORT), flow(true, CLUSTER_PORT), flow(false, CLUSTER_PORT)];
  });
}

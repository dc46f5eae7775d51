/** LINKTYPE_ numbers that are decoded. Ref: tcpdump.org, link-layer header types. */
export const LinkType = {
  null: 0,
  ethernet: 1,
  raw: 101,
  loop: 108,
  linuxCooked: 113,
  ipv4: 228,
  ipv6: 229,
  linuxCookedV2: 276,
} as const;

/** LINKTYPE_RAW as files hold it that were written with the number of the system's own DLT_RAW (OpenBSD 14, others 12). */
export const RAW_OF_OTHER_SYSTEMS: readonly [number, number] = [12, 14];

const NAMES: ReadonlyMap<number, string> = new Map([
  [LinkType.null, 'NULL'],
  [LinkType.ethernet, 'ETHERNET'],
  [9, 'PPP'],
  [50, 'PPP_HDLC'],
  [51, 'PPP_ETHER'],
  [LinkType.raw, 'RAW'],
  [105, 'IEEE802_11'],
  [LinkType.loop, 'LOOP'],
  [109, 'ENC'],
  [LinkType.linuxCooked, 'LINUX_SLL'],
  [117, 'PFLOG'],
  [127, 'IEEE802_11_RADIOTAP'],
  [189, 'USB_LINUX'],
  [201, 'BLUETOOTH_HCI_H4_WITH_PHDR'],
  [220, 'USB_LINUX_MMAPPED'],
  [LinkType.ipv4, 'IPV4'],
  [LinkType.ipv6, 'IPV6'],
  [239, 'NFLOG'],
  [253, 'NETLINK'],
  [LinkType.linuxCookedV2, 'LINUX_SLL2'],
]);

/** Prints a link type as `LINKTYPE_ETHERNET (1)`, or only its number where the name is not known here. */
export function formatLinkType(linkType: number): string {
  const name = NAMES.get(linkType);
  return name === undefined ? `LINKTYPE ${linkType}` : `LINKTYPE_${name} (${linkType})`;
}

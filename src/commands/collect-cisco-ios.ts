/** `redirect-verify collect cisco-ios`: what an administrator types on a Cisco IOS router, with the session logged to a file. */

/**
 * Commands for the privileged mode, with remarks, which IOS takes for comments. They only show. What they print, prompts and all, is one
 * text of the router's state.
 */
export function ciscoIosCollectCommands(): string {
  return `! Log the session of your terminal to a file, paste these lines in privileged mode (router#), and give the file as --router.
! They only show. The result holds addresses and access lists, and passwords as the configuration shows them: keep it as you keep that.
terminal length 0
show clock
show running-config
! How things are, which settles what the configuration leaves open: routes of routing protocols, tracks, hosts that do not answer,
! and the MAC addresses by which the frames of a capture are told apart.
show ip route
show track
show arp
show interfaces
! With routing tables of their own (VRF) also: show ip route vrf NAME
! The capture: on a mirror port of each interface, or on the router with monitor capture, one file for each interface, given as
! FastEthernet0/0=clients.pcap FastEthernet0/1=sps.pcap. Let it begin before the first packet and hold ARP.
terminal no length
`;
}

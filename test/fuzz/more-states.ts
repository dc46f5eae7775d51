/** Texts of a router in languages of which the stored set-ups have none or little. */
import type { StoredText } from './corpus.ts';

export const MORE_STATES: readonly StoredText[] = [
  {
    name: 'ipset.txt',
    text: `### ipset save
create clients hash:net family inet hashsize 1024 maxelem 65536
add clients 192.168.0.0/24
add clients 192.168.0.128/25 nomatch
create ports bitmap:port range 1-65535
add ports 3389
create pairs hash:ip,port,net family inet timeout 300 counters comment skbinfo
add pairs 10.0.0.10,tcp:3389,192.168.0.0/24 timeout 20 packets 3 bytes 99 comment "rdp | ssh" skbmark 0x1/0xff
create macs bitmap:ip,mac range 192.168.0.0/24
add macs 192.168.0.10,02:00:00:00:00:01
create all list:set size 8
add all clients
add all ports
### iptables-save
*mangle
:PREROUTING ACCEPT [0:0]
:REDIRECT - [0:0]
-A PREROUTING -m set --match-set clients src -m set ! --match-set pairs dst,dst,src -g REDIRECT
-A REDIRECT -m comment --comment "to SPS" -j SET --map-set pairs dst,dst,src --map-mark
-A REDIRECT -m multiport --dports 22,3389,5900:5909 -m conntrack --ctstate NEW,ESTABLISHED --ctdir ORIGINAL -j CONNMARK --set-xmark 0x1/0xff
-A REDIRECT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
COMMIT
`,
  },
  {
    name: 'conntrack.txt',
    text: `### conntrack -L -o extended,id
ipv4     2 tcp      6 431999 ESTABLISHED src=192.168.0.10 dst=10.0.0.10 sport=54618 dport=3389 src=10.0.0.10 dst=192.168.0.10 sport=3389 dport=54618 [ASSURED] mark=1 zone=1 use=1 id=77
ipv4     2 udp      17 29 src=192.168.0.10 dst=10.0.0.10 sport=5353 dport=53 [UNREPLIED] src=10.0.0.10 dst=192.168.0.10 sport=53 dport=5353 mark=0 use=1
ipv6     10 tcp     6 100 SYN_SENT src=2001:db8::1 dst=2001:db8::2 sport=1 dport=22 [UNREPLIED] src=2001:db8::2 dst=2001:db8::1 sport=22 dport=1 mark=4294967295 use=1
### ss -H -n -l -t -u -a
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*
udp   UNCONN 0      0       127.0.0.53%lo:53       0.0.0.0:*
tcp   LISTEN 0      128             [::]:22           [::]:*
`,
  },
  {
    name: 'nexthop.txt',
    text: `### ip nexthop show
id 1 via 172.16.0.1 dev eth1 scope link
id 2 via 172.16.0.2 dev eth1 scope link
id 10 group 1,3/2 type resilient buckets 32
id 3 blackhole
id 4 group 10
### ip route show table all
default nhid 10 table 103 proto static
        nexthop via 172.16.0.1 dev eth1 weight 1
        nexthop via 172.16.0.2 dev eth1 weight 3
10.0.0.0/24 dev eth2 proto kernel scope link src 10.0.0.254
unreachable 10.9.0.0/16 metric 4278198272
throw default table 7 metric 5
broadcast 10.0.0.255 dev eth2 table local proto kernel scope link src 10.0.0.254
### ip rule show
0:	from all lookup local
99:	not from 10.0.0.0/8 to 10.0.0.0/24 iif eth0 tos 0x10 fwmark 0x1/0xff ipproto tcp dport 3389-3390 lookup 103 suppress_prefixlength 0
100:	from all iif eth1 goto 32766
32766:	from all lookup main
32767:	from all lookup default
### nft list ruleset
table inet fw4 {
	set a {
		type ipv4_addr
		elements = { 10.0.0.1, 10.0.0.2 }
	}
	chain prerouting {
		type filter hook prerouting priority mangle; policy accept;
		iifname "eth0" tcp dport 3389 meta mark set 0x1
	}
}
`,
  },
  {
    name: 'cisco.txt',
    text: `hostname R1
!
object-group network SERVERS
 host 10.0.0.10
 10.0.0.0 255.255.255.0
 range 10.0.0.20 10.0.0.30
 group-object MORE
object-group network MORE
 group-object SERVERS
object-group service RDP
 tcp eq 3389
 tcp range 5900 5909
 group-object RDP
!
track 1 ip sla 1 reachability
ip vrf MGMT
!
interface FastEthernet0/0
 ip address 192.168.0.254 255.255.255.0
 ip address 192.168.1.254 255.255.255.0 secondary
 ip policy route-map TO-SPS
 ip access-group 120 in
 ip verify unicast source reachable-via rx allow-default 10
 ip nat inside
 standby 1 ip 192.168.0.253
!
ip access-list extended MONITORED
 10 permit tcp 192.168.0.0 0.0.0.255 object-group SERVERS eq 3389 established
 20 deny ip any any log
 no 20
access-list 120 permit ip any any
access-list 120 remark | the end
!
route-map TO-SPS permit 10
 match ip address MONITORED 120
 match length 3 1500
 set ip next-hop verify-availability 172.16.0.1 1 track 1
 set ip next-hop 172.16.0.2 172.16.0.3
 set ip default next-hop 172.16.0.9
 set interface Null0
route-map TO-SPS deny 20
 continue 30
!
ip route 0.0.0.0 0.0.0.0 172.16.0.254 10 track 1
ip route vrf MGMT 10.0.0.0 255.0.0.0 Null0
ip nat inside source list 120 interface FastEthernet0/0 overload
ip prefix-list P seq 5 permit 10.0.0.0/8 ge 16 le 24
end
`,
  },
];

/** `redirect-verify collect sophos-utm`: the script that fetches a UTM's configuration by its REST API. */

const OBJECTS = [
  'interface/ethernet',
  'interface/vlan',
  'interface/bridge',
  'interface/pppoe',
  'interface/tunnel',
  'itfhw/ethernet',
  'itfhw/bridge',
  'itfhw/lag',
  'itfparams/primary',
  'itfparams/secondary',
  'network/any',
  'network/network',
  'network/host',
  'network/range',
  'network/group',
  'network/dns_host',
  'network/dns_group',
  'network/availability_group',
  'network/interface_address',
  'network/interface_network',
  'network/interface_broadcast',
  'service/any',
  'service/tcp',
  'service/udp',
  'service/tcpudp',
  'service/group',
  'service/ip',
  'service/icmp',
  'service/ah',
  'service/esp',
  'route/policy',
  'route/static',
  'packetfilter/packetfilter',
  'packetfilter/masq',
  'packetfilter/nat',
];

const NODES = [
  'interfaces.interfaces',
  'routes.policy',
  'routes.static',
  'packetfilter.rules',
  'packetfilter.rules_front',
  'packetfilter.rules_auto',
  'packetfilter.rules_back',
  'packetfilter.advanced.spoof_protection',
  'masq.rules',
  'nat.rules',
  'settings.hostname',
];

/** A POSIX sh script for any machine with curl. It reads; a part that the UTM does not have is left out, and standard error says so. */
export function sophosUtmCollectScript(): string {
  const paths = [...OBJECTS.map((type) => `objects/${type}/`), ...NODES.map((node) => `nodes/${node}`)];
  return `#!/bin/sh
# Fetches from a Sophos UTM what decides where packets go: interfaces, networks, services, policy routes, packet filter. It only reads.
# Switch the REST API on (Management > WebAdmin Settings > RESTful API), make a token for a user with read-only rights, and run
#   UTM=utm.example.com TOKEN=... sh collect.sh > utm.txt
# A UTM with a certificate of its own: CURL_OPTIONS='--cacert utm.pem'. The result holds addresses and rules: keep it as you keep those.
set -u
if [ -z "\${UTM-}" ] || [ -z "\${TOKEN-}" ]; then
  echo "set UTM and TOKEN" >&2
  exit 2
fi
CURL_OPTIONS=\${CURL_OPTIONS-}
for path in \\
${paths.map((path) => `  ${path}`).join(' \\\n')}
do
  # By a file that nobody else sees: a token among the arguments would stand in the list of processes.
  if answer=$(printf 'user = "token:%s"\\n' "$TOKEN" | curl -fsS --config - $CURL_OPTIONS "https://$UTM:4444/api/$path"); then
    printf '### /api/%s\\n%s\\n' "$path" "$answer"
  else
    echo "not there: $path" >&2
  fi
done
# Taken in its shell, iptables-save, ip rule, ip route show table all and ip addr of a UTM are read as those of any Linux router.
`;
}

import type { Step } from '../forwarding/walk.ts';
import type { PolicyMap, PolicyRouteDevice } from '../model/policy-route.ts';
import { formatIpAddress } from '../net/ip-address.ts';
import { ciscoDefects } from './cisco-defects.ts';
import { entryFor, entryOf, openList, redirectsTo } from './cisco-statements.ts';
import type { FlowOfInterest, Remedies, Remedy } from './router.ts';
import { WITHOUT_MARKS } from './without-marks.ts';

/** Changes of a Cisco IOS router, as they are typed in its configuration mode; what they replace is taken back by `no`. */
export function ciscoRemedies(device: PolicyRouteDevice): Remedies {
  return {
    ...WITHOUT_MARKS,
    relaxReversePath: (ingress) => relaxSourceCheck(device, ingress),
    redirect: (flow) => redirect(device, flow),
    replaceNextHop: (route, sps) => replaceNextHop(device, route, formatIpAddress(sps)),
    permit: (flow) => permit(device, flow),
    leaveAlone: (flow) => leaveAlone(device, flow),
    stopIcmpRedirects: (name) => [[`interface ${name}`, 'no ip redirects']],
    failClosed: () => failClosed(device),
    defects: (walk, flow) => ciscoDefects(device, walk, flow),
  };
}

/** Tried after the next hops: what none of them takes is dropped instead of routed by destination. */
function failClosed(device: PolicyRouteDevice): Remedy[] {
  const redirecting = [...device.maps.values()]
    .flatMap((map) => map.entries)
    .filter(
      (entry) => entry.permit && entry.actions.some((action) => action.kind === 'next-hops' && !action.isDefault),
    );
  if (redirecting.length === 0) return [];
  return [redirecting.flatMap((entry) => [entry.title, 'set interface Null0'])];
}

/** Loose drops sources that only the default route leads to, unless that is told to count. */
function relaxSourceCheck(device: PolicyRouteDevice, ingress: string): Remedy[] {
  const check = device.ports.get(ingress)?.sourceCheck;
  if (check === undefined) return [];
  const off = [`interface ${ingress}`, `no ${check.origin.text}`];
  const loose = 'ip verify unicast source reachable-via any';
  const list = check.exceptions === undefined ? '' : ` ${check.exceptions}`;
  return [[...off, `${loose}${list}`], [...off, `${loose} allow-default${list}`], off];
}

function redirect(device: PolicyRouteDevice, flow: FlowOfInterest): Remedy[] {
  const policy = device.ports.get(flow.ingress)?.policy;
  const map = policy === undefined ? undefined : device.maps.get(policy.name);
  if (map !== undefined) return [...inLists(device, map, flow), ...inMap(device, map, flow)];
  const remedies: Remedy[] = [];
  const open = `interface ${flow.ingress}`;
  for (const name of device.maps.keys()) remedies.push([open, `ip policy route-map ${name}`]);
  if (flow.sps === undefined) return remedies;
  const name = policy?.name ?? unusedName(device, flow.sourcePort === undefined ? 'sps-requests' : 'sps-replies');
  const list = unusedName(device, name);
  remedies.push([
    ...definition(list, flow),
    `route-map ${name} permit 10`,
    `match ip address ${list}`,
    `set ip next-hop ${flow.sps}`,
    ...(policy === undefined ? [open, `ip policy route-map ${name}`] : []),
  ]);
  return remedies;
}

/** Another entry in a list that a redirecting entry asks: at its end, or before its first. */
function inLists(device: PolicyRouteDevice, map: PolicyMap, flow: FlowOfInterest): Remedy[] {
  const entry = entryFor(flow);
  const lists = map.entries
    .filter((item) => redirectsTo(item, flow.sps))
    .flatMap((item) => item.matches.flatMap((match) => (match.kind === 'access-lists' ? match.names : [])))
    .flatMap((name) => device.lists.get(name) ?? []);
  return lists.flatMap((list) => {
    const first = list.entries[0]?.sequence ?? 10;
    const remedies = [[openList(list), entry]];
    if (first > 1) remedies.push([openList(list), `${first - 1} ${entry}`]);
    return remedies;
  });
}

/** An entry of its own before those of the map. */
function inMap(device: PolicyRouteDevice, map: PolicyMap, flow: FlowOfInterest): Remedy[] {
  const first = map.entries[0]?.sequence ?? 10;
  if (flow.sps === undefined || first < 2) return [];
  const list = unusedName(device, `${map.name}-sps`);
  return [
    [
      ...definition(list, flow),
      `route-map ${map.name} permit ${first - 1}`,
      `match ip address ${list}`,
      `set ip next-hop ${flow.sps}`,
    ],
  ];
}

/** A denying entry before the first of each list that redirects, or before those of the map. */
function leaveAlone(device: PolicyRouteDevice, flow: FlowOfInterest): Remedy[] {
  const policy = device.ports.get(flow.ingress)?.policy;
  const map = policy === undefined ? undefined : device.maps.get(policy.name);
  if (map === undefined) return [];
  const entry = entryFor(flow).replace(/^permit /, 'deny ');
  const lists = map.entries.flatMap((item) =>
    item.matches.flatMap((match) => (match.kind === 'access-lists' ? match.names : [])),
  );
  const remedies = [...new Set(lists)].flatMap((name): Remedy[] => {
    const list = device.lists.get(name);
    const before = (list?.entries[0]?.sequence ?? 0) - 1;
    return list === undefined || before < 1 ? [] : [[openList(list), `${before} ${entry}`]];
  });
  const before = (map.entries[0]?.sequence ?? 0) - 1;
  if (before < 1) return remedies;
  const list = unusedName(device, `${map.name}-exempt`);
  return [...remedies, [...definition(list, flow), `route-map ${map.name} deny ${before}`, `match ip address ${list}`]];
}

function definition(list: string, flow: FlowOfInterest): string[] {
  return [`ip access-list extended ${list}`, entryFor(flow)];
}

function unusedName(device: PolicyRouteDevice, wanted: string): string {
  let name = wanted;
  for (let number = 2; device.lists.has(name) || device.maps.has(name); number++) name = `${wanted}-${number}`;
  return name;
}

function replaceNextHop(device: PolicyRouteDevice, route: Extract<Step, { kind: 'route' }>, sps: string): Remedy[] {
  const found = entryOf(device, route.by);
  if (found === undefined || route.nextHop === undefined) return [];
  return [
    [found.entry.title, `no ${route.origin?.text ?? `set ip next-hop ${route.nextHop}`}`, `set ip next-hop ${sps}`],
  ];
}

/** An entry before the one that denies, in the list of the way in, of the way out, or of both. */
function permit(device: PolicyRouteDevice, flow: FlowOfInterest): Remedy[] {
  const insert = (name: string | undefined): Remedy[] => {
    const list = name === undefined ? undefined : device.lists.get(name);
    if (list === undefined) return [];
    const first = list.entries[0]?.sequence ?? 10;
    return [[openList(list), `${Math.max(first - 1, 1)} ${entryFor(flow)}`]];
  };
  const input = insert(device.ports.get(flow.ingress)?.inputList?.name);
  const output = insert(device.ports.get(flow.egress)?.outputList?.name);
  const together = input.length > 0 && output.length > 0 ? [[...input[0]!, ...output[0]!]] : [];
  return [...input, ...output, ...together];
}

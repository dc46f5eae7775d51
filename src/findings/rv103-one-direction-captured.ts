import { connectionsWhere, detected, type Finding, isServerBesideSps } from './finding.ts';

/** RV103. */
export const oneDirectionCaptured: Finding = {
  kind: {
    code: 'RV103',
    slug: 'one-direction-captured',
    severity: 'note',
    saidWhen: 'only one direction of a connection is in the capture; the other was synthesized',
    meaning:
      'Packets of one direction entered the router where nothing was captured. What they would meet was simulated.',
    whyItMatters: 'That part of the verdict rests on the configuration alone.',
    example: 'A capture of eth0 only: what SPS sends enters on eth1.',
    whatToDo: 'Capture all interfaces: tcpdump -i any, or dumpcap with one -i for each.',
    references: [],
  },
  detect: (run) => {
    if (run.mode === 'what-if') return [];
    const { ids, first } = connectionsWhere(run, (item) => {
      const toServer = item.ways.some((way) => way.path.toServer);
      const toClient = item.ways.some((way) => !way.path.toServer);
      // What SPS sends to a server beside it does not pass the router.
      if (!toServer && isServerBesideSps(run, item)) return false;
      // Where SPS's side was captured, what is missing there was not sent.
      return toServer !== toClient && (!toServer || !run.spsSideCaptured || item.leg === 'server');
    });
    if (first === undefined) return [];
    return [
      detected({
        message: `only one direction of ${ids.length === 1 ? 'a connection' : `${ids.length} connections`} is in the capture; the other was synthesized`,
        key: 'RV103',
        count: ids.length,
        connections: ids,
        where: run.placeOf(
          { file: first.connection.firstFile, frame: first.connection.firstFrame },
          first.ways[0]?.path.ingress ?? -1,
        ),
      }),
    ];
  },
};

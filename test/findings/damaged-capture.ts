import { ipv4, type Traffic } from './build-capture.ts';

/** Cuts what is captured of every frame to so many bytes, as a snap length does. */
export function cutShort(traffic: Traffic, length: number): void {
  for (const frame of traffic.frames.splice(0))
    traffic.frames.push({ ...frame, captured: Math.min(length, frame.bytes.length) });
}

/** Packets that are complete. */
export const Cut = {
  emptyUdp: ipv4({ source: '192.168.0.10', sourcePort: 4000, destination: '192.168.0.254', destinationPort: 4001 }),
} as const;

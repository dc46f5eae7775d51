import { expect, it } from 'vitest';
import { tcpPayload } from '../../src/join/tcp-payload.ts';
import { decodeFrame } from '../../src/wire/decode-frame.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';
import { layOut } from '../wire/frame-bytes.ts';
import { concat } from './tls-bytes.ts';

const PAYLOAD = new Uint8Array([1, 2, 3, 4, 5]);
const OPTIONS = 4;

/** IPv4 without options, TCP with four bytes of them. */
function segment(payload: Uint8Array): Uint8Array {
  const tcpLength = 20 + OPTIONS + payload.length;
  return concat(
    layOut([1, 0x45], [1, 0], [2, 20 + tcpLength], [2, 1], [2, 0x4000], [1, 64], [1, 6], [2, 0]),
    layOut([4, 0xac100001], [4, 0x0a000014]),
    layOut([2, 20000], [2, 443], [4, 7], [4, 9], [1, (20 + OPTIONS) << 2], [1, 0x18], [2, 1000], [2, 0], [2, 0]),
    layOut([1, 1], [1, 1], [1, 1], [1, 0]),
    payload,
  );
}

const MACS = layOut([6, 0x020000000001], [6, 0x020000000002]);
const IP = segment(PAYLOAD);
const cases: readonly { name: string; linkType: number; frame: Uint8Array }[] = [
  { name: 'Ethernet', linkType: 1, frame: concat(MACS, layOut([2, 0x0800]), IP) },
  { name: 'Ethernet with padding', linkType: 1, frame: concat(MACS, layOut([2, 0x0800]), IP, new Uint8Array(9)) },
  { name: 'one VLAN tag', linkType: 1, frame: concat(MACS, layOut([2, 0x8100], [2, 5], [2, 0x0800]), IP) },
  {
    name: 'two VLAN tags',
    linkType: 1,
    frame: concat(MACS, layOut([2, 0x88a8], [2, 5], [2, 0x8100], [2, 6], [2, 0x0800]), IP),
  },
  {
    name: 'PPPoE',
    linkType: 1,
    frame: concat(MACS, layOut([2, 0x8864], [2, 0x1100], [2, 1], [2, IP.length + 2], [2, 0x0021]), IP),
  },
  {
    name: 'Linux cooked',
    linkType: 113,
    frame: concat(layOut([2, 0], [2, 1], [2, 6], [6, 0x020000000001], [2, 0], [2, 0x0800]), IP),
  },
  {
    name: 'Linux cooked v2',
    linkType: 276,
    frame: concat(layOut([2, 0x0800], [2, 0], [4, 2], [2, 1], [1, 0], [1, 6], [6, 0x020000000001], [2, 0]), IP),
  },
  { name: 'raw IP', linkType: 101, frame: IP },
  { name: 'loopback', linkType: 0, frame: concat(new Uint8Array([2, 0, 0, 0]), IP) },
];

function payloadOf(frame: Uint8Array, linkType: number): Uint8Array | undefined {
  const batch = new PacketBatch(1);
  decodeFrame(frame, 0, frame.length, frame.length, linkType, batch, 0, false);
  return tcpPayload(frame, linkType, batch);
}

it.each(cases)('is found behind $name', ({ frame, linkType }) => {
  expect(payloadOf(frame, linkType)).toEqual(PAYLOAD);
});

it.each(cases)('of a frame of any length is what is there, or nothing: $name', ({ frame, linkType }) => {
  const batch = new PacketBatch(1);
  for (let length = 0; length < frame.length; length++) {
    const cut = frame.slice(0, length);
    decodeFrame(cut, 0, length, frame.length, linkType, batch, 0, false);
    const got = tcpPayload(cut, linkType, batch) ?? new Uint8Array(0);
    expect(got).toEqual(PAYLOAD.subarray(0, got.length));
  }
});

it('is not taken from where another packet stands', () => {
  const batch = new PacketBatch(1);
  const frame = cases[0]!.frame;
  decodeFrame(frame, 0, frame.length, frame.length, 1, batch, 0, false);
  expect(tcpPayload(concat(new Uint8Array(2), frame), 1, batch)).toBeUndefined();
  batch.sourcePort[0] = 1;
  expect(tcpPayload(frame, 1, batch)).toBeUndefined();
});

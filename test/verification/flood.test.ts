/** A flood of SYNs from everywhere: what is made up for one connection stands for its like. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { prepare } from '../../src/commands/verify-files.ts';
import { resolveSite } from '../../src/verification/intent.ts';
import { replay } from '../../src/verification/replay.ts';
import { conclude } from '../../src/verification/run.ts';

const ROUTER = join(import.meta.dirname, '..', '..', 'captures', 'seed-own-address', 'router');
const COUNT = 1500;

const folder = mkdtempSync(join(tmpdir(), 'redirect-verify-flood-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A classic pcap of SYNs to one server, each from another network. */
function flood(): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2_c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(262_144, 16);
  head.writeUInt32LE(1, 20);
  const records = Array.from({ length: COUNT }, (_, index) => {
    const bytes = Buffer.alloc(70);
    bytes.writeUInt32LE(1_700_000_000 + Math.floor(index / 500), 0);
    bytes.writeUInt32LE(54, 8);
    bytes.writeUInt32LE(54, 12);
    // To the router's eth0.
    bytes.write('0200c0a800fe0200000000020800', 16, 'hex');
    bytes[30] = 0x45;
    bytes.writeUInt16BE(40, 32);
    bytes[38] = 64;
    bytes[39] = 6;
    bytes.writeUInt32BE(0x2d00_0001 + index * 256, 42);
    bytes.writeUInt32BE(0x0a00_000a, 46);
    bytes.writeUInt16BE(40_000, 50);
    bytes.writeUInt16BE(3389, 52);
    bytes.writeUInt32BE(index, 54);
    bytes[62] = 0x50;
    bytes[63] = 0x02;
    return bytes;
  });
  return Buffer.concat([head, ...records]);
}

describe('a flood of SYNs from everywhere', () => {
  it('holds the packets that were made up for some of its connections, not for each', async () => {
    const path = join(folder, 'flood.pcap');
    writeFileSync(path, flood());
    const { loaded, stated } = prepare({
      captures: [path],
      router: [ROUTER],
      site: false,
      sps: ['172.16.0.1'],
      spsInterface: ['eth1'],
      snat: 'own',
      service: ['tcp/3389'],
    });
    const { resolved, router } = resolveSite(stated, loaded.router);
    const set = await openCaptureSet([{ path, interface: 'eth0' }]);
    const run = await replay(set, router, resolved, { whatIf: false });
    const { connections } = conclude(run, set, router, { stated, resolved }, { whatIf: false, diagnosers: [] });
    await set.close();
    expect(connections.length).toBe(COUNT);
    const made = new Set(connections.map(({ probes }) => probes));
    // The first thousand that fail are explained each by itself.
    expect(made.size).toBeLessThan(1100);
    // Of all of them the same is said: there is no route back to these clients.
    const said = new Set(
      connections.map(({ probes }) => probes.problems.map(({ label, category }) => `${label}: ${category}`).join()),
    );
    expect([...said].map((words) => words === '')).toEqual([false]);
  });
});

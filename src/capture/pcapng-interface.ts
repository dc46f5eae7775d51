import { LinkType } from '../wire/link-type.ts';
import type { CaptureFile } from './capture-file.ts';
import { readHalf, readWord } from './endian.ts';
import { CookedInterfaces } from './frame-reader.ts';
import { OptionCursor } from './pcapng-option.ts';
import { MICROSECOND_RESOLUTION, TimestampClock } from './timestamp.ts';

/** Body of an interface description block. Ref: draft-ietf-opsawg-pcapng section 4.2 */
const LINK_TYPE = 0;
const SNAP_LENGTH = 4;
const OPTIONS = 8;

const IF_NAME = 2;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;

/** Longer names are no interface's: Linux has 15 bytes, Windows less than this. */
const MAX_NAME_LENGTH = 256;

/** An interface of a section, as its packets need it. */
export interface PcapngInterface {
  readonly linkType: number;
  readonly snapLength: number;
  readonly clock: TimestampClock;
  /** Index into the capture set's interfaces; of no meaning where `cooked` is there. */
  readonly captureInterface: number;
  readonly cooked: CookedInterfaces | undefined;
}

/** Reads an interface description from `at` to `end`; what is wrong with it, in words, where it cannot be used. */
export function describeInterface(
  bytes: Uint8Array,
  at: number,
  end: number,
  littleEndian: boolean,
  file: CaptureFile,
): PcapngInterface | string {
  if (end - at < OPTIONS) return 'an interface description that is too short';
  const linkType = readHalf(bytes, at + LINK_TYPE, littleEndian);
  const snapLength = readWord(bytes, at + SNAP_LENGTH, littleEndian);
  let name: string | undefined;
  let resolution = MICROSECOND_RESOLUTION;
  let offsetSeconds = 0;
  const options = new OptionCursor();
  options.start(bytes, at + OPTIONS, end, littleEndian);
  while (options.next()) {
    const { code, length, value } = options;
    if (code === IF_NAME && length <= MAX_NAME_LENGTH) name = readName(bytes.subarray(value, value + length));
    else if (code === IF_TSRESOL && length === 1) resolution = bytes[value]!;
    else if (code === IF_TSOFFSET && length === 8) offsetSeconds = readSigned(bytes, value, littleEndian);
  }
  // Without its options the interface's clock is not known: better no frames than frames at wrong times.
  if (options.lies) return 'an interface description whose options are longer than the block';
  const clock = new TimestampClock(resolution, offsetSeconds);
  if (linkType === LinkType.linuxCookedV2) {
    const cooked = new CookedInterfaces(file, linkType, snapLength, name);
    return { linkType, snapLength, clock, captureInterface: -1, cooked };
  }
  const captureInterface = file.addInterface(linkType, snapLength, name, undefined);
  if (captureInterface === undefined) return 'too many interfaces';
  return { linkType, snapLength, clock, captureInterface, cooked: undefined };
}

/** UTF-8; some writers count a terminating zero. */
function readName(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function readSigned(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  const low = readWord(bytes, littleEndian ? at : at + 4, littleEndian);
  const high = readWord(bytes, littleEndian ? at + 4 : at, littleEndian) | 0;
  return high * 0x1_0000_0000 + low;
}

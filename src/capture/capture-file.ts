import type { Problem, Where } from '../diagnostic/diagnostic.ts';
import { formatLinkType } from '../wire/link-type.ts';
import { type PacketBatch, Status } from '../wire/packet-batch.ts';
import type { CaptureFileSummary, CaptureInput, CaptureInterface } from './capture-set.ts';

/** More interfaces than a router has; a crafted file could else fill the memory with them. */
const MAX_INTERFACES = 0x1_0000;

const NOTEWORTHY = Status.cut | Status.malformed | Status.badOptions | Status.unsupportedLink;

/** What is counted: how often, and where first. */
interface Tally {
  count: number;
  readonly firstFrame: number;
  readonly captureInterface: number | undefined;
}

/** What one file's reader finds out on the way: its interfaces, totals and problems. */
export class CaptureFile {
  /** Index in command line order. */
  readonly index: number;
  /** As given on the command line. */
  readonly path: string;
  readonly format: 'pcap' | 'pcapng';
  private readonly input: CaptureInput;
  /** Of all files. */
  private readonly interfaces: CaptureInterface[];
  private readonly interfaceByKey = new Map<string, number>();

  packets = 0;
  private bytes = 0;
  private firstSeconds = Number.POSITIVE_INFINITY;
  private firstNanoseconds = 0;
  private lastSeconds = Number.NEGATIVE_INFINITY;
  private lastNanoseconds = 0;

  private end: Problem | undefined;
  /** Frames that the capture says were lost, by interface of the section: by the interface's own statistics, and by what packets told. */
  private lostInSectionsBefore = 0;
  private readonly lostByStatistics = new Map<number, number>();
  private readonly lostByPackets = new Map<number, number>();
  private cut: Tally | undefined;
  private malformed: Tally | undefined;
  private longerThanFrame: Tally | undefined;
  private untimed: Tally | undefined;
  private timeOutOfRange: Tally | undefined;
  private late: Tally | undefined;
  private readonly unsupported = new Map<number, Tally>();

  constructor(index: number, input: CaptureInput, format: 'pcap' | 'pcapng', interfaces: CaptureInterface[]) {
    this.index = index;
    this.input = input;
    this.path = input.path;
    this.format = format;
    this.interfaces = interfaces;
  }

  /**
   * The index of an interface in the capture set, which is extended where it is new. The user's name for the file wins over the file's own;
   * `any` names none. The same interface of two sections of a file is one. Undefined where the file has absurdly many.
   */
  addInterface(
    linkType: number,
    snapLength: number,
    ownName: string | undefined,
    index: number | undefined,
  ): number | undefined {
    const name = this.input.interface ?? (ownName === 'any' || ownName === '' ? undefined : ownName);
    const key = `${linkType} ${snapLength} ${index ?? ''} ${name ?? ''}`;
    const isSame = name !== undefined || index !== undefined;
    const known = isSame ? this.interfaceByKey.get(key) : undefined;
    if (known !== undefined) return known;
    if (this.interfaceByKey.size >= MAX_INTERFACES) return undefined;
    const added = this.interfaces.length;
    this.interfaces.push({
      file: this.index,
      linkType,
      snapLength,
      ...(name === undefined ? {} : { name }),
      ...(index === undefined ? {} : { index }),
    });
    this.interfaceByKey.set(isSame ? key : `#${added}`, added);
    return added;
  }

  /** Counts a decoded frame and notes what is wrong with it. Called once for each frame, in file order. */
  countFrame(batch: PacketBatch, row: number): void {
    const seconds = batch.seconds[row]!;
    const nanoseconds = batch.nanoseconds[row]!;
    this.packets++;
    this.bytes += batch.originalLength[row]!;
    if (seconds > this.lastSeconds || (seconds === this.lastSeconds && nanoseconds > this.lastNanoseconds)) {
      this.lastSeconds = seconds;
      this.lastNanoseconds = nanoseconds;
    }
    if (seconds < this.firstSeconds || (seconds === this.firstSeconds && nanoseconds < this.firstNanoseconds)) {
      this.firstSeconds = seconds;
      this.firstNanoseconds = nanoseconds;
    }
    if ((batch.status[row]! & NOTEWORTHY) !== 0) this.countStatus(batch, row);
  }

  /** A record that says more bytes were captured than the frame had. */
  countLongerThanFrame(): void {
    this.longerThanFrame = counted(this.longerThanFrame, 1, this.packets, undefined);
  }

  /** A frame without a time of its own. */
  countUntimed(): void {
    this.untimed = counted(this.untimed, 1, this.packets, undefined);
  }

  /** A frame whose time is not within the years 1970 to 9999. */
  countTimeOutOfRange(): void {
    this.timeOutOfRange = counted(this.timeOutOfRange, 1, this.packets, undefined);
  }

  /** Frames delivered after later ones because the file has them too far apart. */
  countLate(count: number, firstFrame: number): void {
    this.late = counted(this.late, count, firstFrame, undefined);
  }

  /** A section begins: its interfaces and their counts are new ones. */
  startSection(): void {
    this.lostInSectionsBefore = this.lost();
    this.lostByStatistics.clear();
    this.lostByPackets.clear();
  }

  /** The statistics of an interface of the section, which count from its begin: the last ones hold. */
  setLost(interfaceId: number, count: number): void {
    this.lostByStatistics.set(interfaceId, Math.max(count, this.lostByStatistics.get(interfaceId) ?? 0));
  }

  /** Frames lost between a frame and the one before it. */
  addLost(interfaceId: number, count: number): void {
    this.lostByPackets.set(interfaceId, count + (this.lostByPackets.get(interfaceId) ?? 0));
  }

  /** The file ends inside a record; `reason` where the source knows more. */
  endInsideRecord(reason: string | undefined): void {
    const frame = this.packets + 1;
    const why = reason === undefined ? '' : `: ${reason}`;
    this.end ??= {
      code: 'RV101',
      message: `the capture ends inside the record of frame ${frame}${why}; the ${plural(this.packets, 'frame')} before it ${this.packets === 1 ? 'is' : 'are'} used`,
      where: this.frameAt(frame, undefined),
    };
  }

  /** The source broke off between two records. */
  endBetweenRecords(reason: string): void {
    const frame = this.packets + 1;
    this.end ??= {
      code: 'RV101',
      message: `the capture ends before frame ${frame}: ${reason}; the ${plural(this.packets, 'frame')} before it ${this.packets === 1 ? 'is' : 'are'} used`,
      where: this.frameAt(frame, undefined),
    };
  }

  /** A record that cannot be one: nothing behind it can be found again. */
  endAtCorruptRecord(offset: number, what: string): void {
    const frame = this.packets + 1;
    this.end ??= {
      code: 'RV101',
      message: `the capture is corrupt at byte ${offset}, where frame ${frame} is expected: ${what}; the ${plural(this.packets, 'frame')} before it ${this.packets === 1 ? 'is' : 'are'} used and nothing after`,
      where: this.frameAt(frame, undefined),
    };
  }

  summary(): CaptureFileSummary {
    const time =
      this.packets === 0
        ? {}
        : {
            first: { seconds: this.firstSeconds, nanoseconds: this.firstNanoseconds },
            last: { seconds: this.lastSeconds, nanoseconds: this.lastNanoseconds },
          };
    return {
      path: this.path,
      format: this.format,
      packets: this.packets,
      bytes: this.bytes,
      truncated: this.end !== undefined,
      dropped: this.lost(),
      ...time,
    };
  }

  problems(): Problem[] {
    const problems: Problem[] = [];
    if (this.end !== undefined) problems.push(this.end);
    const lost = this.lost();
    if (lost > 0) {
      problems.push({
        code: 'RV104',
        message: `${this.path} says that ${plural(lost, 'frame')} ${lost === 1 ? 'was' : 'were'} lost while it was captured`,
        count: lost,
        fix: ['dumpcap -B 64 -s 256 …  # a larger buffer, and less of each frame'],
      });
    }
    if (this.cut !== undefined) {
      problems.push({
        ...this.tallied(this.cut),
        code: 'RV105',
        message: 'the snap length of the capture cut headers that a decision needs',
        fix: ['tcpdump -s 0 …  # whole frames; 256 bytes are enough for the headers'],
      });
    }
    for (const [captureInterface, tally] of this.unsupported) {
      const linkType = this.interfaces[captureInterface]!.linkType;
      problems.push({
        ...this.tallied(tally),
        code: 'RV106',
        message: `frames of link type ${formatLinkType(linkType)} are not decoded`,
      });
    }
    if (this.malformed !== undefined) {
      problems.push({
        ...this.tallied(this.malformed),
        code: 'RV201',
        message: 'a header that lies about its length, has an impossible version, or is missing',
      });
    }
    if (this.longerThanFrame !== undefined) {
      problems.push({
        ...this.tallied(this.longerThanFrame),
        code: 'RV201',
        message: 'the record holds more bytes than it says the frame had; all of them are taken as the frame',
      });
    }
    if (this.timeOutOfRange !== undefined) {
      problems.push({
        ...this.tallied(this.timeOutOfRange),
        code: 'RV201',
        message: 'the time of the record is not within the years 1970 to 9999',
      });
    }
    if (this.untimed !== undefined) {
      problems.push({
        ...this.tallied(this.untimed),
        code: 'RV901',
        message: 'the record holds no time; the frame is taken at the time of the one before it',
      });
    }
    if (this.late !== undefined) {
      problems.push({
        ...this.tallied(this.late),
        code: 'RV901',
        message: `${plural(this.late.count, 'frame')} of ${this.path} ${this.late.count === 1 ? 'comes' : 'come'} too late in the file to be put in time order; the order of events is not certain there`,
        fix: [`reordercap ${this.path} ordered.pcapng`],
      });
    }
    return problems;
  }

  private countStatus(batch: PacketBatch, row: number): void {
    const status = batch.status[row]!;
    const frame = batch.frameNumber[row]!;
    const captureInterface = batch.captureInterface[row]!;
    if ((status & Status.cut) !== 0) this.cut = counted(this.cut, 1, frame, captureInterface);
    if ((status & (Status.malformed | Status.badOptions)) !== 0)
      this.malformed = counted(this.malformed, 1, frame, captureInterface);
    if ((status & Status.unsupportedLink) !== 0) {
      const tally = this.unsupported.get(captureInterface);
      if (tally !== undefined) tally.count++;
      else this.unsupported.set(captureInterface, counted(undefined, 1, frame, captureInterface));
    }
  }

  /** Both kinds of counts are of the same losses: the larger one of each interface holds. */
  private lost(): number {
    let sum = this.lostInSectionsBefore;
    for (const [interfaceId, count] of this.lostByStatistics) {
      sum += Math.max(count, this.lostByPackets.get(interfaceId) ?? 0);
    }
    for (const [interfaceId, count] of this.lostByPackets) {
      if (!this.lostByStatistics.has(interfaceId)) sum += count;
    }
    return sum;
  }

  private tallied(tally: Tally): { count: number; where: Where } {
    return { count: tally.count, where: this.frameAt(tally.firstFrame, tally.captureInterface) };
  }

  private frameAt(frame: number, captureInterface: number | undefined): Where {
    const name = captureInterface === undefined ? undefined : this.interfaces[captureInterface]?.name;
    return { kind: 'frame', path: this.path, frame, ...(name === undefined ? {} : { interface: name }) };
  }
}

function counted(
  tally: Tally | undefined,
  count: number,
  firstFrame: number,
  captureInterface: number | undefined,
): Tally {
  if (tally === undefined) return { count, firstFrame, captureInterface };
  tally.count += count;
  return tally;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

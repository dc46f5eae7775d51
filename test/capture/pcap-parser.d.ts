/** The part of the package that the comparison uses; it has no types of its own. */
declare module 'pcap-parser' {
  import type { EventEmitter } from 'node:events';

  interface Packet {
    readonly header: {
      readonly timestampSeconds: number;
      readonly timestampMicroseconds: number;
      readonly capturedLength: number;
      readonly originalLength: number;
    };
    readonly data: Uint8Array;
  }

  interface Parser extends EventEmitter {
    on(event: 'packet', listener: (packet: Packet) => void): this;
    on(event: 'globalHeader', listener: (header: { readonly linkLayerType: number }) => void): this;
    on(event: 'end', listener: () => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  export function parse(input: string | NodeJS.ReadableStream): Parser;
}

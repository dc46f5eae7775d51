import type { Span } from '../text/span.ts';
import type { DispositionName } from './decision.ts';

/**
 * A packet's way through the router, step by step, for `trace` and for findings. Recorded only on demand. Marks are unsigned numbers;
 * `origin` is the configuration line, absent where the statement is implied (a default policy rule, a derived route).
 */
export type Step =
  | {
      readonly kind: 'conntrack';
      readonly state: 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID' | 'UNTRACKED' | 'unknown';
      readonly direction?: 'original' | 'reply';
      readonly connmark?: number;
      /** e.g. `SYN_SENT > SYN_RECV`, or why it is INVALID. */
      readonly detail?: string;
    }
  | {
      readonly kind: 'rule';
      readonly hook: string;
      readonly table: string;
      readonly chain: string;
      /** From 1 within the chain. */
      readonly number: number;
      /** `missed` steps are recorded for rules of which all matches but mark/connmark/ctstate/interface ones hold, so that findings can name them. */
      readonly outcome: 'matched' | 'unknown' | 'missed';
      /** What it did: `CONNMARK 0x0 > 0x1`, `MARK 0x0 > 0x1`, `DROP`, `jump X`. For a miss: which match failed. */
      readonly effect: string;
      readonly fwmark: number;
      readonly connmark?: number;
      readonly origin?: Span;
    }
  | {
      readonly kind: 'chain-policy';
      readonly hook: string;
      readonly table: string;
      readonly chain: string;
      readonly policy: string;
      readonly origin?: Span;
    }
  | { readonly kind: 'translation'; readonly hook: string; readonly effect: string; readonly origin?: Span }
  | {
      readonly kind: 'policy-rule';
      readonly priority: number;
      readonly outcome: 'matched' | 'missed' | 'unknown';
      /** `lookup 103: no route, next rule`, `lookup main: 10.0.0.0/24 dev eth2`. */
      readonly effect: string;
      readonly table?: number;
      readonly origin?: Span;
    }
  | {
      readonly kind: 'route';
      readonly table: number;
      readonly prefix: string;
      readonly egress?: string;
      readonly nextHop?: string;
      /** What routed the packet, where that is no numbered table: `route-map scb-inbound permit 10`, `10.0.0.0/24`. */
      readonly by?: string;
      readonly origin?: Span;
    }
  /** An access list was asked: at an interface, between interfaces (`forward`), or as a condition of a classifier (`match`). */
  | {
      readonly kind: 'filter';
      readonly stage: 'input' | 'output' | 'forward' | 'match';
      readonly interface?: string;
      /** `access list ssh-inbound`. */
      readonly list: string;
      readonly outcome: 'permitted' | 'denied';
      readonly effect: string;
      readonly origin?: Span;
    }
  /** An entry of an ordered classifier (route-map, policy route). */
  | {
      readonly kind: 'classifier';
      readonly map: string;
      readonly sequence?: number;
      readonly outcome: 'matched' | 'missed' | 'unknown';
      readonly effect: string;
      /** A next hop of the entry that was not used, as not available. */
      readonly passedOver?: string;
      readonly origin?: Span;
    }
  | {
      readonly kind: 'reverse-path';
      readonly ingress: string;
      /** 0 off, 1 strict, 2 loose; absent where unknown. */
      readonly effective?: number;
      /** The value of `all` and of the interface, absent where unknown. */
      readonly all?: number;
      readonly own?: number;
      readonly sourceValidMark?: boolean;
      /** Mark used in the reverse lookup. */
      readonly mark: number;
      readonly outcome: 'passed' | 'dropped' | 'unknown';
      /** What the reverse lookup of the source found: `192.168.0.0/24 dev eth0`, `no route`. */
      readonly effect: string;
      /** Devices of the route found. */
      readonly devices: readonly string[];
      readonly table?: number;
      readonly origin?: Span;
    }
  | { readonly kind: 'unknown'; readonly reason: string; readonly origin?: Span }
  | {
      readonly kind: 'end';
      readonly disposition: DispositionName;
      readonly egress?: string;
      readonly nextHop?: string;
      readonly detail?: string;
    };

export interface Walk {
  readonly steps: readonly Step[];
}

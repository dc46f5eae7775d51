/** `-m conntrack` without its state option. Ref: iptables-extensions(8). */
import { CtStatus, type CtTupleField, type Match } from '../../model/netfilter.ts';
import { parseIpProtocol } from '../../net/ip-protocol.ts';
import { argumentOf, type OptionUse, parseServiceRange, RuleError, type RuleContext } from './iptables-extension.ts';
import { parseMaskedAddress } from './iptables-address.ts';

const ADDRESSES: Readonly<Record<string, CtTupleField>> = {
  ctorigsrc: 'original-source',
  ctorigdst: 'original-destination',
  ctreplsrc: 'reply-source',
  ctrepldst: 'reply-destination',
};

const PORTS: Readonly<Record<string, CtTupleField>> = {
  ctorigsrcport: 'original-source-port',
  ctorigdstport: 'original-destination-port',
  ctreplsrcport: 'reply-source-port',
  ctrepldstport: 'reply-destination-port',
};

const STATUS: Readonly<Record<string, number>> = {
  NONE: 0,
  EXPECTED: CtStatus.expected,
  SEEN_REPLY: CtStatus.seenReply,
  ASSURED: CtStatus.assured,
  CONFIRMED: CtStatus.confirmed,
};

function tuple(field: CtTupleField, first: number, last: number, mask: number, use: OptionUse, beside: boolean): Match {
  return { kind: 'ct-tuple', field, first, last, mask, negated: use.negated, besideState: beside };
}

/** The condition of one option; undefined where the option's effect is not modelled. */
export function conntrackMatch(use: OptionUse, context: RuleContext, besideState: boolean): Match | undefined {
  const text = argumentOf(use);
  const address = Object.hasOwn(ADDRESSES, use.name) ? ADDRESSES[use.name] : undefined;
  if (address !== undefined) {
    const parsed = parseMaskedAddress(text, context.family);
    if (context.family === 6) return undefined;
    return tuple(address, parsed.address[0], parsed.address[0], parsed.mask[0], use, besideState);
  }
  const port = Object.hasOwn(PORTS, use.name) ? PORTS[use.name] : undefined;
  if (port !== undefined) {
    const { first, last } = parseServiceRange(text, ':');
    return tuple(port, first, last, 0xffff, use, besideState);
  }
  switch (use.name) {
    case 'ctproto': {
      const number = parseIpProtocol(text);
      if (number === undefined) throw new RuleError(`"${text}" is no protocol`);
      return tuple('protocol', number, number, 0xff, use, besideState);
    }
    case 'ctdir': {
      const direction = text.toUpperCase();
      if (direction !== 'ORIGINAL' && direction !== 'REPLY') throw new RuleError(`"${text}" is no direction`);
      return { kind: 'ct-direction', reply: (direction === 'REPLY') !== use.negated, besideState };
    }
    case 'ctstatus': {
      let status = 0;
      for (const name of text.split(',')) {
        const bit = Object.hasOwn(STATUS, name.toUpperCase()) ? STATUS[name.toUpperCase()] : undefined;
        if (bit === undefined) throw new RuleError(`"${name}" is no status of a connection`);
        status |= bit;
      }
      return { kind: 'ct-status', status, negated: use.negated, besideState };
    }
    default:
      return undefined;
  }
}

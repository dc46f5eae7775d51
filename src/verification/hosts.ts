import type { AddressClasses } from '../forwarding/address-classes.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { Intent } from '../model/intent.ts';
import { equalIpAddress, type IpAddress, type Words } from '../net/ip-address.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Replay } from './replay.ts';
import type { Router } from './router.ts';
import { isOnSpsSegment } from './senders.ts';

/** What the configuration and the intent say of an address. */
export interface Host {
  /** Equal for hosts whose packets meet the same fate where they are alike otherwise. */
  readonly number: number;
  /** No other host has the number. */
  readonly isOneOfAKind: boolean;
  readonly address: IpAddress;
  /** One of SPS's addresses that the intent names. */
  readonly isSps: boolean;
  /** Of the router itself. */
  readonly isRouters: boolean;
  readonly isOnSpsSegment: boolean;
  /** In one of the networks of clients, where any were stated. */
  readonly isClient: boolean;
}

/** Hosts that are remembered: of a flood from everywhere, not all. */
const MOST_HOSTS = 1 << 14;
/** Hosts that get numbers of their own whatever their addresses are. */
const MOST_OF_THEIR_KIND = 250;
/** Hosts beyond these that the router may tell apart get numbers of their own from here on: above those of all classes. */
const FIRST_UNLIKE = 2 ** 40;

/** Addresses of connections, each looked up once: there are a million connections, and few hosts. */
export class Hosts {
  readonly #router: Router;
  readonly #intent: Intent;
  readonly #forwarder: Forwarder;
  readonly #senders: Replay['senders'];
  /** Once asked for; null where there are none. */
  #classes: AddressClasses | null | undefined;
  readonly #four = new Map<number, Host>();
  readonly #six = new Map<string, Host>();
  #made = 0;

  constructor(router: Router, intent: Intent, { forwarder, senders }: Pick<Replay, 'forwarder' | 'senders'>) {
    this.#router = router;
    this.#intent = intent;
    this.#forwarder = forwarder;
    this.#senders = senders;
  }

  of(family: 4 | 6, words: Words): Host {
    if (family === 4) return this.#four.get(words[0]) ?? remember(this.#four, words[0], this.#make({ family, words }));
    const key = words.join();
    return this.#six.get(key) ?? remember(this.#six, key, this.#make({ family, words }));
  }

  #make(address: IpAddress): Host {
    const { clients, sps } = this.#intent;
    const isSps = sps.some((own) => equalIpAddress(own, address));
    const isNearSps = isOnSpsSegment(this.#router, this.#intent, address);
    const number = this.#made++;
    const kind = isSps || number < MOST_OF_THEIR_KIND ? -1 : this.#kindOf(address, isNearSps);
    return {
      number: kind >= 0 ? kind : number < MOST_OF_THEIR_KIND ? number : FIRST_UNLIKE + number,
      isOneOfAKind: kind < 0,
      address,
      isSps,
      isRouters: this.#router.interfaces.some((item) =>
        item.addresses.some(({ prefix }) => equalIpAddress(prefix, address)),
      ),
      isOnSpsSegment: isNearSps,
      isClient: clients.some((prefix) => prefixContains(prefix, address)),
    };
  }

  /** By what the router tells addresses apart; undefined where it may be by every bit of them. */
  get classes(): AddressClasses | undefined {
    if (this.#classes === undefined) this.#classes = this.#forwarder.addressClasses?.() ?? null;
    return this.#classes ?? undefined;
  }

  /** −1 where no other host may be taken for this one. */
  #kindOf(address: IpAddress, isOnSpsSegment: boolean): number {
    const { classes } = this;
    const alike = classes?.of(address) ?? -1;
    if (classes === undefined || alike < 0) return -1;
    const ofMac = classes.asksForMacs ? classes.ofMac(this.#senders.macOf(address)) : 0;
    const kind = alike * classes.macCount + ofMac;
    return MOST_OF_THEIR_KIND + 4 * kind + (address.family === 6 ? 2 : 0) + (isOnSpsSegment ? 1 : 0);
  }
}

function remember<Key>(hosts: Map<Key, Host>, key: Key, host: Host): Host {
  if (hosts.size >= MOST_HOSTS) {
    // What is alike is made again and gone again soon; those that are not would get other numbers.
    if (!host.isOneOfAKind) return host;
    hosts.clear();
  }
  hosts.set(key, host);
  return host;
}

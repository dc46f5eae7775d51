import type { Intent } from '../model/intent.ts';
import { equalIpAddress, type IpAddress, type Words } from '../net/ip-address.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Router } from './router.ts';
import { isOnSpsSegment } from './senders.ts';

/** What the configuration and the intent say of an address. */
export interface Host {
  /** Of no other one that {@link Hosts} made; below 2²⁶. */
  readonly number: number;
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
const MOST_HOSTS = 1 << 16;

/** Addresses of connections, each looked up once: there are a million connections, and few hosts. */
export class Hosts {
  readonly #router: Router;
  readonly #intent: Intent;
  readonly #four = new Map<number, Host>();
  readonly #six = new Map<string, Host>();
  #made = 0;

  constructor(router: Router, intent: Intent) {
    this.#router = router;
    this.#intent = intent;
  }

  of(family: 4 | 6, words: Words): Host {
    if (family === 4) return this.#four.get(words[0]) ?? remember(this.#four, words[0], this.#make({ family, words }));
    const key = words.join();
    return this.#six.get(key) ?? remember(this.#six, key, this.#make({ family, words }));
  }

  #make(address: IpAddress): Host {
    const { clients, sps } = this.#intent;
    return {
      number: this.#made++,
      address,
      isSps: sps.some((own) => equalIpAddress(own, address)),
      isRouters: this.#router.interfaces.some((item) =>
        item.addresses.some(({ prefix }) => equalIpAddress(prefix, address)),
      ),
      isOnSpsSegment: isOnSpsSegment(this.#router, this.#intent, address),
      isClient: clients.some((prefix) => prefixContains(prefix, address)),
    };
  }
}

function remember<Key>(hosts: Map<Key, Host>, key: Key, host: Host): Host {
  if (hosts.size >= MOST_HOSTS) hosts.clear();
  hosts.set(key, host);
  return host;
}

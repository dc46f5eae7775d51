import { X509Certificate } from 'node:crypto';
import { parseIpv4 } from '../net/ip-address.ts';

/** By what a certificate names what was entered. `common-name`: it has no names and addresses in subjectAltName, and Common Name says it. */
export type NameMatch = 'subject-alt-name' | 'common-name' | 'none';

/** A server's certificate, as far as joining depends on it. */
export interface ServerCertificate {
  readonly commonName?: string;
  readonly dnsNames: readonly string[];
  /** IP entries of subjectAltName. */
  readonly addresses: readonly string[];
  readonly issuer: string;
  /** Milliseconds since 1970; NaN where the certificate has no readable date. */
  readonly validFrom: number;
  readonly validTo: number;
}

const MAX_NAMES = 50;

/** Reads a certificate (DER). Undefined where it is none. */
export function readCertificate(der: Uint8Array): ServerCertificate | undefined {
  try {
    const certificate = new X509Certificate(der);
    const entries = alternativeNames(certificate.subjectAltName ?? '');
    const of = (kind: string): string[] => entries.filter((entry) => entry.kind === kind).map((entry) => entry.value);
    const commonName = commonNameOf(certificate.subject);
    return {
      ...(commonName !== undefined && { commonName }),
      dnsNames: of('DNS').slice(0, MAX_NAMES),
      addresses: of('IP Address').slice(0, MAX_NAMES),
      issuer: (certificate.issuer ?? '').split('\n').join(', ').slice(0, 300),
      validFrom: Date.parse(certificate.validFrom),
      validTo: Date.parse(certificate.validTo),
    };
  } catch {
    // OpenSSL refuses what is no certificate; whoever sent it, that is an observation and no defect of ours.
    return undefined;
  }
}

/** `DNS:a, IP Address:b`; values that would be ambiguous are quoted. Ref: Node.js, crypto, x509.subjectAltName */
function alternativeNames(text: string): { kind: string; value: string }[] {
  return [...text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map((match) => ({
    kind: match[1]!.trim(),
    value: match[2]!.trim(),
  }));
}

/** The most specific Common Name: the last. */
function commonNameOf(subject: string | undefined): string | undefined {
  const names = (subject ?? '')
    .split('\n')
    .filter((line) => line.startsWith('CN='))
    .map((line) => line.slice(3));
  return names.at(-1);
}

/**
 * Whether a client that entered this accepts the certificate's names. An address matches IP entries only, a host name DNS entries only, a
 * wildcard one whole label at the left. Common Name counts where subjectAltName has neither sort of entry, as it does for the clients that
 * the vendor documents; newer ones do not look at it at all.
 * Ref: RFC 9525 section 6, RFC 6125 section 6.4; One Identity, SPP to SPS join error resolution
 */
export function matchName(certificate: ServerCertificate, entered: string): NameMatch {
  const isAddress = parseIpv4(entered) !== undefined;
  if (
    isAddress ? certificate.addresses.includes(entered) : certificate.dnsNames.some((name) => coversHost(name, entered))
  )
    return 'subject-alt-name';
  if (certificate.dnsNames.length > 0 || certificate.addresses.length > 0) return 'none';
  const { commonName } = certificate;
  if (commonName === undefined) return 'none';
  return (isAddress ? commonName === entered : coversHost(commonName, entered)) ? 'common-name' : 'none';
}

function coversHost(pattern: string, host: string): boolean {
  const [first = '', ...rest] = labels(pattern);
  const [own = '', ...others] = labels(host);
  if (rest.join('.') !== others.join('.')) return false;
  // A wildcard right below a top level domain would cover half the world: no client takes it.
  return first === '*' ? rest.length >= 2 && own !== '' : first === own;
}

function labels(name: string): string[] {
  return name.toLowerCase().replace(/\.$/, '').split('.');
}

/** Everything that the certificate names, for people: `DNS spp.example, IP 10.0.0.20`. */
export function namesOf({ commonName, dnsNames, addresses }: ServerCertificate): string {
  const names = [...dnsNames.map((name) => `DNS ${name}`), ...addresses.map((address) => `IP ${address}`)];
  if (names.length > 0) return names.join(', ');
  return commonName === undefined ? 'nothing' : `Common Name ${commonName}, no subjectAltName`;
}

/** What to enter so that the certificate names it: an address where it holds one, else a host name; undefined where it holds neither. */
export function nameToEnter({ commonName, dnsNames, addresses }: ServerCertificate): string | undefined {
  const named = [...addresses.filter((address) => parseIpv4(address) !== undefined), ...dnsNames];
  const candidates = named.length > 0 || commonName === undefined ? named : [commonName];
  return candidates.find((name) => !name.includes('*'));
}

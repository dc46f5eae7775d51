import { namesOf, nameToEnter } from '../join/certificate.ts';
import { attemptPlace } from '../join/describe-join.ts';
import { detected, type Finding } from './finding.ts';

/** RV703. */
export const joinCertificateNameMismatch: Finding = {
  kind: {
    code: 'RV703',
    slug: 'join-certificate-name-mismatch',
    severity: 'error',
    saidWhen: "SPP's certificate does not name the address or host name that was entered when joining",
    meaning:
      'A client takes an address for named only by an IP entry of subjectAltName and a host name only by a DNS entry; Common Name counts only where subjectAltName has neither. Nothing of the certificate that SPP sent names what was entered.',
    whyItMatters: "SPS refuses the connection, and the join ends with JoinFailed: hostname … doesn't match ….",
    example: 'The certificate holds DNS:spp.example, and SPP’s IPv4 address is entered.',
    whatToDo:
      'Enter what the certificate names. Else give SPP an SSL certificate that holds its IPv4 address as an IP entry of subjectAltName. Try again about five minutes after the failed attempt.',
    references: ['RFC 9525', 'RFC 6125 section 6.4', 'One Identity: SPP to SPS join error resolution'],
  },
  detect: () => [],
  detectJoin: (run) =>
    run.certificates.flatMap((seen) => {
      if (seen.certificate === undefined || seen.match !== 'none') return [];
      const from = {
        stated: 'as stated',
        'server-name': 'by the name that SPS asked for',
        address: "SPP's address, as nothing else was stated",
      }[seen.enteredFrom];
      const wanted = nameToEnter(seen.certificate);
      const wentOn = seen.outcome === 'went-on';
      return [
        detected({
          key: `RV703:${seen.flow.label}`,
          message: `${seen.flow.label}: entered is ${seen.entered} (${from}); the certificate names ${namesOf(seen.certificate)}`,
          where: attemptPlace(run, seen.attempt),
          // Who sends a request after the handshake has accepted the certificate: something else was entered, or names are not checked.
          ...(wentOn && { severity: 'warning' as const }),
          notes: [
            ...(wentOn
              ? [{ message: 'SPS went on after the handshake all the same: something else may have been entered' }]
              : []),
            ...(wanted === undefined ? [] : [{ message: `what would match: enter ${wanted}, if that is SPP` }]),
          ],
        }),
      ];
    }),
};

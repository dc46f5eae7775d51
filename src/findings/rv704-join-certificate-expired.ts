import { attemptPlace } from '../join/describe-join.ts';
import type { ServerCertificate } from '../join/certificate.ts';
import { detected, type Finding } from './finding.ts';

/** RV704. */
export const joinCertificateExpired: Finding = {
  kind: {
    code: 'RV704',
    slug: 'join-certificate-expired',
    severity: 'error',
    saidWhen: "SPP's certificate was not valid, or not valid yet, when the capture was taken",
    meaning:
      'The time of the handshake, by the clock of the capture, is outside the validity of the certificate that SPP sent.',
    whyItMatters: 'SPS refuses an expired certificate, and the join fails.',
    example: 'notAfter is 2025-01-31, the handshake was on 2025-02-03.',
    whatToDo:
      'Renew SPP’s SSL certificate; where it is said to be not valid yet, set the clocks of SPP and of the capturing host right.',
    references: ['RFC 5280 section 4.1.2.5'],
  },
  detect: () => [],
  detectJoin: (run) =>
    run.certificates.flatMap((seen) => {
      if (seen.certificate === undefined || (seen.validity !== 'expired' && seen.validity !== 'not-yet')) return [];
      const words = seen.validity === 'expired' ? 'expired' : 'is not valid yet';
      return [
        detected({
          key: `RV704:${seen.flow.label}`,
          message: `${seen.flow.label}: SPP's certificate ${words}: it is valid ${validity(seen.certificate)}, and the handshake was at ${day(seen.attempt.time / 1e6)}`,
          where: attemptPlace(run, seen.attempt),
          ...(seen.outcome === 'went-on' && {
            severity: 'warning' as const,
            notes: [{ message: 'SPS went on after the handshake all the same' }],
          }),
        }),
      ];
    }),
};

function validity({ validFrom, validTo }: ServerCertificate): string {
  return `from ${day(validFrom)} to ${day(validTo)}`;
}

function day(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}

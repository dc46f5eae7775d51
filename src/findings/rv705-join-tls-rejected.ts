import { attemptPlace } from '../join/describe-join.ts';
import type { TlsAlert } from '../join/tls-handshake.ts';
import { detected, type Finding } from './finding.ts';

/** RV705. */
export const joinTlsRejected: Finding = {
  kind: {
    code: 'RV705',
    slug: 'join-tls-rejected',
    severity: 'error',
    saidWhen: 'one side ended the TLS handshake to SPP with an alert',
    meaning:
      'A fatal alert of SPS after the certificate says that SPS does not accept it: because of its name, its validity, or who issued it. One of SPP, or one before the certificate, says that the two agree on no version or cipher. With TLS 1.3 an alert is encrypted and told by its length alone.',
    whyItMatters: 'The join fails at its first request.',
    example: 'unknown_ca of SPS: it does not know who issued SPP’s certificate.',
    whatToDo:
      'unknown_ca: SPS must trust the issuer. bad_certificate: see RV703 and RV704. handshake_failure, protocol_version: a device between the two may intercept TLS.',
    references: ['RFC 5246 section 7.2', 'RFC 8446 sections 5.2 and 6'],
  },
  detect: () => [],
  detectJoin: (run) =>
    run.certificates.flatMap((seen) => {
      const alert = seen.tls.alerts.find((item) => item.fatal);
      if (alert === undefined || seen.outcome === 'went-on') return [];
      const causes = ['RV703', 'RV704'].map((code) => `${code}:${seen.flow.label}`);
      return [
        detected({
          key: `RV705:${seen.flow.label}`,
          message: `${seen.flow.label}: ${alertWords(alert)}`,
          where: attemptPlace(run, seen.attempt),
          causes: alert.by === 'SPS' ? causes : [],
          notes:
            seen.certificate === undefined
              ? []
              : [{ message: `the certificate was issued by ${seen.certificate.issuer}` }],
        }),
      ];
    }),
};

function alertWords({ by, name, afterCertificate }: TlsAlert): string {
  const when = afterCertificate ? "after SPP's certificate" : 'before any certificate';
  return name === undefined
    ? `${by} ended the handshake ${when} with an alert that is encrypted (TLS 1.3; told by its length)`
    : `${by} ended the handshake ${when} with the alert ${name}`;
}

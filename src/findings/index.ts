import type { Finding } from './finding.ts';
import { truncatedCapture } from './rv101-truncated-capture.ts';
import { ambiguousIngress } from './rv102-ambiguous-ingress.ts';
import { oneDirectionCaptured } from './rv103-one-direction-captured.ts';
import { captureLostPackets } from './rv104-capture-lost-packets.ts';
import { frameCutShort } from './rv105-frame-cut-short.ts';
import { unsupportedLinkType } from './rv106-unsupported-link-type.ts';
import { connectionBeganBeforeCapture } from './rv107-connection-began-before-capture.ts';
import { staleRouterState } from './rv109-stale-router-state.ts';
import { malformedPacket } from './rv201-malformed-packet.ts';
import { unmodelledStatement } from './rv301-unmodelled-statement.ts';
import { unparsedStatement } from './rv302-unparsed-statement.ts';
import { undefinedReference } from './rv303-undefined-reference.ts';
import { incompleteRouterState } from './rv304-incomplete-router-state.ts';
import { markWithoutPolicyRule } from './rv401-mark-without-policy-rule.ts';
import { policyRuleIntoEmptyTable } from './rv402-policy-rule-into-empty-table.ts';
import { shadowedPolicyRule } from './rv403-shadowed-policy-rule.ts';
import { connmarkNeverRestored } from './rv404-connmark-never-restored.ts';
import { markBeforeConnmark } from './rv405-mark-before-connmark.ts';
import { spsTrafficNotExempt } from './rv406-sps-traffic-not-exempt.ts';
import { reversePathFilterBlocksSps } from './rv407-reverse-path-filter-blocks-sps.ts';
import { redirectNextHopNotSps } from './rv408-redirect-next-hop-not-sps.ts';
import { nextHopNotOnLink } from './rv409-next-hop-not-on-link.ts';
import { redirectFailsOpen } from './rv410-redirect-fails-open.ts';
import { replyRedirectMissing } from './rv411-reply-redirect-missing.ts';
import { unmaskedMark } from './rv412-unmasked-mark.ts';
import { icmpRedirectsEnabled } from './rv413-icmp-redirects-enabled.ts';
import { connmarkOnSingleInterface } from './rv414-connmark-on-single-interface.ts';
import { interfaceSettingOverridden } from './rv415-interface-setting-overridden.ts';
import { hostOnSpsSegmentExempt } from './rv416-host-on-sps-segment-exempt.ts';
import { clientTrafficBypassesSps } from './rv501-client-traffic-bypasses-sps.ts';
import { redirectLoop } from './rv502-redirect-loop.ts';
import { droppedByRule } from './rv503-dropped-by-rule.ts';
import { noRoute } from './rv504-no-route.ts';
import { egressMismatch } from './rv505-egress-mismatch.ts';
import { wrongNextHop } from './rv506-wrong-next-hop.ts';
import { clientAddressHidden } from './rv507-client-address-hidden.ts';
import { ipv6NotRedirected } from './rv508-ipv6-not-redirected.ts';
import { fragmentEscapesRedirect } from './rv509-fragment-escapes-redirect.ts';
import { invalidStateEscapesRedirect } from './rv510-invalid-state-escapes-redirect.ts';
import { spsDoesNotAnswer } from './rv511-sps-does-not-answer.ts';
import { serverLegMissing } from './rv512-server-leg-missing.ts';
import { strayPacket } from './rv513-stray-packet.ts';
import { replyTrafficBypassesSps } from './rv601-reply-traffic-bypasses-sps.ts';
import { reversePathDrop } from './rv602-reverse-path-drop.ts';
import { markChangesReversePath } from './rv603-mark-changes-reverse-path.ts';
import { directionsUseDifferentSps } from './rv604-directions-use-different-sps.ts';
import { icmpErrorBypassesSps } from './rv605-icmp-error-bypasses-sps.ts';
import { joinPortUnreachable } from './rv701-join-port-unreachable.ts';
import { joinTrafficRedirected } from './rv702-join-traffic-redirected.ts';
import { joinCertificateNameMismatch } from './rv703-join-certificate-name-mismatch.ts';
import { joinCertificateExpired } from './rv704-join-certificate-expired.ts';
import { joinTlsRejected } from './rv705-join-tls-rejected.ts';
import { joinAddressNotIpv4 } from './rv706-join-address-not-ipv4.ts';
import { joinOneDirection } from './rv707-join-one-direction.ts';
import { undeterminedVerdict } from './rv901-undetermined-verdict.ts';
import { noMonitoredTraffic } from './rv902-no-monitored-traffic.ts';
import { unmonitoredServiceSeen } from './rv903-unmonitored-service-seen.ts';

/** Every finding, by code. A new one is one new file and one line here. */
export const FINDINGS: readonly Finding[] = [
  truncatedCapture,
  ambiguousIngress,
  oneDirectionCaptured,
  captureLostPackets,
  frameCutShort,
  unsupportedLinkType,
  connectionBeganBeforeCapture,
  staleRouterState,
  malformedPacket,
  unmodelledStatement,
  unparsedStatement,
  undefinedReference,
  incompleteRouterState,
  markWithoutPolicyRule,
  policyRuleIntoEmptyTable,
  shadowedPolicyRule,
  connmarkNeverRestored,
  markBeforeConnmark,
  spsTrafficNotExempt,
  reversePathFilterBlocksSps,
  redirectNextHopNotSps,
  nextHopNotOnLink,
  redirectFailsOpen,
  replyRedirectMissing,
  unmaskedMark,
  icmpRedirectsEnabled,
  connmarkOnSingleInterface,
  interfaceSettingOverridden,
  hostOnSpsSegmentExempt,
  clientTrafficBypassesSps,
  redirectLoop,
  droppedByRule,
  noRoute,
  egressMismatch,
  wrongNextHop,
  clientAddressHidden,
  ipv6NotRedirected,
  fragmentEscapesRedirect,
  invalidStateEscapesRedirect,
  spsDoesNotAnswer,
  serverLegMissing,
  strayPacket,
  replyTrafficBypassesSps,
  reversePathDrop,
  markChangesReversePath,
  directionsUseDifferentSps,
  icmpErrorBypassesSps,
  joinPortUnreachable,
  joinTrafficRedirected,
  joinCertificateNameMismatch,
  joinCertificateExpired,
  joinTlsRejected,
  joinAddressNotIpv4,
  joinOneDirection,
  undeterminedVerdict,
  noMonitoredTraffic,
  unmonitoredServiceSeen,
];

/**
 * Order in which causes are looked for: a packet that is lost on its way by one defect is explained by it, not by what a rule more would
 * also mend. The most specific come first; RV501 and RV411 only add what is missing.
 */
export const DIAGNOSIS_ORDER: readonly Finding[] = [
  markChangesReversePath,
  reversePathFilterBlocksSps,
  spsTrafficNotExempt,
  unmaskedMark,
  policyRuleIntoEmptyTable,
  shadowedPolicyRule,
  markWithoutPolicyRule,
  undefinedReference,
  nextHopNotOnLink,
  redirectFailsOpen,
  redirectNextHopNotSps,
  markBeforeConnmark,
  connmarkNeverRestored,
  connmarkOnSingleInterface,
  hostOnSpsSegmentExempt,
  invalidStateEscapesRedirect,
  droppedByRule,
  replyRedirectMissing,
  clientTrafficBypassesSps,
];

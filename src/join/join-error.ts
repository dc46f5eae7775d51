/** The errors that a join of SPS to SPP is documented to fail with, as SPS and SPP show them. */
export const JOIN_ERROR_KINDS = [
  'certificate-mismatch',
  'login-refused',
  'not-authorised',
  'node-already-known',
  'validation-refused',
  'code-60108',
  'address-not-reached',
  'not-spp',
  'request-failed',
  'no-details',
] as const;

export type JoinErrorKind = (typeof JOIN_ERROR_KINDS)[number];

/** What is to be said of a kind of error. */
export interface JoinErrorAdvice {
  readonly title: string;
  readonly meaning: string;
  readonly whatToDo: string;
  readonly tryAgain: string;
}

const WAIT =
  'About five minutes after the failed attempt: only then the unfinished join request has timed out, and a new one can begin.';
const AT_ONCE = 'At once: the join request was not begun yet.';

/** What each kind means, what to do, and when to try again. Ref: One Identity, "SPP to SPS join error resolution". */
export const JOIN_ERROR_ADVICE: Readonly<Record<JoinErrorKind, JoinErrorAdvice>> = {
  'certificate-mismatch': {
    title: "SPP's certificate does not name what was entered",
    meaning:
      "SPS reached SPP over HTTPS, and neither Common Name nor subjectAltName of SPP's certificate names the address or host name that was entered.",
    whatToDo:
      'Enter what the certificate names: the IPv4 address where it holds that, else the host name. Where it holds neither, set up an SSL certificate for SPP that names its IPv4 address.',
    tryAgain: `${WAIT} Or reverse the join on SPP.`,
  },
  'login-refused': {
    title: 'SPP refused the login',
    meaning: 'The user name or password of the SPP account is wrong, or the account may not log in this way.',
    whatToDo:
      'Log in to SPP with an account that works on its own web interface and has both Appliance and Operations permissions.',
    tryAgain: `${AT_ONCE} Where SPS already reported JoinFailed, about five minutes after that.`,
  },
  'not-authorised': {
    title: 'The SPP account may not join (code 60108)',
    meaning: 'SPP knows the account; it lacks the permissions Appliance and Operations, which registering SPS needs.',
    whatToDo: 'Give the SPP account both permissions, Appliance and Operations, or use one that has them.',
    tryAgain: WAIT,
  },
  'node-already-known': {
    title: 'SPP knows this node already, or gets no NodeId (code 60657)',
    meaning:
      'The NodeId that SPS sent is missing, invalid, or not unique: usually this SPS, or the cluster it is of, is joined already.',
    whatToDo:
      'Look on SPP whether this SPS cluster is listed as joined. Where an old join of it is left there, reverse it on SPP, and see that this SPS is a Central Management node.',
    tryAgain: 'Once the old join is gone from SPP, and not before five minutes after the failed attempt.',
  },
  'validation-refused': {
    title: "SPP refuses SPS's requests after the join (HTTP 403 on PsmValidation)",
    meaning:
      'SPS asks SPP about a session, and SPP does not authorise the request. The documentation names no single cause; the join as SPP knows it may be incomplete, reversed or stale.',
    whatToDo:
      'Look on SPP whether this SPS is listed as joined, and whether the primary address of either changed since: then they must be joined again.',
    tryAgain: 'Open a new session once SPP lists SPS; joining again is needed only where it does not.',
  },
  'code-60108': {
    title: 'SPP demands authorization (code 60108)',
    meaning:
      'The text does not say by which URL. On Cluster/SessionModules the account lacks permissions to join; on a2a/…/PsmValidation SPP refuses SPS after the join.',
    whatToDo:
      'Look for the URL beside the code. For the join itself: an SPP account with both permissions, Appliance and Operations.',
    tryAgain: WAIT,
  },
  'address-not-reached': {
    title: 'The browser does not reach the address that was entered',
    meaning:
      'The address or host name of SPP that was entered leads nowhere: usually it is mistyped. The browser, not SPS, opens this page.',
    whatToDo: "Go back in the browser and enter SPP's correct IPv4 address or host name.",
    tryAgain: AT_ONCE,
  },
  'not-spp': {
    title: 'What answers at the address is not SPP',
    meaning:
      "Another web site than SPP's login appeared: the address or host name that was entered is that of another host.",
    whatToDo: "Go back in the browser and enter SPP's correct IPv4 address or host name.",
    tryAgain: AT_ONCE,
  },
  'request-failed': {
    title: 'The request failed: credentials or address',
    meaning:
      'SPS says only that it got no usable answer: the credentials or the address of SPP are wrong, or SPP is not reachable.',
    whatToDo:
      'Check the address and the account. Whether tcp 443 and 8649 pass the router between them: redirect-verify join --spp ADDRESS --sps ADDRESS --router PATH.',
    tryAgain: WAIT,
  },
  'no-details': {
    title: 'The join failed, and the text does not say why (JoinFailed)',
    meaning: 'This message only says that the details are elsewhere.',
    whatToDo:
      'Open the error details, or the system logs of SPS (Basic Settings, Troubleshooting, View log files), and give that text.',
    tryAgain: WAIT,
  },
};

/** One error in a text. Nothing of the text is kept but names of hosts, numbers and places. */
export interface FoundJoinError {
  readonly kind: JoinErrorKind;
  /** Line, from 1: of the message that announces it, else of the code, name or URL that tells it. */
  readonly line: number;
  /** The host name or address that SPS connected to. */
  readonly entered?: string;
  /** What the certificate names. */
  readonly named?: readonly string[];
  /** Host of the URL in the error. */
  readonly host?: string;
  readonly status?: number;
  /** How often it follows itself, 1 for a single one. */
  readonly count: number;
}

/** A line that tells of an error and is of none that is documented. */
export interface UnknownJoinError {
  readonly kind: 'unknown';
  readonly line: number;
  readonly code?: number;
  readonly status?: number;
  readonly count: number;
}

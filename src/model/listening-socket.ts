/** A port at which a program of the router listens. */
export interface ListeningSocket {
  /** TCP or UDP. */
  readonly protocol: number;
  readonly port: number;
  /** IPv4; absent: any. */
  readonly address?: number;
}

/**
 * The slash path of a sysctl without leading slash, `net/ipv4/conf/eth0.100/rp_filter`, from `/proc/sys/…` or from a key of sysctl(8).
 * Whichever separator comes first in a key is the separator; in dotted keys a slash stands for a dot of an interface name.
 * Ref: sysctl(8), procps-ng sysctl.c slashdot().
 */
export function sysctlPath(written: string): string {
  const text = written.replace(/^\/?proc\/sys\//, '').replace(/^\/+/, '');
  const first = /[./]/.exec(text)?.[0];
  if (first !== '.' || text !== written) return text;
  return text.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

/** `redirect-verify collect linux`: the script that an administrator runs on a Linux router. */
import { InputError } from '../text/input-error.ts';

/** What the script is to do besides printing the state. */
export interface LinuxCollectOptions {
  /** For how long to record on all interfaces: whole seconds, 1 to {@link MAX_CAPTURE_SECONDS}. Absent: no recording. */
  readonly captureSeconds?: number;
}

/** A day. A recording that somebody forgot must not fill the router's disk for ever. */
export const MAX_CAPTURE_SECONDS = 86_400;

/**
 * A POSIX sh script that prints a Linux router's state as one bundle of `### COMMAND` sections, and changes nothing there.
 *
 * It is for dash, busybox sh and bash, run as root from a file or from standard input (`… | ssh root@router sh > router.txt`). A
 * section is there as a whole or not at all: one that is there and empty says that there is nothing, one that is missing says that
 * nothing is known, and standard error says why. With `captureSeconds` it prints no bundle; it makes a directory with `capture.pcap`
 * and `router/router.txt`, and `router-after.txt` where the state changed meanwhile.
 * Throws {@link InputError} where `captureSeconds` is no number of seconds that can be recorded.
 */
export function linuxCollectScript(options: LinuxCollectOptions = {}): string {
  const { captureSeconds } = options;
  if (captureSeconds === undefined) return [INTRODUCTION, READING, PRINT_STATE].join('\n');
  if (!Number.isInteger(captureSeconds) || captureSeconds < 1 || captureSeconds > MAX_CAPTURE_SECONDS) {
    throw new InputError(`--capture takes a whole number of seconds from 1 to ${MAX_CAPTURE_SECONDS}`);
  }
  return [INTRODUCTION, READING, `capture_seconds=${captureSeconds}\n`, RECORDING, RECORD_STATE].join('\n');
}

/** Names the interpreter and tells the administrator, who reads before running anything as root, what the script does. */
const INTRODUCTION = `#!/bin/sh
# Takes the state of this Linux router that decides where packets go: rules, routes, addresses, neighbours, settings.
# It only reads. It writes to a temporary directory, which it removes, and to standard output (with a recording: to a new
# directory below the current one). It loads no kernel modules: what is not in the kernel is not asked for.
# Run it as root. The result holds addresses and firewall rules: keep it as you keep those.
`;

/**
 * The functions that read. No brace follows a dollar sign anywhere: the text stands in template literals.
 *
 * - Commands get no standard input, which may be the script itself.
 * - iptables-legacy-save makes a table that it is asked for, and the nft, ipset and conntrack programs make the kernel load what they
 *   talk to. So each is run only where the kernel has that part already; where it has not, nothing can be configured in it.
 * - Files in /proc say that their size is 0, so their content has to be looked at.
 * - Settings are read from /proc/sys rather than by sysctl: the same form everywhere, and a dot in an interface's name stays a dot.
 *   By grep, not by `read`: shells may read byte by byte, and the kernel hands such a file out from its beginning only, so `read`
 *   would take 300 for 3. Ref: kernel/sysctl.c do_proc_dointvec().
 *   Ref: iproute2 lib/rt_names.c rtnl_rttable_initialize().
 */
const READING = String.raw`
set -u
umask 077
LC_ALL=C TZ=UTC0
export LC_ALL TZ
# The PATH of a plain su has no sbin.
case :$PATH: in
  *sbin*) ;;
  *) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin ;;
esac

note() {
  printf 'redirect-verify collect: %s\n' "$*" >&2
}

die() {
  note "$*"
  exit 1
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# section HEADING COMMAND...: what the command prints, if it succeeds.
section() {
  heading=$1
  shift
  if ! have "$1"; then
    note "$1 is not installed: '### $heading' is left out"
    return 0
  fi
  if ! "$@" </dev/null >"$work/out" 2>"$work/err"; then
    note "'$*' failed: '### $heading' is left out"
    # No more: a program that does not know an option may print its whole manual.
    say_errors 5
    return 0
  fi
  say_errors 1000
  # iptables and nft say on standard error which rules they do not show: that belongs to the state.
  {
    printf '### %s\n' "$heading"
    {
      [ -z "$warning" ] || printf '%s\n' "$warning"
      grep '^# Warning: ' "$work/err"
    } | sort -u
    sed 's/^###/ ###/' "$work/out"
  } || die 'the state could not be written'
}

# say_errors LINES: what a command said on standard error, without what went into the state and conntrack's count.
say_errors() {
  grep -v -e '^# Warning: ' -e 'flow entries have been shown' "$work/err" | sed "$1q" | while IFS= read -r line; do
    note "### $heading: $line"
  done
}

# kernel_has MODULE SYMBOL: whether a part is loaded or built in. Where that cannot be told it may be.
kernel_has() {
  [ -d "/sys/module/$1" ] && return 0
  grep -q . /proc/kallsyms 2>/dev/null || return 0
  grep -q "$2" /proc/kallsyms
}

# may_hold_rules VARIANT NAMES: 0 it may, 1 it does not, anything else: that cannot be told.
may_hold_rules() {
  if [ "$1" = nft ]; then
    kernel_has nf_tables nft_register_expr
  else
    [ -e "$2" ] || return 1
    grep -q . "$2" 2>/dev/null
  fi
}

# save_tables COMMAND VARIANT NAMES NEEDED: one dump. Unless NEEDED, it is left out where it would be empty.
save_tables() {
  may_hold_rules "$2" "$3"
  case $? in
    0) section "$1" "$1" ;;
    1) [ "$4" = no ] || section "$1" true ;;
    *) note "$3 cannot be read: '### $1' is left out" ;;
  esac
}

# save_variants PROGRAM NAMES: the rules of both variants. What the plain name stands for differs from router to router.
save_variants() {
  plain=none
  if have "$1-save"; then
    case $("$1-save" -V 2>/dev/null </dev/null) in
      *nf_tables*) plain=nft ;;
      *) plain=legacy ;;
    esac
  fi
  found=no
  needed=yes
  warning=
  if may_hold_rules legacy "$2" && [ "$plain" != legacy ] && ! have "$1-legacy-save"; then
    note "there are tables of $1-legacy, and no $1-legacy-save that would show them"
    warning="# Warning: $1-legacy tables present, use $1-legacy-save to see them"
  fi
  if [ "$plain" != none ]; then
    save_tables "$1-save" "$plain" "$2" yes
    found=yes
    needed=no
  fi
  for variant in nft legacy; do
    if [ "$variant" != "$plain" ] && have "$1-$variant-save"; then
      save_tables "$1-$variant-save" "$variant" "$2" "$needed"
      found=yes
    fi
  done
  warning=
  [ "$found" = yes ] || note "$1-save is not installed: '### $1-save' is left out"
}

# if_loaded MODULE SYMBOL COMMAND...: a section that is empty where the kernel has no such part.
if_loaded() {
  module=$1
  symbol=$2
  shift 2
  if ! have "$1" || kernel_has "$module" "$symbol"; then
    section "$*" "$@"
  else
    section "$*" true
  fi
}

print_connections() {
  if ! kernel_has nf_conntrack nf_conntrack_in; then
    section 'conntrack -L' true
  elif have conntrack && kernel_has nf_conntrack_netlink ctnetlink; then
    section 'conntrack -L' conntrack -L
  elif [ -e /proc/net/nf_conntrack ]; then
    section 'cat /proc/net/nf_conntrack' cat /proc/net/nf_conntrack
  else
    section 'conntrack -L' conntrack -L
  fi
}

# The ports at which programs listen. Without ss, which may load a part of the kernel.
print_sockets() {
  listening tcp 0A && listening udp 07
}

# listening PROTOCOL STATE: of IPv4 and, where there is such a list, of IPv6.
listening() {
  [ -r "/proc/net/$1" ] || return 1
  for family in "$1" "$1"6; do
    [ ! -r "/proc/net/$family" ] ||
      sed -n "s/^ *[0-9]*: \([0-9A-F]*:[0-9A-F]*\) [0-9A-F:]* $2 .*/$family \1/p" "/proc/net/$family" || return 1
  done
}

print_settings() (
  cd /proc/sys && [ -e net/ipv4/ip_forward ] || exit 1
  print_values net/ipv4/ip_forward net/ipv4/ip_local_port_range net/ipv4/fwmark_reflect net/ipv4/fib_multipath_* net/ipv4/ipfrag_*
  for key in rp_filter src_valid_mark accept_local send_redirects shared_media forwarding route_localnet log_martians \
    bc_forwarding mc_forwarding accept_source_route ignore_routes_with_linkdown; do
    print_values net/ipv4/conf/*/"$key" net/ipv4/conf/.[!.]*/"$key"
  done
  print_values net/ipv6/conf/*/forwarding net/ipv6/conf/.[!.]*/forwarding net/ipv6/conf/*/force_forwarding
  print_values net/netfilter/nf_conntrack_* net/bridge/*
)

print_values() {
  for path in "$@"; do
    shift
    [ ! -f "$path" ] || set -- "$@" "$path"
  done
  [ $# -eq 0 ] || grep '' /dev/null "$@" | sed 's/:/ = /'
}

# A file below /etc stands in for the one of the same name that the distribution brings.
print_table_names() {
  for file in /etc/iproute2/rt_tables /usr/share/iproute2/rt_tables /usr/lib/iproute2/rt_tables; do
    if [ -e "$file" ]; then
      print_entries "$file" || return 1
      break
    fi
  done
  for file in /usr/share/iproute2/rt_tables.d/*.conf /usr/lib/iproute2/rt_tables.d/*.conf; do
    if [ -e "$file" ] && [ ! -e "/etc/iproute2/rt_tables.d/$(basename "$file")" ]; then
      print_entries "$file" || return 1
    fi
  done
  for file in /etc/iproute2/rt_tables.d/*.conf; do
    if [ -e "$file" ]; then
      print_entries "$file" || return 1
    fi
  done
}

print_entries() {
  grep -v -e '^[[:space:]]*#' -e '^[[:space:]]*$' "$1"
  [ $? -le 1 ]
}

print_state() {
  printf '### redirect-verify collect linux\n' || die 'the state could not be written'
  section date date -u +%Y-%m-%dT%H:%M:%SZ
  section hostname uname -n
  section 'uname -r' uname -r
  save_variants iptables /proc/net/ip_tables_names
  save_variants ip6tables /proc/net/ip6_tables_names
  if_loaded nf_tables nft_register_expr nft list ruleset
  for arguments in 'rule show' 'route show table all' '-6 rule show' '-6 route show table all' 'addr show' '-d link show' \
    'neigh show'; do
    # Several words are meant to be several arguments.
    # shellcheck disable=SC2086
    section "ip $arguments" ip $arguments
  done
  # Where there is no such command, there are no such objects.
  ! ip nexthop show </dev/null >/dev/null 2>&1 || section 'ip nexthop show' ip nexthop show
  section sockets print_sockets
  section 'sysctl -a' print_settings
  section rt_tables print_table_names
  if_loaded ip_set ip_set_type_register ipset save
  print_connections
}

work=
recorder=
warning=

clean_up() {
  if [ -n "$recorder" ]; then
    kill "$recorder" 2>/dev/null
    wait "$recorder" 2>/dev/null
  fi
  [ -z "$work" ] || rm -rf "$work"
}

begin() {
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  work=$(mktemp -d) || die 'there is no place for temporary files'
  [ "$(id -u)" = 0 ] || note 'this is not root: what only root may read will be left out'
}
`;

/** Called on the last line, so that a script that arrived cut short does nothing. */
const PRINT_STATE = `
main() {
  begin
  print_state
}

main
`;

/**
 * Recording. tcpdump writes to its standard output because it gives up root, and its leave to write here, before it opens files.
 *
 * It runs under a subshell that ends it, so that it stops in time even where the script itself was killed outright. A job in the
 * background of a script ignores the interrupt key, hence SIGTERM. The kernel hands frames over in blocks of up to a second, and the
 * block that is open at the end is lost: a second more than asked for is recorded.
 *
 * Two states are the same where they differ only in what changes by itself: dates, counters, remaining lifetimes, neighbours, sockets
 * and connections. Set members that come and go are a change, as rules may ask for them.
 */
const RECORDING = String.raw`
# Runs in the background, and so in a shell of its own.
record() {
  trap - EXIT
  tcpdump -i any "$@" -s 256 -w - 'ip or ip6 or arp' </dev/null >"$directory/capture.pcap" 2>"$work/tcpdump" &
  tcpdump=$!
  trap 'kill "$tcpdump" 2>/dev/null; wait "$tcpdump"; exit 1' HUP INT PIPE TERM
  patience=15
  until grep -q 'listening on' "$work/tcpdump"; do
    if [ "$patience" -eq 0 ] || ! kill -0 "$tcpdump" 2>/dev/null; then
      kill "$tcpdump" 2>/dev/null
      exit 1
    fi
    sleep 1
    patience=$((patience - 1))
  done
  note "recording on all interfaces for $capture_seconds s"
  left=$((capture_seconds + 1))
  while [ "$left" -gt 0 ] && kill -0 "$tcpdump" 2>/dev/null; do
    sleep 1
    left=$((left - 1))
  done
  kill "$tcpdump" 2>/dev/null
  wait "$tcpdump"
  [ "$left" -eq 0 ]
}

lasting_state() {
  sed -e '/^### /h' -e x \
    -e '/^### date$/{x;d;}' -e '/^### ip neigh show$/{x;d;}' -e '/^### conntrack -L$/{x;d;}' \
    -e '/^### cat \/proc\/net\/nf_conntrack$/{x;d;}' -e '/^### sockets$/{x;d;}' -e x \
    -e '/^# Generated by /d' -e '/^# Completed on /d' -e '/^net\/netfilter\/nf_conntrack_count = /d' \
    -e '/^:/s/\[[0-9]*:[0-9]*\]$//' -e 's/packets [0-9]* bytes [0-9]*//g' -e 's/ used [0-9]* [kmg]*bytes//' \
    -e '/^add /s/ timeout [0-9]*//' -e 's/ expires [-0-9a-z]*//g' -e 's/_lft [0-9]*sec/_lft/g' -e 's/ tentative//' \
    -e 's/_timer *[0-9.]*/_timer/g' -e 's/ fdb_n_learned [0-9]*//' "$1"
}

recorded=no

say_interrupted() {
  note "interrupted: $directory holds what there was until now, and not whether the state changed meanwhile"
  exit "$1"
}

record_state() {
  have tcpdump || die 'tcpdump is not installed, so nothing can be recorded'
  directory=redirect-verify-$(uname -n | tr -c 'A-Za-z0-9._\n-' _)-$(date -u +%Y%m%dT%H%M%SZ)
  mkdir "$directory" "$directory/router" || die "the directory $directory could not be made"
  trap 'say_interrupted 129' HUP
  trap 'say_interrupted 130' INT
  trap 'say_interrupted 143' TERM
  print_state >"$directory/router/router.txt"
  set --
  if tcpdump -i any -L </dev/null 2>&1 | grep -q LINUX_SLL2; then
    set -- -y LINUX_SLL2
  else
    note 'this tcpdump does not record which interface a frame passed: record each interface by itself, as IFACE=FILE'
  fi
  record "$@" &
  recorder=$!
  wait "$recorder" && recorded=yes
  recorder=
  while IFS= read -r line; do
    note "$line"
  done <"$work/tcpdump"
  [ "$recorded" = yes ] || die "the recording in $directory/capture.pcap did not run for the time asked for"
  print_state >"$work/after" 2>"$work/notes"
  if [ "$(lasting_state "$directory/router/router.txt")" = "$(lasting_state "$work/after")" ]; then
    note "wrote $directory/capture.pcap and $directory/router/router.txt"
  else
    cat "$work/notes" >&2
    cat "$work/after" >"$directory/router-after.txt" || die 'the state could not be written'
    note 'the state changed during the recording: a verdict by one of the two states may be wrong'
    note "wrote $directory/capture.pcap, $directory/router/router.txt (before) and $directory/router-after.txt"
  fi
  note "next: redirect-verify $directory/capture.pcap"
}
`;

/** As {@link PRINT_STATE}. */
const RECORD_STATE = `
main() {
  begin
  record_state
}

main
`;

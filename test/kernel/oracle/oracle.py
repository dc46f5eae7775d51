"""Asks the running kernel what it does with frames: one JSON request per line on stdin, one JSON answer per line on stdout.

Each request is a router of its own: a new network namespace whose interfaces are TAP devices that this process holds. A frame written
to a TAP device is processed to its end inside the write, so what came out, what was logged and what was dropped belongs to that frame,
and nothing has to be waited for. Neighbours answer ARP with an address made of their IP address, so the destination of a frame tells
its next hop. Ref: drivers/net/tun.c: tun_get_user(); include/trace/events/skb.h: kfree_skb.
"""

import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000
TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
TRACING = "/sys/kernel/tracing"
ROUTED_GROUP = 41
INPUT_GROUP = 42

libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags):
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare: " + os.strerror(ctypes.get_errno()))


def mount(source, target, kind, flags=0):
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, None) != 0:
        raise OSError(ctypes.get_errno(), "mount: " + os.strerror(ctypes.get_errno()))


class Drops:
    """Why the kernel dropped packets while this process ran it: a trace instance of its own, bound to this process."""

    def __init__(self):
        unshare(CLONE_NEWNS)
        mount("none", "/", "none", 0x40000 | 0x4000)  # MS_PRIVATE | MS_REC
        mount("tracefs", TRACING, "tracefs")
        self.remove_abandoned()
        self.instance = "%s/instances/redirect-verify-%d" % (TRACING, os.getpid())
        os.mkdir(self.instance)
        self.write("set_event_pid", str(os.getpid()))
        self.enable("1")
        self.pipe = os.open(self.instance + "/trace_pipe", os.O_RDONLY | os.O_NONBLOCK)

    @staticmethod
    def remove_abandoned():
        for name in os.listdir(TRACING + "/instances"):
            found = re.fullmatch(r"redirect-verify-(\d+)", name)
            if found and not os.path.exists("/proc/" + found.group(1)):
                try:
                    os.rmdir(TRACING + "/instances/" + name)
                except OSError:
                    pass  # another oracle was faster

    def enable(self, value):
        self.write("events/skb/kfree_skb/enable", value)
        self.write("events/net/netif_receive_skb/enable", value)
        self.write("events/icmp/icmp_send/enable", value)

    def write(self, name, value):
        with open(self.instance + "/" + name, "w") as file:
            file.write(value)

    def read(self):
        """Why the packet that came in was dropped, and the ICMP errors about it, whether they got out or not."""
        text = b""
        while True:
            try:
                part = os.read(self.pipe, 65536)
            except BlockingIOError:
                break
            if not part:
                break
            text += part
        text = text.decode()
        drops = re.findall(r"skbaddr=(\S+) .*protocol=(?:2048|34525) location=([^\s+]+)\S* reason: (\w+)", text)
        received = re.search(r"netif_receive_skb: .*skbaddr=(\S+)", text)
        own = [drop for drop in drops if received and drop[0] == received.group(1)]
        errors = re.findall(r"icmp_send: type=(\d+), code=(\d+)\..* skbaddr=(\S+)", text)
        about = ["%s/%s" % error[:2] for error in errors if received and error[2] == received.group(1)]
        return [drop[1:] for drop in (own if received else drops[-1:])], about

    def close(self):
        os.close(self.pipe)
        self.enable("0")
        os.rmdir(self.instance)


def attribute(kind, payload):
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + b"\0" * (-length % 4)


class Logs:
    """What the observing nft chains logged: the packet's mark after PREROUTING, and whether it was delivered."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((0, 0))
        for group in (ROUTED_GROUP, INPUT_GROUP):
            self.configure(group, attribute(1, struct.pack("B", 1)))  # NFULA_CFG_CMD: bind
            self.configure(group, attribute(2, struct.pack(">IBB", 20, 2, 0)))  # NFULA_CFG_MODE: the IP header
            self.configure(group, attribute(5, struct.pack(">I", 1)))  # NFULA_CFG_QTHRESH: at once
        self.socket.setblocking(False)

    def configure(self, group, attributes):
        body = struct.pack("=BBH", 0, 0, socket.htons(group)) + attributes
        # NFULNL_MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK
        self.socket.send(struct.pack("=IHHII", 16 + len(body), (4 << 8) | 1, 5, 1, 0) + body)
        answer = self.socket.recv(65536)
        code = struct.unpack_from("=i", answer, 16)[0]
        if code != 0:
            raise OSError(-code, "nfnetlink_log: " + os.strerror(-code))

    def read(self, identity=None):
        """Of the packet of this identification and protocol: what the router itself sends can come back to it."""
        mark, delivered = None, False
        while True:
            try:
                data = self.socket.recv(65536)
            except BlockingIOError:
                return mark, delivered
            at = 0
            while at + 20 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == (4 << 8):
                    group = struct.unpack_from(">H", data, at + 18)[0]
                    logged, header = self.attributes(data[at + 20 : at + length])
                    if identity_of(header) != identity:
                        pass
                    elif group == INPUT_GROUP:
                        delivered = True
                    elif mark is None:
                        mark = logged
                at += (length + 3) & ~3

    @staticmethod
    def attributes(data):
        at, mark, header = 0, 0, b""
        while at + 4 <= len(data):
            length, kind = struct.unpack_from("=HH", data, at)
            if kind & 0x3FFF == 2:  # NFULA_MARK; not there where it is 0
                mark = struct.unpack_from(">I", data, at + 4)[0]
            elif kind & 0x3FFF == 9:  # NFULA_PAYLOAD
                header = data[at + 4 : at + length]
            at += (length + 3) & ~3
        return mark, header


def identity_of(header):
    """What tells a packet from others: identification and protocol; of IPv6 flow label and next header."""
    if header[0] >> 4 == 6:
        return (bytes([header[1] & 15]) + header[2:4], header[6:7])
    return (header[4:6], header[9:10])


OBSERVERS = """
table FAMILY redirect_verify_oracle {
  chain routed { type filter hook prerouting priority -99; log group %d; }
  chain delivered { type filter hook input priority 2147483646; log group %d; }
}
""" % (ROUTED_GROUP, INPUT_GROUP)


def run(argv, text=""):
    done = subprocess.run(argv, input=text, capture_output=True, text=True, env=ENVIRONMENT)
    return done.returncode, done.stdout, done.stderr


ENVIRONMENT = dict(os.environ, LC_ALL="C", TZ="UTC", XTABLES_LOCKFILE="/tmp/redirect-verify-oracle-%d.lock" % os.getpid())

SAVED_KEYS = (
    "rp_filter src_valid_mark accept_local send_redirects shared_media forwarding route_localnet log_martians "
    "bc_forwarding mc_forwarding accept_source_route ignore_routes_with_linkdown"
).split()


def read_text(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return None


SAVED_KEYS_6 = "forwarding force_forwarding disable_ipv6 drop_unicast_in_l2_multicast ignore_routes_with_linkdown".split()


def sysctl_text_6():
    lines = []
    for name in sorted(os.listdir("/proc/sys/net/ipv6/conf")):
        for key in SAVED_KEYS_6:
            value = read_text("/proc/sys/net/ipv6/conf/%s/%s" % (name, key))
            if value is not None and name != "default":
                lines.append("net.ipv6.conf.%s.%s = %s" % (name.replace(".", "/"), key, value))
    return "\n".join(lines) + "\n"


def sysctl_text():
    lines = ["net.ipv4.ip_forward = " + read_text("/proc/sys/net/ipv4/ip_forward")]
    for name in sorted(os.listdir("/proc/sys/net/ipv4/conf")):
        for key in SAVED_KEYS:
            value = read_text("/proc/sys/net/ipv4/conf/%s/%s" % (name, key))
            if value is not None:
                lines.append("net.ipv4.conf.%s.%s = %s" % (name.replace(".", "/"), key, value))
    for key in sorted(os.listdir("/proc/sys/net/ipv4")):
        if key.startswith(("fib_multipath_", "ipfrag_")):
            lines.append("net.ipv4.%s = %s" % (key, read_text("/proc/sys/net/ipv4/" + key)))
    return "\n".join(lines) + "\n" + conntrack_text()


def conntrack_text():
    lines = []
    folder = "/proc/sys/net/netfilter"
    for key in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if key.startswith("nf_conntrack_") and key not in ("nf_conntrack_count", "nf_conntrack_buckets"):
            lines.append("net.netfilter.%s = %s" % (key, read_text(folder + "/" + key)))
    return "\n".join(lines) + "\n"


def quiet_down(family):
    """A new namespace has the first one's values: what matters is given, and what would make noise is turned off."""
    if family == 6:
        for path, value in (
            ("icmp/ratelimit", "0"),
            ("conf/default/accept_dad", "0"),
            ("conf/default/dad_transmits", "0"),
            ("conf/default/accept_ra", "0"),
            ("conf/default/router_solicitations", "0"),
            ("conf/all/forwarding", "1"),
        ):
            write_sysctl("net/ipv6/" + path, value)
        return
    for path, value in (
        ("net/ipv6/conf/all/disable_ipv6", "1"),
        ("net/ipv6/conf/default/disable_ipv6", "1"),
        ("net/ipv4/icmp_ratelimit", "0"),
        ("net/ipv4/icmp_msgs_per_sec", "1000000"),
        ("net/ipv4/ip_forward", "1"),
    ):
        write_sysctl(path, value)
    for scope in ("all", "default"):
        for key in SAVED_KEYS:
            if key not in ("forwarding", "mc_forwarding"):
                write_sysctl("net/ipv4/conf/%s/%s" % (scope, key), "1" if key in ("send_redirects", "shared_media") else "0")


def write_sysctl(path, value):
    try:
        with open("/proc/sys/" + path, "w") as file:
            file.write(value)
        return None
    except OSError as error:
        return "%s: %s" % (path, error.strerror)


def make_tap(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return device


class Router:
    def __init__(self, request):
        unshare(CLONE_NEWNET)
        self.problems = []
        self.taps = []
        self.names = [interface["name"] for interface in request["interfaces"]]
        self.logs = None
        self.family = request.get("family", 4)
        self.tables = "iptables" if self.family == 4 else "ip6tables"
        quiet_down(self.family)
        for name in self.names:
            self.taps.append(make_tap(name))
        self.ip([["link", "set", "lo", "up"]] + self.links(request))
        if self.family == 6:
            self.await_addresses()
        self.ip([line.split() for line in request.get("neighbours", [])])
        for path, value in request.get("sysctls", {}).items():
            self.note(write_sysctl(path, value))
        if request.get("ipset"):
            self.filter("ipset", ["ipset", "restore", "-!"], request["ipset"])
        for variant in request.get("order", ["nft", "legacy"]):
            if request.get(variant):
                self.filter(variant, ["%s-%s-restore" % (self.tables, variant)], request[variant])
        self.ip([line.split() for line in request["commands"]])
        if any(" carrier " in line for line in request["commands"]):
            # A change of carrier reaches the routes within a second, or at once where somebody asks for that interface.
            # Ref: net/core/rtnetlink.c: rtnl_getlink().
            for name in self.names:
                run(["ip", "link", "show", "dev", name])
        for path, value in request.get("late", {}).items():
            self.note(write_sysctl(path, value))
        self.dump = self.collect(request)
        code, _, errors = run(["nft", "-f", "-"], OBSERVERS.replace("FAMILY", "ip" if self.family == 4 else "ip6"))
        if code != 0:
            raise OSError("nft: " + errors)
        self.logs = Logs()
        self.drain()

    @staticmethod
    def links(request):
        lines = []
        for interface in request["interfaces"]:
            name = interface["name"]
            lines.append(["link", "set", name, "address", interface["mac"]])
            if "mtu" in interface:
                lines.append(["link", "set", name, "mtu", str(interface["mtu"])])
            for address in interface["addresses"]:
                lines.append(["addr", "add", address] + (["nodad"] if ":" in address else ["brd", "+"]) + ["dev", name])
            lines.append(["link", "set", name, "up"])
        return lines

    @staticmethod
    def await_addresses():
        """The kernel makes the local routes of IPv6 addresses by itself, a little later."""
        for _ in range(200):
            addresses = run(["ip", "-6", "-o", "addr", "show"])[1].splitlines()
            routes = run(["ip", "-6", "route", "show", "table", "local", "type", "local"])[1].splitlines()
            if len(routes) >= len(addresses) and not any(" tentative" in line for line in addresses):
                return
            time.sleep(0.01)

    def note(self, problem):
        if problem:
            self.problems.append(problem)

    def ip(self, lines):
        """Commands that the kernel refuses are left out: the dumps say what there is."""
        code, _, errors = run(["ip"] + (["-6"] if self.family == 6 else []) + ["-force", "-batch", "-"], "".join(" ".join(line) + "\n" for line in lines))
        if code != 0:
            self.note(errors.strip())

    def filter(self, name, argv, text):
        code, _, errors = run(argv, text)
        if code != 0:
            raise ValueError("%s refuses the rules: %s\n%s" % (name, errors.strip(), text))

    def collect(self, request):
        sections = []

        def section(heading, argv=None, text=None):
            if text is None:
                code, text, errors = run(argv)
                if code != 0:
                    raise OSError("%s: %s" % (" ".join(argv), errors))
            sections.append("### %s\n%s" % (heading, text if text.endswith("\n") or not text else text + "\n"))

        section("uname -r", text=os.uname().release)
        for variant in ("nft", "legacy"):
            save = "%s-%s-save" % (self.tables, variant)
            if request.get(variant):
                section(save, [save])
            elif variant == "nft":
                section(save, text="")
        if request.get("ipset"):
            section("ipset save", ["ipset", "save"])
        flag = [] if self.family == 4 else ["-6"]
        section(" ".join(["ip"] + flag + ["rule show"]), ["ip"] + flag + ["rule", "show"])
        routes = ["ip", "-%d" % self.family, "route", "show", "table", "all"]
        section("ip route show table all" if self.family == 4 else " ".join(routes), routes)
        if any(line.startswith("nexthop ") for line in request["commands"]):
            section("ip nexthop show", ["ip", "nexthop", "show"])
        section("ip addr show", ["ip", "addr", "show"])
        if request.get("detail"):
            section("ip -d link show", ["ip", "-d", "link", "show"])
            section("ip neigh show", ["ip", "neigh", "show"])
        elif self.family == 6 and any("force_forwarding" in path for path in request.get("sysctls", {})):
            section("ip neigh show", ["ip", "neigh", "show"])
        section("ss -lntuH", ["ss", "-lntuH"])
        section("sysctl -a", text=sysctl_text() if self.family == 4 else sysctl_text_6() + conntrack_text())
        return "### redirect-verify collect linux\n" + "".join(sections)

    def connections(self):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return "### date\n%s\n### conntrack -L\n%s" % (at, run(["conntrack", "-L"])[1])

    def drain(self):
        """Takes everything out of the interfaces, answering ARP on the way; gives what else came out."""
        out = []
        busy = True
        while busy:
            busy = False
            for index, tap in enumerate(self.taps):
                while True:
                    try:
                        frame = os.read(tap, 65536)
                    except BlockingIOError:
                        break
                    except OSError:
                        break  # the interface is down
                    kind = frame[12:14]
                    if kind == b"\x08\x06" and frame[20:22] == b"\0\1":
                        busy = True
                        target, sender = frame[38:42], frame[28:32]
                        if sender[0] == 127:
                            sender = bytes(4)  # asked for a packet whose source that is, and no answer to it would be taken
                        mac = b"\x06\0" + target
                        reply = frame[6:12] + mac + frame[12:20] + b"\0\2" + mac + target + frame[22:28] + sender
                        os.write(tap, reply)
                    elif kind == b"\x08\0":
                        out.append((index, frame))
                    elif kind == b"\x86\xdd" and frame[20] != 0 and not (frame[20] == 58 and frame[21] == 255 and frame[54] in range(130, 137)):
                        out.append((index, frame))  # neither multicast listener reports nor neighbour discovery
        return out

    def send(self, frame, drops):
        data = bytes.fromhex(frame["hex"])
        drops.read()
        at = time.time_ns()
        try:
            os.write(self.taps[frame["in"]], data)
        except OSError as error:
            return {"time": at, "refused": error.strerror}
        out = self.drain()
        mark, delivered = self.logs.read(identity_of(data[14:]))
        reasons, errors = drops.read()
        answer = {"time": at, "errors": errors}
        if mark is not None:
            answer["mark"] = mark
        if delivered:
            answer["delivered"] = 1
        if reasons:
            answer["drops"] = [list(reason) for reason in reasons]
        if out:
            answer["out"] = [[index, sent.hex()] for index, sent in out]
        return answer

    def close(self):
        for tap in self.taps:
            os.close(tap)
        if self.logs:
            self.logs.socket.close()


def serve(request, drops):
    router = None
    try:
        router = Router(request)
        answers = []
        connections = None
        for frame in request["frames"]:
            if len(answers) == request.get("connectionsAfter"):
                connections = router.connections()
            if "wait" in frame:
                time.sleep(frame["wait"])
            answers.append(router.send(frame, drops))
        return {"dump": router.dump, "problems": router.problems, "answers": answers, "connections": connections}
    except (ValueError, OSError) as error:
        return {"error": str(error)}
    finally:
        if router:
            router.close()


def main():
    drops = Drops()
    try:
        print(json.dumps({"kernel": os.uname().release}), flush=True)
        for line in sys.stdin:
            print(json.dumps(serve(json.loads(line), drops), separators=(",", ":")), flush=True)
    finally:
        drops.close()
        try:
            os.remove(ENVIRONMENT["XTABLES_LOCKFILE"])
        except FileNotFoundError:
            pass


main()

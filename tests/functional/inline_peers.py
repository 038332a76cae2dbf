# SPDX-License-Identifier: BSD-3-Clause
"""The ends of an inline link, run by inline_case.py inside its namespaces: python3 inline_peers.py WHAT ARGUMENT..."""
import fcntl
import json
import os
import select
import socket
import struct
import sys
import time

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


def sink(address, port, token="end"):
    """Counts datagrams by the flow's number, their first 4 bytes, until the token comes; prints the counts. Those that
    the sink before it was sent may still be under way."""
    sock = bound(address, int(port))
    counts = {}
    while True:
        data, _ = sock.recvfrom(65536)
        if data == token.encode():
            break
        if data.startswith(b"end"):
            continue
        flow = struct.unpack("!I", data[:4])[0]
        counts[flow] = counts.get(flow, 0) + 1
    print(json.dumps(counts))


def send(address, port, flows, packets, payload_bytes, gap, first_port=0):
    """Sends so many datagrams in each of so many flows (a source port each), in turn, gap seconds apart."""
    socks = [socket.socket(family(address), socket.SOCK_DGRAM) for _ in range(int(flows))]
    for number, sock in enumerate(socks):
        sock.bind(("", int(first_port) + number if int(first_port) else 0))
    for _ in range(int(packets)):
        for number, sock in enumerate(socks):
            try:
                sock.sendto(struct.pack("!I", number).ljust(int(payload_bytes), b"x"), (address, int(port)))
            except OSError:
                return  # the interface has been deleted
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


def end(address, port, token="end"):
    """Tells a sink that all has been sent, so often that a policy that holds flows back lets it through."""
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    for _ in range(10):
        sock.sendto(token.encode(), (address, int(port)))
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
    us, sorted, and how many did not come back, however late: a process may have to wait for a processor."""
    ways = [(socket.socket(family(a), socket.SOCK_DGRAM), a, [], set()) for a in address.split(",")]
    for i in range(int(n)):
        data = struct.pack("!I", i).ljust(int(payload_bytes), b"p")
        for sock, to, times, missing in ways:
            sock.settimeout(1)
            start = time.perf_counter_ns()
            sock.sendto(data, (to, int(port)))
            missing.add(i)
            collect(sock, missing, i)
            if i not in missing:
                times.append((time.perf_counter_ns() - start) / 1000)
    for sock, _, _, missing in ways:
        while missing and collect(sock, missing):
            pass
    print(json.dumps([{"times": sorted(times), "lost": len(missing)} for _, _, times, missing in ways]))


def collect(sock, missing, wanted=None):
    """Takes numbers that come back out of missing, up to the one wanted; False where no more come."""
    try:
        while wanted is None or wanted in missing:
            missing.discard(struct.unpack("!I", sock.recv(65536)[:4])[0])
            if wanted is None:
                return True
    except TimeoutError:
        return False
    return True


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


def catch(interface, port, n):
    """Prints n frames of UDP over IPv4 to that port as an interface gets them, in hexadecimal."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)
    sock.bind((interface, 3))
    sock.settimeout(3)
    print(READY, flush=True)
    frames = []
    try:
        while len(frames) < int(n):
            data, where = sock.recvfrom(65536)
            # Those that it sends are seen, too; 17 is UDP, in a packet without options.
            if where[2] != socket.PACKET_OUTGOING and data[12:15] == b"\x08\0\x45" and data[23] == 17 and \
                    struct.unpack("!H", data[36:38])[0] == int(port):
                frames.append(data.hex())
    except TimeoutError:
        pass
    print(json.dumps(frames))


def tag(interface, vlan):
    """A VLAN of an interface, for kernels that have none: a tap device called INTERFACE.VLAN."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    # TUNSETIFF; IFF_TAP and IFF_NO_PI.
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", f"{interface}.{vlan}".encode(), 0x1002))
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(263, 8, 1)
    sock.bind((interface, 3))
    print(READY, flush=True)
    while True:
        for ready in select.select([tap, sock], [], [])[0]:
            if ready == tap:
                data = os.read(tap, 65536)
                sock.send(data[:12] + struct.pack("!HH", 0x8100, int(vlan)) + data[12:])
                continue
            data, ancillary, _, _ = sock.recvmsg(65536, 256)
            for level, kind, aux in ancillary:
                status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", aux[:20])
                is_tagged = (level, kind) == (263, 8) and status & 16  # PACKET_AUXDATA; TP_STATUS_VLAN_VALID
                if is_tagged and tci & 0xFFF == int(vlan):
                    os.write(tap, data)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])

# SPDX-License-Identifier: BSD-3-Clause
"""Writes captures byte by byte, so that tests do not depend on the code they test, and runs the program."""
import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIRESCORE = os.environ.get("WIRESCORE", str(ROOT / "build/app/wirescore"))
DATA = pathlib.Path(os.environ.get("WIRESCORE_DATA", ROOT.parent / "shared/data"))
MIX = ROOT / "tests/data/mix.pcap"

ETHERNET = 1
UNICAST = bytes.fromhex("020000000001020000000002")
BROADCAST = b"\xff" * 6 + UNICAST[6:]
VLAN_TYPES = (0x8100, 0x88A8, 0x9100)


def frame(ethertype, payload=b"", macs=UNICAST, size=60):
    return (macs + struct.pack(">H", ethertype) + payload).ljust(size, b"\0")


def ipv4(src, dst, protocol, payload, ident=0, flags_offset=0, ttl=64):
    """An IPv4 packet; checksums are zero, nobody looks at them."""
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, flags_offset, ttl, protocol, 0,
                         socket.inet_aton(src), socket.inet_aton(dst))
    return header + payload


def ipv6(src, dst, protocol, payload):
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload), protocol, 64,
                       socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst)) + payload


def tcp(src_port, dst_port, flags, payload=b"", window=1000):
    """flags: letters of FSRPAU."""
    bits = sum(1 << "FSRPAU".index(flag) for flag in flags)
    return struct.pack(">HHIIBBHHH", src_port, dst_port, 0, 0, 5 << 4, bits, window, 0, 0) + payload


def udp(src_port, dst_port, payload=b""):
    return struct.pack(">HHHH", src_port, dst_port, 8 + len(payload), 0) + payload


def ethernet(packet, vlan=None):
    """The frame of an IP packet, padded to 60 bytes as a sender does."""
    ethertype = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    if vlan is None:
        return frame(ethertype, packet)
    return frame(0x8100, struct.pack(">HH", vlan, ethertype) + packet)


def write_timed_pcap(path, packets, link_type=ETHERNET):
    """packets: (seconds since the epoch, frame), in the order of the file."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link_type))
        for seconds, data in packets:
            us = round(seconds * 1_000_000)
            file.write(struct.pack("<IIII", us // 1_000_000, us % 1_000_000, len(data), len(data)) + data)
    return path


def write_pcap(path, frames, link_type=ETHERNET, nanosecond=False, big_endian=False, snap=None, start=1_600_000_000):
    """frames: bytes, or (bytes, length on the wire). One packet a millisecond (and 3 ns where there are ns)."""
    order = ">" if big_endian else "<"
    unit = 1_000_000_000 if nanosecond else 1_000_000
    with open(path, "wb") as file:
        magic = 0xA1B23C4D if nanosecond else 0xA1B2C3D4
        file.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type))
        for i, item in enumerate(frames):
            data, wire = item if isinstance(item, tuple) else (item, len(item))
            data = data[:snap]
            subsecond = (i * unit // 1000) % unit + (3 if nanosecond else 0)
            file.write(struct.pack(order + "IIII", start + i // 1000, subsecond, len(data), wire) + data)
    return path


def read_pcap(path):
    """Captured bytes of each packet of a classic pcap file."""
    data = pathlib.Path(path).read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    if data[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        return None
    frames, offset = [], 24
    while offset + 16 <= len(data):
        captured = struct.unpack_from(order + "I", data, offset + 8)[0]
        frames.append(data[offset + 16 : offset + 16 + captured])
        offset += 16 + captured
    return frames


def is_ip(data):
    """The rule `ip`: IPv4 or IPv6, also behind up to two VLAN tags."""
    for offset in (12, 16, 20):
        if len(data) < offset + 2:
            return False
        ethertype = struct.unpack_from(">H", data, offset)[0]
        if ethertype in (0x0800, 0x86DD):
            return True
        if ethertype not in VLAN_TYPES:
            return False
    return False


def is_ipv4(data):
    return data[12:14] == b"\x08\x00"


def run(*arguments, **options):
    options.setdefault("timeout", 120)
    return subprocess.run([WIRESCORE, *map(str, arguments)], capture_output=True, text=True, errors="replace", **options)


class TestCase(unittest.TestCase):
    """With a folder of its own, and an assertion for how the program must complain."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def assert_complains(self, result, code, *words):
        """One line on stderr that holds the words, and the exit code."""
        self.assertEqual(result.returncode, code, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 2 if code == 2 and lines[-1].startswith("Try ") else 1, result.stderr)
        for word in words:
            self.assertIn(word, lines[0])

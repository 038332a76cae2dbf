# SPDX-License-Identifier: BSD-3-Clause
"""Reads IP packets from pcap and pcapng files, a packet at a time."""
import struct

# No packet and no block of a sound file is longer.
MAX_BYTES = 1 << 24
NS = 1_000_000_000

PCAP_ORDERS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
SECTION_HEADER = b"\x0a\x0d\x0d\x0a"
SECTION_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

IP_TYPES = (b"\x08\x00", b"\x86\xdd")
TAG_TYPES = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")


class CaptureError(Exception):
    """The file cannot be read from here on."""


def ip_packets(path):
    """
    Yields (ns since the epoch, IP packet, its length on the wire) for each packet of a file, with None instead of the
    packet where it is not whole IP addresses or more. Raises CaptureError where the file is damaged, OSError where it
    cannot be opened.
    """
    with open(path, "rb") as file:
        magic = file.read(4)
        if magic in PCAP_ORDERS:
            records = read_pcap(file, *PCAP_ORDERS[magic])
        elif magic == SECTION_HEADER:
            records = read_pcapng(file)
        else:
            raise CaptureError("not a pcap or pcapng file")
        for ns, link_type, data, n_wire in records:
            at = ip_offset(link_type, data)
            packet = data[at:] if at is not None else b""
            yield ns, packet if has_addresses(packet) else None, max(n_wire - (at or 0), len(packet))


def has_addresses(packet):
    version = packet[0] >> 4 if packet else 0
    return version == 4 and len(packet) >= 20 or version == 6 and len(packet) >= 40


def ip_offset(link_type, data):
    """Where the IP header begins, or None."""
    if link_type == 1:  # Ethernet
        at = 12
        while data[at : at + 2] in TAG_TYPES:
            at += 4
        return at + 2 if data[at : at + 2] in IP_TYPES else None
    if link_type in (12, 14, 101, 228, 229):  # raw IP
        return 0
    if link_type == 113:  # Linux cooked
        return 16 if data[14:16] in IP_TYPES else None
    if link_type == 276:  # Linux cooked, version 2
        return 20 if data[:2] in IP_TYPES else None
    return 4 if link_type in (0, 108) else None  # loopback


def take(file, n_bytes):
    """Exactly so many bytes; b"" at the end of the file."""
    data = file.read(n_bytes)
    if data and len(data) < n_bytes:
        raise CaptureError("breaks off in the middle of a packet")
    return data


def read_pcap(file, order, ns_per_unit):
    header = take(file, 20)
    if not header:
        raise CaptureError("breaks off in its header")
    link_type = struct.unpack(order + "I", header[16:])[0] & 0xFFFF
    record = struct.Struct(order + "IIII")
    while True:
        head = take(file, 16)
        if not head:
            return
        seconds, units, n_captured, n_wire = record.unpack(head)
        if n_captured > MAX_BYTES:
            raise CaptureError(f"has a packet of {n_captured} bytes")
        data = take(file, n_captured) if n_captured else b""
        if n_captured and not data:
            raise CaptureError("breaks off in the middle of a packet")
        yield seconds * NS + units * ns_per_unit, link_type, data, n_wire


class Section:
    """What the blocks of a pcapng section have in common."""

    def __init__(self, order):
        self.order = order
        self.interfaces = []  # (link type, snap length, ns per unit as a fraction, offset in ns)
        self.last_ns = 0

    def add_interface(self, body):
        link_type, _, snap = struct.unpack_from(self.order + "HHI", body)
        numerator, denominator, offset_s, at = 1000, 1, 0, 8
        while at + 4 <= len(body):
            code, n_bytes = struct.unpack_from(self.order + "HH", body, at)
            value = body[at + 4 : at + 4 + n_bytes]
            if code == 0:
                break
            if code == 9 and n_bytes == 1:
                base = 2 if value[0] & 0x80 else 10
                numerator, denominator = NS, base ** (value[0] & 0x7F)
            elif code == 14 and n_bytes == 8:
                offset_s = struct.unpack(self.order + "q", value)[0]
            at += 4 + (n_bytes + 3) // 4 * 4
        self.interfaces.append((link_type, snap, numerator, denominator, offset_s * NS))

    def packet(self, interface, units, data, n_wire):
        if interface >= len(self.interfaces):
            raise CaptureError(f"has a packet of interface {interface}, of which it says nothing")
        link_type, _, numerator, denominator, offset_ns = self.interfaces[interface]
        if units is not None:
            self.last_ns = units * numerator // denominator + offset_ns
        return self.last_ns, link_type, data, n_wire


def packet_of_block(section, kind, body):
    """The packet of an enhanced (6), obsolete (2) or simple (3) packet block, or None."""
    if kind == 3:
        n_wire = struct.unpack_from(section.order + "I", body)[0]
        snap = section.interfaces[0][1] if section.interfaces else 0
        return section.packet(0, None, body[4 : 4 + min(n_wire, snap or n_wire)], n_wire)
    layout = section.order + ("IIIII" if kind == 6 else "HHIIII")
    fields = struct.unpack_from(layout, body)
    high, low, n_captured, n_wire = fields[-4:]
    data = body[20 : 20 + n_captured]
    if len(data) < n_captured:
        raise CaptureError("has a packet that is longer than its block")
    return section.packet(fields[0], high << 32 | low, data, n_wire)


def read_pcapng(file):
    file.seek(0)
    section = None
    while True:
        head = take(file, 8)
        if not head:
            return
        if head[:4] == SECTION_HEADER:
            magic = take(file, 4)
            if magic not in SECTION_ORDERS:
                raise CaptureError("has a section of an unknown byte order")
            section = Section(SECTION_ORDERS[magic])
            n_read = 12
        else:
            n_read = 8
        kind, n_block = struct.unpack(section.order + "II", head)
        if n_block < n_read + 4 or n_block > MAX_BYTES or n_block % 4:
            raise CaptureError(f"has a block of {n_block} bytes")
        body = take(file, n_block - n_read)[:-4]
        if len(body) < n_block - n_read - 4:
            raise CaptureError("breaks off in the middle of a block")
        try:
            if kind == 1:
                section.add_interface(body)
            elif kind in (2, 3, 6):
                yield packet_of_block(section, kind, body)
        except struct.error:
            raise CaptureError("has a block that is too short for what it holds") from None

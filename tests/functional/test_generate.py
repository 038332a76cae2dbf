#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore generate packets` against a parser that shares nothing with it, and against tshark where that is installed.

Run by meson with the binary's path in the environment variable WIRESCORE.
"""
import collections
import fnmatch
import os
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest

WIRESCORE = os.environ.get("WIRESCORE", "build/app/wirescore")
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
TAGS = (0x8100, 0x88A8, 0x9100)

# What must stand in a frame of each kind that is not IP: an EtherType, or an LLC DSAP, or a SNAP protocol.
NON_IP = {
    "arp-*": 0x0806, "rarp": 0x8035, "lldp": 0x88CC, "eapol": 0x888E, "pppoe-discovery": 0x8863,
    "pppoe-session": 0x8864, "mpls": 0x8847, "mpls-multicast": 0x8848, "profinet-*": 0x8892, "ptp": 0x88F7,
    "goose": 0x88B8, "ethercat": 0x88A4, "lacp": 0x8809, "slow-oam": 0x8809, "pause": 0x8808, "loopback": 0x9000,
    "macsec": 0x88E5, "wake-on-lan": 0x0842, "aoe": 0x88A2, "fcoe": 0x8906, "ipx-ethernet": 0x8137,
    "stp": "llc 42", "rstp": "llc 42", "isis": "llc fe", "ipx-llc": "llc e0", "ipx-raw": "llc ff",
    "netbeui": "llc f0", "llc-*": "llc 00", "pvst": "snap 00000c010b", "cdp": "snap 00000c2000",
    "vtp": "snap 00000c2003", "dtp": "snap 00000c2004",
}
IP_PROTOCOLS = {"tcp": 6, "udp": 17, "dns": 17, "dhcp": 17, "mdns": 17, "ssdp": 17, "netbios": 17, "options": 17,
                "fragment": 17, "igmp": 2, "ospf": 89, "gre": 47, "6in4": 41, "esp": 50, "icmp": 1}


def generate(*args, check=True, **kwargs):
    result = subprocess.run([WIRESCORE, "generate", "packets", *args], capture_output=True, timeout=120, **kwargs)
    if check and result.returncode:
        raise AssertionError(f"exit {result.returncode}: {result.stderr.decode()}")
    return result


def read_pcap(data):
    """Time in ns and bytes of each packet of a little or big endian pcap."""
    endian = "<" if data[0] in (0xD4, 0x4D) else ">"
    magic, _, _, _, _, snap, link = struct.unpack_from(endian + "IHHiIII", data)
    assert link == 1 and magic in (0xA1B2C3D4, 0xA1B23C4D)
    at, packets = 24, []
    while at < len(data):
        seconds, fraction, captured, wire = struct.unpack_from(endian + "IIII", data, at)
        assert captured == wire <= snap and at + 16 + captured <= len(data)
        unit = 1 if magic == 0xA1B23C4D else 1000
        packets.append((seconds * 10**9 + fraction * unit, data[at + 16:at + 16 + captured]))
        at += 16 + captured
    return packets


def read_labels(text):
    lines = text.splitlines()
    assert lines[0] == "number\tclass\tkind\ttags"
    return [line.split("\t") for line in lines[1:]]


def link(frame):
    """(number of tags, EtherType or length, where its payload starts), None where the frame ends before."""
    at, n_tags = 12, 0
    while len(frame) >= at + 2:
        value = int.from_bytes(frame[at:at + 2], "big")
        if value not in TAGS or n_tags == 2:
            return n_tags, value, at + 2
        at, n_tags = at + 4, n_tags + 1
    return None


def class_of(frame):
    found = link(frame)
    return "ip" if found and found[1] in (0x0800, 0x86DD) else "non-ip"


def ones_sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip_problem(packet, etype):
    """What is wrong with an IP packet (with padding behind it): lengths and checksums. (protocol, problem)."""
    if etype == 0x0800:
        header, total, protocol = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big"), packet[9]
        if packet[0] >> 4 != 4 or ones_sum(packet[:header]) != 0xFFFF:
            return protocol, "IPv4 header checksum"
        addresses, offset = packet[12:20], int.from_bytes(packet[6:8], "big") & 0x3FFF
    else:
        header, total, protocol = 40, 40 + int.from_bytes(packet[4:6], "big"), packet[6]
        addresses, offset = packet[8:40], 0
        while protocol in (0, 43, 60):
            protocol, header = packet[header], header + 8 + 8 * packet[header + 1]
        if protocol == 44:
            return packet[header], None
    if total > len(packet) or total < header:
        return protocol, "length"
    payload = packet[header:total]
    pseudo = addresses + struct.pack(">II", len(payload), protocol)
    if not offset and protocol in (6, 17, 58) and ones_sum(pseudo + payload) != 0xFFFF:
        return protocol, f"checksum of protocol {protocol}"
    if protocol in (1, 2) and ones_sum(payload) != 0xFFFF:
        return protocol, f"checksum of protocol {protocol}"
    if not offset and protocol == 17 and int.from_bytes(payload[4:6], "big") != len(payload):
        return protocol, "UDP length"
    return protocol, None


def frame_problem(kind, frame):
    """What in the frame disagrees with its kind, or None."""
    n_tags, value, at = link(frame)
    if kind.startswith("ipv"):
        version, name = kind.split("-", 1)
        if value != {"ipv4": 0x0800, "ipv6": 0x86DD}[version]:
            return f"type {value:04x}"
        protocol, problem = ip_problem(frame[at:], value)
        wanted = IP_PROTOCOLS.get(name)
        if version == "ipv6" and name == "icmp":
            wanted = 58
        return problem or (f"protocol {protocol}" if wanted not in (None, protocol) else None)
    if value < 0x0600:
        if at + value > len(frame):
            return f"length {value} of {len(frame) - at}"
        found = f"llc {frame[at]:02x}" if frame[at] != 0xAA else f"snap {frame[at + 3:at + 8].hex()}"
    else:
        found = value
    if kind == "vendor-type":
        return None if value >= 0x0600 and value not in (0x0800, 0x86DD) + TAGS else f"type {value:04x}"
    wanted = [v for pattern, v in NON_IP.items() if fnmatch.fnmatchcase(kind, pattern)]
    return None if wanted == [found] else f"found {found}, wanted {wanted}"


class Generate(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def mix(self, *args):
        """Packets and labels of a generated mix."""
        generate("-o", self.path("mix.pcap"), "--labels", self.path("mix.tsv"), *args)
        with open(self.path("mix.pcap"), "rb") as capture, open(self.path("mix.tsv")) as labels:
            return read_pcap(capture.read()), read_labels(labels.read())

    def assert_one_line(self, result, code, *parts):
        text = result.stderr.decode()
        self.assertEqual(result.returncode, code, text)
        self.assertLessEqual(len(text.splitlines()), 1 if code == 1 else 2, text)
        self.assertTrue(text.startswith("wirescore: "), text)
        for part in parts:
            self.assertIn(part, text.splitlines()[0])

    def test_labels_agree_with_an_independent_parse_of_every_frame(self):
        packets, labels = self.mix("-n", "20000", "--seed", "11")
        self.assertEqual(len(packets), 20000)
        self.assertEqual([row[0] for row in labels], [str(n) for n in range(1, 20001)])
        for (number, label, kind, tags), (_, frame) in zip(labels, packets):
            self.assertEqual(label, class_of(frame), f"packet {number}, {kind}")
            if kind != "runt":
                self.assertIsNone(frame_problem(kind, frame), f"packet {number}, {kind}")
                self.assertEqual(int(tags), link(frame)[0], f"packet {number}, {kind}")

    def test_mix_is_half_ip_of_every_kind_size_and_tagging(self):
        packets, labels = self.mix("-n", "20000", "--seed", "12")
        listed = generate("--list-kinds").stdout.decode().splitlines()
        self.assertEqual({row[2] for row in labels}, {line.split()[0] for line in listed})
        share = sum(row[1] == "ip" for row in labels) / len(labels)
        self.assertTrue(0.45 < share < 0.55, share)
        sizes = [len(frame) for _, frame in packets]
        self.assertLess(min(sizes), 14)
        self.assertGreater(max(sizes), 8000)
        self.assertLessEqual(max(sizes), 9000)
        lengths = [found[1] for found in (link(frame) for _, frame in packets) if found and found[1] < 0x0600]
        self.assertTrue(min(lengths) < 0x0010 and 0x0500 < max(lengths) <= 1500, (min(lengths), max(lengths)))
        outer = collections.Counter((label[1], frame[12:14].hex()) for (_, frame), label in zip(packets, labels)
                                    if len(frame) >= 18)
        for name in ("ip", "non-ip"):
            for tag in ("8100", "88a8", "9100"):
                self.assertGreater(outer[name, tag], 0, (name, tag))

    def test_times_increase_in_both_precisions(self):
        for args in ((), ("--nanosecond",)):
            times = [time for time, _ in self.mix("-n", "5000", *args)[0]]
            self.assertTrue(all(a < b for a, b in zip(times, times[1:])))
            self.assertEqual(any(time % 1000 for time in times), bool(args))

    def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(self):
        first = generate("-n", "2000", "--seed", "5", "-o", "-").stdout
        self.assertEqual(generate("-n", "2000", "--seed", "5", "-o", "-").stdout, first)
        self.assertNotEqual(generate("-n", "2000", "--seed", "6", "-o", "-").stdout, first)
        self.assertEqual(len(read_pcap(first)), 2000)

    def test_bundled_capture_is_what_its_command_writes(self):
        generate("--seed", "1", "-n", "1000", "--max-size", "600", "-o", self.path("mix.pcap"), "--labels",
                 self.path("mix.labels.tsv"))
        for name in ("mix.pcap", "mix.labels.tsv"):
            with open(self.path(name), "rb") as made, open(os.path.join(DATA, name), "rb") as bundled:
                self.assertEqual(made.read(), bundled.read(), f"{name}: see tests/data/README.md")

    def test_kinds_and_largest_size_are_obeyed(self):
        packets, labels = self.mix("-n", "3000", "--kinds", "ipv4-tcp,pro*", "--max-size", "400")
        self.assertEqual({row[2] for row in labels}, {"ipv4-tcp", "profinet-rt", "profinet-dcp"})
        self.assertLessEqual(max(len(frame) for _, frame in packets), 400)

    def test_label_rule_decides_the_class(self):
        labels = self.mix("-n", "500", "--kinds", "ipv6-udp", "--label", "ipv4")[1]
        self.assertEqual({row[1] for row in labels}, {"non-ip"})
        packets, labels = self.mix("-n", "500", "--label", "ethertype:0x0806")
        self.assertEqual([row[1] == "0x0806" for row in labels], [frame[12:14] == b"\x08\x06" for _, frame in packets])

    def test_labels_go_to_stdout(self):
        result = generate("-n", "3", "-o", self.path("x.pcap"), "--labels", "-")
        self.assertEqual(len(read_labels(result.stdout.decode())), 3)

    def test_bad_usage_exits_2_and_says_why(self):
        out = ("-o", self.path("x.pcap"))
        for args, part in (((), "-o FILE"), (("-n", "0", *out), "-n '0'"), (("-n", "1e3", *out), "-n '1e3'"),
                           (("-n", "99999999999999999999", *out), "-n"), (("--max-size", "20", *out), "--max-size"),
                           (("--seed", "-1", *out), "--seed '-1'"), (("--kinds", "arp-reply,smoke", *out), "'smoke'"),
                           (("--kinds", "", *out), "--kinds"), (("--label", "tcp", *out), "--label 'tcp'"),
                           (("--bogus", *out), "--bogus"), (("-o",), "-o"), ((*out, "more"), "'more'"),
                           (("-o", "-", "--labels", "-"), "both go to -")):
            with self.subTest(args=args):
                self.assert_one_line(generate(*args, check=False), 2, part)
        self.assertEqual(os.listdir(self.folder), [])
        for args in ((), ("smoke",)):
            result = subprocess.run([WIRESCORE, "generate", *args], capture_output=True)
            self.assert_one_line(result, 2, "packets")

    def test_unwritable_output_is_one_line_and_leaves_nothing(self):
        missing = self.path("missing/x.pcap")
        self.assert_one_line(generate("-o", missing, check=False), 1, missing)
        self.assert_one_line(generate("-o", self.folder, check=False), 1, self.folder)
        self.assert_one_line(generate("-o", missing, "--labels", self.path("x.tsv"), check=False), 1, missing)
        self.assert_one_line(generate("-o", self.path("x.pcap"), "--labels", missing, check=False), 1, missing)
        same = self.path("same")
        self.assertEqual(generate("-o", same, "--labels", same, check=False).returncode, 2)
        self.assertEqual(os.listdir(self.folder), [])

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_full_disk_is_one_line_and_the_device_stays(self):
        for n in ("1", "5000"):
            self.assert_one_line(generate("-n", n, "-o", "/dev/full", check=False), 1, "/dev/full", "No space left")
            self.assert_one_line(generate("-n", n, "-o", self.path("x.pcap"), "--labels", "/dev/full", check=False), 1,
                                 "/dev/full", "No space left")
            with open("/dev/full", "wb") as full:
                result = subprocess.run([WIRESCORE, "generate", "packets", "-n", n, "-o", "-"], stdout=full,
                                        stderr=subprocess.PIPE)
            self.assert_one_line(result, 1, "No space left")
        self.assertTrue(os.path.exists("/dev/full"))
        self.assertEqual(os.listdir(self.folder), [])

    def test_partial_output_is_removed(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
        result = generate("-n", "50000", "-o", self.path("x.pcap"), "--labels", self.path("x.tsv"), check=False,
                          preexec_fn=limit)
        self.assert_one_line(result, 1, "File too large")
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_failed_run_leaves_what_was_there(self):
        capture, labels = self.path("x.pcap"), self.path("x.tsv")
        generate("-n", "10", "-o", capture, "--labels", labels)
        with open(capture, "rb") as file:
            before = file.read()
        self.assertEqual(generate("-o", capture, "--labels", "/dev/full", check=False).returncode, 1)
        with open(capture, "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(generate("-o", capture, "--labels", capture, check=False).returncode, 2)
        self.assertEqual(sorted(os.listdir(self.folder)), ["x.pcap", "x.tsv"])

    @unittest.skipUnless(shutil.which("tshark"), "tshark is not installed: dissection of the frames is not checked")
    def test_tshark_finds_nothing_malformed_and_no_wrong_checksum(self):
        _, labels = self.mix("-n", "6000", "--seed", "21")
        result = subprocess.run(
            ["tshark", "-n", "-r", self.path("mix.pcap"), "-o", "ip.check_checksum:TRUE", "-o",
             "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y",
             "_ws.malformed || _ws.expert.group == \"Checksum\" || _ws.expert.group == \"Malformed\" || "
             "_ws.expert.severity == error", "-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message"],
            capture_output=True, timeout=120, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        wrong = [(labels[int(line.split("\t")[0]) - 1][2], line) for line in result.stdout.splitlines()]
        # Runts are cut off, and the payload behind an unknown EtherType is noise.
        self.assertEqual([entry for entry in wrong if entry[0] not in ("runt", "vendor-type")], [])
        self.assertTrue(any(entry[0] == "runt" for entry in wrong), "the filter finds nothing at all")


if __name__ == "__main__":
    unittest.main()

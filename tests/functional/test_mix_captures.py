# SPDX-License-Identifier: BSD-3-Clause
"""tools/mix-captures: that what it places is what was there, and that its labels say what came from where."""
import collections
import csv
import os
import struct
import subprocess
import unittest

from captures import ROOT, TestCase, ethernet, ipv4, ipv6, read_pcap, run, tcp, write_timed_pcap

# Benign and attack flows are told apart by this port of the responder, whatever becomes of the addresses.
BENIGN_PORT, ATTACK_PORT = 80, 6666
# Nothing drawn but addresses and times.
PLAIN = ("--one-way", 0, "--late", 0, "--stretched", 0, "--proxies", 0, "--repeat", 1)


def conversation(client, server, port, client_port, make=ipv4):
    """A short TCP connection: its IP packets."""
    there = lambda flags, data=b"": make(client, server, 6, tcp(client_port, port, flags, data))
    back = lambda flags, data=b"": make(server, client, 6, tcp(port, client_port, flags, data))
    return [there("S"), back("SA"), there("A"), there("PA", b"question"), back("PA", b"answer " * 40), there("FA"),
            back("FA"), there("A")]


def timed(packets, first_s=1_600_000_000, gap_s=0.01):
    return [(first_s + i * gap_s, packet) for i, packet in enumerate(packets)]


def framed(packets):
    return [(seconds, ethernet(packet)) for seconds, packet in packets]


def benign_packets(n=10):
    return [p for i in range(n) for p in conversation("192.168.0.1", f"192.168.1.{1 + i % 3}", BENIGN_PORT, 1024 + i)]


def attack_packets(n=40, make=ipv4, src="172.16.0.9", net="192.168.0."):
    """A scan: a SYN to each host of a net, some of which refuse."""
    packets = []
    for i in range(n):
        packets.append(make(src, f"{net}{1 + i}", 6, tcp(40000 + i, ATTACK_PORT, "S")))
        if i % 2:
            packets.append(make(f"{net}{1 + i}", src, 6, tcp(ATTACK_PORT, 40000 + i, "RA")))
    return packets


def read_mixed(path):
    """(time in ns, frame, length on the wire) of each packet."""
    data, at, packets = path.read_bytes(), 24, []
    assert struct.unpack_from("<I", data)[0] == 0xA1B23C4D
    while at < len(data):
        seconds, ns, n_captured, n_wire = struct.unpack_from("<IIII", data, at)
        packets.append((seconds * 1_000_000_000 + ns, data[at + 16 : at + 16 + n_captured], n_wire))
        at += 16 + n_captured
    return packets


class MixCaptures(TestCase):
    def setUp(self):
        super().setUp()
        self.benign = write_timed_pcap(self.folder / "benign.pcap", framed(timed(benign_packets())))
        self.attack = write_timed_pcap(self.folder / "attack.pcap", framed(timed(attack_packets())))
        self.out = self.folder / "out.pcap"

    def mix(self, *arguments, out=None):
        command = [ROOT / "tools/mix-captures", "-o", out or self.out, *arguments]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)

    def mix_well(self, *arguments):
        result = self.mix(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def flows(self):
        """Rows of the mixed capture's flows, with the labels of its rules."""
        rows = self.folder / "rows.csv"
        result = run("extract", "-q", self.out, "-o", rows, "--features", "packets", "--labels",
                     self.out.with_suffix(".tsv"))
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(rows, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def assert_labels_are_exact(self, family="scan-port"):
        flows = self.flows()
        for flow in flows:
            is_attack = str(ATTACK_PORT) in (flow["dst_port"], flow["src_port"])
            self.assertEqual(flow["label"], family if is_attack else "benign", flow)
        return collections.Counter(flow["label"] for flow in flows)

    # What is placed

    def test_packets_are_conserved(self):
        self.mix_well(*PLAIN, "--benign", self.benign, "--attack", f"scan-port={self.attack}")
        packets = read_mixed(self.out)
        put_in = [ethernet(packet) for packet in benign_packets() + attack_packets()]
        self.assertEqual(len(packets), len(put_in))
        behind_addresses = lambda frame: frame[14:26] + frame[34:110]
        self.assertEqual(sorted((behind_addresses(frame), n_wire) for _, frame, n_wire in packets),
                         sorted((behind_addresses(frame), len(frame)) for frame in put_in))
        self.assertEqual(max(len(frame) for _, frame, _ in packets), 110)

    def test_each_capture_has_hosts_of_its_own(self):
        other = write_timed_pcap(self.folder / "other.pcap", framed(timed(benign_packets())))
        self.mix_well(*PLAIN, "--shared", 0, "--benign", self.benign, other, "--attack", f"scan-port={self.attack}")
        hosts = {address for _, frame, _ in read_mixed(self.out) for address in (frame[26:30], frame[30:34])}
        self.assertEqual(len(hosts), 2 * 4 + 41)

    def test_times_stay_in_the_span_in_order_and_keep_their_gaps(self):
        self.mix_well(*PLAIN, "--span", 50, "--start", 1000, "--benign", self.benign)
        times = [ns for ns, _, _ in read_mixed(self.out)]
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(times[0], 1000 * 10**9)
        self.assertLessEqual(times[-1], 1050 * 10**9)
        for before, after in zip(times, times[1:]):
            self.assertAlmostEqual(after - before, 10_000_000, delta=2000)

    def test_long_captures_are_cut_and_stretched_into_the_span(self):
        slow = write_timed_pcap(self.folder / "slow.pcap", framed(timed(benign_packets(), gap_s=100)))
        for seed in range(8):
            self.mix_well("--seed", seed, "--span", 60, "--max-packets", 30, "--benign", slow, "--attack",
                          f"scan-port={self.attack}")
            times = [ns for ns, _, _ in read_mixed(self.out)]
            self.assertLessEqual(times[-1] - times[0], 60 * 10**9)
        self.mix_well(*PLAIN, "--max-packets", 30, "--benign", self.benign)
        self.assertEqual(len(read_mixed(self.out)), 30)

    def test_an_attack_loses_the_answers_and_not_itself(self):
        self.mix_well(*PLAIN, "--one-way", 1, "--attack", f"scan-port={self.attack}")
        ports = [struct.unpack(">HH", frame[34:38]) for _, frame, _ in read_mixed(self.out)]
        self.assertEqual(len(ports), 40)
        self.assertEqual({port for _, port in ports}, {ATTACK_PORT})

    def test_clients_of_many_captures_stand_behind_a_proxy(self):
        captures = [write_timed_pcap(self.folder / f"{i}.pcap", framed(timed(benign_packets(2)))) for i in range(5)]
        self.mix_well(*PLAIN, "--proxies", 1, "--shared", 0, "--benign", *captures)
        clients = collections.defaultdict(set)
        for _, frame, _ in read_mixed(self.out):
            if frame[36:38] == struct.pack(">H", BENIGN_PORT):
                clients[frame[26:30]].add(frame[30:34])
        self.assertEqual(sorted(len(servers) for servers in clients.values()), [2] * 5 + [10])

    def test_who_serves_too_does_not_stand_behind_a_proxy(self):
        both = conversation("10.0.0.1", "10.0.0.2", BENIGN_PORT, 1024) + conversation("10.0.0.2", "10.0.0.3", 22, 1025)
        path = write_timed_pcap(self.folder / "both.pcap", framed(timed(both)))
        self.mix_well(*PLAIN, "--proxies", 1, "--shared", 0, "--benign", path)
        pairs = {frame[26:34] for _, frame, _ in read_mixed(self.out)}
        self.assertEqual(len(pairs), 2 * 4)
        self.assertFalse([pair for pair in pairs if pair[:4] == pair[4:]])

    # Labels

    def test_labels_are_exact_whatever_is_drawn(self):
        plain = write_timed_pcap(self.folder / "same.pcap", framed(timed(benign_packets(30))))
        for seed in range(6):
            self.mix_well("--seed", seed, "--span", 20, "--shared", 0.9, "--benign", self.benign, plain, "--attack",
                          f"scan-port={self.attack}")
            self.assert_labels_are_exact()

    def test_every_flow_of_an_attack_is_there(self):
        self.mix_well(*PLAIN, "--benign", self.benign, "--attack", f"scan-port={self.attack}")
        self.assertEqual(self.assert_labels_are_exact(), {"benign": 10, "scan-port": 40})

    def test_attacks_over_ipv6_are_labelled(self):
        packets = attack_packets(20, ipv6, "2001:db8::9", "2001:db8:1::")
        benign = [p for i in range(5) for p in conversation("2001:db8::9", f"2001:db8:1::{1 + i}", 80, 2000 + i, ipv6)]
        attack = write_timed_pcap(self.folder / "six.pcap", framed(timed(packets)))
        other = write_timed_pcap(self.folder / "other.pcap", framed(timed(benign)))
        self.mix_well(*PLAIN, "--shared", 0.5, "--benign", other, "--attack", f"scan-host={attack}")
        self.assertEqual(self.assert_labels_are_exact("scan-host"), {"benign": 5, "scan-host": 20})

    def test_reflectors_are_shared_and_victims_are_not(self):
        answers = [ipv4(f"192.0.2.{1 + i}", "198.51.100.1", 6, tcp(ATTACK_PORT, 1000 + i, "SA")) for i in range(30)]
        attack = write_timed_pcap(self.folder / "reflection.pcap", framed(timed(answers)))
        self.mix_well(*PLAIN, "--shared", 1, "--benign", self.benign, "--attack", f"reflection-tcp={attack}")
        self.assert_labels_are_exact("reflection-tcp")
        frames = [frame for _, frame, _ in read_mixed(self.out)]
        servers = {frame[30:34] for frame in frames if frame[36:38] == struct.pack(">H", BENIGN_PORT)}
        hit = [(frame[26:30], frame[30:34]) for frame in frames if frame[34:36] == struct.pack(">H", ATTACK_PORT)]
        self.assertLessEqual({reflector for reflector, _ in hit}, servers)
        self.assertEqual(len({victim for _, victim in hit}), 1)
        self.assertNotIn(hit[0][1], servers)

    # Draws

    def test_the_same_seed_gives_the_same_bytes(self):
        written = []
        for seed in (5, 5, 6):
            self.mix_well("--seed", seed, "--benign", self.benign, "--attack", f"scan-port={self.attack}")
            written.append((self.out.read_bytes(), self.out.with_suffix(".tsv").read_bytes()))
        self.assertEqual(written[0], written[1])
        self.assertNotEqual(written[0], written[2])

    def test_a_list_names_captures_as_options_do(self):
        listed = self.folder / "list"
        listed.write_text(f"benign\t{self.benign}\nscan-port\t{self.attack}\n")
        self.mix_well("--list", listed)
        written = self.out.read_bytes()
        self.mix_well("--benign", self.benign, "--attack", f"scan-port={self.attack}")
        self.assertEqual(written, self.out.read_bytes())

    # Files

    def test_all_kinds_of_links_are_read(self):
        packets = timed(benign_packets(3))
        kinds = {
            "raw": (101, lambda packet: packet),
            "cooked": (113, lambda packet: b"\0" * 14 + b"\x08\0" + packet),
            "cooked2": (276, lambda packet: b"\x08\0" + b"\0" * 18 + packet),
            "loopback": (0, lambda packet: b"\x02\0\0\0" + packet),
            "tagged": (1, lambda packet: ethernet(packet, vlan=7)),
        }
        for name, (link_type, wrap) in kinds.items():
            path = self.folder / f"{name}.pcap"
            write_timed_pcap(path, [(seconds, wrap(packet)) for seconds, packet in packets], link_type)
            self.mix_well(*PLAIN, "--benign", path)
            frames = [frame for _, frame, _ in read_mixed(self.out)]
            self.assertEqual([frame[34:54] for frame in frames], [packet[20:40] for _, packet in packets], name)

    def test_pcapng_is_read(self):
        blocks = [(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
                  (1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHB3xHH", 9, 1, 9, 0, 0))]
        for seconds, frame in framed(timed(benign_packets(3))):
            ns = round(seconds * 100) * 10_000_000
            body = struct.pack("<IIIII", 0, ns >> 32, ns & 0xFFFFFFFF, len(frame), len(frame))
            blocks.append((6, body + frame + b"\0" * (-len(frame) % 4)))
        blocks.append((5, b"\0" * 12))
        path = self.folder / "next.pcapng"
        path.write_bytes(b"".join(struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
                                  for kind, body in blocks))
        self.mix_well(*PLAIN, "--benign", path)
        packets = read_mixed(self.out)
        self.assertEqual(len(packets), 24)
        self.assertAlmostEqual(packets[-1][0] - packets[0][0], 230_000_000, delta=10)

    def test_damaged_captures_are_used_as_far_as_they_are_good(self):
        self.benign.write_bytes(self.benign.read_bytes()[:-5])
        result = self.mix_well(*PLAIN, "--benign", self.benign)
        self.assertEqual(len(read_pcap(self.benign)), 80)
        self.assertEqual(len(read_mixed(self.out)), 79)
        self.assertIn("benign.pcap: breaks off in the middle of a packet: its beginning is used", result.stderr)

    def test_any_damage_is_survived(self):
        whole = self.benign.read_bytes()
        for at in range(0, 200, 7):
            self.benign.write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
            result = self.mix("--benign", self.benign)
            self.assertIn(result.returncode, (0, 1))
            self.assertNotIn("Traceback", result.stderr, at)

    def test_what_is_no_capture_is_left_out(self):
        text = self.folder / "text.pcap"
        text.write_text("no packets here")
        result = self.mix_well(*PLAIN, "--benign", text, self.benign)
        self.assertIn("text.pcap: not a pcap or pcapng file: left out", result.stderr)
        self.assertEqual(len(read_mixed(self.out)), 80)
        self.assertEqual(self.mix("--benign", text).returncode, 1)

    def test_other_packets_than_ip_are_counted(self):
        path = self.folder / "arp.pcap"
        write_timed_pcap(path, [(1, b"\xff" * 12 + b"\x08\x06" + b"\0" * 46), *framed(timed(benign_packets(1)))])
        result = self.mix_well(*PLAIN, "--benign", path)
        self.assertIn("1 captures placed 1 times: 8 packets, 1 not IP", result.stderr)

    def test_bad_use_is_refused(self):
        for code, arguments, word in (
            (2, [], "--benign"),
            (2, ["--benign", self.benign, "--late", "2"], "--late"),
            (2, ["--benign", self.benign, "--max-packets", "0"], "--max-packets"),
            (1, ["--attack", self.attack], "FAMILY=CAPTURE"),
            (1, ["--benign", self.folder / "nothing.pcap"], "nothing.pcap"),
        ):
            result = self.mix(*arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(word, result.stderr)
        listed = self.folder / "list"
        listed.write_text(f"benign\t{self.benign}\nbenign {self.benign}\n")
        self.assertIn("list:2:", self.mix("--list", listed).stderr)

    def test_bad_input_is_told_in_a_line(self):
        listed = self.folder / "list"
        listed.write_bytes(f"benign\t{self.benign}\n".encode() + b"benign\tb\xe9nin.pcap\n")
        zero = self.folder / "zero"
        zero.write_bytes(b"benign\ta\0b\n")
        spread = self.folder / "spread"
        spread.write_text(f"scan port\t{self.attack}\n")
        for code, arguments, word in (
            (2, ["--start", 5_000_000_000], "--start 5000000000"),
            (2, ["--start", 4_294_967_000], "--start 4294967000"),
            (2, ["--start", "-5"], "--start -5"),
            (2, ["--span", "inf"], "--span: inf"),
            (2, ["--span", "nan"], "--span: nan"),
            (2, ["--span", "0"], "--span: 0"),
            (2, ["--span", "1e300"], "1e+300"),
            (2, ["--late", "nan"], "--late: nan"),
            (1, ["--list", listed], "list:2: is not text in UTF-8"),
            (1, ["--list", zero], "zero:1: should be"),
            (1, ["--list", spread], "'scan port'"),
            (1, ["--attack", f"scan\tport={self.attack}"], r"'scan\tport'"),
            (1, ["--attack", f"scan port={self.attack}"], "'scan port'"),
            (1, ["--benign", ""], "directory"),
        ):
            with self.subTest(arguments):
                result = self.mix("--benign", self.benign, *arguments)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertNotIn("Traceback", result.stderr)
                self.assertIn(word, result.stderr.splitlines()[-1])
                self.assertTrue(result.stderr.splitlines()[-1].startswith("mix-captures: "))
                self.assertFalse(self.out.exists())

    def test_the_last_second_of_a_pcap_can_be_used(self):
        self.mix_well("--start", 2**32 - 1 - 900, "--benign", self.benign)
        self.assertLess(read_mixed(self.out)[-1][0], 2**32 * 10**9)

    def test_lengths_and_names_that_do_not_fit_are_survived(self):
        path = self.folder / "odd\udce9.pcap"
        write_timed_pcap(path, timed(attack_packets(3)), 101)
        data = bytearray(path.read_bytes())
        data[24 + 12 : 24 + 16] = b"\xff" * 4
        path.write_bytes(data)
        self.mix_well(*PLAIN, "--attack", f"scan-port={path}")
        self.assertEqual(read_mixed(self.out)[0][2], 2**32 - 1)
        self.assertEqual(len(self.out.with_suffix(".tsv").read_text().splitlines()), 1 + 3 + 1)

    def test_what_is_read_is_never_written_over(self):
        labels = self.benign.with_suffix(".tsv")
        labels.write_text("label\nbenign\n")
        listed = self.folder / "list.tsv"
        listed.write_text(f"scan-port\t{self.attack}\n")
        hard, soft, folded = (self.folder / name for name in ("hard.pcap", "soft.pcap", "folded.tsv"))
        os.link(self.benign, hard)
        soft.symlink_to(self.attack)
        folded.symlink_to(self.folder / "folded.pcap")
        files = {path: path.read_bytes() for path in (self.benign, self.attack, labels, listed)}
        for code, out in ((1, self.benign), (1, hard), (1, soft), (1, self.folder / "." / "attack.pcap"),
                          (1, self.folder / "benign.x"), (1, self.folder / "attack.pcapng"),
                          (1, self.folder / "list.pcap"), (1, self.folder / "folded.pcap"),
                          (2, self.folder / "new.tsv"), (2, self.folder / "new.TSV"), (2, "/"), (2, ".")):
            with self.subTest(out):
                result = self.mix("--benign", self.benign, "--list", listed, out=out)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertNotIn("Traceback", result.stderr)
                self.assertIn(str(out).rsplit(".", 1)[0], result.stderr.splitlines()[-1])
                self.assertEqual({path: path.read_bytes() for path in files}, files)
        self.assertFalse((self.folder / "attack.tsv").exists())
        # What is not read may be replaced.
        self.mix_well("--benign", self.benign)
        self.mix_well("--benign", self.benign)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore generate flows`: its captures against `extract --labels`, tshark and capinfos, and its answers to bad usage.

Run by meson with the binary's path in the environment variable WIRESCORE.
"""
import collections
import csv
import os
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest

WIRESCORE = os.environ.get("WIRESCORE", "build/app/wirescore")


def generate(*args, check=True, **kwargs):
    result = subprocess.run([WIRESCORE, "generate", "flows", *args], capture_output=True, timeout=120, **kwargs)
    if check and result.returncode:
        raise AssertionError(f"exit {result.returncode}: {result.stderr.decode()}")
    return result


def read_summary(text):
    """Flows and packets by label, as the summary has them: lines of behaviour, label, flows, packets."""
    flows, packets = collections.Counter(), collections.Counter()
    for line in text.splitlines():
        words = line.split()
        if words[0] != "total":
            flows[words[1]] += int(words[2])
            packets[words[1]] += int(words[4])
    return flows, packets


def headers(path):
    """Time in units of the capture, captured and wire length of each packet."""
    with open(path, "rb") as file:
        data = file.read()
    endian = "<" if data[0] in (0xD4, 0x4D) else ">"
    at, rows = 24, []
    while at < len(data):
        seconds, fraction, captured, wire = struct.unpack_from(endian + "IIII", data, at)
        rows.append((seconds, fraction, captured, wire))
        at += 16 + captured
    assert at == len(data)
    return rows


class GenerateFlows(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def extract(self, capture, labels):
        rows = self.path("rows.csv")
        subprocess.run([WIRESCORE, "extract", "--labels", labels, "-o", rows, capture], check=True, capture_output=True,
                       timeout=120)
        with open(rows, newline="") as file:
            return list(csv.DictReader(file))

    def assert_one_line(self, result, code, *parts):
        text = result.stderr.decode()
        self.assertEqual(result.returncode, code, text)
        self.assertLessEqual(len(text.splitlines()), 1 if code == 1 else 2, text)
        self.assertTrue(text.startswith("wirescore: "), text)
        for part in parts:
            self.assertIn(part, text.splitlines()[0])

    def test_every_packet_gets_the_label_of_what_made_it(self):
        for args in (("--seed", "21"), ("--seed", "22", "--scenario", "isp"), ("--seed", "23", "--scenario", "attack"),
                     ("--seed", "24", "--scenario", "scan"), ("--seed", "25", "--scenario", "bruteforce"),
                     ("--seed", "26", "--families", "*"), ("--seed", "27", "--one-way", "0.5")):
            with self.subTest(args=args):
                result = generate("-o", self.path("x.pcap"), "--duration", "60", "-n", "150000", *args)
                flows, packets = read_summary(result.stderr.decode())
                made, found = collections.Counter(), collections.Counter()
                for row in self.extract(self.path("x.pcap"), self.path("x.tsv")):
                    made[row["label"]] += int(row["packets"])
                    found[row["label"]] += 1
                self.assertEqual(made, +packets)
                for label, n in flows.items():
                    if n:
                        # Silences cut flows in two, and probes of one port to one port join: the same order, no more.
                        self.assertGreater(found[label], 0, label)

    def test_scans_and_guesses_are_as_many_flows_as_were_made(self):
        # Every connection has its own port here, and none falls silent for long.
        result = generate("-o", self.path("x.pcap"), "--seed", "5", "--duration", "60", "--families", "brute-*,scan-web")
        flows, _ = read_summary(result.stderr.decode())
        found = collections.Counter(row["label"] for row in self.extract(self.path("x.pcap"), self.path("x.tsv")))
        for label, n in flows.items():
            self.assertAlmostEqual(found[label], n, delta=max(2, n * 0.05), msg=label)

    def test_benign_scenarios_have_one_rule(self):
        generate("-o", self.path("x.pcap"), "--scenario", "benign", "--duration", "20")
        with open(self.path("x.tsv")) as file:
            lines = file.read().splitlines()
        self.assertEqual(lines[0].split("\t"), "start end src dst src_port dst_port protocol directed label class family "
                         "scenario tool".split())
        self.assertEqual(len(lines), 2)
        self.assertEqual(lines[1].split("\t")[8:10], ["benign", "benign"])

    def test_single_is_one_benign_application(self):
        for seed in range(1, 21):
            text = generate("-o", self.path("x.pcap"), "--scenario", "single", "--seed", str(seed)).stderr.decode()
            self.assertLessEqual(len(text.splitlines()), 2, text)
            self.assertEqual(set(read_summary(text)[0]), {"benign"})
            self.assertGreater(read_summary(text)[1]["benign"], 0, text)

    def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(self):
        made = []
        for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
            generate("-o", self.path(name + ".pcap"), "--seed", seed, "--duration", "30", "-n", "50000")
            with open(self.path(name + ".pcap"), "rb") as capture, open(self.path(name + ".tsv"), "rb") as labels:
                made.append((capture.read(), labels.read()))
        self.assertEqual(made[0], made[1])
        self.assertNotEqual(made[0], made[2])

    def test_packets_are_captured_short_and_have_their_wire_lengths(self):
        args = ("--seed", "3", "--duration", "40", "-n", "40000")
        generate("-o", self.path("short.pcap"), *args)
        generate("-o", self.path("full.pcap"), "--full", *args)
        short, full = headers(self.path("short.pcap")), headers(self.path("full.pcap"))
        self.assertEqual([row[3] for row in short], [row[3] for row in full])
        self.assertEqual([row[:2] for row in short], [row[:2] for row in full])
        self.assertLessEqual(max(row[2] for row in short), 128)
        self.assertTrue(all(row[2] == row[3] for row in full))
        self.assertGreater(max(row[3] for row in short), 1400)
        self.assertGreaterEqual(min(row[2] for row in short), 60)

    def test_times_do_not_go_back_and_the_limits_hold(self):
        for args, unit in ((("--nanosecond",), 10**9), ((), 10**6)):
            generate("-o", self.path("x.pcap"), "--duration", "10", "-n", "20000", "--seed", "4", *args)
            times = [seconds * unit + fraction for seconds, fraction, _, _ in headers(self.path("x.pcap"))]
            self.assertEqual(times, sorted(times))
            self.assertLessEqual(times[-1] - times[0], 10 * unit)
            self.assertLessEqual(len(times), 20000)
            self.assertEqual(any(time % 1000 for time in times), True)

    def test_one_way_captures_have_no_answers(self):
        generate("-o", self.path("x.pcap"), "--seed", "6", "--scenario", "office", "--one-way", "1", "--duration", "30")
        for row in self.extract(self.path("x.pcap"), self.path("x.tsv")):
            if row["protocol"] == "6":
                self.assertEqual(int(row["bwd_packets"]) * int(row["fwd_packets"]), 0, row["flow_id"])

    def test_list_names_what_may_be_asked_for(self):
        text = generate("--list").stdout.decode()
        scenarios, behaviours = text.split("\n\n")
        for name in (line.split()[0] for line in scenarios.splitlines()[1:]):
            generate("-o", self.path("x.pcap"), "-q", "--scenario", name, "--duration", "5", "-n", "2000")
        for name in (line.split()[0] for line in behaviours.splitlines()[1:]):
            generate("-o", self.path("x.pcap"), "-q", "--families", name, "--duration", "5", "-n", "500")

    def test_labels_go_where_they_are_asked_to(self):
        out = generate("-q", "-o", self.path("x.pcap"), "--labels", "-", "--duration", "5").stdout.decode()
        self.assertTrue(out.startswith("start\tend\t"))
        data = generate("-q", "-o", "-", "--duration", "5", "-n", "100").stdout
        self.assertEqual(data[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"), True)
        self.assertEqual(os.listdir(self.folder), ["x.pcap"])
        generate("-q", "-o", self.path("noend"), "--duration", "5")
        self.assertTrue(os.path.exists(self.path("noend.tsv")))

    def test_bad_usage_exits_2_and_says_why(self):
        out = ("-o", self.path("x.pcap"))
        for args, part in (((), "-o FILE"), (("--seed", "-1", *out), "--seed '-1'"), (("-n", "0", *out), "-n '0'"),
                           (("--scenario", "moon", *out), "'moon'"), (("--families", "smoke", *out), "'smoke'"),
                           (("--families", "", *out), "''"), (("--families", "web,,dns*", *out), "''"),
                           (("--families", "web," + "x" * 5000, *out), "--families"),
                           (("--duration", "0", *out), "--duration"), (("--duration", "nan", *out), "--duration"),
                           (("--duration", "1e9", *out), "--duration"), (("--hosts", "1", *out), "--hosts"),
                           (("--hosts", "99999", *out), "--hosts"), (("--intensity", "inf", *out), "--intensity"),
                           (("--intensity", "-1", *out), "--intensity"), (("--one-way", "1.1", *out), "--one-way"),
                           (("--one-way", "x", *out), "--one-way"), (("--bogus", *out), "--bogus"), (("-o",), "-o"),
                           ((*out, "more"), "'more'"), (("-o", "-", "--labels", "-"), "both go to -"),
                           ((*out, "--labels", out[1]), "both go to")):
            with self.subTest(args=args[:2]):
                self.assert_one_line(generate(*args, check=False), 2, part)
        self.assertEqual(os.listdir(self.folder), [])

    def test_extremes_of_the_options_run(self):
        for args in (("--hosts", "2"), ("--hosts", "4096"), ("--intensity", "0.01"), ("--intensity", "100"),
                     ("--duration", "86400", "--families", "ntp-clients,beacon"), ("--seed", "18446744073709551615")):
            with self.subTest(args=args):
                generate("-o", self.path("x.pcap"), "-n", "20000", "--duration", "20", *args)

    def test_unwritable_output_is_one_line_and_leaves_nothing(self):
        missing = self.path("missing/x.pcap")
        self.assert_one_line(generate("-o", missing, check=False), 1, self.path("missing/x.tsv"))
        self.assert_one_line(generate("-o", missing, "--labels", self.path("x.tsv"), check=False), 1, missing)
        self.assertEqual(os.listdir(self.folder), [])

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_full_disk_is_one_line_and_leaves_nothing(self):
        args = ("-q", "--duration", "10")
        self.assert_one_line(generate(*args, "-o", "/dev/full", "--labels", self.path("x.tsv"), check=False), 1, "/dev/full",
                             "No space left")
        self.assert_one_line(generate(*args, "-o", self.path("x.pcap"), "--labels", "/dev/full", check=False), 1, "/dev/full",
                             "No space left")
        self.assertEqual(os.listdir(self.folder), [])

    def test_partial_output_is_removed(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
        result = generate("-q", "-o", self.path("x.pcap"), "--duration", "60", check=False, preexec_fn=limit)
        self.assert_one_line(result, 1, "File too large")
        self.assertEqual(os.listdir(self.folder), [])

    @unittest.skipUnless(shutil.which("tshark"), "tshark is not installed: dissection of the packets is not checked")
    def test_tshark_finds_no_wrong_length_and_no_wrong_checksum(self):
        generate("-q", "-o", self.path("x.pcap"), "--full", "--families", "*", "--seed", "31", "--duration", "20", "-n", "40000")
        # Payloads are noise: what is above TCP and UDP is taken for data.
        result = subprocess.run(
            ["tshark", "-n", "-r", self.path("x.pcap"), "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
             "-o", "udp.check_checksum:TRUE", "-o", "ip.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
             "-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data", "-Y",
             "ip.checksum.status == 0 or tcp.checksum.status == 0 or udp.checksum.status == 0 or icmp.checksum.status == 0 "
             "or icmpv6.checksum.status == 0 or udp.length.bad or _ws.malformed or tcp.hdr_len < 20",
             "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info"], capture_output=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertEqual(result.stdout.decode().splitlines()[:5], [])

    @unittest.skipUnless(shutil.which("capinfos"), "capinfos is not installed: the capture's order is not checked")
    def test_capinfos_finds_strict_order(self):
        generate("-q", "-o", self.path("x.pcap"), "--seed", "32", "--duration", "30")
        text = subprocess.run(["capinfos", "-o", self.path("x.pcap")], capture_output=True, check=True).stdout.decode()
        self.assertIn("Strict time order:   True", text)


if __name__ == "__main__":
    unittest.main()

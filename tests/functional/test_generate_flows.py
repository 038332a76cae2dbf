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


def packets_of(path):
    """The captured bytes of each packet."""
    with open(path, "rb") as file:
        data = file.read()
    endian, at = "<" if data[0] in (0xD4, 0x4D) else ">", 24
    while at < len(data):
        captured = struct.unpack_from(endian + "I", data, at + 8)[0]
        yield data[at + 16:at + 16 + captured]
        at += 16 + captured


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

    def rows_of(self, families, seeds, *args):
        """Rows of features of captures of these behaviours alone, numbers as floats where they are numbers."""
        rows = []
        for seed in seeds:
            generate("-q", "-o", self.path("x.pcap"), "--families", families, "--duration", "60", "-n", "40000",
                     "--seed", str(seed), "--one-way", "0", *args)
            rows += [dict(row, seed=seed) for row in self.extract(self.path("x.pcap"), self.path("x.tsv"))]
        return rows

    def test_waves_open_many_connections_to_one_port_within_seconds(self):
        starts = collections.defaultdict(list)
        for row in self.rows_of("parallel-waves", range(1, 7)):
            starts[row["seed"], row["src"], row["dst"], row["dst_port"]].append(float(row["start"]))
        most = 0
        for times in starts.values():
            times.sort()
            most = max(most, *(sum(time <= other < time + 5 for other in times) for time in times))
        self.assertGreaterEqual(most, 10)
        self.assertLessEqual(most, 1000)

    def test_first_datagrams_of_quic_are_full_and_often_unanswered_or_late(self):
        rows = [row for row in self.rows_of("quic-tries", range(1, 9)) if row["protocol"] == "17"]
        full = [row for row in rows if 1200 <= float(row["fwd_first_payload"]) <= 1252]
        self.assertGreater(len(full), 0.8 * len(rows))
        silent = [row for row in full if row["bwd_packets"] == "0"]
        late = [row for row in full if row["bwd_packets"] != "0" and float(row["fwd_packets"]) >= 2
                and float(row["first_reply"]) > 100000]
        self.assertGreater(len(silent), 0.2 * len(rows))
        self.assertLess(len(silent), 0.95 * len(rows))
        self.assertGreater(len(late), 0.02 * len(rows))
        self.assertGreater(len({row["dst_port"] for row in full}), 3)

    def test_leftovers_of_connections_have_no_syn(self):
        rows = [row for row in self.rows_of("wake-ups", range(1, 13)) if row["protocol"] == "6"]
        self.assertGreater(len(rows), 50)
        self.assertEqual({row["syn_packets"] for row in rows}, {"0"})
        self.assertGreater(sum(row["packets"] == "1" for row in rows), 5)
        # FINs that nobody answers come again.
        self.assertTrue(any(float(row["fwd_fin_packets"]) > 2 and row["bwd_packets"] == "0" for row in rows))
        self.assertTrue(any(row["bwd_rst_packets"] == "1" for row in rows))

    def test_peers_refuse_and_are_silent_in_shares(self):
        for families in ("p2p-busy", "p2p-lists"):
            rows = [row for row in self.rows_of(families, range(1, 13)) if row["protocol"] == "6" and row["tcp_syn"] == "1"]
            refused = sum(row["bwd_rst_packets"] != "0" and row["tcp_answered"] == "0" for row in rows) / len(rows)
            silent = sum(row["bwd_packets"] == "0" for row in rows) / len(rows)
            self.assertTrue(0.25 < refused < 0.85, (families, refused))
            self.assertTrue(0.05 < silent < 0.65, (families, silent))

    def test_amplifiers_answer_in_datagrams_and_fragments_of_their_label(self):
        for name in ("dns", "ntp", "snmp", "cldap", "ssdp", "memcached", "chargen"):
            rows = self.rows_of("amplification-" + name, range(1, 5))
            self.assertEqual({row["label"] for row in rows}, {"amplification-" + name})
            self.assertGreater(max(float(row["size_max"]) for row in rows), 400 if name in ("ntp", "ssdp") else 1000, name)

    def test_long_answers_of_amplifiers_come_in_fragments(self):
        for name, fragmented in (("dns", True), ("snmp", True), ("cldap", True), ("ntp", False)):
            n_first = n_later = 0
            for seed in range(1, 9):
                generate("-q", "-o", self.path("x.pcap"), "--families", "amplification-" + name, "-n", "5000", "--seed", str(seed))
                for packet in packets_of(self.path("x.pcap")):
                    ip = packet[18:] if packet[12:14] == b"\x81\x00" else packet[14:]
                    flags = struct.unpack_from(">H", ip, 6)[0] if ip[0] == 0x45 else 0
                    n_first += flags & 0x3FFF == 0x2000
                    n_later += bool(flags & 0x1FFF)
            self.assertEqual((n_first > 0, n_later > 0), (fragmented, fragmented), name)
            self.assertGreaterEqual(n_later, n_first)

    def test_sweeps_over_udp_may_be_empty_and_patient(self):
        rows = [row for row in self.rows_of("scan-host", range(1, 17)) if row["protocol"] == "17"]
        empty = [row for row in rows if row["payload_bytes"] == "0"]
        self.assertGreater(len(empty), 10)
        self.assertTrue(any(float(row["fwd_packets"]) > 2 and float(row["duration"]) > 2e6 for row in empty))

    def test_reflectors_see_questions_and_no_answers(self):
        rows = self.rows_of("reflection-tcp-asked", range(1, 9))
        self.assertEqual({row["label"] for row in rows}, {"reflection-tcp"})
        self.assertGreater(sum(row["bwd_packets"] == "0" for row in rows), 0.5 * len(rows))
        sources = collections.Counter((row["seed"], row["src"]) for row in rows)
        self.assertGreater(max(sources.values()), 5)

    def test_fingerprints_are_of_several_protocols_and_odd_flags(self):
        rows = self.rows_of("scan-fingerprint", range(1, 13))
        self.assertEqual({row["label"] for row in rows}, {"scan-port"})
        self.assertEqual({row["protocol"] for row in rows}, {"1", "6", "17"})
        self.assertIn("13", {row["icmp_type"] for row in rows})
        self.assertTrue(any(float(row["urg_packets"]) for row in rows))
        self.assertTrue(any(float(row["ece_packets"]) for row in rows))

    def test_scanners_of_vulnerabilities_talk_to_what_is_open(self):
        rows = self.rows_of("scan-vulnerabilities", range(1, 9))
        self.assertEqual({row["label"] for row in rows}, {"scan-port"})
        self.assertTrue(any(row["tcp_established"] == "1" and float(row["bwd_payload_bytes"]) > 100 for row in rows))
        self.assertGreater(sum(row["tcp_answered"] == "0" and row["bwd_rst_packets"] != "0" for row in rows), 20)

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

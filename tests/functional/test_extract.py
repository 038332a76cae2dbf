# SPDX-License-Identifier: BSD-3-Clause
"""wirescore extract: the rows, what they say, and that CICFlowMeter's published rows come out of the same packets."""
import csv
import datetime
import gzip
import json
import math
import re
import unittest

from captures import (DATA, MIX, ROOT, TestCase, ethernet, ipv4, ipv6, run, tcp, udp, write_timed_pcap)

START = 1_600_000_000.0
A, B = "10.0.0.1", "10.0.0.2"
CIC_PAGE = ROOT / "docs/cic.md"
CIC_CAPTURE = DATA / "attack/ndpi_WebattackSQLinj.pcap"
CIC_ROWS = DATA / "csv/cicids2017_improved_sample_share.csv.gz"
FLOW_COLUMNS = ["flow_id", "src", "dst", "src_port", "dst_port", "protocol", "vlan", "start", "end", "slice",
                "checkpoint", "reason"]


def exchange(n_packets, port=5000, start=START, client=A, server=B, gap=0.001):
    """UDP packets there and back in turn, of 1, 2, 3, ... bytes."""
    packets = []
    for i in range(n_packets):
        src, dst, ports = (client, server, (port, 53)) if i % 2 == 0 else (server, client, (53, port))
        packet = (ipv6 if ":" in client else ipv4)(src, dst, 17, udp(*ports, b"q" * (i + 1)))
        packets.append((start + i * gap, ethernet(packet)))
    return packets


class ExtractTestCase(TestCase):
    def capture(self, packets, name="capture.pcap"):
        return write_timed_pcap(self.folder / name, sorted(packets, key=lambda packet: packet[0]))

    def extract(self, *arguments, name="rows.csv"):
        """The rows of a run, each a dict of texts."""
        path = self.folder / name
        result = run("extract", "--quiet", "-o", path, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        self.assertRegex(result.stdout, f"^{len(rows)} rows of ")
        return rows

    def meta(self, name="rows.csv"):
        return json.loads((self.folder / f"{name}.meta.json").read_text())


class TestFiles(ExtractTestCase):
    def test_csv_is_that_of_rfc_4180(self):
        label = 'a,b "c"\n1\r\n'
        capture = self.capture(exchange(3) + exchange(1, port=6000))
        rows = self.extract("--features", "stream", "--label", label, capture)
        self.assertEqual([row["label"] for row in rows], [label] * 2)
        text = (self.folder / "rows.csv").read_bytes()
        names = [*FLOW_COLUMNS, "label", "packets", "layer4_bytes", "duration"]
        self.assertTrue(text.startswith(",".join(names).encode() + b"\r\n"), text)
        quoted = label.replace('"', '""')
        self.assertEqual(text.decode().count(f',"{quoted}",'), 2)
        self.assertTrue(text.endswith(b"\r\n"))
        self.assertEqual(text.replace(label.replace('"', '""').encode(), b"").count(b"\n"), 3)

    def test_all_forms_say_the_same(self):
        capture = self.capture(exchange(5) + exchange(4, port=6000, client="2001:db8::1", server="2001:db8::2"))
        arguments = ("--features", "all", "--label", 'x "y"', "--checkpoints", "2,end", "--hash-seed", "1", capture)
        rows = self.extract(*arguments)
        self.assertEqual(len(rows), 4)
        plain = (self.folder / "rows.csv").read_bytes()
        for name in ("rows.CSV.GZ", "other.csv"):
            result = run("extract", "--quiet", "-o", self.folder / name, *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            data = (self.folder / name).read_bytes()
            self.assertEqual(gzip.decompress(data) if name.endswith(".GZ") else data, plain, name)
        result = run("extract", "--quiet", "-o", "-", *arguments)
        self.assertEqual(result.stdout, plain.decode().replace("\r\n", "\n"))
        self.assertRegex(result.stderr, "^4 rows of ")
        for name in ("rows.ndjson", "rows.jsonl", "rows.ndjson.gz"):
            result = run("extract", "--quiet", "-o", self.folder / name, *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            data = (self.folder / name).read_bytes()
            lines = (gzip.decompress(data) if name.endswith(".gz") else data).splitlines()
            self.assertEqual(len(lines), len(rows))
            for line, row in zip(lines, rows):
                values = json.loads(line)
                self.assertEqual(list(values), list(row))
                for key, value in values.items():
                    same = row[key] == (value or "") if isinstance(value, str | None) else float(row[key]) == value
                    self.assertTrue(same, (key, value, row[key]))

    def test_meta_json_tells_what_the_columns_are(self):
        capture = self.capture(exchange(3))
        rows = self.extract("--features", "cic", "--checkpoints", "4,1,end", "--idle-timeout", "30", "--linger",
                            "0.5", "--label", "x", capture)
        meta = self.meta()
        listed = json.loads(run("features", "--json", "cic").stdout)
        self.assertEqual(meta["schema"], listed["schema"])
        self.assertEqual(meta["features"], [{key: feature[key] for key in ("name", "label", "unit", "formula")}
                                            for feature in listed["features"]])
        self.assertEqual([feature["label"] for feature in meta["features"]], list(rows[0])[len(FLOW_COLUMNS) + 1 :])
        self.assertEqual(meta["checkpoints"], [1, 4, "end"])
        self.assertEqual(meta["timeouts_s"], {"idle": 30, "active": 1800, "linger": 0.5})
        self.assertEqual(meta["captures"], [str(capture)])
        self.assertEqual((meta["format"], meta["selection"], meta["direction"], meta["has_label"]),
                         ("csv", "cic", "both", True))
        self.assertEqual((meta["tunnels"], meta["scope"], meta["table_flows"]), ("inner", "innermost", 64))
        self.extract("--tunnels", "outer", "--scope", "none", "--flows", "4096", capture)
        meta = self.meta()
        self.assertEqual((meta["tunnels"], meta["scope"], meta["table_flows"]), ("outer", "none", 64))
        self.extract("--features", "cic", "--direction", "one", capture)
        self.assertEqual((self.meta()["direction"], self.meta()["has_label"], self.meta()["schema"]),
                         ("one", False, listed["schema"]))
        self.extract("--features", "stream", capture)
        self.assertNotEqual(self.meta()["schema"], listed["schema"])

    def test_rows_say_which_of_several_captures(self):
        one, two = self.capture(exchange(3), "one,two.pcap"), self.capture(exchange(2, port=6000), "two.pcap")
        for workers in ("1", "2"):
            rows = self.extract("--features", "packets", "--workers", workers, one, two)
            self.assertEqual(sorted((row["capture"], row["src_port"], row["packets"]) for row in rows),
                             [(str(one), "5000", "3"), (str(two), "6000", "2")])
            self.assertEqual(list(rows[0]), [*FLOW_COLUMNS, "capture", "packets"])
        self.assertEqual(self.meta()["captures"], [str(one), str(two)])
        self.assertNotIn("capture", self.extract("--features", "packets", one)[0])

    def test_bad_usage_is_refused(self):
        output = self.folder / "rows.csv"
        for arguments, word in ((["--features", "packets,nosuch"], "nosuch"), (["--features", ""], "--features"),
                                (["--features", "packets,packets"], "packets"), (["--checkpoints", "65"], "64"),
                                (["--checkpoints", "0"], "--checkpoints"), (["--checkpoints", ""], "--checkpoints"),
                                (["--checkpoints", "1,,2"], "--checkpoints"),
                                (["--checkpoints", "1,"], "--checkpoints"),
                                (["--checkpoints", "endless"], "--checkpoints"),
                                (["--checkpoints", "1,10000000"], "'10000000'"), (["--flows", "0"], "--flows"),
                                (["--features", "nope"], "; 'wirescore features' lists them"),
                                (["--workers", "0"], "--workers"), (["--direction", "none"], "--direction")):
            with self.subTest(arguments=arguments):
                self.assert_complains(run("extract", *arguments, "-o", output, MIX), 2, word)
                self.assertFalse(output.exists())
        self.assert_complains(run("extract", MIX), 2, "-o FILE")
        self.assert_complains(run("extract", "-o", output), 2, "no capture")

    def test_an_ending_that_does_not_say_what_to_write_is_refused(self):
        for name in ("rows.parquet", "rows.json", "rows.json.gz", "rows", "rows.gz"):
            self.assert_complains(run("extract", "--quiet", "-o", self.folder / name, MIX), 2, name, ".csv, .ndjson")
            self.assertEqual(list(self.folder.iterdir()), [])
        result = run("extract", "--quiet", "-o", "/dev/null", MIX)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_the_last_line_tells_of_slices_and_of_the_table(self):
        capture = self.capture([*exchange(3), *exchange(2, start=START + 100)])
        arguments = ("--quiet", "--features", "stream", "-o", self.folder / "rows.csv", "--flows", "4096")
        line = "2 rows of 3 features from 2 flow slices, 5 of 5 packets; table 64 flows, "
        self.assertRegex(run("extract", *arguments, capture).stdout, rf"^{line}\d+\.\d MB\n$")
        self.assertRegex(run("extract", *arguments, "--workers", "2", capture).stdout,
                         rf"^{line}\d+\.\d MB each of 2 workers\n$")

    def test_a_file_that_is_read_is_never_overwritten(self):
        capture = self.capture(exchange(3))
        capture = capture.rename(self.folder / "capture.csv")
        labels = self.folder / "labels.tsv.csv"
        labels.write_text("label\nx\n")
        meta = self.folder / "rows.csv.meta.json"
        meta.write_bytes(capture.read_bytes())
        names = sorted(self.folder.iterdir())
        for output, read in ((capture, capture), (labels, labels), (self.folder / "rows.csv", meta)):
            before = read.read_bytes()
            result = run("extract", "--quiet", "--labels", labels, "-o", output, meta, capture)
            self.assert_complains(result, 1, f"{read}: is a file that is read")
            self.assertEqual(read.read_bytes(), before)
            self.assertEqual(sorted(self.folder.iterdir()), names)

    def test_what_cannot_be_written_is_told(self):
        capture = self.capture(exchange(3))
        self.assert_complains(run("extract", "--quiet", "-o", "/dev/full", capture), 1, "/dev/full", "No space left")
        output = self.folder / "no/such/rows.csv"
        self.assert_complains(run("extract", "--quiet", "-o", output, capture), 1, str(output), "No such file")

    def test_without_a_flow_there_is_the_head_alone(self):
        self.assertEqual(self.extract("--features", "stream", self.capture([])), [])
        self.assertEqual((self.folder / "rows.csv").read_bytes().count(b"\r\n"), 1)

    def test_a_bad_capture_is_told_and_the_good_one_has_its_rows(self):
        bad = self.folder / "bad.pcap"
        bad.write_bytes(b"nothing")
        output = self.folder / "rows.csv"
        result = run("extract", "--quiet", "--features", "packets", "-o", output, bad, self.capture(exchange(3)))
        self.assert_complains(result, 1, str(bad))
        with open(output, newline="") as file:
            self.assertEqual([row["packets"] for row in csv.DictReader(file)], ["3"])
        self.assertEqual(self.meta()["captures"], [str(self.folder / "capture.pcap")])


class TestCheckpoints(ExtractTestCase):
    def test_a_flow_has_a_row_for_each_checkpoint_that_it_reaches(self):
        lengths = (1, 2, 3, 8, 16, 17, 64, 100)
        capture = self.capture([packet for i, n in enumerate(lengths) for packet in exchange(n, port=1000 + i)])
        for checkpoints, has_end in (((1, 2, 4, 8, 16), True), ((3, 64), False), ((64, 63), True), ((), True)):
            words = [*map(str, checkpoints), *(["end"] if has_end else [])]
            rows = self.extract("--features", "packets,fwd_payload_bytes,bwd_payload_bytes", "--checkpoints",
                                ",".join(words), capture)
            expected = []
            for i, n in enumerate(lengths):
                for count in sorted(x for x in checkpoints if x <= n):
                    expected.append((1000 + i, str(count), count))
                if has_end:
                    expected.append((1000 + i, "end", n))
            self.assertEqual(sorted((int(row["src_port"]), row["checkpoint"], int(row["packets"])) for row in rows),
                             sorted(expected))
            for row in rows:
                n = int(row["packets"])
                self.assertEqual(int(row["fwd_payload_bytes"]), sum(range(1, n + 1, 2)))
                self.assertEqual(int(row["bwd_payload_bytes"]), sum(range(2, n + 1, 2)))
                self.assertAlmostEqual(float(row["end"]) - float(row["start"]), (n - 1) * 0.001, 6)

    def test_a_row_at_a_checkpoint_is_that_of_a_flow_that_ends_there(self):
        whole = exchange(20)
        for count in (1, 2, 7, 20):
            at_end = self.extract("--features", "all", self.capture(whole[:count]))
            early = self.extract("--features", "all", "--checkpoints", str(count), self.capture(whole))
            self.assertEqual(len(early), 1)
            for row in (at_end[0], early[0]):
                row.pop("checkpoint")
                row.pop("reason")
            self.assertEqual(early, at_end)


class TestLabels(ExtractTestCase):
    def labels(self, text, *arguments):
        """{client's port: label} of four flows that rules label."""
        capture = self.capture(exchange(2, port=1000) + exchange(2, port=2000, start=START + 10)
                               + exchange(2, port=3000, client="10.9.0.1")
                               + exchange(2, port=4000, client="2001:db8::1", server="2001:db8:1::2")
                               + [(START, ethernet(ipv4(A, B, 6, tcp(5000, 80, "S"))))])
        path = self.folder / "labels.tsv"
        path.write_text(text)
        rows = self.extract("--features", "packets", "--labels", path, *arguments, capture)
        return {int(row["src_port"]): row["label"] for row in rows}

    def assert_labelled(self, head, rule, *ports):
        """The rule labels the flows of these ports."""
        labels = self.labels(f"label\t{head}\nhit\t{rule}\n", "--label", "rest")
        self.assertEqual({port for port, label in labels.items() if label == "hit"}, set(ports), (head, rule))
        self.assertEqual(len(labels), 5)
        self.assertEqual(set(labels.values()) - {"hit"}, {"rest"} if len(ports) < 5 else set())

    def test_each_column_restricts(self):
        for head, rule, *ports in (
                ("src", "10.0.0.1", 1000, 2000, 5000), ("src", "10.0.0.2", 1000, 2000, 3000, 5000),
                ("src", "10.0.0.0/8", 1000, 2000, 3000, 5000), ("dst", "10.9.0.0/16", 3000),
                ("src\tdirected", "10.0.0.2\t1"), ("src\tdirected", "10.0.0.1\t1", 1000, 2000, 5000),
                ("src\tdst", "10.0.0.2\t10.9.0.1", 3000), ("src\tdst\tdirected", "10.0.0.2\t10.9.0.1\t1"),
                ("dst\tsrc\tdirected", "10.0.0.2\t10.9.0.1\t1", 3000), ("src", "2001:db8::/32", 4000),
                ("dst\tdirected", "2001:db8:1::/48\t1", 4000), ("src", "::/0", 4000), ("src_port", "3000", 3000),
                ("dst_port", "1500-3000", 2000, 3000), ("src_port\tdst_port", "1-1999\t53", 1000),
                ("protocol", "tcp", 5000), ("protocol", "17", 1000, 2000, 3000, 4000), ("start", f"{START + 5}", 2000),
                ("end", f"{START + 5}", 1000, 3000, 4000, 5000),
                ("start\tend", f"{START + 10}\t{START + 10}", 2000), ("comment", "x", 1000, 2000, 3000, 4000, 5000),
                ("src\tprotocol", "*\t", 1000, 2000, 3000, 4000, 5000)):
            with self.subTest(head=head, rule=rule):
                self.assert_labelled(head, rule, *ports)

    def test_the_first_rule_that_matches_gives_the_label(self):
        text = "# rules\nsrc_port\tlabel\n1000-2000\tlow\n\n2000-4000\thigh, \"very\"\n"
        expected = {1000: "low", 2000: "low", 3000: 'high, "very"', 4000: 'high, "very"'}
        self.assertEqual(self.labels(text), {**expected, 5000: ""})
        self.assertEqual(self.labels(text, "--label", "other"), {**expected, 5000: "other"})

    def test_a_rule_that_is_none_is_refused_with_its_place(self):
        for text, word in (("src\n10.0.0.1\n", "label"), ("label\tsrc\nx\t10.0.0.256\n", ":2:"),
                           ("label\tsrc\nx\t10.0.0.1\ny\n", ":3:"), ("label\tsrc_port\nx\t70000\n", "src_port"),
                           ("label\tsrc_port\nx\t5-4\n", "src_port"), ("label\tprotocol\nx\ttpc\n", "tpc"),
                           ("label\tsrc\nx\t10.0.0.1/33\n", "src"), ("label\tdirected\nx\t2\n", "directed"),
                           ("label\tport\nx\t22\n", "'port'"), ("label\tsrc\n", "no rule"),
                           ("label\tsrc\rx\t10.0.0.1\r", "carriage return")):
            with self.subTest(text=text):
                path = self.folder / "labels.tsv"
                path.write_text(text, newline="")
                result = run("extract", "--labels", path, "-o", self.folder / "rows.csv", MIX)
                self.assert_complains(result, 1, str(path), word)
        self.assert_complains(run("extract", "--labels", "/nowhere", "-o", self.folder / "rows.csv", MIX), 1, "/nowhere")


# Of what these count, each of several workers sees a share.
CONTEXT = ("initiator_", "pair_", "hosts_", "responder_", "service_")


class TestFeatures(ExtractTestCase):
    def test_one_direction_at_a_time_is_the_notebooks_table(self):
        packets = [(START + i * 0.5, ethernet(ipv4(*((A, B) if there else (B, A)), 6,
                                                  tcp(*((40000, 80) if there else (80, 40000)), "A", b"x" * size))))
                   for i, (there, size) in enumerate([(1, 10), (0, 100), (1, 20), (0, 200), (0, 300)])]
        rows = self.extract("--direction", "one", "--features", "stream", self.capture(packets))
        self.assertEqual(sorted((row["src"], row["dst"], float(row["packets"]), float(row["layer4_bytes"]),
                                 float(row["duration"])) for row in rows),
                         [(A, B, 2, 30 + 2 * 20, 1_000_000), (B, A, 3, 600 + 3 * 20, 1_500_000)])

    def test_a_single_packet_has_zeros_where_there_is_no_value(self):
        rows = self.extract("--features", "all", self.capture(exchange(1)))
        values = {name: float(text) for name, text in list(rows[0].items())[len(FLOW_COLUMNS) :]}
        nonzero = {name for name, value in values.items() if value}
        self.assertEqual([name for name, value in values.items() if not math.isfinite(value)], [])
        for name in ("duration", "gap_mean", "gap_std", "payload_std", "fwd_payload_std", "bwd_payload_mean",
                     "packets_per_second", "payload_bytes_per_second", "down_up_ratio", "bwd_packets", "idle_mean",
                     "active_mean", "gap1", "size2"):
            self.assertNotIn(name, nonzero)
        for name in ("packets", "fwd_packets", "bytes", "payload_bytes", "payload_min", "payload_mean", "size1"):
            self.assertIn(name, nonzero)

    def test_no_number_of_real_captures_is_nan_or_infinite(self):
        names = ["benign/cesnet_mixed.pcap", "benign/ndpi_1kxun.pcap", "benign/ndpi_zoom.pcap",
                 "benign/ndpi_dnscrypt-v1-and-resolver-pings.pcap", "benign/ndpi_ipsec_isakmp_esp.pcap",
                 "benign/pcpp_many-protocols.pcap", "benign/ndpi_wechat.pcap", "attack/ncsa_backscatter.trace",
                 "attack/evilfingers_nmap_IP_PROTOCOL_SCAN.pcap", "attack/evilfingers_xscan.pcap",
                 "attack/stopddos_amp.dns.RRSIG.fragmented.pcap", "attack/slips_test12-icmp-portscan.pcap",
                 "attack/zeek_ftp_bruteforce.pcap"]
        captures = [DATA / name for name in names if (DATA / name).exists()]
        if not captures:
            self.skipTest(f"no captures in {DATA}")
        rows = self.extract("--features", "all", "--checkpoints", "1,2,3,end", *captures)
        labels = [feature["label"] for feature in self.meta()["features"]]
        self.assertGreater(len(rows), 10000)
        for row in rows:
            bad = [name for name in labels if not math.isfinite(float(row[name]))]
            self.assertEqual(bad, [], row)

    def test_the_same_rows_with_any_number_of_workers(self):
        captures = [DATA / name for name in ("benign/cesnet_mixed.pcap", "benign/ndpi_1kxun.pcap",
                                             "attack/stopddos_amp.dns.RRSIG.fragmented.pcap")]
        if not captures[0].exists():
            captures = [MIX, MIX]  # one alone would be shared out, and its context with it
        arguments = ("--features", "all", "--checkpoints", "1,5,end", "--label", "x")
        for capture in captures:
            expected = None
            for workers in ("1", "2", "4"):
                rows = self.extract(*arguments, "--workers", workers, capture)
                rows = sorted(tuple(value for name, value in row.items() if not name.startswith(CONTEXT))
                              for row in rows)
                expected = expected or rows
                self.assertEqual(rows, expected, (capture, workers))
        several = self.extract(*arguments, "--workers", "1", *captures)
        together = self.extract(*arguments, "--workers", "3", *captures)
        self.assertEqual(*(sorted(map(tuple, (row.values() for row in rows))) for rows in (several, together)))

    def test_features_come_in_the_order_that_is_asked_for(self):
        rows = self.extract("--features", "bwd_packets,duration,packets", self.capture(exchange(3)))
        self.assertEqual(list(rows[0])[len(FLOW_COLUMNS) :], ["bwd_packets", "duration", "packets"])
        self.assertEqual([float(rows[0][name]) for name in ("bwd_packets", "duration", "packets")], [1, 2000, 3])


def columns_that_differ():
    """The columns whose note in docs/cic.md is one of those that the page says differ in all nine rows."""
    text = CIC_PAGE.read_text()
    compared = re.search(r"## What was compared\n(.*?)\n## ", text, re.S)[1]
    notes = set(re.findall(r"\[\d+\]", compared))
    counts = re.search(r"Of the (\d+) columns (\d+) are equal", " ".join(compared.split()))
    rows = re.findall(r"^\| ([^|]+?) \| `\w+` \| *((?:\[\d+\])*) *\|$", text, re.M)
    differ = {name for name, note in rows if note in notes}
    return differ, len(rows), (int(counts[1]), int(counts[2]))


@unittest.skipUnless(CIC_CAPTURE.exists() and CIC_ROWS.exists(), f"no {CIC_CAPTURE} or no {CIC_ROWS}")
class TestCicFlowMeter(ExtractTestCase):
    """The nine connections of CICIDS2017 whose packets and rows are both published."""

    EXACT = ("Flow Duration", "Total Fwd Packet", "Total Bwd packets", "Total Length of Fwd Packet",
             "Total Length of Bwd Packet")

    @staticmethod
    def key(row, src, dst, src_port, dst_port, protocol, start):
        return row[src], row[dst], int(row[src_port]), int(row[dst_port]), int(row[protocol]), start

    def setUp(self):
        super().setUp()
        # The cuts of CICFlowMeter: see docs/cic.md.
        ours = self.extract("--features", "cic", "--active-timeout", "120", "--idle-timeout", "120", CIC_CAPTURE)
        self.labels = [feature["label"] for feature in self.meta()["features"]]
        self.ours = {self.key(row, "src", "dst", "src_port", "dst_port", "protocol", float(row["start"])): row
                     for row in ours}
        self.theirs = {}
        with gzip.open(CIC_ROWS, "rt", newline="") as file:
            for row in csv.DictReader(file):
                start = datetime.datetime.fromisoformat(row["Timestamp"]).replace(tzinfo=datetime.timezone.utc)
                key = self.key(row, "Src IP", "Dst IP", "Src Port", "Dst Port", "Protocol", start.timestamp())
                if key in self.ours:
                    self.theirs[key] = row

    def differing(self):
        """{column: in how many of the rows it differs}."""
        result = {name: 0 for name in self.labels}
        for key, row in self.ours.items():
            for name in self.labels:
                ours, theirs = float(row[name]), float(self.theirs[key][name])
                result[name] += not math.isclose(ours, theirs, rel_tol=1e-9)
        return {name: n for name, n in result.items() if n}

    def test_all_nine_are_found_by_addresses_ports_and_time(self):
        self.assertEqual(len(self.ours), 9)
        self.assertEqual(set(self.theirs), set(self.ours))
        self.assertEqual({row["Label"] for row in self.theirs.values()}, {"Web Attack - SQL Injection"})

    def test_packets_payload_and_duration_are_exactly_theirs(self):
        for key, row in self.ours.items():
            for name in self.EXACT:
                self.assertEqual(int(row[name]), int(self.theirs[key][name]), (key, name))

    def test_columns_are_theirs_in_their_order(self):
        with gzip.open(CIC_ROWS, "rt", newline="") as file:
            names = next(csv.reader(file))
        first = names.index("Flow Duration")
        self.assertEqual(self.labels, names[first : names.index("Label")])

    def test_columns_differ_where_the_page_says_so_and_nowhere_else(self):
        listed, n_columns, (n_told, n_equal) = columns_that_differ()
        self.assertEqual((n_columns, n_told, n_equal), (len(self.labels), n_told, len(self.labels) - len(listed)))
        self.assertEqual(n_told, n_columns)
        self.assertEqual(self.differing(), {name: 9 for name in listed})


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""Captures that are wrong, from files that broke other programs to real packets with bytes changed: none ends the
program, no packet is lost from the counts, and no number is nonsense. Best run with a build that has sanitizers."""
import csv
import gzip
import json
import math
import pathlib
import random
import struct
import unittest

from captures import DATA, MIX, TestCase, read_pcap, run, write_timed_pcap

N_CHANGED = 4000  # packets


def changed_packets(seed):
    """Packets of real captures, most of them damaged, and times that jump."""
    draw = random.Random(seed)
    frames = read_pcap(MIX)
    for folder in ("benign", "attack"):
        for path in sorted((DATA / folder).glob("*.pcap")):
            frames += (read_pcap(path) or [])[:20]
    now, packets = 1_600_000_000.0, []
    for _ in range(N_CHANGED):
        data = bytearray(draw.choice(frames))
        for _ in range(draw.choice([0, 1, 1, 2, 8])):
            # Most of what a parser decides by is in front.
            place = draw.randrange(min(len(data), draw.choice([20, 60, 2000]))) if data else 0
            data[place : place + 1] = bytes([draw.choice([0, 1, 0x45, 0x60, 0x7F, 0x80, 0xFF, draw.randrange(256)])])
        if draw.random() < 0.2:
            del data[draw.randrange(len(data) + 1) :]
        now = max(0, now + draw.choice([0, 0.001, 0.5, 2, -0.2, -50, 61]) if draw.random() < 0.99
                  else draw.choice([0, 1, 4_000_000_000, 1_600_000_000]))
        packets.append((now, bytes(data)))
    return packets


class TestMalformed(TestCase):
    def assert_counted(self, counts):
        """Counts of a run or of a capture of it."""
        self.assertEqual(counts["packets"], counts["ip"] + counts["non_ip"] + sum(counts["dropped"].values()))
        flows = counts["flows"]
        self.assertEqual(counts["packets"],
                         flows["packets"] + flows["packets_without"] + counts["dropped"].get("no_mbuf", 0))
        self.assertEqual(flows["total"], sum(flows["by_reason"].values()))
        self.assertLessEqual(flows["peak"], flows["total"])

    def assert_only_complains(self, result, captures):
        """Exit code 1 with a line for each bad capture, or 0."""
        lines = result.stderr.splitlines()
        self.assertEqual(result.returncode, 1 if lines else 0, result.stderr)
        blamed = [[str(path) for path in captures if line.startswith(f"wirescore: {path}: ")] for line in lines]
        self.assertEqual([len(paths) for paths in blamed], [1] * len(lines), result.stderr)
        self.assertEqual(len({paths[0] for paths in blamed}), len(lines), result.stderr)
        return {paths[0] for paths in blamed}

    def classify(self, captures, *options):
        """Classifies, checks the counts, returns the summary and the lines of records."""
        path = self.folder / "records.gz"
        result = run("classify", "--quiet", "--json", "--records", path, *options, *captures)
        bad = self.assert_only_complains(result, captures)
        summary = json.loads(result.stdout)
        for counts in [summary, *summary["captures"]]:
            self.assert_counted(counts)
        for name in ("packets", "ip", "non_ip"):
            self.assertEqual(summary[name], sum(counts[name] for counts in summary["captures"]), name)
        read = {counts["file"] for counts in summary["captures"]}
        self.assertEqual(read | bad, {str(capture) for capture in captures})
        self.assertEqual({counts["file"] for counts in summary["captures"] if not counts["complete"]}, read & bad)
        lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        self.assertEqual(summary["records"], {"written": len(lines), "dropped": 0})
        return summary, lines

    def assert_nothing_breaks(self, captures):
        for tunnels in ("inner", "outer"):
            for workers in ("1", "2"):
                options = ("--tunnels", tunnels, "--workers", workers)
                summary, records = self.classify(captures, *options)
                self.assertEqual(summary["flows"]["total"], len(records))
                self.assertEqual(summary["flows"]["packets"],
                                 sum(record["packets_fwd"] + record["packets_bwd"] for record in records))
                self.assertEqual([record for record in records if record["start"] > record["end"]], [])
                # A line more than flows: Joy's first.
                self.assertEqual(self.count_joy_lines(captures, *options), len(records) + 1)
                self.assert_rows_are_numbers(captures, len(records), *options)

    def count_joy_lines(self, captures, *options):
        path = self.folder / "joy.gz"
        result = run("classify", "--quiet", "--records", path, "--records-format", "joy", *options, *captures)
        self.assert_only_complains(result, captures)
        return len([json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()])

    def assert_rows_are_numbers(self, captures, n_flows, *options):
        path = self.folder / "rows.csv"
        result = run("extract", "--quiet", "--features", "all", "-o", path, *options, *captures)
        self.assert_only_complains(result, captures)
        names = [feature["label"] for feature in json.loads(pathlib.Path(f"{path}.meta.json").read_text())["features"]]
        with open(path, newline="") as file:
            n_rows = 0
            for row in csv.DictReader(file):
                n_rows += 1
                for name in names:
                    self.assertTrue(math.isfinite(float(row[name])), (name, row))
                    self.assertTrue(float(row[name]) >= 0 or float(row[name]) == -1, (name, row))
        self.assertEqual(n_rows, n_flows)

    def test_captures_that_broke_others(self):
        captures = sorted((DATA / "malformed").glob("*"))
        if not captures:
            self.skipTest(f"no captures in {DATA / 'malformed'}")
        self.assert_nothing_breaks(captures)

    def test_each_capture_alone_is_read_as_far_as_among_others(self):
        captures = sorted((DATA / "malformed").glob("*"))
        if not captures:
            self.skipTest(f"no captures in {DATA / 'malformed'}")
        together, _ = self.classify(captures)
        for counts in together["captures"][::8]:
            with self.subTest(counts["file"]):
                alone, _ = self.classify([counts["file"]])
                for name in ("packets", "bytes", "ip", "non_ip", "dropped", "parse_errors", "length_lies"):
                    self.assertEqual(alone[name], counts[name], name)
                self.assertEqual(alone["captures"][0]["flows"], counts["flows"])

    def test_packets_with_bytes_changed(self):
        captures = [write_timed_pcap(self.folder / f"{seed}.pcap", changed_packets(seed)) for seed in range(2)]
        self.assert_nothing_breaks(captures)

    def test_a_capture_cut_anywhere(self):
        whole = MIX.read_bytes()
        captures = []
        for n_bytes in (0, 1, 23, 24, 25, 39, 40, 41, 100, len(whole) // 2, len(whole) - 1):
            path = self.folder / f"cut_{n_bytes}.pcap"
            path.write_bytes(whole[:n_bytes])
            captures.append(path)
        self.assert_nothing_breaks(captures)

    def test_lengths_of_packets_that_lie(self):
        frame = read_pcap(MIX)[0]
        captures = []
        for i, (captured, wire) in enumerate([(len(frame), 0), (len(frame), 2**32 - 1), (2**32 - 1, len(frame)),
                                              (2**31, 2**31), (0, 0), (0, 2**32 - 1)]):
            path = self.folder / f"lie_{i}.pcap"
            head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
            good = struct.pack("<IIII", 1, 0, len(frame), len(frame)) + frame
            path.write_bytes(head + good + struct.pack("<IIII", 2, 0, captured, wire) + frame[:captured] + good)
            captures.append(path)
        self.assert_nothing_breaks(captures)
        summary, _ = self.classify(captures)
        for counts in summary["captures"]:
            self.assertGreaterEqual(counts["packets"], 1, "what was good is lost")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""wirescore lint: what it finds in tables, what it says of bad ones, and every public table to be had, row by row."""
import csv
import gzip
import io
import json
import os
import struct
import subprocess
import unittest
import zipfile

from captures import DATA, TestCase, WIRESCORE, ethernet, ipv4, run, tcp, write_timed_pcap

TABLES = DATA / "csv"
# Name, options, rows read, rows refused by reason, benign rows, features.
PUBLIC = [
    ("cicids2017_improved_sample_share.csv.gz", [], 25127, {}, 2500, 82),
    ("nslkdd_KDDTrain+_20Percent.txt", [], 25192, {}, 13449, 118),
    ("luflow_2020.07.08.csv.zip", [], 112755, {"its label is ignored": 3258}, 65580, 9),
    ("luflow_2020.12.17.csv.zip", [], 45000, {}, 45000, 9),
    ("antinex_v1_django_cleaned_attack.csv", [], 9000, {}, 0, 9),
    ("antinex_v1_flask_cleaned_attack.csv", [], 2600, {}, 0, 9),
    ("antinex_v1_react_cleaned_attack.csv", [], 3100, {}, 0, 9),
    ("antinex_v1_spring_cleaned_attack.csv", [], 10800, {}, 0, 9),
    ("antinex_v1_vue_cleaned_attack.csv", [], 4400, {}, 0, 9),
    ("netpipe_raw_django_netdata-2018-01-28-23-06-05.csv", ["--label", "attack"], 1100, {}, 0, 9),
    ("netpipe_raw_django_netdata-2018-01-28-23-12-13.csv", ["--label", "attack"], 7900, {}, 0, 9),
    ("netpipe_raw_flask-restplus_netdata-2018-01-29-11-30-02.csv", ["--label", "attack"], 2600, {}, 0, 9),
    ("netpipe_raw_react-redux_netdata-2018-01-29-13-36-35.csv", ["--label", "attack"], 3100, {}, 0, 9),
    ("netpipe_seed001_2217rows.csv", ["--label", "attack"], 2217, {}, 0, 7),
    ("ganfed_mirai.csv.zip", [], 222735, {}, 122725, 10),
    ("slips_test2-malicious.binetflow", ["--label", "attack", "--symbolic", "Proto,Dir,State", "--drop", "dTos,sTos"],
     6751, {}, 0, None),
]


class LintTestCase(TestCase):
    def table(self, text, name="table.csv"):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def lint(self, *arguments, returncode=0):
        result = run("lint", "--json", *arguments)
        self.assertEqual(result.returncode, returncode, result.stderr)
        self.assertEqual(result.stderr, "")
        found = json.loads(result.stdout)
        tables = found["tables"]
        self.assertEqual(tables["rows_read"], tables["rows_used"] + tables["rows_refused"])
        self.assertEqual(tables["rows_refused"], sum(one["rows"] for one in tables["refused"]))
        return found

    def complaint(self, *arguments, returncode=1):
        result = run("lint", *arguments)
        self.assertEqual(result.returncode, returncode, result.stderr)
        self.assertEqual(result.stdout, "")
        return result.stderr


class TestFindings(LintTestCase):
    def test_clean_tables_have_none(self):
        rows = "".join(f"{i},{i * 7919 % 1000},{'benign' if i % 3 else 'scan-port'}\n" for i in range(1000))
        path = self.table("a,b,label\n" + rows)
        result = run("lint", "--strict", path)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("\nfound     nothing\n", result.stdout)
        self.assertEqual(self.lint(path)["findings"], 0)

    def test_all_that_is_wrong_is_found(self):
        path = self.table("a,b,c,start,label\n"
                          "1,5,0,100,benign\n"
                          "2,5,0,101,benign\n"
                          "1,5,0,102,benign\n"      # a duplicate
                          "2,5,1,90,scan-port\n"    # back in time
                          "3,5,1,103,scan-port\n"
                          "2,5,1,104,flood-syn\n"   # a conflict
                          "x,5,1,104,flood-syn\n")  # no number
        found = self.lint(path)
        self.assertEqual(found["rows"]["duplicates"], {"rows": 1, "path": str(path), "line": 4,
                                                       "other_path": str(path), "other_line": 2})
        self.assertEqual(found["rows"]["conflicts"], {"rows": 1, "path": str(path), "line": 7,
                                                      "other_path": str(path), "other_line": 5})
        self.assertEqual(found["rows"]["time_reversals"], {"rows": 1, "path": str(path), "line": 5})
        self.assertEqual([one["column"] for one in found["constant_columns"]], ["b"])
        self.assertEqual([one["column"] for one in found["leaking_columns"]], ["c"])
        self.assertEqual(found["leaking_columns"][0]["threshold"], 1)
        self.assertEqual(found["tables"]["refused"],
                         [{"reason": "text where a number should be", "rows": 1, "path": str(path), "line": 8,
                           "column": "a", "value": "x"}])
        self.assertEqual(found["findings"], 6)
        text = run("lint", path).stdout
        for line in (f"found     1 rows repeat an earlier one with its label; first {path}:4 repeats {path}:2",
                     "constant  b is always 5",
                     "leak      c alone tells the classes apart from 1 on: balanced accuracy 1.0000",
                     f"refused   1: text where a number should be; first {path}:8, column 'a': 'x'"):
            self.assertIn(line + "\n", text)
        self.assertEqual(run("lint", path).returncode, 0)
        self.assertEqual(run("lint", "--strict", path).returncode, 1)

    def test_labels_of_which_all_rows_are_refused_are_told_of(self):
        rows = "".join(f"{i},{'benign' if i % 2 else 'scan-port'}\n" for i in range(20))
        path = self.table("a,label\n" + rows + "".join(f"x,lost{i}\n" for i in range(300)))
        found = self.lint(path)
        self.assertEqual(found["labels"], [{"label": "scan-port", "rows": 10}, {"label": "benign", "rows": 10}])
        self.assertEqual(found["tables"]["labels_without_rows"], 300)
        self.assertIn("labels    300 of which no row can be used: 'lost0' and others\n", run("lint", path).stdout)

    def test_rows_of_extract_are_in_no_wrong_order(self):
        """They come as flows end or come to a checkpoint, not as they begin, and a flow ends late where it falls silent."""
        capture = self.folder / "made.pcap"
        result = run("generate", "flows", "-q", "--seed", 5, "--duration", 300, "-n", 20000, "-o", capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        rows = self.folder / "made.csv"
        result = run("extract", "-q", "--features", "attack", "--labels", self.folder / "made.tsv", "--checkpoints",
                     "1,2,4,8,end", "-o", rows, capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        for path in (rows, capture):
            found = self.lint(path)["rows"]
            self.assertEqual((found["time_reversals"]["rows"], found["end_before_start"]["rows"]), (0, 0))

    def test_packets_left_over_after_fin_are_found_in_rows_of_extract(self):
        def packet(seconds, flags, forward=True, port=5000):
            ends = ("10.0.0.1", "10.0.0.2") if forward else ("10.0.0.2", "10.0.0.1")
            ports = (port, 80) if forward else (80, port)
            return seconds, ethernet(ipv4(*ends, 6, tcp(*ports, flags)))
        closed = [(0, "S", True), (0.1, "SA", False), (0.2, "A", True), (0.3, "FA", True), (0.4, "FA", False),
                  (0.5, "A", True)]
        packets = [packet(1e9 + at, flags, forward) for at, flags, forward in closed]
        packets += [packet(1e9 + 3, "A")]                # after the flow was closed for more than a second
        packets += [packet(1e9 + 4, "S", port=5001)]     # another flow
        capture = write_timed_pcap(self.folder / "capture.pcap", packets)
        rows = self.folder / "rows.csv"
        result = run("extract", "--quiet", "--label", "benign", "--features", "all", "-o", rows, capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        found = self.lint(rows)
        self.assertEqual(found["tables"]["format"], "wirescore")
        self.assertEqual(found["tables"]["rows_used"], 3)
        self.assertEqual(found["rows"]["left_over_after_fin"]["rows"], 1)
        self.assertEqual(found["rows"]["time_reversals"]["rows"], 0)
        self.assertTrue(found["looked_for"]["left_over_after_fin"])
        left_out = {one["column"]: one["why"] for one in found["tables"]["left_out"]}
        self.assertEqual({name for name, why in left_out.items() if why == "TTL"}, {"fwd_ttl", "bwd_ttl"})

    def test_forced_columns_are_told_of(self):
        path = self.table("ttl,n,label\n64,1,benign\n128,2,x\n")
        self.assertEqual(self.lint(path)["features"], 1)
        found = self.lint("--force", "ttl", path)
        self.assertEqual(found["features"], 2)
        self.assertEqual(found["tables"]["forced"], [{"column": "ttl", "why": "TTL"}])
        self.assertIn("\nforced    ttl (TTL)\n", run("lint", "--force", "ttl", path).stdout)

    def test_one_class_is_said(self):
        path = self.table("n,label\n1,benign\n2,benign\n")
        self.assertIn("one class only", run("lint", path).stdout)
        self.assertEqual(run("lint", "--strict", path).returncode, 1)


class TestBadInput(LintTestCase):
    def test_tables_that_cannot_be_read_are_named(self):
        table = self.table("a,label\n1,x\n")
        for text, message in ((b"", "is empty: no header, no rows"),
                              (b"a,b\n1,2\n", "no column is named label or class"),
                              (b"\xff\xfea\0,\0", "UTF-16"),
                              (b"PK\3\4 and no more", "no directory at its end"),
                              (gzip.compress(b"a,label\n" + b"1,x\n" * 1000)[:-20], "cut short"),
                              (b"a,label\nword,x\n", "--drop 'a', or take its words with --symbolic 'a'"),
                              (b"a,label\n1\n", "no row can be used")):
            path = self.table(text, "bad")
            with self.subTest(message):
                self.assertIn(message, self.complaint(path))
        self.assertIn("No such file", self.complaint(self.folder / "none.csv"))
        self.assertIn("is a folder", self.complaint(self.folder))
        other = self.table("b,label\n1,x\n", "other.csv")
        self.assertIn(f"{other}:1: there is no column 'a', other than {table}", self.complaint(table, other))

    def test_bad_usage_is_2(self):
        table = self.table("a,label\n1,x\n")
        for arguments, message in (([], "name the tables"), (["--nope", table], "no option --nope"),
                                   (["--format"], "--format needs a value"),
                                   (["--format", "x", table], "--format 'x' is not"),
                                   (["--classes", "x", table], "--classes 'x' is not binary, group or label"),
                                   (["--columns", ",", table], "names no column"),
                                   (["--max-rows", "0", table], "--max-rows '0'")):
            with self.subTest(message):
                self.assertIn(message, self.complaint(*arguments, returncode=2))

    def test_large_tables_are_streamed(self):
        """A pipe of 1.5 million rows, which would be 600 MB if they were kept."""
        head = b",".join(b"f%d" % i for i in range(100)) + b",label\n"
        block = (b",".join(b"1" for _ in range(100)) + b",benign\n") * 5000
        output = self.folder / "output.json"
        with open(output, "wb") as file:
            process = subprocess.Popen([WIRESCORE, "lint", "--json", "/dev/stdin"], stdin=subprocess.PIPE, stdout=file)
        with process.stdin:
            process.stdin.write(head)
            for _ in range(300):
                process.stdin.write(block)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(json.loads(output.read_text())["tables"]["rows_used"], 1_500_000)
        self.assertLess(usage.ru_maxrss, 400 << 10, "KiB")


@unittest.skipUnless(TABLES.is_dir(), f"no {TABLES}")
class TestPublicTables(LintTestCase):
    def test_every_row_of_every_table_is_accounted_for(self):
        for name, options, n_rows, refused, n_benign, n_features in PUBLIC:
            with self.subTest(name):
                found = self.lint(*options, TABLES / name)
                tables = found["tables"]
                self.assertEqual(tables["rows_read"], n_rows)
                self.assertEqual({one["reason"]: one["rows"] for one in tables["refused"]}, refused)
                self.assertEqual(found["classes"]["benign"], n_benign)
                self.assertEqual(found["classes"]["benign"] + found["classes"]["other"], tables["rows_used"])
                if n_features is not None:
                    self.assertEqual(found["features"], n_features)

    def test_duplicates_conflicts_and_constants_are_those_of_a_plain_count(self):
        """LUFlow, counted again by Python's own readers."""
        path = TABLES / "luflow_2020.07.08.csv.zip"
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as member:
            rows = list(csv.DictReader(io.TextIOWrapper(member, newline="")))
        names = ["avg_ipt", "bytes_in", "bytes_out", "entropy", "num_pkts_out", "num_pkts_in", "proto",
                 "total_entropy", "duration"]
        first, seen, duplicates, conflicts = {}, set(), 0, 0
        for row in rows:
            if row["label"] == "outlier":
                continue
            values = struct.pack("9f", *(float(row[name]) for name in names))
            conflicts += first.setdefault(values, row["label"]) != row["label"]
            duplicates += (values, row["label"]) in seen
            seen.add((values, row["label"]))
        found = self.lint(path)
        self.assertEqual(found["rows"]["duplicates"]["rows"], duplicates)
        self.assertEqual(found["rows"]["conflicts"]["rows"], conflicts)
        self.assertEqual(found["constant_columns"], [])

    def test_a_table_known_to_leak_is_found_to(self):
        found = self.lint(TABLES / "ganfed_mirai.csv.zip")
        self.assertIn("Flow Packets/s", [one["column"] for one in found["leaking_columns"]])

    def test_tables_of_one_format_are_read_together(self):
        found = self.lint(*sorted(TABLES.glob("antinex_v1_*.csv")))
        self.assertEqual(found["tables"]["rows_used"], 29900)
        self.assertEqual(found["sources"], 5)


if __name__ == "__main__":
    unittest.main()

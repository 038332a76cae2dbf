# SPDX-License-Identifier: BSD-3-Clause
"""The files that wirescore classify and extract write: whose they are, what is left of them, what is said of them."""
import csv
import gzip
import json
import os
import pathlib
import resource
import subprocess
import unittest

from captures import MIX, WIRESCORE, TestCase, ethernet, ipv4, run, udp, write_pcap

LIMIT = 100_000


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


def run_classify(*arguments):
    return run("classify", "--quiet", *arguments)


def run_extract(*arguments):
    return run("extract", "--quiet", *arguments)


class TestOutputs(TestCase):
    def capture(self, n_flows=3, name="a.pcap"):
        return write_pcap(self.folder / name, [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + i, 53, b"q")))
                                               for i in range(n_flows)])

    def run_into(self, path, *arguments):
        """Runs the program with the file behind its stdout."""
        with open(path, "wb") as file:
            return subprocess.run([WIRESCORE, *map(str, arguments)], stdout=file, stderr=subprocess.PIPE, text=True,
                                  timeout=60)

    def assert_folder_holds(self, *paths):
        self.assertEqual(sorted(self.folder.iterdir()), sorted(paths))

    def test_packets_and_flows_cannot_share_a_file(self):
        capture, output, link = self.capture(), self.folder / "out", self.folder / "link"
        self.assert_complains(run_classify("--packets", output, "--records", output, capture), 1, str(output),
                              "is the file of --packets")
        self.assert_folder_holds(capture)
        output.write_text("old")
        link.symlink_to(output)
        self.assert_complains(run_classify("--packets", output, "--records", link, capture), 1, str(link))
        self.assertEqual(output.read_text(), "old")
        self.assert_complains(run_classify("--packets", "-", "--records", "/dev/stdout", capture), 1, "/dev/stdout")
        result = run_classify("--packets", "/dev/null", "--records", "/dev/null", capture)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_another_name_of_stdout_is_stdout(self):
        capture, output = self.capture(), self.folder / "out.ndjson"
        for name in ("/dev/stdout", output, "-"):
            for option in ("--packets", "--records"):
                result = self.run_into(output, "classify", "--quiet", "--json", option, name, capture)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(json.loads(result.stderr)["packets"], 3)
                self.assertEqual(len([json.loads(line) for line in output.read_text().splitlines()]), 3)
            result = self.run_into(output, "extract", "--quiet", "-o", name, capture)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stderr, "^3 rows of ")
            with open(output, newline="") as file:
                if name == output:
                    self.assertEqual(len([json.loads(line) for line in file]), 3)
                else:
                    self.assertEqual(len(list(csv.DictReader(file, strict=True))), 3)
            self.assert_folder_holds(capture, output)

    def test_what_stood_in_stdout_stays(self):
        capture, output = self.capture(), self.folder / "out"
        output.write_text("before\n")
        with open(output, "ab") as file:
            subprocess.run([WIRESCORE, "extract", "-q", "-o", "/dev/stdout", capture], stdout=file, check=True,
                           stderr=subprocess.PIPE)
        self.assertTrue(output.read_text().startswith("before\nflow_id,"))

    def test_a_pipe_under_its_name_has_no_summary_in_it(self):
        result = run_extract("-o", "/dev/stdout", self.capture())
        self.assertEqual(len(result.stdout.splitlines()), 4)
        self.assertRegex(result.stderr, "^3 rows of ")

    def test_a_run_that_is_refused_leaves_nothing(self):
        capture = self.capture()
        for arguments in (["-o", self.folder / "rows.csv", capture, "--", "--bogus"],
                          ["-o", self.folder / "no/such/rows.csv", capture], ["-o", self.folder, capture]):
            self.assertNotEqual(run_extract(*arguments).returncode, 0)
            self.assert_folder_holds(capture)
        for option in ("--packets", "--records"):
            self.assertEqual(run_classify(option, self.folder / "out", capture, "--", "--bogus").returncode, 1)
            self.assert_folder_holds(capture)
            self.assert_complains(run_classify("--packets", self.folder / "out", "--records", capture, capture), 1,
                                  "is a file that is read")
            self.assert_folder_holds(capture)

    def test_a_meta_file_that_cannot_be_written_is_named_and_the_rows_stay(self):
        capture, rows = self.capture(), self.folder / "rows.csv"
        meta = self.folder / "rows.csv.meta.json"
        meta.mkdir()
        self.assert_complains(run_extract("-o", rows, capture), 1, f"{meta}: cannot be written: Is a directory")
        self.assert_folder_holds(capture, meta)
        meta.rmdir()
        meta.write_text("old meta")
        pathlib.Path(f"{meta}.part").symlink_to("/dev/full")
        rows.write_text("old")
        self.assert_complains(run_extract("-o", rows, capture), 1, f"{meta}: cannot be written: No space left")
        self.assertEqual((rows.read_text(), meta.read_text()), ("old", "old meta"))
        self.assert_folder_holds(capture, meta, rows)

    def test_a_limit_of_file_length_is_an_error_and_no_end(self):
        capture = self.capture(5000)
        for command, options in (("extract", ("-o", "{}.csv")), ("classify", ("--records", "{}.json")),
                                 ("classify", ("--packets", "{}.json")), ("extract", ("-o", "{}.csv.gz"))):
            options = [option.format(self.folder / "out") for option in options]
            result = subprocess.run([WIRESCORE, command, "-q", *options, capture], preexec_fn=limit_files, text=True,
                                    capture_output=True, timeout=60)
            self.assert_complains(result, 1, "of 5000 ", "could not be written: File too large")
            self.assertLessEqual(os.stat(options[1]).st_size, LIMIT)
            self.assertIn("packets", result.stdout)

    def test_a_file_without_its_end_has_not_lost_lines(self):
        empty = write_pcap(self.folder / "empty.pcap", [])
        (self.folder / "full.csv.gz").symlink_to("/dev/full")
        full = self.folder / "full.csv.gz"
        self.assert_complains(run_extract("-o", full, empty), 1, f"{full}: could not be finished: No space left")
        self.assert_complains(run_extract("-o", "/dev/full", empty), 1, "/dev/full: could not be finished")
        for option in ("--packets", "--records"):
            self.assert_complains(run_classify(option, full, empty), 1, f"{full}: could not be finished: No space")

    def test_endings_may_be_capitals(self):
        output = self.folder / "OUT.GZ"
        self.assertEqual(run_classify("--packets", output, MIX).returncode, 0)
        self.assertGreater(len(gzip.decompress(output.read_bytes()).splitlines()), 10)


if __name__ == "__main__":
    unittest.main()

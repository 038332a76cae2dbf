# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore kernels` and `wirescore bench kernels`: what they print, and what they refuse."""
import json
import subprocess
import unittest

from captures import WIRESCORE, TestCase, run

BENCH = ("bench", "kernels", "--seconds", "0")
NUMBERS = ("cycles_per_packet_min", "cycles_per_packet_median")


class Kernels(TestCase):
    def test_the_table_and_the_json_list_the_same_kernels(self):
        listed = json.loads(run("kernels", "--json").stdout)
        header, *rows = run("kernels").stdout.splitlines()
        self.assertEqual(header.split(), ["kernel", "needs", "supported", "chosen"])
        self.assertEqual([row.split()[0] for row in rows], [kernel["name"] for kernel in listed["kernels"]])
        for row, kernel in zip(rows, listed["kernels"]):
            self.assertIn(kernel["needs"], row)
            self.assertEqual(row.split()[-2:], ["yes" if kernel["supported"] else "no",
                                                "yes" if kernel["chosen"] else "-"])
        chosen = [kernel["name"] for kernel in listed["kernels"] if kernel["chosen"]]
        supported = [kernel["name"] for kernel in listed["kernels"] if kernel["supported"]]
        self.assertEqual((chosen, listed["chosen"]), (supported[:1], supported[0]))
        self.assertEqual(listed["kernels"][-1]["name"], "scalar")

    def test_the_benchmark_measures_every_kernel_that_is_supported(self):
        supported = [k["name"] for k in json.loads(run("kernels", "--json").stdout)["kernels"] if k["supported"]]
        for batch in (1, 32, 64):
            result = run(*BENCH, "--json", "--batch", batch, "--shape", "5-3-2")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            printed = json.loads(result.stdout)
            self.assertEqual(set(printed), {"kernels", "machine"})
            self.assertEqual([kernel["kernel"] for kernel in printed["kernels"]], supported)
            for kernel in printed["kernels"]:
                self.assertEqual(set(kernel), {"kernel", "precision", "shape", "batch", *NUMBERS})
                self.assertEqual((kernel["precision"], kernel["shape"], kernel["batch"]), ("fp32", "5-3-2", batch))
                self.assertTrue(0 < kernel[NUMBERS[0]] <= kernel[NUMBERS[1]], kernel)
            self.assertGreater(printed["machine"]["tsc_hz"], 0)

    def test_the_benchmark_prints_a_table_of_one_kernel(self):
        lines = run(*BENCH, "--kernel", "scalar").stdout.splitlines()
        self.assertIn("14-64-16-1, fp32, batch 32, ", lines[0])
        self.assertEqual([line.split()[0] for line in lines[2:]], ["kernel", "scalar"])

    def test_bad_usage_ends_with_2(self):
        for arguments, says in ((["kernels", "--no"], "--no"), (["kernels", "-x"], "'x'"),
                                (["kernels", "avx2"], "avx2"), ([*BENCH, "-x"], "'x'"), ([*BENCH, "14-1"], "14-1"),
                                ([*BENCH, "--batch", "0"], "--batch"), ([*BENCH, "--batch", "65"], "65"),
                                ([*BENCH, "--kernel", "none"], "none"), ([*BENCH, "--batch"], "--batch"),
                                ([*BENCH, "--seconds", "-1"], "-1")):
            result = run(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertIn(says, result.stderr)

    def test_bad_shapes_end_with_2(self):
        for shape in ("", "14", "14-", "-14", "14--1", "14-0", "0-1", "513-1", "14-513", "14-x", "14-+1", "14-1x",
                      "99999999999999999999-1", "-".join("1" * 10)):
            result = run(*BENCH, f"--shape={shape}")
            self.assertEqual((result.returncode, result.stdout), (2, ""), shape)
            self.assertIn("widths of 1 to 512", result.stderr)
        self.assertEqual(run(*BENCH, "--shape", "-".join("1" * 9)).returncode, 0)

    def test_output_that_cannot_be_written_ends_with_1(self):
        for arguments in (["kernels"], ["kernels", "--json"], ["kernels", "-h"], BENCH, [*BENCH, "--json"],
                          [*BENCH, "-h"], ["model", "-h"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                result = subprocess.run([WIRESCORE, *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
                                        check=False)
            self.assertEqual(result.returncode, 1, arguments)
            self.assertRegex(result.stderr, "^wirescore: stdout: cannot write: No space left on device\n$")


if __name__ == "__main__":
    unittest.main()

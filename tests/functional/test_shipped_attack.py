# SPDX-License-Identifier: BSD-3-Clause
"""The shipped attack model keeps to its bounds: on generated traffic that it has not met, and on real captures."""
import collections
import csv
import json
import unittest

from captures import DATA, ROOT, TestCase, run

MODEL = ROOT / "config/models/attack.onnx"
FLOWS_ALONE = ("--packet-model", "none", "--flow-model", MODEL, "--hash-seed", 1)
# At the threshold that the model is shipped with.
MOST_FALSE, MOST_FALSE_OF_CAPTURE, CAPTURE_FLOWS = 0.01, 0.05, 100


def classes_of(captures):
    """{capture: (flows called benign, flows called attacks)}"""
    result = run("classify", "-q", "--json", *FLOWS_ALONE, *captures)
    told = json.loads(result.stdout)
    return {one["file"]: (one["flows"]["by_class"]["benign"], one["flows"]["by_class"]["attack"])
            for one in told["captures"]}


class GeneratedTraffic(TestCase):
    def generate(self, scenario, seed):
        path = self.folder / f"{scenario}-{seed}.pcap"
        run("generate", "flows", "-q", "--scenario", scenario, "--seed", seed, "--packets", 100000, "-o", path)
        return path

    def by_label(self, captures):
        """{label: [flows, called attacks]}, by the records and the labels of the flows."""
        found = collections.defaultdict(lambda: [0, 0])
        for capture in captures:
            rows = self.folder / "rows.csv"
            records = self.folder / "records.json"
            run("extract", "-q", "--hash-seed", 1, "--features", "duration", "-o", rows,
                "--labels", capture.with_suffix(".tsv"), capture)
            run("classify", "-q", *FLOWS_ALONE, "--records", records, capture)
            with open(rows, encoding="utf-8") as file:
                labels = {(row["flow_id"], row["slice"]): row["label"] for row in csv.DictReader(file)}
            with open(records, encoding="utf-8") as file:
                for record in map(json.loads, file):
                    counts = found[labels[record["flow_id"], str(record["slice"])]]
                    counts[0] += 1
                    counts[1] += record["class"] == "attack"
        return found

    def test_scans_and_floods_are_found_among_benign_flows(self):
        found = self.by_label([self.generate(scenario, seed) for scenario in ("scan", "mix", "isp")
                               for seed in (700001, 700002, 700003)])
        attacks = [counts for label, counts in found.items()
                   if label.split("-")[0] in ("scan", "flood", "reflection", "amplification")]
        n, n_found = map(sum, zip(*attacks))
        self.assertGreater(n, 3000)
        self.assertGreater(n_found / n, 0.75, dict(found))
        n, n_false = found["benign"]
        self.assertGreater(n, 3000)
        self.assertLess(n_false / n, MOST_FALSE, dict(found))

    def test_benign_traffic_is_left_alone(self):
        told = classes_of([self.generate("benign", seed) for seed in range(700011, 700017)])
        n_false = sum(attacks for _, attacks in told.values())
        n = sum(map(sum, told.values()))
        self.assertGreater(n, 5000)
        self.assertLess(n_false / n, MOST_FALSE, told)


class RealCaptures(TestCase):
    """Of these most were learnt from: that it has not forgotten them is all that this tells."""

    def captures(self, kind):
        captures = sorted(path for path in (DATA / kind).glob("*") if path.suffix.startswith(".pcap"))
        if not captures:
            self.skipTest(f"{DATA}/{kind} is not here")
        return captures

    def test_benign_captures_are_left_alone(self):
        told = classes_of(self.captures("benign"))
        n_false = sum(attacks for _, attacks in told.values())
        self.assertLessEqual(n_false / sum(map(sum, told.values())), MOST_FALSE)
        for capture, (n_benign, n_attacks) in told.items():
            if n_benign + n_attacks >= CAPTURE_FLOWS:
                self.assertLessEqual(n_attacks / (n_benign + n_attacks), MOST_FALSE_OF_CAPTURE, capture)

    def test_floods_and_scans_are_found(self):
        captures = [capture for capture in self.captures("attack")
                    if any(word in capture.name for word in ("nmap", "synflood", "snmp", "hs-", "ps-", "synscan"))]
        told = classes_of(captures)
        n_found = sum(attacks for _, attacks in told.values())
        self.assertGreaterEqual(n_found / sum(map(sum, told.values())), 0.95, told)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""Detection of attacks, end to end: what `classify` says of flows with models whose every weight is known, and models
that were trained on captures."""
import csv
import json
import math
import random
from collections import Counter

from captures import TestCase, ethernet, ipv4, ipv6, run, tcp, udp, write_timed_pcap
from onnx_file import write_linear_model
from test_flows import START, conversation, random_capture

SCANNER, VICTIM = "10.9.9.9", "10.1.0.1"


def scan(start=START, n=200, gap=0.01, scanner=SCANNER, victim=VICTIM, answers=True):
    """SYNs to many ports of a host, each refused by an RST; a flow for each."""
    packets = []
    for i in range(n):
        at = start + i * gap
        packets.append((at, ethernet(ipv4(scanner, victim, 6, tcp(50000, 1 + i, "S")))))
        if answers:
            packets.append((at + gap / 4, ethernet(ipv4(victim, scanner, 6, tcp(1 + i, 50000, "RA")))))
    return packets


def flood(start=START, n=1000, gap=0.001, victim="10.1.0.2", seed=1):
    """SYNs to one port from addresses that are all different."""
    draw = random.Random(seed)
    return [(start + i * gap, ethernet(ipv4(f"172.{draw.randrange(16, 32)}.{i >> 8 & 255}.{i & 255}", victim, 6,
                                            tcp(draw.randrange(1024, 65536), 80, "S")))) for i in range(n)]


def browsing(start=START, n=40, gap=0.7, client="10.0.0.1"):
    """Conversations one after the other."""
    return [packet for i in range(n) for packet in conversation(start + i * gap, client, "10.2.0.1", 40000 + i)]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


class DetectTestCase(TestCase):
    def capture(self, *parts, name="capture.pcap"):
        """Of lists of packets, by their times."""
        return write_timed_pcap(self.folder / name, sorted((packet for part in parts for packet in part),
                                                           key=lambda packet: packet[0]))

    def model(self, weights, bias, name="model.onnx", checkpoints="1,2,4,8,end", **metadata):
        """Of features by name."""
        metadata = {"task": "flow", "features": ",".join(weights), "classes": "benign,attack", "threshold": "0.5",
                    "checkpoints": checkpoints, **metadata}
        return write_linear_model(self.folder / name, [list(weights.values())], [bias], **metadata)

    def classify(self, *arguments):
        """The summary and the records."""
        records = self.folder / "records.ndjson"
        result = run("classify", "--quiet", "--json", "--packet-model", "none", "--records", records, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout), [json.loads(line) for line in records.read_text().splitlines()]

    def text(self, *arguments):
        result = run("classify", "--quiet", "--packet-model", "none", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def extract(self, capture, features, checkpoints="1,2,4,8,end"):
        """Rows of features of each slice of a flow, in order."""
        table = self.folder / "rows.csv"
        result = run("extract", "--quiet", "--features", features, "--checkpoints", checkpoints, "-o", table, capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        flows = {}
        with open(table, newline="") as file:
            for row in csv.DictReader(file):
                flows.setdefault((row["flow_id"], int(row["slice"])), []).append(row)
        return flows


class TestRecords(DetectTestCase):
    def test_class_score_logit_and_packet_go_together(self):
        capture = self.capture(scan(), browsing())
        model = self.model({"initiator_ports": 0.1, "initiator_refused": 2.0}, -3.0, threshold="0.7")
        summary, records = self.classify("--flow-model", model, capture)
        self.assertEqual(len(records), 240)
        threshold = math.log(0.7 / 0.3)
        for record in records:
            self.assertAlmostEqual(record["score"], sigmoid(record["logit"]), places=5)
            self.assertEqual(record["class"], "attack" if record["logit"] >= threshold else "benign")
            self.assertTrue(1 <= record["verdict_packet"] <= record["packets_fwd"] + record["packets_bwd"])
        self.assertEqual({record["class"] for record in records if record["src"] == "10.0.0.1"}, {"benign"})
        attacks = [record for record in records if record["class"] == "attack"]
        self.assertEqual({record["src"] for record in attacks}, {SCANNER})
        self.assertGreater(len(attacks), 150)
        self.assertEqual(summary["flows"]["by_class"], {"benign": 240 - len(attacks), "attack": len(attacks)})
        self.assertEqual(summary["flows"]["unscored"], 0)
        self.assertAlmostEqual(summary["models"]["flow"]["threshold"], 0.7, places=6)

    def test_what_the_model_sees_is_what_extract_writes(self):
        """The highest logit of a flow's rows, and the packet at which its class was known, from the very numbers."""
        features = [one["name"] for one in json.loads(run("features", "--json", "attack").stdout)["features"]]
        draw = random.Random(7)
        weights = {name: draw.uniform(-1, 1) / 3 for name in features}
        for name in weights:  # large numbers would drown the others
            weights[name] *= {"fwd_bytes": 1e-3, "bwd_bytes": 1e-3, "duration": 1e-6, "gap_mean": 1e-6,
                              "first_reply": 1e-6}.get(name, 1)
        model = self.model(weights, -1.5)
        captures = [self.capture(scan(), browsing(), flood()), random_capture(self.folder / "random.pcap", 3)]
        seen = Counter()
        for capture in captures:
            _, records = self.classify("--flow-model", model, "--hash-seed", 0, capture)
            flows = self.extract(capture, "attack,packets")
            known = {}  # by flow: a later slice goes on with the verdict of the one before
            for record in sorted(records, key=lambda record: record["slice"]):
                logit, attack, packet = known.get(record["flow_id"], (-math.inf, False, 0))
                for row in flows[record["flow_id"], record["slice"]]:
                    at = sum(weight * float(row[name]) for name, weight in weights.items()) - 1.5
                    if at > logit:
                        logit = at
                        if not attack or at < 0:
                            attack, packet = at >= 0, int(row["packets"])
                known[record["flow_id"]] = logit, attack, packet
                seen[record["class"]] += 1
                self.assertAlmostEqual(record["logit"], logit, delta=1e-4 * max(1, abs(logit)))
                if abs(logit) > 1e-3:
                    self.assertEqual(record["class"], "attack" if attack else "benign")
                    self.assertEqual(record["verdict_packet"], packet)
            self.assertEqual(len(records), len(flows))
        self.assertGreater(min(seen["attack"], seen["benign"]), 100, seen)

    def test_without_a_model_nothing_is_said(self):
        summary, records = self.classify("--flow-model", "none", self.capture(scan(n=5)))
        self.assertNotIn("by_class", summary["flows"])
        self.assertNotIn("attackers", summary["captures"][0])
        self.assertIsNone(summary["models"]["flow"])
        for record in records:
            self.assertEqual({record[key] for key in ("class", "score", "logit", "verdict_packet", "verdict_at")},
                             {None})

    def test_sums_that_overflow_are_no_verdict(self):
        model = self.model({"fwd_packets": 3e38, "bwd_packets": -3e38, "fwd_bytes": 3e38}, 0.0)
        summary, records = self.classify("--flow-model", model, self.capture(scan(n=5), browsing(n=2)))
        self.assertEqual(summary["flows"]["total"], 7)
        self.assertEqual(summary["flows"]["unscored"] + sum(summary["flows"]["by_class"].values()), 7)
        self.assertEqual(len(records), 7)
        for record in records:
            self.assertTrue(record["logit"] is None or math.isfinite(record["logit"]))

    def test_many_classes_have_names_and_counts(self):
        features = "initiator_ports,responder_initiators,protocol_tcp"
        weights = [[0, 0, 0], [0.2, -0.2, 0], [-0.2, 0.2, 0]]
        model = write_linear_model(self.folder / "many.onnx", weights, [0, -2, -2], "Softmax", task="flow",
                                   features=features, classes="benign,scan,flood", threshold="0.5",
                                   checkpoints="1,2,4,8,end")
        capture = self.capture(scan(), browsing(), flood())
        summary, records = self.classify("--flow-model", model, capture)
        counted = Counter(record["class"] for record in records)
        self.assertEqual(set(counted), {"benign", "scan", "flood"})
        self.assertEqual(summary["flows"]["by_class"], counted)
        self.assertEqual({record["src"] for record in records if record["class"] == "scan"}, {SCANNER})
        self.assertEqual({record["dst"] for record in records if record["class"] == "flood"}, {"10.1.0.2"})
        quiet = self.capture(browsing(), name="quiet.pcap")
        text = self.text("--flow-model", model, capture, quiet)
        self.assertIn(f"    classes          scan {counted['scan']}, flood {counted['flood']}\n", text)
        self.assertIn("benign  others  capture\n", text)
        self.assertEqual(text.count("    classes "), 1)


class TestSummary(DetectTestCase):
    def setUp(self):
        super().setUp()
        self.flow_model = self.model({"initiator_ports": 1.0}, -10.5)
        self.captures = [self.capture(scan(), browsing(), name="scan.pcap"),
                         self.capture(browsing(), name="quiet.pcap"),
                         self.capture(scan(n=30, victim="10.1.0.7"), scan(START + 0.001, 50, scanner="10.9.9.8"),
                                      name="two.pcap")]

    def test_classes_add_up_in_each_capture_and_in_all(self):
        summary, records = self.classify("--flow-model", self.flow_model, *self.captures)
        self.assertEqual(sum(summary["flows"]["by_class"].values()), summary["flows"]["total"])
        for key in ("benign", "attack"):
            self.assertEqual(summary["flows"]["by_class"][key],
                             sum(one["flows"]["by_class"][key] for one in summary["captures"]))
        for one in summary["captures"]:
            counted = Counter(record["class"] for record in records if record["capture"] == one["file"])
            self.assertEqual(sum(one["flows"]["by_class"].values()), one["flows"]["total"])
            self.assertEqual({key: n for key, n in one["flows"]["by_class"].items() if n}, counted)

    def test_attackers_and_targets_are_those_of_the_records(self):
        summary, records = self.classify("--flow-model", self.flow_model, *self.captures)
        for one in summary["captures"]:
            attacks = [record for record in records
                       if record["capture"] == one["file"] and record["class"] == "attack"]
            for key, end in (("attackers", "src"), ("targets", "dst")):
                counted = Counter(record[end] for record in attacks)
                self.assertEqual({host["address"]: host["flows"] for host in one[key]}, counted)
                self.assertEqual([host["flows"] for host in one[key]], sorted(counted.values(), reverse=True))
        self.assertEqual([len(one["attackers"]) for one in summary["captures"]], [1, 0, 2])
        self.assertEqual([one["attackers_total"] for one in summary["captures"]], [1, 0, 2])

    def test_counts_that_are_not_exact_are_marked(self):
        exact = self.classify("--flow-model", self.flow_model, *self.captures)[0]["captures"][0]
        self.assertEqual((exact["attackers_at_least"], exact["targets_at_least"]), (False, False))
        self.assertEqual({host["flows_at_least"] for host in exact["attackers"] + exact["targets"]}, {False})
        # More hosts than are counted at a time, and one that comes when there is no more room.
        hosts = [f"10.{2 + i // 50000}.{i % 50000 // 250}.{1 + i % 250}" for i in range(70000)] + ["10.9.0.9"] * 40
        many = self.capture([(START + i / 1000, ethernet(ipv4(SCANNER, host, 17, udp(1024 + i % 50000, 9))))
                             for i, host in enumerate(hosts)], name="many.pcap")
        result = run("classify", "--json", "--flow-model", self.model({"fwd_packets": 1.0}, 5.0), many)
        self.assertEqual(result.returncode, 0, result.stderr)
        one = json.loads(result.stdout)["captures"][0]
        self.assertEqual((one["attackers_total"], one["attackers_at_least"]), (1, False))
        self.assertEqual(one["attackers"], [{"address": SCANNER, "flows": 70040, "flows_at_least": False}])
        self.assertEqual((one["targets_total"], one["targets_at_least"]), (65536, True))
        self.assertEqual(one["targets"][0], {"address": "10.9.0.9", "flows": 40, "flows_at_least": True})

    def test_the_packet_at_which_attacks_were_known_is_that_of_the_records(self):
        model = self.model({"bwd_packets": 1.0, "fwd_packets": 0.01}, -1.9)
        summary, records = self.classify("--flow-model", model, *self.captures)
        attacks = [record for record in records if record["class"] == "attack"]
        known = summary["flows"]["attacks_known_at_packet"]
        # Conversations of ten packets have had their second answer at the sixth; the model looks at the eighth.
        self.assertEqual(known, {"8": 80, "end": 0})
        self.assertEqual({(record["verdict_packet"], record["verdict_at"]) for record in attacks},
                         {(8, "checkpoint")})
        model = self.model({"bwd_packets": 1.0}, -1.5, checkpoints="end")
        summary, records = self.classify("--flow-model", model, *self.captures)
        self.assertEqual(summary["flows"]["attacks_known_at_packet"], {"end": 80})
        self.assertEqual({(record["verdict_packet"], record["verdict_at"]) for record in records
                          if record["class"] == "attack"}, {(10, "end")})

    def test_the_table_of_captures_is_one_and_aligned(self):
        text = self.text("--flow-model", self.flow_model, *self.captures)
        lines = text.splitlines()
        head = next(i for i, line in enumerate(lines) if line.endswith("  capture"))
        self.assertEqual(lines[head].split(), ["packets", "ip", "non-ip", "flows", "benign", "attack", "capture"])
        self.assertEqual(text.count("  capture\n"), 1)
        rows = [line for line in lines if line.endswith(".pcap")]
        self.assertEqual(len(rows), 3)
        self.assertEqual(len({line.index(str(self.folder)) for line in rows}), 1)
        self.assertEqual(lines[head].index("capture"), rows[0].index(str(self.folder)))
        self.assertEqual(lines[lines.index(rows[1]) + 1], rows[2])  # no attacks, no lines
        self.assertTrue(lines[lines.index(rows[0]) + 1].startswith(f"    attackers        {SCANNER} ("))

    def test_one_capture_has_its_attackers_below_the_classes(self):
        text = self.text("--flow-model", self.flow_model, self.captures[0])
        self.assertNotIn("  capture\n", text)
        below = text[text.index("\nflows by class\n"):].splitlines()[2:]
        self.assertEqual([line.split()[0] for line in below[:5]],
                         ["benign", "attack", "attackers", "targets", "known"])
        self.assertNotIn("attackers", self.text("--flow-model", self.flow_model, self.captures[1]))

    def test_long_addresses_are_broken_into_lines(self):
        hosts = [f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{i:x}111" for i in range(1, 8)]
        packets = [(START + i / 100, ethernet(ipv6("2001:db8:1111:2222:3333:4444:5555:6666", host, 17,
                                                   udp(5000, 1 + i))))
                   for i in range(100) for host in hosts]
        text = self.text("--flow-model", self.flow_model, self.capture(packets))
        at = text.index("  targets  ")
        listed = text[at:text.index("  known at packet", at)].splitlines()
        self.assertGreater(len(listed), 2)
        for line in listed:
            self.assertLessEqual(len(line), 100)
            self.assertEqual(line.index("2001:"), 21)
        self.assertTrue(listed[-1].endswith("and 2 more"))


class TestContext(DetectTestCase):
    def attack_share(self, model, capture, *arguments):
        summary, _ = self.classify("--flow-model", model, *arguments, capture)
        return summary["flows"]["by_class"]["attack"] / summary["flows"]["total"]

    def test_workers_find_the_same_share_of_attacks(self):
        capture = self.capture(scan(n=3000, gap=0.005), flood(n=5000, gap=0.003), browsing(n=60, gap=0.2),
                               [packet for i in range(20)
                                for packet in browsing(n=30, gap=0.5, client=f"10.0.1.{i + 1}")])
        model = self.model({"initiator_ports": 0.1, "initiator_flows_10s": 0.02, "responder_initiators": 0.05,
                            "responder_flows_10s": 0.002}, -5.0)
        alone = self.attack_share(model, capture)
        self.assertTrue(0.8 < alone < 0.98, alone)
        for n_workers in (2, 4):
            self.assertAlmostEqual(self.attack_share(model, capture, "--workers", n_workers), alone, delta=0.01)

    def test_the_same_run_twice_says_the_same_whatever_the_burst(self):
        model = self.model({"initiator_ports": 0.3, "pair_flows_60s": 0.2, "responder_unanswered": 1.0}, -2.0)
        capture = self.capture(scan(), flood(n=300), browsing())
        said = set()
        for burst in (32, 32, 1, 7, 64):
            _, records = self.classify("--flow-model", model, "--burst", burst, "--hash-seed", 1, capture)
            said.add(json.dumps(sorted((record["flow_id"], record["slice"], record["logit"], record["class"],
                                        record["verdict_packet"]) for record in records)))
        self.assertEqual(len(said), 1)

    def test_ends_by_timeout_say_the_same_in_each_run(self):
        """What is read at them depends on when they are told, and that on the bursts alone."""
        model = self.model({"initiator_ports": 0.3, "initiator_flows_60s": 0.2}, -2.0, checkpoints="end")
        capture = self.capture(scan(), browsing(START + 30, n=200, gap=0.6), flood(START + 50, n=300))
        said = set()
        for _ in range(3):
            summary, records = self.classify("--flow-model", model, "--idle-timeout", 5, "--hash-seed", 1, capture)
            self.assertGreater(summary["flows"]["by_reason"]["idle"], 100)
            said.add(json.dumps(sorted((record["flow_id"], record["logit"]) for record in records)))
        self.assertEqual(len(said), 1)

    def test_flows_of_one_direction_are_judged_with_a_warning(self):
        model = self.model({"fwd_packets": 1.0}, 0.0)
        capture = self.capture(browsing(n=3))
        for model, warned in ((model, True), ("none", False)):
            result = run("classify", "--quiet", "--packet-model", "none", "--direction", "one", "--flow-model", model,
                         capture)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual("no flow has replies" in result.stderr, warned, result.stderr)

    def test_the_seed_of_the_hashes_changes_verdicts_by_little(self):
        model = self.model({"initiator_responders": 1.0, "responder_initiators": 1.0}, 0.0, checkpoints="end")
        capture = self.capture(scan(), flood(n=60), browsing())
        said = []
        for seed in (("--hash-seed", 1), ("--hash-seed", 2), ()):
            _, records = self.classify("--flow-model", model, *seed, capture)
            said.append({record["flow_id"]: record["logit"] for record in records})
        self.assertNotEqual(said[0], said[1])
        for other in said[1:]:
            self.assertEqual(set(other), set(said[0]))
            for flow, logit in other.items():
                self.assertAlmostEqual(logit, said[0][flow], delta=0.5 * said[0][flow])

    def test_the_context_is_forgotten_where_the_clock_breaks(self):
        """Two captures joined, the second one of an earlier day: its first flow is the host's first one again."""
        model = self.model({"initiator_flows_60s": 1.0}, 0.0, checkpoints="1")
        packets = scan(n=100, answers=False) + scan(START - 86400, n=3, answers=False)
        _, records = self.classify("--flow-model", model, write_timed_pcap(self.folder / "joined.pcap", packets))
        logits = [record["logit"] for record in sorted(records, key=lambda record: record["start"])]
        self.assertEqual(len(logits), 103)
        self.assertAlmostEqual(logits[0], 1, places=5)
        self.assertAlmostEqual(logits[3], 1, places=5)
        self.assertGreater(logits[-1], 90)

    def test_the_context_of_one_capture_is_not_that_of_the_next(self):
        model = self.model({"initiator_flows_60s": 1.0}, 0.0, checkpoints="1")
        first, second = (self.capture(scan(start, 50), name=name)
                         for start, name in ((START, "first.pcap"), (START + 1, "second.pcap")))
        _, records = self.classify("--flow-model", model, first, second)
        lowest = {name: min(record["logit"] for record in records if record["capture"] == str(name))
                  for name in (first, second)}
        for logit in lowest.values():
            self.assertAlmostEqual(logit, 1, places=5)


class TestModels(DetectTestCase):
    def test_models_that_cannot_score_flows_are_refused_in_a_line(self):
        capture = self.capture(scan(n=3))
        weights = {"fwd_packets": 1.0, "duration": 1.0}
        cases = [
            (self.model(weights, 0, "packet.onnx", task="packet"), "is a packet model"),
            (self.model(weights, 0, "unknown.onnx", features="fwd_packets,speed"), "no feature or preset 'speed'"),
            (self.model(weights, 0, "preset.onnx", features="fwd_packets,stream"), "preset"),
            (self.model(weights, 0, "schema.onnx", schema="0123456789abcdef"), "another version"),
            (self.model(weights, 0, "names.onnx", features="fwd_packets"), ""),
            *((self.model(weights, 0, f"at{threshold}.onnx", threshold=threshold), f"has the threshold {said}")
              for threshold, said in (("0", "0, which all"), ("1", "1, which no"), ("1e-60", "0, which all"),
                                      ("0.99999999", "1, which no"))),
            (self.folder / "none.onnx", "No such file"),
            (capture, ""),
        ]
        for model, message in cases:
            with self.subTest(model.name):
                self.assert_complains(run("classify", "--quiet", "--flow-model", model, capture), 1, str(model), message)

    def test_a_flow_model_is_no_packet_model(self):
        model = self.model({"fwd_packets": 1.0}, 0)
        self.assert_complains(run("classify", "--quiet", "--packet-model", model, self.capture(scan(n=3))), 1, str(model))

    def test_the_schema_of_the_features_is_taken(self):
        features = json.loads(run("features", "--json", "fwd_packets", "duration").stdout)
        model = self.model({"fwd_packets": 1.0, "duration": 1.0}, 0, schema=features["schema"])
        summary, _ = self.classify("--flow-model", model, self.capture(scan(n=3)))
        self.assertEqual(summary["flows"]["by_class"], {"benign": 0, "attack": 3})

    def test_models_need_flows(self):
        result = run("classify", "--flows", "0", "--flow-model", self.model({"duration": 1.0}, 0), self.folder / "x")
        self.assert_complains(result, 2, "--flow-model needs flows")


class TestCapturesAsData(DetectTestCase):
    """CAPTURE=LABEL, and rules beside a capture, for train, eval and lint alike."""

    def setUp(self):
        super().setUp()
        self.benign = self.capture(browsing(n=300, gap=0.1), *(browsing(n=50, client=f"10.0.2.{i}")
                                                               for i in range(1, 6)), name="benign.pcap")
        self.attack = self.capture(flood(), scan(), name="attack.pcap")
        self.rules = self.folder / "mixed.tsv"
        self.mixed = self.capture(flood(n=300, seed=2), scan(n=100), browsing(n=200, gap=0.2), name="mixed.pcap")
        self.rules.write_text("dst\tdst_port\tsrc\tclass\tlabel\n"
                              "10.1.0.2\t80\t*\tattack\tflood-syn\n"
                              f"*\t*\t{SCANNER}\tattack\tscan-port\n"
                              "*\t*\t*\tbenign\tbenign\n")

    def lint(self, *arguments):
        result = run("lint", "--json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def train(self, *arguments):
        model = self.folder / "trained.onnx"
        result = run("train", "flows", "--epochs", 30, "--lr", 0.01, "-o", model, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return model

    def test_what_was_trained_on_captures_classifies_captures(self):
        model = self.train("--split", "host", f"{self.benign}=benign", f"{self.attack}=flood-syn")
        summary, records = self.classify("--flow-model", model, self.mixed)
        self.assertEqual(summary["models"]["flow"]["file"], str(model))
        right = [(record["class"] == "attack") == (record["dst"] != "10.2.0.1") for record in records]
        self.assertEqual(len(right), 600)
        self.assertGreater(sum(right) / len(right), 0.97)
        result = run("eval", "--json", model, self.mixed)
        self.assertEqual(result.returncode, 0, result.stderr)
        judged = json.loads(result.stdout)
        self.assertEqual(judged["data"]["captures"]["rows_read"], judged["data"]["captures"]["rows_used"])

    def test_eval_and_classify_say_the_same(self):
        """The counts of a confusion matrix, by the records' classes and the rules."""
        model = self.model({"initiator_ports": 0.05, "responder_initiators": 0.05}, -1.2)
        _, records = self.classify("--flow-model", model, self.mixed)
        counted = Counter((record["dst"] != "10.2.0.1", record["class"] == "attack") for record in records)
        text = run("eval", model, self.mixed).stdout
        benign, attack = (next(line.split()[1:] for line in text.splitlines() if line.split()[:1] == [name])
                          for name in ("benign", "attack"))
        self.assertEqual([int(n) for n in benign[:2]], [counted[False, False], counted[False, True]])
        self.assertEqual([int(n) for n in attack[:2]], [counted[True, False], counted[True, True]])

    def test_lint_finds_in_captures_what_it_finds_in_their_tables(self):
        table = self.folder / "mixed.csv"
        result = run("extract", "--quiet", "--features", "attack", "--checkpoints", "1,2,4,8,16,end", "--labels",
                     self.rules, "-o", table, self.mixed)
        self.assertEqual(result.returncode, 0, result.stderr)
        of_table, of_capture = self.lint(table), self.lint(self.mixed)
        self.assertEqual(of_capture["tables"]["captures"]["rows_used"], of_table["tables"]["rows_used"])
        for key in ("features", "classes", "labels"):
            self.assertEqual(of_capture[key], of_table[key])
        for kind, found in of_table["rows"].items():
            self.assertEqual(of_capture["rows"][kind]["rows"], found["rows"], kind)
            if found["rows"]:
                self.assertEqual(of_capture["rows"][kind]["path"], str(self.mixed))
                self.assertEqual(of_capture["rows"][kind]["line"], found["line"] - 1, "a table has a header")
        for key in ("constant_columns", "leaking_columns", "nearly_leaking_columns"):
            self.assertEqual([one["column"] for one in of_capture[key]], [one["column"] for one in of_table[key]])

    def test_lint_looks_at_rows_where_it_is_told(self):
        for checkpoints, n in (("end", 600), ("1,end", 1200), ("4", 200)):
            found = self.lint("--checkpoints", checkpoints, self.mixed)
            self.assertEqual(found["tables"]["captures"]["rows_read"], n)

    def test_packets_left_over_after_fin_are_found_in_captures(self):
        late = [(START + 3, ethernet(ipv4("10.0.0.1", "10.0.0.2", 6, tcp(40000, 80, "A"))))]
        capture = self.capture(conversation(), late, name="late.pcap")
        found = self.lint("--columns", "packets,duration", "--checkpoints", "end", f"{capture}=benign")
        self.assertEqual(found["tables"]["captures"]["rows_used"], 2)
        self.assertEqual(found["rows"]["left_over_after_fin"]["rows"], 1)

    def test_captures_and_tables_go_together(self):
        table = self.folder / "attack.csv"
        result = run("extract", "--quiet", "--features", "attack", "--label", "flood-syn", "-o", table, self.attack)
        self.assertEqual(result.returncode, 0, result.stderr)
        found = self.lint(f"{self.benign}=benign", table, self.mixed)
        tables = found["tables"]
        self.assertEqual(tables["rows_used"], 1200 + tables["captures"]["rows_used"])
        self.assertEqual(found["sources"], 3)
        self.assertEqual(sum(found["classes"].values()), tables["rows_used"])
        self.assertEqual({one["label"] for one in found["labels"]}, {"benign", "flood-syn", "scan-port"})
        self.train("--split", "random", f"{self.benign}=benign", table, self.mixed)

    def test_every_row_is_used_or_refused(self):
        self.rules.write_text("dst\tlabel\n10.1.0.2\tflood-syn\n10.1.0.1\tscan-port\n")  # none for benign flows
        found = self.lint("--checkpoints", "end", "--ignore-label", "scan-*", self.mixed)
        captures = found["tables"]["captures"]
        self.assertEqual([captures[key] for key in ("rows_read", "rows_used", "rows_of_ignored_labels",
                                                    "rows_without_label")], [600, 300, 100, 200])
        self.assertIn("refused   200 rows: no rule gives the flow a label\n",
                      run("lint", "--checkpoints", "end", self.mixed).stdout)
        self.assertEqual(run("lint", "--strict", "--checkpoints", "end", self.mixed).returncode, 1)
        model = self.model({"initiator_ports": 0.1}, -1.0, checkpoints="end")
        data = json.loads(run("eval", "--json", model, self.mixed).stdout)["data"]
        for judged in (data, data["captures"]):
            self.assertEqual([judged[key] for key in ("rows_read", "rows_used")], [600, 400])
        self.assertEqual((data["rows_refused"], data["captures"]["rows_without_label"]), (200, 200))
        self.assertEqual(data["refused"], [{"reason": "no rule gives the flow a label", "rows": 200}])
        found = self.lint("--checkpoints", "end", "--label", "benign", self.mixed)
        self.assertEqual(found["classes"], {"benign": 200, "other": 400})

    def test_no_more_rows_than_asked_for_are_taken(self):
        found = self.lint("--max-rows", 100, self.mixed)
        self.assertEqual(found["tables"]["captures"]["rows_used"], 100)
        self.assertTrue(found["tables"]["captures"]["is_cut"])

    def test_columns_that_say_where_are_refused_unless_forced(self):
        named = ("--columns", "packets,duration,fwd_ttl", f"{self.benign}=benign", f"{self.attack}=flood-syn")
        self.assert_complains(run("lint", *named), 1, "'fwd_ttl' is none (TTL)", "--force")
        model = self.folder / "refused.onnx"
        self.assert_complains(run("train", "flows", "-o", model, *named), 1, "'fwd_ttl' is none (TTL)")
        self.assertEqual(self.lint("--drop", "fwd_ttl", *named)["features"], 2)
        self.assertEqual(self.lint("--force", "fwd_ttl", *named)["features"], 3)
        model = self.train("--split", "random", "--force", "fwd_ttl", *named)
        self.assertEqual(json.loads(run("model", "show", "--json", model).stdout)["training"]["forced"], "fwd_ttl")

    def test_captures_without_labels_are_refused_in_a_line(self):
        model = self.model({"initiator_ports": 0.1}, -1.0)
        for command in (("lint",), ("train", "flows", "-o", self.folder / "x.onnx"), ("eval", model)):
            with self.subTest(command[0]):
                self.assert_complains(run(*command, self.benign), 1, f"{self.benign}: has no labels: there is no",
                                      "benign.tsv", f"{self.benign}=LABEL")

    def test_captures_that_cannot_be_read_are_named(self):
        self.rules.write_text("dst\tlabel\n10.1.0.300\tx\n")
        self.assert_complains(run("lint", self.mixed), 1, "mixed.tsv:2")
        cut = self.folder / "cut.pcap"
        cut.write_bytes(self.benign.read_bytes()[:30])
        self.assertEqual(run("lint", f"{cut}=benign").returncode, 1)
        result = run("lint", "--flows", "0", f"{self.benign}=benign")
        self.assertEqual(result.returncode, 2)

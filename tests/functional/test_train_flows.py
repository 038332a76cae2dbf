# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore train flows`: what it learns from tables, writes, says and refuses."""
import json
import os
import pty
import random
import signal
import subprocess
import unittest

from captures import DATA, TestCase, WIRESCORE, ethernet, ipv4, run, tcp, write_timed_pcap

COLUMNS = "flow_id,src,dst,src_port,dst_port,protocol,vlan,start,end,slice,checkpoint,reason,label"


def rows_mixed(n, seed=1, labels=("benign", "scan-port"), first_s=0, overlap=0.0):
    """Rows of flows, labels in turn: column `bytes` tells them apart but for the share overlap, `noise` does not."""
    source = random.Random(seed)
    for i in range(n):
        kind = i % len(labels)
        shown = kind if source.random() >= overlap else source.randrange(len(labels))
        start = 1600000000 + first_s + i
        yield [
            *(f"f{seed}-{i}", f"10.0.0.{i % 40}", "10.1.0.1", 1024 + i, 80, 6, "", start, start + 0.5, 0, 0, "idle"),
            labels[kind],
            f"{source.uniform(1, 9) * 30 ** shown:.4f}",
            f"{source.random():.4f}",
        ]


def write_table(path, rows, header=COLUMNS + ",bytes,noise"):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


class TrainFlows(TestCase):
    def setUp(self):
        super().setUp()
        self.table = write_table(self.folder / "mixed.csv", rows_mixed(2000))
        self.model = self.folder / "model.onnx"

    def train(self, *arguments, **options):
        return run("train", "flows", "-o", self.model, *arguments, **options)

    def train_well(self, *arguments):
        result = self.train(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def shown(self):
        shown = run("model", "show", "--json", self.model)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return json.loads(shown.stdout)

    def facts(self):
        return self.shown()["training"]

    def assert_refused(self, result, code, *words):
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)
        self.assertNotIn("Sanitizer", result.stderr)
        self.assertFalse(self.model.exists())

    # What is learnt

    def test_what_can_be_told_apart_is_told_apart(self):
        result = self.train_well(self.table)
        self.assertIn("2-32-16-1", result.stdout)
        self.assertEqual(result.stderr.count("epoch "), 20)
        self.assertIn("1600 rows of 2 features to learn from, 400 held out", result.stderr)
        model = self.shown()
        self.assertEqual((model["task"], model["classes"]), ("flow", ["benign", "attack"]))
        self.assertEqual(model["features"], ["bytes", "noise"])
        self.assertEqual(model["threshold"], 0.5)
        facts = model["training"]
        self.assertGreater(float(facts["validation_accuracy"]), 0.98)
        self.assertGreater(float(facts["threshold_recall"]), 0.98)
        self.assertLess(float(facts["threshold_fpr"]), 0.02)
        self.assertNotIn(str(self.folder), json.dumps(facts))

    def test_the_same_seed_gives_the_same_file(self):
        files = []
        for seed in (42, 42, 43):
            self.train_well("--seed", seed, "--dropout", 0.2, "--max-per-source", 1000, "--epochs", 3, self.table)
            files.append(self.model.read_bytes())
        self.assertEqual(files[0], files[1])
        self.assertNotEqual(files[0], files[2])

    def test_every_option_is_heeded_and_recorded(self):
        result = self.train_well(
            *("--hidden", "8,4,3", "--activation", "tanh", "--output-layer", "softmax", "--optimizer", "rmsprop"),
            *("--lr", 0.01, "--lr-final", 0.001, "--epochs", 7, "--batch", 50, "--seed", 7, "--weight-decay", 0.1),
            *("--dropout", 0.1, "--validation", 0.4, "--split", "host", "--class-weight", "balanced"),
            *("--source-weight", 500, "--max-per-source", 1500, "--log", "noise", "--clip", 3),
            *("--threshold", "fpr:0.05", self.table),
        )
        self.assertIn("2-8-4-3-2", result.stdout)
        self.assertIn("500 rows left out by --max-per-source", result.stderr)
        facts = self.facts()
        for name, value in {
            **{"data": "mixed.csv", "rows_read": "2000", "rows_refused": "0", "rows_left_out": "500", "split": "host"},
            **{"validation": "0.4", "optimizer": "rmsprop", "lr": "0.01", "lr_final": "0.001", "batch": "50"},
            **{"seed": "7", "weight_decay": "0.1", "dropout": "0.1", "class_weight": "balanced"},
            **{"source_weight": "500", "epochs": "7", "epoch_kept": "7", "log_columns": "noise", "clip": "3"},
            **{"threshold_rule": "fpr:0.05", "max_per_source": "1500"},
        }.items():
            self.assertEqual(facts[name], value, name)
        self.assertEqual(int(facts["rows"]) + int(facts["rows_validation"]), 1500)
        self.assertEqual(set(facts["labels"].split(",")), {"benign", "scan-port"})

    def test_many_classes_are_groups_or_labels(self):
        labels = ("benign", "flood-syn", "flood-udp", "scan-port")
        table = write_table(self.folder / "many.csv", rows_mixed(2000, labels=labels))
        for how, classes in (("group", ["benign", "flood", "scan"]), ("label", list(labels))):
            self.train_well("--classes", how, "--epochs", 60, "--lr", 0.01, table)
            model = self.shown()
            self.assertEqual(model["classes"], classes)
            self.assertGreater(float(model["training"]["validation_accuracy"]), 0.95)
            self.assertGreater(float(model["training"]["threshold_recall"]), 0.95)

    def test_kinds_of_applications_need_no_benign_class(self):
        table = write_table(self.folder / "apps.csv", rows_mixed(900, labels=("web", "dns", "voip")))
        result = self.train_well("--classes", "label", "--epochs", 60, "--lr", 0.01, table)
        self.assertNotIn("threshold", result.stdout)
        model = self.shown()
        self.assertEqual(model["classes"], ["dns", "voip", "web"])
        self.assertGreater(float(model["training"]["validation_accuracy"]), 0.95)
        self.model.unlink()
        result = self.train("--classes", "label", "--threshold", "fpr:0.1", table)
        self.assert_refused(result, 1, "needs benign flows", "--benign")

    def test_rows_of_other_tables_are_flows_of_their_own(self):
        rows = [row[1:6] + row[12:] for row in rows_mixed(400)]
        for row in rows:
            row[0], row[2] = "10.0.0.1", 80  # all between the same ends
        table = write_table(self.folder / "foreign.csv", rows, "src,dst,src_port,dst_port,protocol,label,bytes,noise")
        held_out = [row[:5] + row[5:6] + row[6:] for row in rows[:100]]
        other = write_table(self.folder / "other.csv", held_out, "src,dst,src_port,dst_port,protocol,label,bytes,noise")
        self.train_well("--epochs", 1, "--held-out", other, table)
        self.assertEqual(self.facts()["flows_validation"], "50,50")

    def test_checkpoints_of_the_rows_are_the_models(self):
        rows = [row[:10] + [packets] + row[11:] for row in rows_mixed(400) for packets in (1, 4, 0)]
        self.train_well("--epochs", 2, write_table(self.folder / "checkpoints.csv", rows))
        shown = run("model", "show", self.model).stdout
        self.assertRegex(shown, r"checkpoints +packet 1, 4, end")
        # A flow counts once, whatever its rows.
        benign, attacks = map(int, self.facts()["flows_validation"].split(","))
        self.assertLess(benign + attacks, 100)

    def test_columns_over_decades_are_seen_by_logarithm(self):
        self.train_well("--epochs", 1, self.table)
        self.assertEqual(self.facts()["log_columns"], "bytes")
        self.train_well("--epochs", 1, "--log", "none", self.table)
        self.assertNotIn("log_columns", self.facts())
        self.train_well("--epochs", 1, "--log", "all", self.table)
        self.assertEqual(self.facts()["log_columns"], "bytes,noise")

    def test_the_training_rows_deciles_are_kept_for_later(self):
        self.train_well("--epochs", 1, "--validation", 0, self.table)
        column = self.facts()["quantiles_0"].split(";")[1]
        edges, shares = zip(*(map(float, part.split("@")) for part in column.split()))
        for i in range(9):
            self.assertAlmostEqual(edges[i], (i + 1) / 10, delta=0.05)
            self.assertAlmostEqual(shares[i], (i + 1) / 10, delta=0.001)

    def test_features_of_wirescore_carry_their_schema(self):
        table = write_table(self.folder / "own.csv", rows_mixed(400), header=COLUMNS + ",bytes,duration")
        result = self.train_well("--epochs", 1, table)
        self.assertNotIn("not packets", result.stderr)
        self.assertTrue(self.shown()["schema"])
        result = self.train_well("--epochs", 1, self.table)
        self.assertIn("judges tables, not packets", result.stderr)
        self.assertFalse(self.shown().get("schema"))

    def test_the_rows_of_extract_are_trained_on_as_they_are(self):
        def conversation(start, port, replies):
            there = ("10.0.0.1", "10.0.0.2", port, 80)
            yield start, ethernet(ipv4(there[0], there[1], 6, tcp(port, 80, "S")))
            for i in range(replies):
                yield start + 0.1 * i + 0.05, ethernet(ipv4(there[1], there[0], 6, tcp(80, port, "A", b"x" * 500)))

        tables = []
        for label, replies in (("benign", 3), ("flood-syn", 0)):
            packets = [p for i in range(60) for p in conversation(i, 2000 + i, replies)]
            capture = write_timed_pcap(self.folder / f"{label}.pcap", sorted(packets))
            table = self.folder / f"{label}.csv"
            features = "bwd_packets,bwd_bytes,duration,syn_packets"
            result = run("extract", "--features", features, "--label", label, "-o", table, capture)
            self.assertEqual(result.returncode, 0, result.stderr)
            tables.append(table)
        # Each class is in one file only.
        self.assert_refused(self.train(*tables), 1, "both sides")
        self.train_well("--split", "time", "--epochs", 50, *tables)
        model = self.shown()
        self.assertEqual(model["features"], ["bwd_packets", "bwd_bytes", "duration", "syn_packets"])
        self.assertEqual(model["training"]["validation_accuracy"], "1.000000")
        self.assertTrue(model["schema"])

    # Thresholds

    def test_the_threshold_keeps_to_its_rule(self):
        table = write_table(self.folder / "hard.csv", rows_mixed(6000, overlap=0.3))
        recalls = []
        for share in (0.01, 0.05, 0.3):
            self.train_well("--threshold", f"fpr:{share}", "--validation", 0.5, table)
            facts = self.facts()
            self.assertLessEqual(float(facts["threshold_fpr"]), share)
            recalls.append(float(facts["threshold_recall"]))
        self.assertEqual(recalls, sorted(recalls))
        self.assertGreater(recalls[2], 0.5)
        self.train_well("--threshold", "f1", table)
        self.assertGreater(float(self.facts()["threshold_recall"]), 0.5)
        # Log-odds of 0.9 are taken off the output.
        self.train_well("--threshold", "0.9", table)
        self.assertAlmostEqual(float(self.facts()["threshold_shift"]), 2.19722, places=4)

    def test_too_few_benign_flows_for_a_share_are_told(self):
        result = self.train_well("--threshold", "fpr:0.001", self.table)
        self.assertIn("too few to tell a share of 0.001", result.stderr)
        self.assertEqual(self.facts()["threshold_fpr"], "0")

    # Epochs

    def test_stopping_early_keeps_the_best_epoch(self):
        table = write_table(self.folder / "hard.csv", rows_mixed(600, overlap=0.5))
        result = self.train_well("--early-stop", 3, "--epochs", 1000, "--lr", 0.05, "--hidden", "64", table)
        facts = self.facts()
        self.assertIn(f"epoch {facts['epoch_kept']} was the best", result.stderr)
        self.assertEqual(int(facts["epochs"]), int(facts["epoch_kept"]) + 3)
        self.assertEqual(facts["epochs_planned"], "1000")

    def test_rows_of_rare_classes_and_short_captures_can_count_more(self):
        rows = list(rows_mixed(3000, overlap=0.4))
        table = write_table(self.folder / "rare.csv", [r for i, r in enumerate(rows) if i % 2 == 0 or i % 20 == 1])
        recalls = []
        for weight in ("none", "balanced"):
            self.train_well("--class-weight", weight, "--split", "random", table)
            recalls.append(float(self.facts()["threshold_recall"]))
        self.assertGreater(recalls[1], recalls[0])

    def test_few_rows_and_a_large_batch_are_told(self):
        result = self.train_well("--batch", 5000, "--epochs", 1, self.table)
        self.assertIn("fewer rows than a batch of 5000", result.stderr)

    # Splits

    def test_splits_are_by_capture_where_there_are_several_and_else_by_time(self):
        self.train_well("--epochs", 1, self.table)
        self.assertEqual(self.facts()["split"], "time")
        others = [write_table(self.folder / f"t{i}.csv", rows_mixed(300, seed=i + 2)) for i in range(4)]
        self.train_well("--epochs", 1, *others)
        facts = self.facts()
        self.assertEqual(facts["split"], "capture")
        self.assertRegex(facts["held_out"], r"^t\d\.csv$")
        self.assertEqual(int(facts["rows_validation"]) % 300, 0)
        self.train_well("--epochs", 1, "--split", "random", *others)
        self.assertEqual(self.facts()["split"], "random")

    def test_data_of_one_name_in_several_folders_are_several_sources(self):
        tables, captures = [], []
        for i, folder in enumerate(("left", "right")):
            (self.folder / folder).mkdir()
            tables.append(write_table(self.folder / folder / "x.csv", rows_mixed(300, seed=i + 2)))
            captures.append(self.conversations(f"{folder}/x", first_s=1e9 + 100000 * i))
        rows = self.folder / "rows.csv"
        labels = self.folder / "labels.tsv"
        rules = [capture.with_suffix(".tsv").read_text().splitlines() for capture in captures]
        labels.write_text("\n".join(rules[0][:-1] + rules[1][1:]) + "\n")
        result = run("extract", "-q", "--features", "packets,bytes", "--labels", labels, "-o", rows, *captures)
        self.assertEqual(result.returncode, 0, result.stderr)
        for data, name in ((tables, "x.csv"), (captures, "x.pcap"), ([rows], "x.pcap")):
            with self.subTest(data=data):
                self.train_well("--epochs", 1, "--split", "capture", *data)
                self.assertEqual(self.facts()["split"], "capture")
                self.assertIn(self.facts()["held_out"], ("left/" + name, "right/" + name, name))
                linted = json.loads(run("lint", "--json", *data).stdout)
                self.assertEqual(linted["sources"], 2)
                judged = json.loads(run("eval", "--json", self.model, *data).stdout)
                self.assertEqual(len(judged["sources"]), 2)

    def test_one_file_without_times_says_how_to_choose(self):
        rows = ([row[12], row[13], row[14]] for row in rows_mixed(300))
        table = write_table(self.folder / "bare.csv", rows, header="label,bytes,noise")
        self.assert_refused(self.train(table), 1, "--split random", "--split host")
        self.train_well("--split", "random", "--epochs", 1, table)

    def test_files_are_held_out(self):
        others = [write_table(self.folder / f"{i}.csv", rows_mixed(300, i, first_s=1000 * i)) for i in (2, 3)]
        options = [option for other in others for option in ("--held-out", other)]
        result = self.train_well("--epochs", 30, "--threshold", "fpr:0.01", *options, self.table)
        self.assertIn("2000 rows of 2 features to learn from, 600 held out\n", result.stderr)
        facts = self.facts()
        self.assertEqual((facts["rows"], facts["rows_validation"], facts["split"]), ("2000", "600", "files"))
        self.assertEqual((facts["held_out"], facts["flows_validation"]), ("2.csv,3.csv", "300,300"))
        self.assertEqual((facts["held_out_data"], facts["held_out_rows_read"]), ("2.csv,3.csv", "600"))
        self.assertEqual(facts["held_out_rows_refused"], "0")
        self.assertLessEqual(float(facts["threshold_fpr"]), 0.01)
        self.assertGreater(float(facts["threshold_recall"]), 0.98)

    def test_limits_of_sources_are_not_for_held_out_files(self):
        other = write_table(self.folder / "other.csv", rows_mixed(300, 2))
        self.train_well("--epochs", 1, "--max-per-source", 100, "--held-out", other, self.table)
        self.assertEqual((self.facts()["rows"], self.facts()["rows_validation"]), ("100", "300"))

    def test_files_that_cannot_be_held_out_are_refused(self):
        attacks = write_table(self.folder / "attacks.csv", rows_mixed(100, 2, labels=("scan-port",)))
        self.assert_refused(self.train("--held-out", self.table, self.table), 1, "is read already")
        self.assert_refused(self.train("--held-out", attacks, self.table), 1, "--held-out", "benign")
        self.assert_refused(self.train("--held-out", "none.csv", self.table), 1, "none.csv")
        self.assert_refused(
            self.train("--held-out", attacks, "--split", "host", self.table), 2, "--held-out", "--split"
        )

    def conversations(self, name, addresses=20, first_s=1e9):
        """A capture of 200 connections from some addresses, every other one of an attack, with its rules."""
        packets = []
        for i in range(200):
            ends = (f"10.0.0.{i % addresses}", "10.0.1.1")
            packets.append((first_s + i, ethernet(ipv4(*ends, 6, tcp(2000 + i, 80, "S")))))
            if i // addresses % 2:
                packets.append((first_s + i + 0.1, ethernet(ipv4(*ends[::-1], 6, tcp(80, 2000 + i, "SA")))))
        capture = write_timed_pcap(self.folder / f"{name}.pcap", sorted(packets))
        rules = "label\tsrc\tstart\tend\n" + "".join(
            f"{'benign' if i // addresses % 2 else 'flood-syn'}\t10.0.0.{i % addresses}\t{first_s + i - 0.5}\t"
            f"{first_s + i + 0.4}\n" for i in range(200)) + "benign\t\t\t\n"
        (self.folder / f"{name}.tsv").write_text(rules)
        return capture

    def test_an_address_is_on_one_side_of_a_split_by_host_in_whatever_captures(self):
        captures = [self.conversations(f"day{i}", first_s=1e9 + 100000 * i) for i in range(2)]
        result = self.train_well("--epochs", 1, "--split", "host", "--validation", 0.225, *captures)
        self.assertIn("held out by host", result.stderr)
        # Each of 20 addresses has 15 benign rows and 10 others in each capture.
        facts = self.facts()
        benign, attack = map(int, facts["rows_validation_by_class"].split(","))
        self.assertGreater(benign, 0)
        self.assertEqual((benign % 30, attack % 20), (0, 0))
        self.assertEqual(facts["split"], "host")

    def test_a_flow_in_two_files_is_never_on_both_sides(self):
        capture = self.conversations("one")
        copy = self.folder / "copy.pcap"
        copy.write_bytes(capture.read_bytes())
        (self.folder / "copy.tsv").write_bytes((self.folder / "one.tsv").read_bytes())
        rows = self.folder / "rows.csv"
        result = run("extract", "-q", "--features", "attack", "--labels", self.folder / "one.tsv", "-o", rows, capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        words = ("a flow that begins at", "both sides")
        self.assert_refused(self.train("--split", "capture", capture, copy), 1, "--split capture", *words)
        self.assert_refused(self.train("--held-out", copy, capture), 1, "--held-out", *words)
        self.assert_refused(self.train("--held-out", capture, rows), 1, "--held-out", *words)
        # The same addresses and ports at another time are other flows.
        later = self.conversations("later", first_s=2e9)
        self.train_well("--epochs", 1, "--held-out", later, capture)

    def test_a_flow_in_two_foreign_tables_is_never_on_both_sides(self):
        def table(name, first_s):
            rows = ([f"10.0.0.{i % 9}", "10.1.0.1", 1024 + i, 80, 6, first_s + i, i % 2 * 100, "x" * (i % 2) or 0]
                    for i in range(200))
            return write_table(self.folder / name, rows, "srcip,dstip,sport,dsport,proto,stime,bytes,label")
        tables = [table(name, first_s) for name, first_s in (("a.csv", 1e9), ("b.csv", 1e9), ("c.csv", 2e9))]
        self.assert_refused(self.train("--held-out", *tables[:2]), 1, "--held-out", "both sides", "a.csv", "b.csv")
        self.train_well("--epochs", 1, "--held-out", tables[0], tables[2])

    def test_a_file_is_read_once(self):
        link = self.folder / "link.csv"
        link.symlink_to(self.table)
        self.assert_refused(self.train(self.table, link), 1, "is read already, as ", "mixed.csv")
        self.assert_refused(self.train("--held-out", link, self.table), 1, "is read already")
        capture = self.conversations("one")
        self.assert_refused(self.train(f"{capture}=benign", f"{capture}=flood-syn"), 1, "is read already")

    def test_captures_cannot_split_one_file(self):
        self.assert_refused(self.train("--split", "capture", self.table), 1, "--split", "mixed.csv")

    def test_nothing_need_be_held_out(self):
        self.train_well("--validation", 0, "--epochs", 2, self.table)
        facts = self.facts()
        self.assertEqual((facts["rows"], facts["rows_validation"]), ("2000", "0"))
        self.assertNotIn("split", facts)
        self.model.unlink()
        for option in (("--early-stop", 3), ("--threshold", "f1")):
            self.assert_refused(self.train("--validation", 0, *option, self.table), 2, option[0], "--validation 0")

    # Columns

    def test_columns_that_say_who_and_when_are_no_features_unless_forced(self):
        self.train_well("--epochs", 1, self.table)
        self.assertEqual(self.shown()["features"], ["bytes", "noise"])
        self.assertNotIn("forced", self.facts())
        self.train_well("--epochs", 1, "--force", "dst_port", self.table)
        self.assertIn("dst_port", self.shown()["features"])
        self.assertEqual(self.facts()["forced"], "dst_port")

    def test_rows_that_cannot_be_used_are_counted(self):
        rows = list(rows_mixed(1000))
        rows[10][13], rows[20][13], rows[30][13], rows[40] = "many", "nan", "", rows[40][:5]
        result = self.train_well("--epochs", 1, write_table(self.folder / "dirty.csv", rows))
        self.assertIn("1000", result.stderr)
        facts = self.facts()
        self.assertEqual((facts["rows_read"], facts["rows_refused"]), ("1000", "4"))
        self.assertEqual(int(facts["rows"]) + int(facts["rows_validation"]), 996)
        rows[50][12] = rows[60][12] = "OUTLIER"
        rows[50][13] = "not read"
        dirty = write_table(self.folder / "dirty.csv", rows)
        self.train_well("--epochs", 1, "--max-per-source", 500, "--ignore-label", "outlier", dirty)
        facts = self.facts()
        self.assertEqual((facts["rows_read"], facts["rows_refused"], facts["rows_left_out"]), ("1000", "6", "494"))
        self.assertEqual(int(facts["rows"]) + int(facts["rows_validation"]), 500)
        self.assertEqual(set(facts["labels"].split(",")), {"benign", "scan-port"})
        self.train_well("--epochs", 1, "--max-rows", 300, dirty)
        facts = self.facts()
        self.assertEqual((facts["max_rows"], facts["rows_read"], facts["rows_refused"]), ("300", "305", "5"))

    def test_classes_without_rows_are_no_outputs(self):
        rows = list(rows_mixed(900, labels=("benign", "scan-port", "flood-syn")))
        for row in rows[2::3]:
            row[14] = "nan"
        rows.append(rows[0][:12] + ["beacon"] + rows[0][13:])
        table = write_table(self.folder / "lost.csv", rows)
        result = self.train_well("--epochs", 1, "--classes", "label", "--ignore-label", "Beacon", table)
        self.assertIn("labels    1 of which no row can be used: 'flood-syn'\n", result.stderr)
        self.assertEqual(self.shown()["classes"], ["benign", "scan-port"])
        self.assertEqual(set(self.facts()["labels"].split(",")), {"benign", "scan-port"})
        # One that is held out only has nothing to be learnt from.
        self.model.unlink()
        more = write_table(self.folder / "more.csv", rows_mixed(300, 2, labels=("benign", "scan-port", "slow-http")))
        result = self.train("--classes", "label", "--ignore-label", "beacon", "--held-out", more, table)
        self.assert_refused(result, 1, "no rows to learn from of the class 'slow-http'")

    # What is refused

    def test_one_class_alone_is_refused(self):
        for label in ("benign", "flood-syn"):
            table = write_table(self.folder / "one.csv", rows_mixed(100, labels=(label,)))
            self.assert_refused(self.train(table), 1, "class")
            self.assert_refused(self.train("--validation", 0, table), 1, "all 100 rows are of one class")

    def test_names_that_no_model_can_hold_are_refused_before_the_training(self):
        table = write_table(self.folder / "name.csv", rows_mixed(100), header=COLUMNS + ',"a,b",noise')
        result = self.train("--split", "random", table)
        self.assert_refused(result, 1, "a,b")
        self.assertNotIn("epoch", result.stderr)

    def test_a_table_is_never_overwritten_by_its_model(self):
        before = self.table.read_bytes()
        result = run("train", "flows", "-o", self.table, self.table)
        self.assert_complains(result, 1, "is a file that is read")
        self.assertEqual(self.table.read_bytes(), before)
        capture = self.conversations("one")
        rules, other = self.folder / "one.tsv", write_table(self.folder / "other.csv", rows_mixed(100, 2))
        for output, arguments in (
            (capture, [capture]), (capture, [f"{capture}=flood-syn", self.table]), (rules, [capture, self.table]),
            (other, ["--held-out", other, self.table]), (rules, ["--held-out", capture, self.table]),
        ):
            with self.subTest(output=output, arguments=arguments):
                before = output.read_bytes()
                result = run("train", "flows", "-o", output, *arguments)
                self.assert_complains(result, 1, "is a file that is read")
                self.assertEqual(output.read_bytes(), before)
        result = run("train", "flows", "-o", self.folder / "none" / "x.onnx", self.table)
        self.assert_complains(result, 1, "cannot be written")

    def test_bad_usage_is_told(self):
        for arguments, words in (
            (["--hidden", "0", self.table], "--hidden"),
            (["--activation", "gelu", self.table], "--activation"),
            (["--output-layer", "linear", self.table], "--output-layer"),
            (["--optimizer", "x", self.table], "--optimizer"),
            (["--dropout", 1, self.table], "--dropout"),
            (["--weight-decay", -1, self.table], "--weight-decay"),
            (["--early-stop", 0, self.table], "--early-stop"),
            (["--validation", 1, self.table], "--validation"),
            (["--split", "luck", self.table], "--split"),
            (["--class-weight", "x", self.table], "--class-weight"),
            (["--source-weight", "x", self.table], "--source-weight"),
            (["--source-weight", "0", self.table], "--source-weight"),
            (["--max-per-source", 0, self.table], "--max-per-source"),
            (["--clip", -1, self.table], "--clip"),
            (["--log", "nosuch", self.table], "nosuch"),
            (["--threshold", "fpr:2", self.table], "--threshold"),
            (["--threshold", 1, self.table], "--threshold"),
            (["--epochs"], "--epochs"),
            (["--nonsense", self.table], "--nonsense"),
            ([], "data"),
        ):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.train(*arguments), 2, words)
        self.assert_complains(run("train", "flows", self.table), 2, "-o")
        self.assert_complains(run("train", "worlds"), 2, "train flows")

    def test_bad_data_are_refused_in_one_line(self):
        self.assert_refused(self.train(self.folder / "none.csv"), 1, "none.csv")
        self.assert_refused(self.train(self.folder), 1)
        (self.folder / "empty.csv").write_text("")
        self.assert_refused(self.train(self.folder / "empty.csv"), 1, "empty.csv")
        (self.folder / "header.csv").write_text(COLUMNS + ",bytes\n")
        self.assert_refused(self.train(self.folder / "header.csv"), 1, "no row can be used")
        (self.folder / "words.csv").write_text("a,proto,label\n1,tcp,benign\n2,udp,scan-port\n")
        self.assert_refused(self.train(self.folder / "words.csv"), 1, "no row can be used", "--symbolic 'proto'")
        (self.folder / "hosts.csv").write_text("a,src,label\n1,10.0.0.1,benign\n2,::1,scan-port\n")
        result = self.train("--force", "src", self.folder / "hosts.csv")
        self.assert_refused(result, 1, "no row can be used", "--symbolic 'src' makes a feature of each")

    def test_a_sigmoid_for_many_classes_is_refused(self):
        table = write_table(self.folder / "many.csv", rows_mixed(300, labels=("benign", "a-b", "c-d")))
        self.assert_refused(self.train("--classes", "label", "--output-layer", "sigmoid", table), 1, "use softmax")

    def test_a_loss_that_is_not_finite_writes_nothing(self):
        wild = ("--optimizer", "sgd", "--lr", 1000000, "--activation", "leaky", "--clip", 0, "--log", "none")
        self.assert_refused(self.train(*wild, self.table), 1, "not finite", "lower learning rate")

    def test_an_interrupt_writes_nothing(self):
        command = [WIRESCORE, "train", "flows", "-o", self.model, "--epochs", "1000000", self.table]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while "epoch" not in process.stderr.readline():
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(sorted(os.listdir(self.folder)), ["mixed.csv"])

    def test_a_terminal_gets_a_bar_with_losses(self):
        leader, follower = pty.openpty()
        command = [WIRESCORE, "train", "flows", "-o", self.model, "--epochs", "5", self.table]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=follower, check=True)
        os.close(follower)
        with open(leader, "rb", closefd=True) as terminal:
            shown = b""
            try:
                while part := terminal.read1():
                    shown += part
            except OSError:
                pass  # The other end is closed.
        self.assertIn(b"5/5", shown)
        self.assertRegex(shown, rb"training \[#+ *\] 5/5  loss \d.*validation \d.* s left")
        self.assertNotIn(b"epoch 1/5", shown)

    def test_help_is_text_on_stdout(self):
        result = run("train", "flows", "--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for words in ("Usage: wirescore train flows", "--threshold", "--label-column", "--split"):
            self.assertIn(words, result.stdout)


class PublicTables(TestCase):
    """Real tables, held out by the split that suits them, and judged by the model that was learnt from them."""

    def learn(self, *arguments):
        paths = [argument for argument in arguments if isinstance(argument, os.PathLike)]
        missing = [path.name for path in paths if not path.exists()]
        if missing:
            self.skipTest(f"{', '.join(missing)} not here")
        model = self.folder / "model.onnx"
        result = run("train", "flows", "-o", model, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        judged = run("eval", model, *paths)
        self.assertEqual(judged.returncode, 0, judged.stderr)
        self.assertIn("balanced accuracy", judged.stdout)
        return json.loads(run("model", "show", "--json", model).stdout)["training"]

    def accuracy(self, *arguments):
        facts = self.learn(*arguments)
        return {name: float(facts[name]) for name in ("validation_accuracy", "threshold_fpr", "threshold_recall")}

    def test_nsl_kdd(self):
        got = self.accuracy("--split", "random", DATA / "csv/nslkdd_KDDTrain+_20Percent.txt")
        self.assertGreater(got["validation_accuracy"], 0.985)
        self.assertLess(got["threshold_fpr"], 0.03)

    def test_cicids2017_with_improved_labels(self):
        table = DATA / "csv/cicids2017_improved_sample_share.csv.gz"
        got = self.accuracy("--split", "random", "--threshold", "fpr:0.01", table)
        self.assertGreater(got["validation_accuracy"], 0.98)
        self.assertLessEqual(got["threshold_fpr"], 0.01)
        self.assertGreater(got["threshold_recall"], 0.98)

    def test_luflow(self):
        got = self.accuracy("--split", "time", "--threshold", "fpr:0.01", DATA / "csv/luflow_2020.07.08.csv.zip")
        self.assertGreater(got["validation_accuracy"], 0.93)
        self.assertLessEqual(got["threshold_fpr"], 0.01)
        self.assertGreater(got["threshold_recall"], 0.9)

    def test_antinex_with_raw_tables_of_network_pipeline(self):
        attack, raw = (DATA / "csv" / name for name in ("antinex_v1_django_cleaned_attack.csv",
                                                       "netpipe_raw_react-redux_netdata-2018-01-29-13-36-35.csv"))
        if not attack.exists() or not raw.exists():
            self.skipTest(f"{attack.name} or {raw.name} not here")
        # All samples are of attacks: for two classes the one with the fields of all layers is called benign. It has
        # columns that the other lacks, such as raw_id, which are keys and no features.
        lines = [line.rstrip("\r\n").split(",") for line in raw.read_text().splitlines()]
        lines = [fields for fields in lines if len(fields) == len(lines[0])]
        benign = self.folder / "benign.csv"
        write_table(benign, (fields + ["0"] for fields in lines[1:]), ",".join(lines[0] + ["label_value"]))
        facts = self.learn("--split", "random", attack, benign)
        self.assertEqual(int(facts["rows"]) + int(facts["rows_validation"]), int(facts["rows_read"]))
        self.assertEqual(int(facts["rows_read"]), 9000 + len(lines) - 1)


if __name__ == "__main__":
    unittest.main()

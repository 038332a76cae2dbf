# SPDX-License-Identifier: BSD-3-Clause
"""tools/train-attack on a small world of captures: what goes where, what is written, and what is said of it."""
import contextlib
import io
import json
import math
import os
import pathlib
import random
import sys
import unittest
from unittest import mock

from captures import ROOT, TestCase, ethernet, ipv4, run, tcp, write_timed_pcap

sys.path.insert(0, str(ROOT / "tools"))
from wirescore_training import composition, judging, main, sources, tables, training  # noqa: E402

TRAIN_OPTIONS = ("--epochs", "15", "--lr", "0.01", "--batch", "64", "--threshold", "fpr:0.01")


def benign_frames(source, n, first_s):
    for i in range(n):
        client, port = f"10.1.0.{source.randrange(1, 20)}", 1024 + i
        server, at = f"10.2.0.{source.randrange(1, 5)}", first_s + source.uniform(0, 100)
        there = lambda flags, data=b"": ethernet(ipv4(client, server, 6, tcp(port, 80, flags, data)))
        back = lambda flags, data=b"": ethernet(ipv4(server, client, 6, tcp(80, port, flags, data)))
        frames = [there("S"), back("SA"), there("A"), there("PA", b"q" * 80), back("PA", b"a" * 900), there("FA"),
                  back("FA"), there("A")]
        yield from ((at + 0.02 * k, frame) for k, frame in enumerate(frames))


def scan_frames(source, n, first_s, scanner="10.9.0.1"):
    at = first_s + source.uniform(0, 50)
    for i in range(n):
        victim, port = f"10.2.{i % 3}.{source.randrange(1, 250)}", source.randrange(1, 1024)
        yield at + 0.05 * i, ethernet(ipv4(scanner, victim, 6, tcp(40000 + i, port, "S")))
        if source.random() < 0.5:
            yield at + 0.05 * i + 0.001, ethernet(ipv4(victim, scanner, 6, tcp(port, 40000 + i, "RA")))


def write(path, *frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_timed_pcap(path, sorted(frame for some in frames for frame in some))


class World(TestCase):
    """Two runs of a lab, and real captures of three sources."""

    def setUp(self):
        super().setUp()
        source = random.Random(1)
        for name in ("small-1", "small-2"):
            capture = write(self.folder / "lab" / name / f"{name}.pcap", benign_frames(source, 150, 1.6e9),
                            scan_frames(source, 150, 1.6e9))
            capture.with_suffix(".tsv").write_text("src\tlabel\n10.9.0.1\tscan-port\n\tbenign\n")
        data = self.folder / "data"
        names = "file source_repo licence packets_or_rows ipv4 not_0800 flows_ipv4 contains label basis confidence"
        rows = ["\t".join(names.split())]
        for kind, name, origin in (("attack", "one_portscan", "a/scans"), ("attack", "two_synscan", "b/scans"),
                                   ("benign", "web", "b/scans"), ("benign", "office", "c/office"),
                                   ("benign", "held", "d/held"), ("attack", "x_arpspoof", "e/arp")):
            make = benign_frames if kind == "benign" else scan_frames
            write(data / kind / f"{name}.pcap", make(source, 120, 1.5e9))
            rows.append(f"{kind}/{name}.pcap\t{origin}\tnone\t1\t1\t0\t120\tx\tx\tx\thigh")
        (data / "MANIFEST.tsv").write_text("\n".join(rows) + "\n")
        self.models, self.work = self.folder / "models", self.folder / "work"
        self.set(composition, GENERATED=(), VALIDATION_GENERATED=(), MIX_SEEDS=(1,), TRAIN_OPTIONS=TRAIN_OPTIONS,
                 VALIDATION_SOURCES=("d/held",), MIN_RECALL=0.5, MAX_FPR=0.02, MAX_REAL_FPR=0.5)
        folders = {"WIRESCORE_DATA": str(data), "WIRESCORE_LAB": str(self.folder / "lab")}
        self.enterContext(mock.patch.dict(os.environ, folders))

    def set(self, module, **values):
        for name, value in values.items():
            self.enterContext(mock.patch.object(module, name, value))

    def train(self, *arguments):
        """Exit code, stdout, stderr."""
        out, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            code = main.main(["--work", str(self.work), *map(str, arguments), str(self.models)])
        return code, out.getvalue(), said.getvalue()

    def real(self):
        return sources.real_captures(self.folder / "data")


class TrainAttack(World):
    def test_a_good_model_is_written_with_what_was_held_out(self):
        code, _, said = self.train()
        self.assertEqual(code, 0, said)
        shown = json.loads(run("model", "show", "--json", self.models / "attack.onnx").stdout)
        self.assertEqual((shown["task"], shown["classes"]), ("flow", ["benign", "attack"]))
        self.assertRegex(shown["training"]["held_out"], r"^lab-held-out\.csv,benign-held-out\.csv$")
        self.assertEqual(shown["training"]["split"], "files")
        self.assertEqual(list(self.models.iterdir()), [self.models / "attack.onnx"])

    def test_tables_are_used_again_and_give_the_same_model(self):
        self.assertEqual(self.train()[0], 0)
        first = (self.models / "attack.onnx").read_bytes()
        times = {path: path.stat().st_mtime_ns for path in (self.work / "tables").iterdir()}
        self.assertEqual({path.suffix for path in times}, {".csv"})
        self.assertEqual(self.train()[0], 0)
        self.assertEqual({path: path.stat().st_mtime_ns for path in (self.work / "tables").iterdir()}, times)
        self.assertEqual((self.models / "attack.onnx").read_bytes(), first)

    def test_a_bad_model_is_not_written(self):
        for bound in ({"MIN_RECALL": 1.01}, {"MAX_FPR": -1}, {"MAX_REAL_FPR": -1}):
            with contextlib.ExitStack() as stack:
                for name, value in bound.items():
                    stack.enter_context(mock.patch.object(composition, name, value))
                code, _, said = self.train()
            self.assertEqual(code, 1, said)
            self.assertIn("attack.onnx is left in place", said)
            self.assertFalse(self.models.exists())

    def test_each_source_is_left_out_once_and_judged(self):
        code, out, said = self.train("--leave-one-out")
        self.assertEqual(code, 0, said)
        self.assertEqual([line.split(":")[0] for line in out.splitlines() if line.startswith("without")],
                         ["without a/scans", "without b/scans", "without c/office", "without d/held"])
        for name in ("one_portscan.pcap", "two_synscan.pcap", "office.pcap", "all sources that were left out"):
            self.assertIn(name, out)
        self.assertRegex(out, r"scan-port +240(?:  [01]\.\d{4}){6}\n")
        self.assertRegex(out, r"benign +360(?:  [01]\.\d{4}){6}\n")
        self.assertRegex(out, r"\n  more than 5% of the benign flows at the model's own threshold: ")
        self.assertFalse(self.models.exists())

    def test_an_unknown_source_is_refused(self):
        code, _, said = self.train("--leave-out", "nobody/nothing")
        self.assertEqual(code, 1)
        self.assertIn("no source nobody/nothing", said)
        self.assertIn("a/scans", said)

    def test_what_fails_is_told_in_a_line(self):
        self.set(composition, TRAIN_OPTIONS=("--epochs", "none"))
        code, _, said = self.train()
        self.assertEqual((code, said.count("\n")), (1, 2), said)
        self.assertIn("--epochs", said)


class Failures(World):
    """What becomes of tables and scores where the program that makes them fails."""

    ROWS = "echo flow_id,label; echo 1,benign; echo 'wirescore: a.pcap: breaks off' >&2; "

    def programs(self, script):
        path = self.folder / "wirescore"
        path.write_text("#!/bin/sh\n" + script + "\n")
        path.chmod(0o755)
        return mock.Mock(wirescore=str(path), mix="true")

    def make(self, script, recipe):
        """The table's text and what was said."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            path = tables.Tables(self.work, self.programs(script)).make_one(recipe)
        return path.read_text(), said.getvalue()

    def recipes(self):
        limit = composition.Limit(9, 9)
        real = tables.Recipe("benign", "benign", (("a.pcap",),), limit)
        return real, [tables.Recipe("lab-a", "labelled", ("a.pcap",), limit),
                      tables.Recipe("generated-a", "generated", ("a", 1, 1, 1), limit),
                      tables.Recipe("mix-1", "mixed", (1, (("benign", "a.pcap"),)), limit)]

    def test_the_good_part_of_damaged_real_captures_is_used_and_told_of(self):
        real, _ = self.recipes()
        text, said = self.make(self.ROWS + "exit 1", real)
        self.assertEqual(text, "flow_id,label\n1,benign\n")
        self.assertEqual(said, f"train-attack: {next(self.work.iterdir()).stem}: wirescore: a.pcap: breaks off\n")

    def test_what_is_cut_is_no_table(self):
        real, others = self.recipes()
        for script, recipe, word in [
            (self.ROWS + "kill -9 $$", real, "signal 9: wirescore: a.pcap: breaks off"),
            (self.ROWS + "exit 130", real, "exit status 130"),
            ("exit 1", real, "said nothing"),
            *(('[ "$1" = generate ] && exit 0\n' + self.ROWS + end, recipe, "a.pcap: breaks off")
              for recipe in others for end in ("exit 1", "kill -9 $$")),
        ]:
            with self.subTest(recipe.name, script=script):
                with self.assertRaisesRegex(tables.TrainingError, word):
                    self.make(script, recipe)
                self.assertEqual(list(self.work.glob("*.csv")), [])

    def test_scores_of_a_killed_run_are_none(self):
        capture = self.real()[0]
        record = json.dumps({"capture": str(capture.path), "logit": 1.0, "class": "attack"})
        for end, is_good in (("exit 0", True), ("exit 1", True), ("kill -9 $$", False), ("exit 130", False)):
            programs = self.programs(f"echo '{record}'; {end}")
            if is_good:
                self.assertEqual(len(judging.score_captures(programs, "m.onnx", [capture])), 1)
            else:
                with self.assertRaises(tables.TrainingError):
                    judging.score_captures(programs, "m.onnx", [capture])


class Parts(World):
    def test_nothing_of_a_source_is_learnt_when_it_is_left_out(self):
        for left_out in (None, "a/scans", "b/scans", "d/held"):
            maker = mock.Mock()
            maker.make.side_effect = list
            data = training.make_data(maker, self.real(), [], left_out)
            learnt = {pathlib.Path(path).name for recipe in data.training for _, path in recipe.arguments[1]}
            expected = {"one_portscan.pcap", "two_synscan.pcap", "web.pcap", "office.pcap"}
            expected -= {capture.path.name for capture in self.real() if capture.source == left_out}
            self.assertEqual(learnt, expected)
            self.assertEqual([c.path.name for c in data.held_out], [] if left_out == "d/held" else ["held.pcap"])

    def test_sources_are_those_of_attacks_and_the_largest_benign(self):
        self.set(composition, N_BENIGN_LEFT_OUT=1)
        self.assertEqual(sources.sources_to_leave_out(self.real()), ["a/scans", "b/scans", "c/office"])

    def test_no_data_are_no_captures(self):
        self.assertEqual(sources.real_captures(self.folder / "nowhere"), [])
        self.assertEqual(sources.lab_captures(None), [])

    def test_runs_of_the_lab_are_held_out_by_their_name(self):
        found = sources.lab_captures(self.folder / "lab")
        self.assertEqual([(path.name, out) for path, out in found], [("small-1.pcap", True), ("small-2.pcap", False)])

    def test_families_go_by_the_name_of_the_capture(self):
        for name, family in (("ppa_ftp-crack.pcap", "brute-ftp"), ("sanders_arppoison.pcapng", None),
                             ("evilfingers_nmap_ACK_SCAN.pcap", "scan-port"), ("ncsa_backscatter.trace", None),
                             ("stopddos_amp.UDP.snmp.src161.pcapng", "amplification-snmp"), ("other.pcap", None)):
            self.assertEqual(composition.family_of(name), family, name)

    def test_a_sample_has_whole_flows_whatever_the_order(self):
        rows = [(f"{flow:04}", label) for flow in range(2000) for label in ("benign", "scan") for _ in range(3)]
        drawn = []
        for seed in (1, 2):
            random.Random(seed).shuffle(rows)
            sample = tables.Sample(composition.Limit(50, 20))
            for number, (flow, label) in enumerate(rows):
                sample.add(number, flow + label, label, f"{label} {flow}")
            lines = sample.lines()
            self.assertEqual(len(lines), 3 * 70)
            self.assertEqual(len({line for line in lines if line.startswith("benign")}), 50)
            drawn.append(set(lines))
        self.assertEqual(*drawn)

    def test_no_more_flows_than_a_share_are_at_the_threshold(self):
        flows = [judging.Flow(None, logit, False) for logit in [5.0, 4.0, 4.0, *[-1.0] * 97]]
        for share, n in ((0, 0), (0.01, 1), (0.02, 1), (0.03, 3), (1, 100)):
            threshold = judging.threshold_at(flows, share)
            self.assertEqual(sum(flow.logit >= threshold for flow in flows), n, share)
        self.assertEqual(judging.threshold_at([], 0.01), -math.inf)

    def test_recall_is_stated_at_false_positives_of_other_sources(self):
        benign, other = (sources.Real(pathlib.Path(name), name, "benign", 1) for name in ("here", "there"))
        attack = sources.Real(pathlib.Path("scan"), "here", "scan-port", 1)
        flows = [judging.Flow(other, i / 100, False) for i in range(200)] + [judging.Flow(benign, 50, True)] * 200
        flows += [judging.Flow(attack, logit, logit > 3) for logit in (1.9, 2.5, 4)]
        out = io.StringIO()
        with mock.patch.object(judging, "score_captures", return_value=flows), contextlib.redirect_stdout(out):
            judging.Judgement().add(None, None, "here", [benign, other, attack])
        self.assertRegex(out.getvalue(), r"scan-port +3(?:  0.6667){4}  1.0000  0.3333  scan\n")
        self.assertRegex(out.getvalue(), r"benign +200(?:  1.0000){6}  here\n")


if __name__ == "__main__":
    unittest.main()

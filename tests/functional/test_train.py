# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore train` and `wirescore eval`: what they write, say and refuse."""
import json
import os
import random
import signal
import subprocess
import unittest

from captures import TestCase, WIRESCORE, frame, run, write_pcap

RAW_IP, LINUX_SLL = 101, 113


def frames_mixed(n, seed=1):
    """IPv4 and ARP, half of each, between random hosts."""
    source = random.Random(seed)
    return [
        frame(0x0800 if source.random() < 0.5 else 0x0806, source.randbytes(40), source.randbytes(12))
        for _ in range(n)
    ]


class Train(TestCase):
    def setUp(self):
        super().setUp()
        self.capture = write_pcap(self.folder / "mixed.pcap", frames_mixed(2000))
        self.model = self.folder / "model.onnx"

    def train(self, *arguments, **options):
        return run("train", "packet", "-o", self.model, *arguments, **options)

    def facts(self):
        shown = run("model", "show", self.model)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return shown.stdout

    def assert_refused(self, result, code, *words):
        self.assert_complains(result, code, *words)
        self.assertFalse(self.model.exists())

    def test_the_defaults_are_the_labs(self):
        result = self.train(self.capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("14-64-16-1", result.stdout)
        self.assertEqual(result.stderr.count("epoch "), 4)
        facts = self.facts()
        for words in ("ipv4", "rmsprop", "0.001", "mixed.pcap"):
            self.assertIn(words, facts)
        self.assertNotIn(str(self.folder), facts)

    def test_the_same_seed_gives_the_same_file(self):
        files = []
        for seed in (42, 42, 43):
            self.assertEqual(self.train("--seed", seed, "--randomize-macs", self.capture).returncode, 0)
            files.append(self.model.read_bytes())
        self.assertEqual(files[0], files[1])
        self.assertNotEqual(files[0], files[2])

    def test_every_option_is_heeded(self):
        result = self.train(
            *("--label", "ethertype:0x0806", "--bytes", 20, "--hidden", "8,4,2", "--activation", "leaky"),
            *("--optimizer", "adam", "--lr", 0.01, "--lr-final", 0.001, "--epochs", 2, "--batch", 100, "--seed", 7),
            *("--validation", 0.5, "--input-range=-1,1", "--bias-range", 0.5, "--input-lasso", 0.001),
            self.capture,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("20-8-4-2-1", result.stdout)
        self.assertEqual(result.stderr.count("epoch "), 2)
        facts = self.facts()
        self.assertIn("other, 0x0806", facts)
        for name, value in {
            **{"label": "ethertype:0x0806", "optimizer": "adam", "lr": "0.01", "lr_final": "0.001", "batch": "100"},
            **{"seed": "7", "rows": "1000", "rows_validation": "1000", "input_range": "-1,1", "bias_range": "0.5"},
            **{"input_lasso": "0.001", "epochs": "2"},
        }.items():
            self.assertRegex(facts, rf"(?m)^  {name} +{value}$")
        self.assertIn("leaky", facts)

    def test_every_activation_is_trained(self):
        for name, shown in (("relu", "relu"), ("leaky", "leaky"), ("tanh", "tanh"), ("clip", "clip [-1, 1]")):
            result = self.train("--activation", name, "--epochs", 20, "--lr", 0.01, self.capture)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(shown, self.facts())
            judged = json.loads(run("eval", "--json", self.model, self.capture).stdout)
            self.assertGreater(judged["accuracy"], 0.95, name)

    def test_a_capture_is_never_overwritten_by_its_model(self):
        before = self.capture.read_bytes()
        result = run("train", "packet", "-o", self.capture, self.capture)
        self.assert_complains(result, 1, "is a file that is read")
        self.assertEqual(self.capture.read_bytes(), before)
        result = run("train", "packet", "-o", self.folder / "none" / "x.onnx", self.capture)
        self.assert_complains(result, 1, "cannot be written")

    def test_a_class_that_is_only_in_the_validation_set_is_refused(self):
        two = write_pcap(self.folder / "two.pcap", [frame(0x0800), frame(0x0806)])
        result = self.train("--validation", 0.5, two)
        self.assertEqual(result.returncode, 1)
        self.assertIn("without the validation set", result.stderr.splitlines()[-1])
        self.assertFalse(self.model.exists())

    def test_a_model_is_written_only_if_the_check_finds_no_error(self):
        # Whether so short a training ends exact depends on the CPU's rounding; what it says and does must agree.
        recipe = ("--hidden", "32,8", "--input-range=-8,8", "--bias-range", 6, "--optimizer", "adam", "--batch", 128)
        result = self.train("--exact", 50000, *recipe, "--lr", 0.01, "--lr-final", 1e-5, "--epochs", 30)
        last_check = [line for line in result.stderr.splitlines() if line.startswith("check of ")][-1]
        self.assertEqual(self.model.exists(), " wrong 0 " in last_check)
        self.assertEqual(result.returncode, 0 if self.model.exists() else 1)

    def test_a_model_that_is_not_exact_is_not_written(self):
        result = self.train("--exact", 1000, "--label", "ip", "--bytes", 22, "--epochs", 2, self.capture)
        self.assertEqual(result.returncode, 1)
        self.assertIn("the model is not exact", result.stderr.splitlines()[-1])
        self.assertFalse(self.model.exists())

    def test_a_model_names_the_first_captures_and_counts_the_others(self):
        captures = [write_pcap(self.folder / f"c{i}.pcap", frames_mixed(100, i)) for i in range(6)]
        self.assertEqual(self.train("--epochs", 1, *captures).returncode, 0)
        self.assertIn("c0.pcap,c1.pcap,c2.pcap,c3.pcap and 2 more", self.facts())

    def test_short_frames_are_padded_counted_and_said(self):
        short = [frame(0x0806)[:13], frame(0x0800)[:13], b"", frame(0x0800)[:14]]
        capture = write_pcap(self.folder / "short.pcap", frames_mixed(100) + short)
        result = self.train("--bytes", 20, capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("102 frames", result.stderr)
        # 08 06 cut behind 08, like 08 00, would be completed to IPv4 by the padding.
        self.assertIn("2 frames that end inside their EtherType were left out", result.stderr)
        self.assertIn("2 frames shorter than 20 bytes were padded with zeros", result.stderr)

    def test_one_class_alone_is_refused(self):
        capture = write_pcap(self.folder / "arp.pcap", [frame(0x0806)] * 50)
        self.assert_refused(self.train(capture), 1, "one class (non-ip)")
        self.assert_refused(self.train(write_pcap(self.folder / "empty.pcap", [])), 1, "no frame")

    def test_captures_without_ethernet_are_refused_by_name(self):
        for link_type, name in ((LINUX_SLL, "LINUX_SLL"), (RAW_IP, "RAW")):
            capture = write_pcap(self.folder / "other.pcap", [bytes(60)], link_type=link_type)
            words = f"other.pcap: link type {name} has no Ethernet header; packet models need one"
            self.assert_refused(self.train(self.capture, capture), 1, words)
            self.assertEqual(self.train(self.capture).returncode, 0)
            self.assert_complains(run("eval", self.model, capture), 1, words)
            self.model.unlink()

    def test_bad_captures_are_refused_in_one_line(self):
        self.assert_refused(self.train(self.folder / "none.pcap"), 1, "none.pcap")
        self.assert_refused(self.train(self.folder), 1, "directory")
        (self.folder / "text.pcap").write_text("not a capture")
        self.assert_refused(self.train(self.folder / "text.pcap"), 1, "text.pcap")

    def test_a_capture_cut_in_the_middle_is_used_as_far_as_it_goes(self):
        cut = self.folder / "cut.pcap"
        cut.write_bytes(self.capture.read_bytes()[:-30])
        result = self.train(cut)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("warning: " + str(cut), result.stderr)
        self.assertIn("1999 frames", result.stderr)
        judged = run("eval", "--json", self.model, cut)
        self.assertEqual(json.loads(judged.stdout)["frames"], 1999)
        self.assertEqual(judged.returncode, 1)
        self.assertIn(str(cut), judged.stderr)

    def test_bad_usage_is_told(self):
        for arguments, words in (
            (["--label", "arp", self.capture], "--label 'arp'"),
            (["--bytes", 0, self.capture], "--bytes"),
            (["--bytes", 65, self.capture], "--bytes"),
            (["--hidden", "64,,16", self.capture], "--hidden"),
            (["--hidden", "513", self.capture], "--hidden"),
            (["--hidden", "1,1,1,1,1,1,1,1", self.capture], "--hidden"),
            (["--optimizer", "sgdd", self.capture], "--optimizer"),
            (["--activation", "gelu", self.capture], "--activation"),
            (["--lr", "nan", self.capture], "--lr"),
            (["--validation", "1", self.capture], "--validation"),
            (["--input-range", "1,0", self.capture], "--input-range"),
            (["--exact", 0, self.capture], "--exact"),
            (["--epochs"], "--epochs"),
            (["--nonsense", self.capture], "--nonsense"),
            ([], "captures"),
        ):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.train(*arguments), 2, words)
        self.assert_complains(run("train", "packet", self.capture), 2, "-o")
        self.assert_complains(run("train", self.capture), 2, "train packet")

    def test_a_loss_that_is_not_finite_writes_nothing(self):
        result = self.train("--optimizer", "sgd", "--lr", 1000000, "--activation", "leaky", self.capture)
        self.assertEqual(result.returncode, 1)
        self.assertIn("not finite", result.stderr)
        self.assertFalse(self.model.exists())

    def test_an_interrupt_writes_nothing(self):
        command = [WIRESCORE, "train", "packet", "-o", self.model, "--epochs", "1000000", self.capture]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            # The first epoch's line says that training has begun.
            while "epoch" not in process.stderr.readline():
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(sorted(os.listdir(self.folder)), ["mixed.pcap"])

    def test_help_is_text_on_stdout(self):
        for arguments in (["train", "--help"], ["train", "packet", "--help"], ["eval", "--help"]):
            result = run(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("Usage: wirescore", result.stdout)


class Eval(TestCase):
    def setUp(self):
        super().setUp()
        self.capture = write_pcap(self.folder / "mixed.pcap", frames_mixed(2000))
        self.model = self.folder / "model.onnx"
        # One epoch: good, not perfect.
        result = run("train", "packet", "-o", self.model, "--epochs", 1, self.capture)
        self.assertEqual(result.returncode, 0, result.stderr)

    def eval_json(self, *arguments):
        result = run("eval", "--json", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def test_the_numbers_fit_together(self):
        judged = self.eval_json("--show-errors", 10, self.model, self.capture)
        (tn, fp), (fn, tp) = judged["confusion"]
        self.assertEqual(judged["frames"], 2000)
        self.assertEqual(tn + fp + fn + tp, 2000)
        self.assertEqual(judged["errors"], fp + fn)
        self.assertGreater(fp + fn, 0)
        self.assertAlmostEqual(judged["accuracy"], (tn + tp) / 2000)
        self.assertAlmostEqual(judged["balanced_accuracy"], (tn / (tn + fp) + tp / (tp + fn)) / 2)
        self.assertAlmostEqual(judged["recall"], tp / (tp + fn))
        self.assertEqual(judged["exact_rule"]["accuracy"], 1)
        self.assertAlmostEqual(judged["commonest_class"]["accuracy"], max(tn + fp, fn + tp) / 2000)
        self.assertEqual(len(judged["wrong_frames"]), min(10, fp + fn))
        frames = frames_mixed(2000)
        for wrong in judged["wrong_frames"]:
            data = frames[wrong["frame"] - 1]
            self.assertEqual(bytes.fromhex(wrong["bytes"]), data[:32])
            self.assertEqual(wrong["is"], "ip" if data[12:14] == b"\x08\x00" else "non-ip")
            self.assertNotEqual(wrong["is"], wrong["called"])
            self.assertEqual(wrong["score"] >= 0.5, wrong["called"] == "ip")

    def test_every_kernel_judges_alike(self):
        kernels = json.loads(run("kernels", "--json").stdout)["kernels"]
        results = []
        for kernel in kernels:
            if kernel["supported"]:
                judged = self.eval_json("--kernel", kernel["name"], self.model, self.capture)
                self.assertEqual(judged.pop("kernel"), kernel["name"])
                results.append(judged)
        self.assertTrue(all(result == results[0] for result in results))

    def test_frames_with_no_type_are_not_scored_but_counted(self):
        capture = write_pcap(self.folder / "runts.pcap", [frame(0x0800)[:13]] * 3 + [frame(0x0800)[:14], b""])
        judged = self.eval_json(self.model, capture)
        self.assertEqual((judged["frames"], judged["not_scored"], judged["padded"]), (5, 4, 0))
        self.assertEqual(judged["confusion"][0], [4, 0])

    def test_the_text_says_what_the_json_says(self):
        other = write_pcap(self.folder / "other.pcap", frames_mixed(100, seed=2))
        result = run("eval", "--explain", "--show-errors", 1, self.model, self.capture, other)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for words in ("accuracy", "exact rule", "commonest class", "other.pcap", "type or length", "called", "  0000 "):
            self.assertIn(words, result.stdout)

    def test_explain_follows_its_seed_and_finds_the_type(self):
        first, again, other = (
            self.eval_json("--explain", "--seed", seed, self.model, self.capture)["importance"] for seed in (1, 1, 2)
        )
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        self.assertEqual(sorted(item["byte"] for item in first), list(range(14)))
        self.assertEqual(first[0]["byte"], 13)
        drops = [item["accuracy_drop"] for item in first]
        self.assertEqual(drops, sorted(drops, reverse=True))

    def test_another_rule_can_be_asked_for(self):
        self.assertEqual(self.eval_json(self.model, self.capture)["label"], "ipv4")
        judged = self.eval_json("--label", "ethertype:0x0806", self.model, self.capture)
        self.assertEqual(judged["classes"], ["other", "0x0806"])
        self.assertLess(judged["accuracy"], 0.5)

    def test_bad_usage_and_bad_files_are_told(self):
        self.assert_complains(run("eval", self.model), 2, "captures")
        self.assert_complains(run("eval", "--label", "x", self.model, self.capture), 2, "--label")
        self.assert_complains(run("eval", "--kernel", "x", self.model, self.capture), 2, "kernel 'x'")
        self.assert_complains(run("eval", self.folder / "none.onnx", self.capture), 1, "none.onnx")
        self.assert_complains(run("eval", self.capture, self.capture), 1, "mixed.pcap")
        self.assert_complains(run("eval", self.model, self.folder / "none.pcap"), 1, "none.pcap")
        empty = write_pcap(self.folder / "empty.pcap", [])
        self.assert_complains(run("eval", self.model, empty), 1, "no frame")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""Captures as data of `wirescore train flows` and `eval`: labels, what they are judged by, damage, files of one name."""
import json
import shutil

from captures import TestCase, ethernet, ipv4, run, tcp, udp, write_timed_pcap
from onnx_file import write_linear_model

FAMILIES = "web,dns-clients,cache,scan-port,flood-syn,brute-ftp"
START = 1_600_000_000
FEATURES = ("fwd_packets", "bwd_packets", "fwd_syn_packets")


def lookups(n, server="10.0.0.53", first=0):
    """Questions and answers, a second apart."""
    packets = []
    for i in range(n):
        at, client, port = START + first + i, f"10.0.1.{i % 200 + 1}", 20000 + i
        packets += [(at, ethernet(ipv4(client, server, 17, udp(port, 53, b"question")))),
                    (at + 0.01, ethernet(ipv4(server, client, 17, udp(53, port, b"answer"))))]
    return packets


def knocks(n):
    """SYNs from one host, which nobody answers, from the first half second on."""
    return [(START + 0.5 + i, ethernet(ipv4("192.0.2.66", "10.0.0.80", 6, tcp(30000 + i, 80, "S")))) for i in range(n)]


class EvalCaptures(TestCase):
    def setUp(self):
        super().setUp()
        self.model = self.syn_model("syn.onnx")

    def syn_model(self, name, **metadata):
        """SYNs without an answer are attacks."""
        metadata = {"task": "flow", "features": ",".join(FEATURES), "classes": "benign,attack", "threshold": "0.5",
                    "checkpoints": "end", **metadata}
        return write_linear_model(self.folder / name, [[0.0, -10.0, 8.0]], [-3.0], **metadata)

    def capture(self, *conversations, name="data.pcap", rules=None):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        write_timed_pcap(path, sorted(packet for one in conversations for packet in one))
        if rules is not None:
            path.with_suffix(".tsv").write_text("src\tlabel\n" + rules)
        return path

    def mixed(self, name="data.pcap", rules="192.0.2.66\tscan-port\n*\tbenign\n"):
        return self.capture(lookups(60), knocks(40), name=name, rules=rules)

    def judge(self, *arguments, code=0, stderr=""):
        result = run("eval", "--json", *arguments)
        self.assertEqual((result.returncode, result.stderr), (code, stderr))
        return json.loads(result.stdout)


class EndToEnd(TestCase):
    """Training and judging on captures as `wirescore generate flows` makes them."""

    @classmethod
    def generate(cls, folder, seed):
        path = folder / f"seed{seed}.pcap"
        result = run("generate", "flows", "-q", "--families", FAMILIES, "--duration", 90, "--seed", seed, "-o", path)
        assert result.returncode == 0, result.stderr
        return path

    def setUp(self):
        super().setUp()
        self.captures = [self.generate(self.folder, seed) for seed in (1, 2, 3)]
        self.model = self.folder / "model.onnx"

    def train(self, *arguments):
        result = run("train", "flows", "--epochs", 5, "-o", self.model, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_model_of_two_captures_is_judged_on_a_third(self):
        self.train(*self.captures[:2])
        page = self.folder / "page.html"
        result = run("eval", "--json", "--html", page, "--explain", "--ablate", self.model, self.captures[2])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        judged = json.loads(result.stdout)
        data = judged["data"]
        self.assertGreater(data["rows_read"], 0)
        self.assertEqual(data["rows_read"], data["rows_used"] + sum(one["rows"] for one in data["refused"]))
        self.assertEqual(data["rows_used"], judged["rows_judged"] + judged["rows_of_no_class"])
        self.assertEqual(judged["judged"], judged["benign"] + judged["attacks"])
        families = {one["label"] for one in judged["labels"]}
        self.assertEqual(families, {"benign", "scan-port", "flood-syn", "brute-ftp"})
        self.assertEqual({one["label"] for one in judged["detection"]}, families - {"benign"})
        for one in judged["detection"]:
            self.assertEqual(list(one["found_by"]), ["1", "2", "4", "8", "16", "end"])
            shares = list(one["found_by"].values())
            self.assertEqual(shares, sorted(shares))
        self.assertGreater(judged["roc_auc"], 0.9)
        self.assertEqual(judged["baselines"]["split"], "time")
        self.assertIn("Time to detection", page.read_text())

    def test_captures_are_read_twice_in_one_run(self):
        """DPDK starts once in a process, and both data and what is learnt or held out from are captures."""
        self.train("--held-out", self.captures[1], self.captures[0])
        result = run("eval", "--json", "--train-data", self.captures[1], self.model, self.captures[2])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        baselines = json.loads(result.stdout)["baselines"]
        self.assertEqual(baselines["learnt_from"], "train data")
        self.assertGreater(baselines["learnt"], 100)

    def test_the_shipped_checkpoints_are_a_models_own(self):
        self.train("--checkpoints", "3,end", *self.captures[:2])
        judged = json.loads(run("eval", "--json", self.model, self.captures[2]).stdout)
        self.assertEqual(list(judged["detection"][0]["found_by"]), ["3", "end"])

    def test_data_that_the_model_was_trained_on_are_warned_of(self):
        self.train(*self.captures[:2])
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        for path in (self.captures[0], self.captures[0].with_suffix(".tsv")):
            shutil.copy(path, elsewhere)
        page = self.folder / "page.html"
        result = run("eval", "--json", "--html", page, self.model, elsewhere / "seed1.pcap", self.captures[2])
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr, "wirescore: warning: seed1.pcap: the model was trained on data called so; "
                                        "its figures there are too good\n")
        sources = {one["source"]: one["is_known"] for one in json.loads(result.stdout)["sources"]}
        self.assertEqual(sources, {"seed1.pcap": True, "seed3.pcap": False})
        self.assertIn("trained on data called so", page.read_text())

    def test_all_sources_of_a_model_are_known(self):
        """A model's facts name four files of its data, but all sources."""
        captures = [*self.captures, *(self.generate(self.folder, seed) for seed in (4, 5, 6))]
        self.train("--max-per-source", 200, *captures)
        result = run("eval", "--json", self.model, captures[5])
        self.assertIn("warning: seed6.pcap", result.stderr)


class Labels(EvalCaptures):
    def test_benign_labels_of_captures_are_those_of_tables(self):
        for label in ("benign", "Benign", "BENIGN", "normal", "Normal", "0"):
            with self.subTest(label):
                capture = self.mixed(rules=f"192.0.2.66\tscan-port\n*\t{label}\n")
                self.assertEqual(self.judge(self.model, capture)["confusion"], [[60, 0], [0, 40]])
                data = f"{self.capture(lookups(60), name='plain.pcap')}={label}"
                self.assertEqual(self.judge(self.model, data)["benign"], 60)
        self.assertEqual(self.judge("--benign", "scan-*", self.model, self.mixed())["benign"], 40)

    def test_ignored_labels_of_captures_are_matched_as_those_of_tables_are(self):
        data = self.judge("--ignore-label", "SCAN-*", self.model, self.mixed())["data"]
        self.assertEqual(data["refused"], [{"reason": "its label is ignored", "rows": 40}])

    def test_an_empty_label_is_refused(self):
        capture = self.capture(lookups(5))
        self.assert_complains(run("eval", self.model, f"{capture}="), 1, "no label behind '='")

    def test_labels_that_match_no_flow_are_said(self):
        capture = self.mixed(rules="192.0.2.66\tscan-port\n198.51.100.1\tbrute-ssh\n*\tbenign\n")
        line = f"wirescore: {capture}: no flow has the label brute-ssh of its rules\n"
        self.assertEqual(self.judge(self.model, capture, stderr=line)["data"]["captures"]["labels_without_flows"], 1)

    def test_captures_of_one_class_are_judged(self):
        judged = self.judge(self.model, f"{self.capture(knocks(30))}=flood-syn")
        self.assertEqual(judged["confusion"], [[0, 0], [0, 30]])
        self.assertIsNone(judged["roc_auc"])
        self.assertIsNone(judged["precision_at_least"])

    def test_captures_of_one_name_are_two_sources(self):
        paths = [self.mixed(name=f"{folder}/data.pcap") for folder in ("left", "right")]
        other = self.mixed(name="other.pcap")
        sources = [one["source"] for one in self.judge(self.model, *paths, other)["sources"]]
        self.assertEqual(sources, ["left/data.pcap", "right/data.pcap", "other.pcap"])


class Files(EvalCaptures):
    def test_outputs_never_replace_captures_nor_their_rules(self):
        capture = self.mixed()
        rules = capture.with_suffix(".tsv")
        link = self.folder / "link.html"
        link.symlink_to(capture)
        before = capture.read_bytes(), rules.read_bytes()
        for html in (capture, rules, link):
            for data in (capture, f"{capture}=flood-syn"):
                with self.subTest(html=html.name, data=data):
                    self.assert_complains(run("eval", "--html", html, self.model, data), 1, "is a file that is read")
            result = run("train", "flows", "-o", html, capture)
            self.assert_complains(result, 1, "is a file that is read")
        other = self.mixed(name="other.pcap")
        result = run("eval", "--html", rules, "--train-data", capture, self.model, other)
        self.assert_complains(result, 1, "is a file that is read")
        self.assertEqual((capture.read_bytes(), rules.read_bytes()), before)

    def test_what_is_learnt_from_is_not_judged_by_whatever_its_label(self):
        capture = self.mixed()
        for data in (capture, f"{capture}=benign"):
            self.assert_complains(run("eval", "--train-data", data, self.model, capture), 1, "is read already")

    def test_a_damaged_capture_is_judged_as_far_as_it_goes(self):
        capture = self.mixed()
        capture.write_bytes(capture.read_bytes()[:-10])
        result = run("eval", "--json", self.model, capture)
        self.assert_complains(result, 1, str(capture))
        judged = json.loads(result.stdout)
        self.assertTrue(judged["data"]["captures"]["is_damaged"])
        # The last packet is an answer: its question is a flow all the same.
        self.assertEqual(judged["judged"], 100)
        good = self.mixed(name="good.pcap")
        self.assertFalse(self.judge(self.model, good)["data"]["captures"]["is_damaged"])
        result = run("eval", self.model, "--train-data", capture, good)
        self.assertEqual(result.returncode, 1)

    def test_what_is_no_capture_is_named(self):
        junk = self.folder / "junk.pcap"
        junk.write_text("no capture\n")
        result = run("eval", "--json", self.model, f"{junk}=benign", self.mixed())
        self.assert_complains(result, 1, f"{junk}: ")
        self.assertNotIn("No such file", result.stderr)
        self.assertEqual(json.loads(result.stdout)["judged"], 100)

    def test_features_of_another_version_are_refused(self):
        model = self.syn_model("old.onnx", schema="0123456789abcdef")
        result = run("eval", model, self.mixed())
        self.assert_complains(result, 1, "old.onnx", "features of another version")

    def test_a_model_of_unknown_task_with_features_of_flows_is_one(self):
        model = write_linear_model(self.folder / "unknown.onnx", [[0.0, -10.0, 8.0]], [-3.0],
                                   features=",".join(FEATURES))
        self.assertEqual(self.judge(model, self.mixed())["judged"], 100)

# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore eval` of flow models: what it counts, measures, compares with, draws and refuses."""
import html.parser
import json
import math
import random

from captures import TestCase, frame, run, write_pcap
from onnx_file import write_linear_model

FEATURES = ("fwd_packets", "bwd_packets", "duration", "syn_packets")
# Attacks are sure by many SYNs; the other weights are small.
WEIGHTS, BIAS = [[-0.01, 0.0, -0.001, 1.0]], [-3.0]
CHECKPOINTS = (1, 2, 4, "end")


def logit(row):
    return sum(w * x for w, x in zip(WEIGHTS[0], row)) + BIAS[0]


def area(pairs):
    """The chance that an attack's logit is above a benign one's, ties counting half, from (logit, is attack)."""
    attacks = [x for x, is_attack in pairs if is_attack]
    benign = [x for x, is_attack in pairs if not is_attack]
    wins = sum((a > b) + (a == b) / 2 for a in attacks for b in benign)
    return wins / len(attacks) / len(benign)


class Flow:
    """A flow with a row of features at each checkpoint."""

    def __init__(self, number, label, start, rows):
        self.number, self.label, self.start, self.rows = number, label, start, rows
        self.logit = max(logit(row) for row in rows.values())

    @property
    def is_attack(self):
        return self.label != "benign"


def draw(n, seed, labels=("benign", "benign", "benign", "flood-syn", "scan-port")):
    source = random.Random(seed)
    flows = []
    for number in range(n):
        label, rows = source.choice(labels), {}
        for at in CHECKPOINTS:
            packets = source.randint(1, 9) if at == "end" else at
            syn = {"benign": source.randint(0, 3), "flood-syn": packets + 2}.get(label, source.randint(0, 6))
            rows[at] = [float(x) for x in (packets, source.randint(0, 9), source.randint(0, 900), syn)]
        # Flows of other seeds are other flows.
        flows.append(Flow(1000 * seed + number, label, 1_600_000_000 + 3 * number, rows))
    return flows


def write_table(path, flows, features=FEATURES):
    names = "flow_id,src,dst,src_port,dst_port,protocol,vlan,start,end,slice,checkpoint,reason,label"
    lines = [",".join((names, *features))]
    for flow in flows:
        for at, row in flow.rows.items():
            values = dict(zip(FEATURES, row))
            tuple_text = f"10.0.0.{flow.number % 250},10.1.0.1,{1024 + flow.number},80,6,0"
            reason = "idle" if at == "end" else "checkpoint"
            lines.append(
                f"{flow.number},{tuple_text},{flow.start},{flow.start + 1},0,{at},{reason},{flow.label},"
                + ",".join(f"{values.get(name, 0):g}" for name in features)
            )
    path.write_text("\n".join(lines) + "\n")
    return path


class PageParser(html.parser.HTMLParser):
    """Notes the text and what a page would load; every element must be closed."""

    VOID = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.text, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)


class EvalFlows(TestCase):
    def setUp(self):
        super().setUp()
        self.model = write_linear_model(
            self.folder / "model.onnx", WEIGHTS, BIAS, task="flow", features=",".join(FEATURES),
            classes="benign,attack", threshold="0.5")
        self.flows = draw(600, 1)
        self.table = write_table(self.folder / "flows.csv", self.flows)

    def judge(self, *arguments, model=None):
        result = run("eval", "--json", model or self.model, *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def assert_refused(self, code, *words, arguments):
        self.assert_complains(run("eval", *arguments), code, *words)


class Figures(EvalFlows):
    def test_a_flow_is_judged_by_its_most_alarming_row(self):
        judged = self.judge(self.table)
        confusion = [[0, 0], [0, 0]]
        for flow in self.flows:
            confusion[flow.is_attack][flow.logit >= 0] += 1
        self.assertEqual(judged["confusion"], confusion)
        self.assertEqual((judged["unit"], judged["judged"]), ("flows", 600))
        self.assertEqual(judged["attacks"], sum(confusion[1]))
        self.assertAlmostEqual(judged["recall"], confusion[1][1] / sum(confusion[1]))
        self.assertAlmostEqual(judged["fpr"], confusion[0][1] / sum(confusion[0]))
        self.assertAlmostEqual(judged["roc_auc"], area([(f.logit, f.is_attack) for f in self.flows]), 5)

    def test_rows_are_judged_each_by_itself_when_asked(self):
        judged = self.judge("--rows", self.table)
        rows = [(logit(row), flow.is_attack) for flow in self.flows for row in flow.rows.values()]
        self.assertEqual((judged["unit"], judged["judged"]), ("rows", 2400))
        self.assertAlmostEqual(judged["roc_auc"], area(rows), 5)
        self.assertNotIn("detection", judged)

    def test_recall_at_a_rate_and_its_limits(self):
        judged = self.judge(self.table)
        benign = sorted((f.logit for f in self.flows if not f.is_attack), reverse=True)
        allowed = int(0.01 * len(benign))
        attacks = [f.logit for f in self.flows if f.is_attack]
        at = judged["recall_at_fpr"]
        self.assertEqual([x["max_fpr"] for x in at], [0.01, 0.001, 0.0001])
        self.assertAlmostEqual(at[0]["recall"], sum(x > benign[allowed] for x in attacks) / len(attacks))
        self.assertEqual([x["too_few_benign"] for x in at], [False, True, True])
        shown = run("eval", self.model, self.table).stdout
        self.assertEqual(shown.count("too few: "), 2)

    def test_precision_at_a_base_rate_and_alarms_an_hour(self):
        judged = self.judge("--base-rate", 0.01, self.table)
        n, n_false = sum(judged["confusion"][0]), judged["confusion"][0][1]
        self.assertEqual(n_false, 0, "no flow to know the rate by")
        self.assertIsNone(judged["precision_at_base_rate"])
        # Wilson's bound without a hit is z^2 / (n + z^2).
        fpr = 1.6448536**2 / (n + 1.6448536**2)
        found = judged["recall"] * 0.01
        self.assertAlmostEqual(judged["fpr_at_most"], fpr)
        self.assertAlmostEqual(judged["precision_at_least"], found / (found + fpr * 0.99))
        self.assertIn("at least 0.", run("eval", self.model, self.table).stdout)
        starts = [f.start for f in self.flows if not f.is_attack]
        hours = (max(starts) - min(starts)) / 3600
        self.assertAlmostEqual(judged["benign_hours"], hours)
        self.assertAlmostEqual(judged["false_alarms_per_hour"], judged["confusion"][0][1] / hours)

    def test_precision_of_a_rate_that_is_known(self):
        model = write_linear_model(self.folder / "eager.onnx", WEIGHTS, [BIAS[0] + 1.5], task="flow",
                                   features=",".join(FEATURES), classes="benign,attack", threshold="0.5")
        judged = self.judge("--base-rate", 0.01, self.table, model=model)
        found, false = judged["recall"] * 0.01, judged["fpr"] * 0.99
        self.assertGreater(false, 0)
        self.assertAlmostEqual(judged["precision_at_base_rate"], found / (found + false))
        self.assertLess(judged["precision_at_least"], judged["precision_at_base_rate"])
        self.assertGreater(judged["fpr_at_most"], judged["fpr"])

    def test_time_in_which_nothing_was_watched_does_not_count(self):
        flows = draw(100, 4, ("benign",))
        for flow in flows[50:]:
            flow.start += 10 * 365 * 86400
        table = write_table(self.folder / "years.csv", flows)
        self.assertAlmostEqual(self.judge(table)["benign_hours"], 2 * 49 * 3 / 3600)

    def test_probabilities_are_checked_against_the_truth(self):
        judged = self.judge(self.table)
        pairs = [(1 / (1 + math.exp(-f.logit)), f.is_attack) for f in self.flows]
        brier = sum((p - y) ** 2 for p, y in pairs) / len(pairs)
        self.assertAlmostEqual(judged["calibration"]["brier"], brier, 5)
        self.assertEqual(sum(x["n"] for x in judged["calibration"]["bins"]), 600)

    def test_sources_and_labels_have_figures_of_their_own(self):
        other = draw(200, 2)
        judged = self.judge(self.table, write_table(self.folder / "other.csv", other))
        sources = {x["source"]: x for x in judged["sources"]}
        self.assertEqual(set(sources), {"flows.csv", "other.csv"})
        for name, flows in (("flows.csv", self.flows), ("other.csv", other)):
            self.assertEqual(sources[name]["false_alarms"], sum(f.logit >= 0 and not f.is_attack for f in flows))
            self.assertAlmostEqual(sources[name]["roc_auc"], area([(f.logit, f.is_attack) for f in flows]), 5)
        labels = {x["label"]: x for x in judged["labels"]}
        self.assertEqual(set(labels), {"benign", "flood-syn", "scan-port"})
        scans = [f for f in self.flows + other if f.label == "scan-port"]
        self.assertEqual(labels["scan-port"]["attacks"], len(scans))
        self.assertAlmostEqual(labels["scan-port"]["recall"], sum(f.logit >= 0 for f in scans) / len(scans))
        self.assertIsNone(labels["benign"]["recall"])

    def test_each_family_has_the_packet_by_which_it_is_seen(self):
        judged = self.judge(self.table)
        for detection in judged["detection"]:
            flows = [f for f in self.flows if f.label == detection["label"]]
            for n, at in enumerate(CHECKPOINTS):
                seen = sum(any(logit(f.rows[c]) >= 0 for c in CHECKPOINTS[: n + 1]) for f in flows)
                self.assertAlmostEqual(detection["found_by"][str(at)], seen / len(flows))
        self.assertEqual({x["label"] for x in judged["detection"]}, {"flood-syn", "scan-port"})

    def test_every_kernel_gives_the_same_figures_and_so_does_every_run(self):
        first = self.judge("--explain", "--ablate", self.table)
        self.assertEqual(self.judge("--explain", "--ablate", self.table), first)
        scalar = self.judge("--explain", "--ablate", "--kernel", "scalar", self.table)
        self.assertEqual(scalar.pop("kernel"), "scalar")
        first.pop("kernel")
        self.assertEqual(scalar, first)

    def test_columns_are_found_by_name_whatever_their_order(self):
        table = write_table(self.folder / "turned.csv", self.flows, ("idle_max", *reversed(FEATURES)))
        self.assertEqual(self.judge(table)["confusion"], self.judge(self.table)["confusion"])


class Comparisons(EvalFlows):
    def test_a_stump_that_does_as_well_is_named_and_warned_of(self):
        flows = draw(600, 3, ("benign", "flood-syn"))
        for flow in flows:
            flow.rows["end"][1] = 7.0 if flow.is_attack else 2.0
        table = write_table(self.folder / "easy.csv", flows)
        baselines = self.judge(table)["baselines"]
        stump = baselines["stump"]
        self.assertEqual((stump["feature"], stump["threshold"], stump["attack_is"]), ("bwd_packets", 4.5, "at_least"))
        self.assertEqual(stump["balanced_accuracy"], 1)
        self.assertTrue(baselines["stump_is_close"])
        self.assertEqual(baselines["majority"]["balanced_accuracy"], 0.5)
        self.assertEqual(baselines["majority"]["roc_auc"], 0.5)
        self.assertGreater(baselines["logistic_regression"]["roc_auc"], 0.99)
        shown = run("eval", self.model, table).stdout
        self.assertRegex(shown, r"(?m)^warning: one feature alone, bwd_packets >= 4\.5, has a balanced accuracy of "
                                r"1\.0000, the model 1\.0000: .*$")

    def test_a_model_that_is_better_is_not_warned_of(self):
        baselines = self.judge(self.table)["baselines"]
        self.assertLess(baselines["stump"]["balanced_accuracy"], 1)
        self.assertEqual((baselines["learnt_from"], baselines["split"]), ("half of the data", "time"))
        self.assertEqual((baselines["learnt"], baselines["judged"]), (300, 300))

    def test_data_are_halved_by_capture_or_time_and_by_lot_only_when_asked(self):
        other = write_table(self.folder / "other.csv", draw(300, 2))
        for arguments, split in (((), "capture"), (("--split", "time"), "time"), (("--split", "random"), "random")):
            baselines = self.judge(*arguments, self.table, other)["baselines"]
            self.assertEqual(baselines["split"], split)
            self.assertEqual(baselines["learnt"] + baselines["judged"], 900)
        self.assertIn(self.judge(self.table, other)["baselines"]["judged"], (300, 600))
        # Benign flows before all attacks, of one source and one initiator: nothing but lots can halve them.
        flows = draw(100, 5, ("benign",)) + draw(100, 6, ("flood-syn",))
        for number, flow in enumerate(flows):
            flow.number, flow.start = 250 * number, 1_600_000_000 + number
        table = write_table(self.folder / "apart.csv", flows)
        self.assertIn("--split random", self.judge(table)["baselines"]["missing"])
        self.assertEqual(self.judge("--split", "random", table)["baselines"]["split"], "random")
        self.assert_refused(2, "--split 'half' is not", arguments=("--split", "half", self.model, table))

    def test_the_model_and_what_is_beside_it_are_judged_on_the_same_flows(self):
        """The later half, in which this model is always wrong; the earlier half, in which it is right, is not."""
        flows = draw(200, 7, ("benign", "flood-syn"))
        for flow in flows:
            syn = 9.0 if flow.is_attack == (flow.number < 100) else 0.0
            for row in flow.rows.values():
                row[3] = syn
        table = write_table(self.folder / "turns.csv", flows)
        baselines = self.judge(table)["baselines"]
        self.assertEqual((baselines["split"], baselines["judged"]), ("time", 100))
        self.assertEqual(baselines["model"]["accuracy"], 0)

    def test_baselines_learn_from_train_data_where_there_are(self):
        other = write_table(self.folder / "other.csv", draw(300, 2))
        baselines = self.judge("--train-data", other, self.table)["baselines"]
        self.assertEqual((baselines["learnt_from"], baselines["learnt"], baselines["judged"]), ("train data", 300, 600))
        self.assert_refused(1, "is read already", arguments=("--train-data", self.table, self.model, self.table))

    def test_importance_finds_what_the_model_reads(self):
        judged = self.judge("--explain", "--ablate", self.table)
        drops = judged["importance"]["drops"]
        self.assertEqual(drops[0]["feature"], "syn_packets")
        self.assertGreater(drops[0]["roc_auc_drop"], 0.1)
        unused = next(x for x in drops if x["feature"] == "bwd_packets")
        self.assertEqual((unused["roc_auc_drop"], unused["balanced_accuracy_drop"]), (0, 0))
        groups = {x["group"]: x for x in judged["ablation"]["drops"]}
        n_features = {name: x["features"] for name, x in groups.items()}
        self.assertEqual(n_features, {"TCP flags": 1, "packets": 2, "times": 1})
        self.assertEqual(judged["ablation"]["drops"][0]["group"], "TCP flags")

    def test_sources_are_crossed(self):
        other = write_table(self.folder / "other.csv", draw(300, 2))
        benign = write_table(self.folder / "benign.csv", draw(100, 3, ("benign",)))
        trials = self.judge("--cross", self.table, other, benign)["cross"]["trials"]
        self.assertEqual(len(trials), 6)
        alone, left_out = trials[:3], trials[3:]
        self.assertIn("no attack to learn from", alone[2]["missing"])
        # A quarter of each class is held out, to set the threshold by.
        n_attacks = [sum(f.is_attack for f in flows) for flows in (self.flows, draw(300, 2))]
        n_held_out = [n // 4 for n in (n_attacks[0], 600 - n_attacks[0], sum(n_attacks), 900 - sum(n_attacks))]
        self.assertEqual((alone[0]["learnt"] + alone[0]["held_out"], alone[0]["held_out"]), (600, sum(n_held_out[:2])))
        self.assertEqual(alone[0]["benign"] + alone[0]["attacks"], 400)
        self.assertEqual((left_out[2]["learnt"], left_out[2]["held_out"]), (900 - sum(n_held_out[2:]), sum(n_held_out[2:])))
        self.assertEqual((left_out[2]["benign"], left_out[2]["attacks"]), (100, 0))
        self.assertIsNone(left_out[2]["network"]["roc_auc"])
        for kind in ("logistic_regression", "network"):
            self.assertGreater(alone[0][kind]["roc_auc"], 0.8)
            self.assertLess(left_out[2][kind]["fpr"], 0.1)
        self.assertIn("one source only", self.judge("--cross", self.table)["cross"]["missing"])


class OtherTables(EvalFlows):
    """Tables whose rows are flows of their own, whatever identifies them."""

    def test_flows_of_one_tuple_are_not_one_flow(self):
        head = "Flow ID,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp,Flow Duration,Flow IAT Mean,fwd_packets,Label"
        rows = [f"10.0.0.1-10.0.0.2-1000-80-6,10.0.0.1,1000,10.0.0.2,80,6,2017-07-03 09:0{i}:00,5,5,{packets},{label}"
                for i, (packets, label) in enumerate(((1, "BENIGN"), (9, "BENIGN"), (9, "DoS - Hulk"), (1, "DoS")))]
        later = [row.replace(" 09:", " 10:") for row in rows]
        table = self.folder / "cic.csv"
        table.write_text("\n".join((head, *rows)) + "\n")
        model = write_linear_model(self.folder / "packets.onnx", [[1.0]], [-5.0], task="flow", features="fwd_packets",
                                   classes="benign,attack", threshold="0.5")
        judged = self.judge(table, model=model)
        self.assertEqual((judged["confusion"], judged["mixed"]), ([[1, 1], [1, 1]], 0))
        # Nor for a threshold that is chosen on them.
        held_out = self.folder / "held_out.csv"
        held_out.write_text("\n".join((head, *later * 5)) + "\n")
        result = run("train", "flows", "--epochs", 1, "--columns", "fwd_packets,Flow Duration", "-o",
                     self.folder / "cic.onnx", "--held-out", held_out, table)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"of 10 benign flows .* of 10 attacks")

    def test_tables_of_one_name_are_two_sources(self):
        tables = []
        for folder in ("left", "right"):
            (self.folder / folder).mkdir()
            tables.append(write_table(self.folder / folder / "flows.csv", draw(50, 8)))
        judged = self.judge(*tables, self.table)
        names = [self.folder.name + "/flows.csv", "left/flows.csv", "right/flows.csv"]
        self.assertEqual(sorted(one["source"] for one in judged["sources"]), sorted(names))
        self.assertEqual(judged["judged"], 700)

    def test_groups_are_what_stands_before_the_first_dash_without_blanks(self):
        names = {"benign": "Benign", "flood-syn": "DoS - Hulk", "scan-port": "DoS Slowloris"}
        flows = [Flow(f.number, names[f.label], f.start, f.rows) for f in self.flows]
        table = write_table(self.folder / "groups.csv", flows)
        model = write_linear_model(
            self.folder / "groups.onnx", [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0.5, 0, 0]], [2, -1, -1], "Softmax",
            task="flow", features=",".join(FEATURES), classes="benign,DoS,DoS Slowloris")
        judged = self.judge(table, model=model)
        self.assertEqual([sum(row) for row in judged["confusion"]],
                         [sum(f.label == label for f in self.flows) for label in names])
        self.assertEqual(judged["rows_of_no_class"], 0)


class Ablation(EvalFlows):
    def test_a_group_is_replaced_by_the_mean_that_the_model_sees(self):
        """Of logarithms, where the model takes them; scored anew with `wirescore model score`."""
        model = self.folder / "log.onnx"
        result = run("train", "flows", "--epochs", 3, "--log", "all", "--split", "random", "-o", model, self.table)
        self.assertEqual(result.returncode, 0, result.stderr)
        judged = self.judge("--rows", "--ablate", write_table(self.folder / "again.csv", self.flows), model=model)
        rows = [row for flow in self.flows for row in flow.rows.values()]
        truths = [flow.is_attack for flow in self.flows for _ in flow.rows]

        def accuracy(table):
            scored = run("model", "score", model, input="".join(",".join(map(str, row)) + "\n" for row in table))
            self.assertEqual(scored.returncode, 0, scored.stderr)
            said = [float(line) >= 0.5 for line in scored.stdout.split()]
            rates = [[s == t for s, t in zip(said, truths) if t == kind] for kind in (False, True)]
            return sum(sum(rate) / len(rate) for rate in rates) / 2

        groups = {"packets": (0, 1), "times": (2,), "TCP flags": (3,)}
        means = [math.expm1(sum(math.log1p(row[j]) for row in rows) / len(rows)) for j in range(len(FEATURES))]
        for drop in judged["ablation"]["drops"]:
            edited = [[means[j] if j in groups[drop["group"]] else x for j, x in enumerate(row)] for row in rows]
            self.assertAlmostEqual(drop["balanced_accuracy_drop"], accuracy(rows) - accuracy(edited), 3)


class Thresholds(EvalFlows):
    def model_at(self, threshold, bias=BIAS):
        return write_linear_model(self.folder / f"at{threshold}.onnx", WEIGHTS, bias, task="flow",
                                  features=",".join(FEATURES), classes="benign,attack", threshold=str(threshold))

    def test_thresholds_other_than_a_half_are_the_models_own(self):
        for threshold in (0.001, 0.2, 0.9, 0.9999):
            judged = self.judge(self.table, model=self.model_at(threshold))
            limit = math.log(threshold / (1 - threshold))
            said = [[0, 0], [0, 0]]
            for flow in self.flows:
                said[flow.is_attack][flow.logit >= limit] += 1
            self.assertEqual(judged["confusion"], said, threshold)
            self.assertAlmostEqual(judged["threshold"], threshold, 6)
            self.assertEqual(sum(x["found"] for x in judged["labels"]), said[1][1])

    def test_thresholds_that_all_or_no_flows_reach_are_refused(self):
        for threshold, word in ((0, "has the threshold 0, which all"), (1, "has the threshold 1, which no")):
            self.assert_refused(1, word, arguments=(self.model_at(threshold), self.table))

    def test_infinite_logits_are_judged_and_are_no_numbers_of_json(self):
        model = write_linear_model(self.folder / "infinite.onnx", [[0.0, 0.0, 0.0, 3e38]], [-3e38], task="flow",
                                   features=",".join(FEATURES), classes="benign,attack", threshold="0.5")
        page = self.folder / "page.html"
        judged = self.judge("--html", page, "--explain", "--ablate", self.table, model=model)
        alarms = [max(row[3] for row in flow.rows.values()) > 0 for flow in self.flows]
        self.assertEqual(judged["confusion"][1][1], sum(a and f.is_attack for a, f in zip(alarms, self.flows)))
        # Benign flows are infinite, too: no threshold has so few of them.
        self.assertEqual([(x["recall"], x["logit"]) for x in judged["recall_at_fpr"]], [(0, None)] * 3)
        for label in judged["labels"]:
            self.assertIn(label["recall_at_fpr"], ([0, 0, 0], [None] * 3))
        self.assertNotRegex(page.read_text(), r"\b(nan|inf)\b")


class ManyClasses(EvalFlows):
    def softmax(self, classes):
        return write_linear_model(
            self.folder / "many.onnx", [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0.5, 0, 0]], [2, -1, -1], "Softmax",
            task="flow", features=",".join(FEATURES), classes=classes)

    def test_classes_are_told_apart_and_measured_each_against_the_rest(self):
        model = self.softmax("benign,flood,scan-port")
        judged = self.judge(self.table, model=model)
        self.assertEqual([x["class"] for x in judged["classes"]], ["benign", "flood", "scan-port"])
        self.assertEqual(len(judged["confusion"]), 3)
        confusion = [[0] * 3 for _ in range(3)]
        order = {"benign": 0, "flood-syn": 1, "scan-port": 2}
        for flow in self.flows:
            row = max(flow.rows.values(), key=lambda r: math.exp(r[3] - 1) + math.exp(r[1] / 2 - 1))
            z = (2, row[3] - 1, row[1] / 2 - 1)
            said = 0 if math.exp(z[1]) + math.exp(z[2]) < math.exp(z[0]) else 1 if z[1] >= z[2] else 2
            confusion[order[flow.label]][said] += 1
        self.assertEqual(judged["confusion"], confusion)
        self.assertGreater(judged["classes"][1]["roc_auc"], 0.9)
        self.assertEqual(run("eval", model, self.table).returncode, 0)

    def test_rows_of_no_class_are_left_out_and_said(self):
        model = self.softmax("benign,flood-syn,brute-ssh")
        judged = self.judge(self.table, model=model)
        n_scans = sum(f.label == "scan-port" for f in self.flows)
        self.assertEqual(judged["rows_of_no_class"], 4 * n_scans)
        self.assertEqual(judged["judged"], 600 - n_scans)
        self.assertIn("the first is 'scan-port'", run("eval", model, self.table).stdout)

    def test_applications_have_no_attack_figures(self):
        names = {"benign": "web", "flood-syn": "dns", "scan-port": "mail"}
        flows = [Flow(f.number, names[f.label], f.start, f.rows) for f in self.flows]
        table = write_table(self.folder / "applications.csv", flows)
        page = self.folder / "page.html"
        judged = self.judge("--html", page, "--explain", table, model=self.softmax("web,dns,mail"))
        self.assertNotIn("fpr", judged)
        self.assertIn("no class of the model is benign", judged["baselines"]["missing"])
        self.assertIsNone(judged["importance"]["drops"][0]["roc_auc_drop"])
        self.assertIn("right", run("eval", self.folder / "many.onnx", table).stdout)
        self.assertNotIn("ROC</h2>", page.read_text())


    def test_two_classes_need_not_be_benign_and_attack(self):
        names = {"benign": "web", "flood-syn": "dns", "scan-port": "mail"}
        flows = [Flow(f.number, names[f.label], f.start, f.rows) for f in self.flows]
        table = write_table(self.folder / "applications.csv", flows)
        n_mail = sum(f.label == "mail" for f in flows)
        for output, weights, bias in (("Sigmoid", WEIGHTS, BIAS), ("Softmax", [[0.0] * 4, *WEIGHTS], [0.0, *BIAS])):
            model = write_linear_model(self.folder / "two.onnx", weights, bias, output, task="flow",
                                       features=",".join(FEATURES), classes="web,dns")
            judged = self.judge(table, model=model)
            self.assertNotIn("fpr", judged)
            self.assertEqual((judged["judged"], judged["rows_of_no_class"]), (600 - n_mail, 4 * n_mail))
            # The last row judges a flow.
            confusion = [[0, 0], [0, 0]]
            for flow in flows:
                if flow.label != "mail":
                    confusion[flow.label == "dns"][logit(flow.rows["end"]) >= 0] += 1
            self.assertEqual(judged["confusion"], confusion, output)

    def test_benign_by_another_name_is_benign(self):
        model = write_linear_model(self.folder / "normal.onnx", WEIGHTS, BIAS, task="flow",
                                   features=",".join(FEATURES), classes="Normal,anomaly", threshold="0.5")
        self.assertEqual(self.judge(self.table, model=model)["confusion"], self.judge(self.table)["confusion"])

    def test_a_model_whose_benign_class_is_not_the_first_is_refused(self):
        """Everywhere else the first class is the harmless one: the figures would be of another model."""
        model = write_linear_model(self.folder / "turned.onnx", WEIGHTS, BIAS, task="flow",
                                   features=",".join(FEATURES), classes="attack,benign")
        self.assert_refused(1, "turned.onnx", "class 'benign' as number 2", arguments=(model, self.table))
        model = self.softmax("flood-syn,scan-port,benign")
        self.assert_refused(1, "class 'benign' as number 3", arguments=(model, self.table))


class Page(EvalFlows):
    def test_the_page_is_whole_self_contained_and_escapes_names(self):
        nasty = '<script>alert("1")&.csv'
        table = write_table(self.folder / nasty, draw(300, 2))
        page = self.folder / "page.html"
        result = run("eval", "--html", page, "--explain", "--ablate", "--cross", self.model, self.table, table)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        text = page.read_text()
        parser = PageParser()
        parser.feed(text)
        self.assertEqual(parser.open, [])
        self.assertEqual(parser.loads, [])
        self.assertNotIn("script", parser.tags)
        self.assertNotIn("http", text)
        self.assertNotIn("url(", text)
        self.assertNotRegex(text, r"\b(nan|inf)\b")
        words = " ".join(parser.text)
        for word in (nasty, "ROC", "Precision and recall", "Confusion", "Calibration", "syn_packets", "scan-port",
                     "Time to detection", "packet 4", "logistic regression"):
            self.assertIn(word, words)
        self.assertEqual(text.count('class="curve"'), 2)

    def test_names_in_reasons_are_escaped(self):
        nasty = "<b>bold\t.csv"
        table, page = write_table(self.folder / nasty, self.flows), self.folder / "page.html"
        judged = self.judge("--html", page, "--split", "capture", table)
        self.assertIn("<b>bold?.csv", judged["baselines"]["missing"])
        parser = PageParser()
        parser.feed(page.read_text())
        self.assertIn("all rows come from <b>bold?.csv", " ".join(parser.text))
        self.assertIn("nothing to compare with: all rows come from <b>bold?.csv",
                      run("eval", "--split", "capture", self.model, table).stdout)

    def test_the_page_never_replaces_what_is_read(self):
        before = self.table.read_bytes()
        self.assert_refused(1, "is a file that is read", arguments=("--html", self.table, self.model, self.table))
        self.assertEqual(self.table.read_bytes(), before)
        self.assert_refused(1, "is a file that is read", arguments=("--html", self.model, self.model, self.table))
        self.assert_refused(1, "cannot be written",
                            arguments=("--html", self.folder / "none" / "x.html", self.model, self.table))


class BadInput(EvalFlows):
    def test_one_class_alone_has_no_areas_and_says_so(self):
        for label, word in (("benign", "benign flows"), ("flood-syn", "attacks")):
            table = write_table(self.folder / "one.csv", draw(50, 1, (label,)))
            judged = self.judge("--explain", "--html", self.folder / "p.html", table)
            self.assertIsNone(judged["roc_auc"])
            self.assertIsNone(judged["recall_at_fpr"][0]["recall"])
            self.assertIn("missing", judged["baselines"])
            self.assertIn(f"there are only {word}", run("eval", self.model, table).stdout)
            self.assertIn(f"There are only {word}", (self.folder / "p.html").read_text())

    def test_missing_columns_are_named(self):
        table = write_table(self.folder / "few.csv", self.flows, FEATURES[:3])
        self.assert_refused(1, "few.csv", "syn_packets", arguments=(self.model, table))

    def test_tables_without_a_usable_row_are_refused(self):
        empty = write_table(self.folder / "empty.csv", [])
        self.assert_refused(1, "empty.csv", arguments=(self.model, empty))
        text = self.table.read_text().splitlines()
        broken = self.folder / "broken.csv"
        broken.write_text(text[0] + "\n" + text[1].rsplit(",", 1)[0] + ",many\n")
        self.assert_refused(1, "broken.csv", "none of 1 rows can be used", arguments=(self.model, broken))
        self.assert_refused(1, "none.csv", arguments=(self.model, self.folder / "none.csv"))

    def test_rows_that_cannot_be_used_are_counted(self):
        lines = self.table.read_text().splitlines()
        lines[5] = lines[5].rsplit(",", 1)[0] + ",nan"
        self.table.write_text("\n".join(lines) + "\n")
        data = self.judge(self.table)["data"]
        self.assertEqual((data["rows_read"], data["rows_used"], data["rows_refused"]), (2400, 2399, 1))

    def test_what_is_no_number_is_refused_by_reason(self):
        lines = self.table.read_text().splitlines()
        reasons = {"many": "text where a number should be", "nan": "NaN", "inf": "infinite or too large",
                   "1e99": "infinite or too large", "": "a field is empty"}
        for number, text in enumerate(reasons, 5):
            lines[number] = f"{lines[number].rsplit(',', 1)[0]},{text}"
        lines[20] += ",1"
        self.table.write_text("\n".join(lines) + "\n")
        data = self.judge(self.table)["data"]
        self.assertEqual((data["rows_read"], data["rows_used"], data["rows_refused"]), (2400, 2394, 6))
        refused = {one["reason"]: one["rows"] for one in data["refused"]}
        self.assertEqual(refused, {"text where a number should be": 1, "NaN": 1, "infinite or too large": 2,
                                   "a field is empty": 1, "more or fewer fields than columns": 1})
        shown = run("eval", self.model, self.table).stdout
        self.assertIn(f"refused   1: NaN; first {self.table}:7, column 'syn_packets': 'nan'\n", shown)

    def test_help_lists_what_there_is(self):
        text = run("eval", "--help").stdout
        for option in ("--columns", "--classes", "--drop"):
            self.assertNotIn(option, text)
            self.assert_refused(2, "the model says which", arguments=(option, "label", self.model, self.table))
        self.assertIn("the model is not trained again", text)

    def test_options_are_for_their_kind_of_model(self):
        arguments = ("--show-errors", 3, self.model, self.table)
        self.assert_refused(2, "--show-errors is for packet models", arguments=arguments)
        capture = write_pcap(self.folder / "c.pcap", [frame(0x0800), frame(0x0806)] * 20)
        packet = self.folder / "packet.onnx"
        self.assertEqual(run("train", "packet", "-o", packet, capture).returncode, 0)
        for option in (("--html", "x.html"), ("--ablate",), ("--format", "wirescore")):
            self.assert_refused(2, f"{option[0]} is for flow models", arguments=(*option, packet, capture))
        self.assert_refused(2, "the model says which", arguments=("--classes", "label", self.model, self.table))

    def test_a_model_of_unknown_task_is_judged_by_what_its_data_are(self):
        model = write_linear_model(self.folder / "unknown.onnx", WEIGHTS, BIAS, features=",".join(FEATURES))
        self.assertEqual(self.judge(self.table, model=model)["confusion"], self.judge(self.table)["confusion"])

    def test_a_model_without_names_of_its_inputs_is_refused(self):
        model = write_linear_model(self.folder / "nameless.onnx", WEIGHTS, BIAS)
        self.assert_refused(1, "does not name its 4 inputs", arguments=(model, self.table))

    def test_sums_that_overflow_are_not_judged(self):
        # Both logits are infinite, and so their difference is no number.
        model = write_linear_model(self.folder / "huge.onnx", [[3e38, 3e38, 0, 0]] * 2, [0, 0], "Softmax", task="flow",
                                   features=",".join(FEATURES), classes="benign,attack")
        result = run("eval", "--json", model, self.table)
        self.assertEqual(result.returncode, 1)
        self.assertIn("overflow", result.stderr)

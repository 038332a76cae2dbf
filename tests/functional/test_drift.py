# SPDX-License-Identifier: BSD-3-Clause
"""Drift: what models keep of the inputs that they were trained on, `wirescore model baseline`, and how far the traffic
of a live run is from that, wherever it is told."""
import json
import random
import time
import unittest

from browser import Browser, find_browser
from captures import ROOT, TestCase, ethernet, frame, ipv4, run, udp, write_pcap
from onnx_file import write_linear_model
from test_http import VERSION, Http, parse
from test_top import Run

MODELS = ROOT / "config/models"
SHIFTED = 0.25


def noise(rows):
    """
    What an index of ten bins of so many rows may be without any drift: 45 / rows in one of 1000 cases, and some more,
    for rows of the same flows come together.
    """
    return 0.08 + 45 / rows


def frames_of(n, types, seed=1):
    """Frames of these types, drawn, between hosts of any MACs."""
    draw = random.Random(seed)
    return [frame(draw.choice(types), draw.randbytes(40), draw.randbytes(12)) for _ in range(n)]


def flows_of(n, low, high, seed=1):
    """Flows of four packets each, of that many bytes of payload."""
    draw = random.Random(seed)
    sizes = [draw.randint(low, high) for _ in range(n)]
    return [ethernet(ipv4("10.0.0.1", f"10.1.{i >> 8}.{i & 255}", 17, udp(1000 + i, 53, b"x" * size)))
            for _ in range(4) for i, size in enumerate(sizes)]


def bins_of(model):
    """[[(edge, share)]] of each input, and how many facts that takes."""
    facts = json.loads(run("model", "show", "--json", model).stdout)["training"]
    texts = [value for name, value in facts.items() if name.startswith("quantiles_")]
    return [[tuple(map(float, part.split("@"))) for part in column.split()]
            for text in texts for column in text.split(";")], len(texts)


class Bins(TestCase):
    def setUp(self):
        super().setUp()
        self.capture = write_pcap(self.folder / "in.pcap", frames_of(2000, (0x0800, 0x0806)))
        self.model, self.out = self.folder / "model.onnx", self.folder / "out.onnx"

    def train(self, *options):
        result = run("train", "packet", "-o", self.model, "--epochs", 1, "--validation", 0, *options, self.capture)
        self.assertEqual(result.returncode, 0, result.stderr)

    def baseline(self, *words):
        return run("model", "baseline", "-o", self.out, *words)

    def test_training_keeps_the_bins_of_its_rows_as_they_were_captured(self):
        self.train("--randomize-macs")
        columns, n_facts = bins_of(self.model)
        self.assertEqual((len(columns), n_facts), (14, 2))
        # An input of one value, and of two: an edge below, and one at each.
        self.assertEqual([edge for edge, _ in columns[12]][1:], [8])
        self.assertEqual([edge for edge, _ in columns[13]][1:], [0, 6])
        self.assertEqual((columns[13][0][1], columns[13][2][1]), (0, 1))
        n_ip = sum(data[13] == 0 for data in frames_of(2000, (0x0800, 0x0806)))
        self.assertAlmostEqual(columns[13][1][1], n_ip / 2000, delta=1e-6)
        for i in range(12):
            self.assertEqual(len(columns[i]), 9)
            for tenth, (_, share) in enumerate(columns[i]):
                self.assertAlmostEqual(share, (tenth + 1) / 10, delta=0.02)

    def test_a_baseline_on_the_data_of_the_training_gives_the_same_bins_and_leaves_the_weights(self):
        self.train()
        self.assertEqual(self.baseline(self.model, self.capture).returncode, 0)
        self.assertEqual(bins_of(self.out), bins_of(self.model))
        rows = "\n".join(",".join(str(byte) for byte in data[:14]) for data in frames_of(50, (0x0800, 0x86DD))) + "\n"
        scores = [run("model", "score", model, input=rows).stdout for model in (self.model, self.out)]
        self.assertEqual(len(scores[0].splitlines()), 50)
        self.assertEqual(scores[0], scores[1])
        # In place, and in place of what was there.
        write_pcap(self.capture, frames_of(300, (0x86DD,)))
        self.assertEqual(run("model", "baseline", "-o", self.out, self.out, self.capture).returncode, 0)
        columns, n_facts = bins_of(self.out)
        self.assertEqual((len(columns), n_facts, columns[13][1]), (14, 2, (0xDD, 1)))
        shown = run("model", "show", self.out).stdout
        self.assertRegex(shown, r"\n  baseline +in\.pcap\n")
        self.assertRegex(shown, r"\n  baseline_rows +300\n")

    def test_show_says_that_there_are_bins_and_spares_the_numbers(self):
        self.train()
        shown = run("model", "show", self.model).stdout
        self.assertIn("bins         of all 14 inputs, to tell drift by\n", shown)
        self.assertNotIn("@", shown)
        write_linear_model(self.model, [[1, 2]], [0])
        self.assertIn("bins         none: drift cannot be told\n", run("model", "show", self.model).stdout)

    def test_a_flow_model_takes_captures_and_tables_of_its_features(self):
        write_linear_model(self.model, [[1, 1]], [0], task="flow", features="payload_bytes,fwd_packets",
                           classes="benign,attack", threshold="0.5", checkpoints="1,4")
        write_pcap(self.capture, flows_of(100, 100, 200))
        self.assertEqual(self.baseline(self.model, self.capture).returncode, 0)
        of_capture, n_facts = bins_of(self.out)
        self.assertEqual((len(of_capture), n_facts), (2, 1))
        self.assertEqual([edge for edge, _ in of_capture[1]][1:], [1, 4])
        self.assertEqual([share for _, share in of_capture[1]], [0, 0.5, 1])
        table = self.folder / "rows.csv"
        result = run("extract", "--features", "fwd_packets,payload_bytes", "--checkpoints", "1,4", "-o", table, self.capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.baseline(self.model, table).returncode, 0)
        self.assertEqual(bins_of(self.out)[0], of_capture)

    def test_the_shipped_models_have_bins(self):
        for name, n_inputs in (("ip", 22), ("ipv4", 14), ("attack", 49)):
            shown = run("model", "show", MODELS / f"{name}.onnx").stdout
            self.assertIn(f"bins         of all {n_inputs} inputs", shown)

    def test_what_cannot_be_done_is_told_in_one_line(self):
        self.train()
        flow = write_linear_model(self.folder / "flow.onnx", [[1]], [0], task="flow", classes="benign,attack",
                                  threshold="0.5")
        empty = write_pcap(self.folder / "empty.pcap", [])
        text = self.folder / "text.csv"
        text.write_text("zebra,label\n1,benign\n")
        named = write_linear_model(self.folder / "named.onnx", [[1]], [0], task="flow", features="payload_bytes",
                                   classes="benign,attack", threshold="0.5")
        for words, code, told in (((self.model,), 2, "captures or tables"), ((), 2, "name a model"),
                                  ((self.folder / "gone.onnx", self.capture), 1, "gone.onnx"),
                                  ((self.model, self.folder / "gone.pcap"), 1, "gone.pcap"),
                                  ((self.model, empty), 1, "no row"), ((self.model, text), 1, "text.csv"),
                                  ((flow, self.capture), 1, "does not name its inputs"), ((named, text), 1, "payload_bytes"),
                                  (("--flows", "0", self.model, self.capture), 2, "--flows 0")):
            with self.subTest(words=words):
                self.assert_complains(self.baseline(*words), code, told)
                self.assertFalse(self.out.exists())
        self.assert_complains(run("model", "baseline", self.model, self.capture), 2, "-o FILE")
        self.assert_complains(run("model", "baseline", "-o", self.capture, self.model, self.capture), 1, "in.pcap")


class Drift(Run):
    def serve(self, packets, interval=0.6, packet_model="none", flow_model="none", settings=(), **flow):
        config = self.write_config(self.capture(packets), "", flow_model, **flow)
        config.write_text(config.read_text().replace("packet = none", f"packet = {packet_model}"))
        return self.start(config, "--set", f"metrics.drift-interval={interval}", *settings)

    def packet_model(self, packets, name="packet.onnx", *options):
        path = self.folder / name
        result = run("train", "packet", "-o", path, "--epochs", 1, *options, write_pcap(self.folder / "train.pcap", packets))
        self.assertEqual(result.returncode, 0, result.stderr)
        return path

    def flow_model(self, packets, name="flow.onnx", features=("payload_bytes", "fwd_packets"), bias=-1e6):
        """A model that knows what flows of these packets look like."""
        self.model(name, bias, features=dict.fromkeys(features, 1.0))
        result = run("model", "baseline", "-o", self.folder / name, self.folder / name,
                     write_pcap(self.folder / "train.pcap", packets))
        self.assertEqual(result.returncode, 0, result.stderr)
        return self.folder / name

    def drift_of(self, ask, task, is_told=lambda drift: "psi" in drift, seconds=60):
        """What is told of a task, once it is."""
        end = time.monotonic() + seconds
        while not is_told(drift := ask(f"/wirescore/drift,{task}")):
            self.assertLess(time.monotonic(), end, drift)
            time.sleep(0.05)
        return drift

    def test_packets_like_those_of_the_training_are_stable_and_others_have_shifted(self):
        usual, other = frames_of(3000, (0x0800, 0x0806)), frames_of(3000, (0x86DD, 0x0806), seed=2)
        model = self.packet_model(usual)
        self.serve(usual, packet_model=model)
        with self.telemetry() as ask:
            drift = self.drift_of(ask, "packet")
            self.assertEqual(set(drift["inputs"]), {f"byte{i}" for i in range(14)})
            psi = [float(value) for value in drift["inputs"].values()]
            self.assertEqual(psi, sorted(psi, reverse=True))
            self.assertLess(psi[0], noise(drift["rows"]), drift)
            self.assertEqual((float(drift["psi"]), drift["input"]), (psi[0], next(iter(drift["inputs"]))))
            self.assertGreaterEqual(drift["rows"], 200)
            self.assertGreaterEqual(float(drift["seconds"]), 0.6)
            self.assertEqual(drift["has_baseline"], 1)
            shares = {name: float(value) for name, value in drift["class_shares"].items()}
            self.assertAlmostEqual(sum(shares.values()), 1, delta=1e-4)
            short = ask("/wirescore/stats")["drift"]["packet"]
            self.assertEqual(len(short["inputs"]), 5)
        self.stop()
        self.serve(other, packet_model=model)
        with self.telemetry() as ask:
            drift = self.drift_of(ask, "packet")
        self.assertIn(drift["input"], ("byte12", "byte13"))
        for i in range(14):
            psi = float(drift["inputs"][f"byte{i}"])
            if i > 11:
                self.assertGreater(psi, SHIFTED, f"byte{i}")
            else:
                self.assertLess(psi, noise(drift["rows"]), f"byte{i}")
        self.stop()

    def test_inputs_that_the_network_does_not_read_are_left_out(self):
        self.serve(frames_of(1000, (0x0800, 0x0806)), packet_model=MODELS / "ip.onnx")
        with self.telemetry() as ask:
            drift = self.drift_of(ask, "packet")
        self.assertEqual(set(drift["inputs"]), {f"byte{i}" for i in (12, 13, 16, 17, 20, 21)})
        self.stop()

    def test_flows_are_compared_by_the_features_that_their_model_reads(self):
        usual, other = flows_of(600, 100, 400), flows_of(600, 900, 1300)
        model = self.flow_model(usual)
        for packets, is_stable in ((usual, True), (other, False)):
            self.serve(packets, flow_model=model, active_timeout=0.02)
            with self.telemetry() as ask:
                drift = self.drift_of(ask, "flow")
                packet = ask("/wirescore/drift,packet")
            self.assertEqual(set(drift["inputs"]), {"payload_bytes", "fwd_packets"})
            if is_stable:
                self.assertLess(float(drift["psi"]), noise(drift["rows"]), drift)
            else:
                self.assertEqual(drift["input"], "payload_bytes")
                self.assertGreater(float(drift["psi"]), SHIFTED)
                self.assertLess(float(drift["inputs"]["fwd_packets"]), noise(drift["rows"]))
            self.assertAlmostEqual(float(drift["class_shares"]["benign"]), 1)
            # Nothing scores packets: the parser says of what class they are.
            self.assertEqual((packet["has_baseline"], packet["inputs"]), (0, {}))
            self.assertAlmostEqual(float(packet["class_shares"]["ip"]), 1)
            self.stop()

    def test_another_model_is_compared_with_its_own_bins_from_its_first_row_on(self):
        usual, other = flows_of(600, 100, 400), flows_of(600, 900, 1300)
        self.flow_model(usual)
        self.serve(usual, flow_model=self.folder / "flow.onnx", active_timeout=0.02)
        with self.telemetry() as ask:
            drift = self.drift_of(ask, "flow")
            self.assertLess(float(drift["psi"]), noise(drift["rows"]))
            # The same name, other bins; then fewer inputs, and a model that knows nothing of its training.
            self.flow_model(other)
            self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
            self.assertNotIn("psi", ask("/wirescore/drift,flow"))
            drift = self.drift_of(ask, "flow")
            self.assertGreater(float(drift["psi"]), SHIFTED)
            self.assertLess(float(drift["inputs"]["fwd_packets"]), noise(drift["rows"]))
            self.flow_model(usual, features=("payload_bytes",))
            self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
            drift = self.drift_of(ask, "flow")
            self.assertEqual(set(drift["inputs"]), {"payload_bytes"})
            self.assertLess(float(drift["psi"]), noise(drift["rows"]))
            self.model("flow.onnx", features={"payload_bytes": 1.0, "fwd_packets": 1.0})
            self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
            self.assertEqual(ask("/wirescore/drift,flow")["has_baseline"], 0)
        self.assertEqual(self.stop()["reloads"], 3)

    def test_100_reloads_while_workers_count_and_others_ask(self):
        usual = flows_of(600, 100, 400)
        second = f"[port b]\ndevice = net_pcap1,rx_pcap={self.folder}/in.pcap,infinite_rx=1\n"
        models = [self.flow_model(usual, "one.onnx"), self.flow_model(usual, "two.onnx", ("payload_bytes",))]
        config = self.write_config(self.capture(usual), second, models[0], workers=2, active_timeout=0.02)
        self.start(config, "--set", "metrics.drift-interval=0.1")
        n_told = 0
        with self.telemetry() as ask:
            for i in range(100):
                self.write_config(self.capture(usual), second, models[(i + 1) % 2], workers=2, active_timeout=0.02)
                self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
                if i % 10 == 0:
                    time.sleep(0.3)
                drift = ask("/wirescore/drift,flow")
                self.assertEqual(drift["has_baseline"], 1)
                n_told += "psi" in drift
                if "psi" in drift:
                    self.assertEqual(len(drift["inputs"]), 1 if i % 2 == 0 else 2)
                    # Rows that were counted by the other model's bins would make it far more.
                    self.assertLess(float(drift["psi"]), 1, drift)
        self.assertGreater(n_told, 0)
        self.assertEqual(self.stop()["reloads"], 100)

    def test_bins_that_cannot_be_understood_are_told_of_in_one_line_and_the_run_goes_on(self):
        for bins in ("5@2", "5", "", "x@1", "nan@0.5", "5@0.5 5@0.6", "5@0.6 6@0.5", "1@0.1;2@0.2", "0x10@1"):
            with self.subTest(bins=bins):
                self.model(**{"train.quantiles_0": bins or "@"})
                program = self.serve(flows_of(300, 100, 200), flow_model=self.folder / "model.onnx", interval=0.2)
                told = [line for line in self.said(program).splitlines() if "no drift is told" in line]
                self.assertEqual(len(told), 1, self.said(program))
                self.assertIn("model.onnx: no drift is told: wirescore.train.quantiles_0", told[0])
                with self.telemetry() as ask:
                    drift = self.drift_of(ask, "packet", lambda drift: "class_shares" in drift)
                    self.assertEqual(ask("/wirescore/drift,flow")["has_baseline"], 0)
                self.stop()
        # Where no drift is told, bins are not even read.
        program = self.serve(flows_of(300, 100, 200), flow_model=self.folder / "model.onnx", interval="off")
        self.stop()
        self.assertNotIn("drift", self.said(program))

    def test_a_reload_with_another_interval_keeps_to_the_one_that_runs(self):
        usual = flows_of(600, 100, 400)
        model = self.flow_model(usual)
        config = self.write_config(self.capture(usual), "", model, active_timeout=0.02)
        text = config.read_text()
        self.assertIn("[metrics]\n", text)
        config.write_text(text.replace("[metrics]\n", "[metrics]\ndrift-interval = 0.3\n"))
        self.start(config)
        config.write_text(text.replace("[metrics]\n", "[metrics]\ndrift-interval = off\n"))
        with self.telemetry() as ask:
            self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
            self.assertEqual(ask("/wirescore/drift,flow")["has_baseline"], 1)
            self.drift_of(ask, "flow")
        self.stop()

    def test_few_rows_tell_nothing_and_an_interval_of_off_neither(self):
        self.begin(frames_of(100, (0x0800,)), model=False)
        with self.telemetry() as ask:
            drift = ask("/wirescore/drift,packet")
            self.assertNotIn("psi", drift)
            for words in ("", ",", ",zebra", ",packet,flow"):
                self.assertIn("error", ask(f"/wirescore/drift{words}"))
            self.assertIn("error", ask("/wirescore/drift,flow"))
        self.stop()
        self.serve(frames_of(100, (0x0800,)), interval="off")
        with self.telemetry() as ask:
            self.assertIn("error", ask("/wirescore/drift,packet"))
            self.assertNotIn("drift", ask("/wirescore/stats"))
        self.assertNotIn("drift", self.stop())

    def test_top_has_a_line_of_it(self):
        usual = frames_of(3000, (0x0800, 0x0806))
        self.serve(frames_of(3000, (0x86DD,)), packet_model=self.packet_model(usual))
        with self.telemetry() as ask:
            self.drift_of(ask, "packet")
        result = self.top("--once")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"\ndrift +packets byte1[23] \d+\.\d\d shifted\n")
        self.stop()


@unittest.skipIf("built without http" in VERSION, "built without http")
class Exposed(Http):
    def test_prometheus_sees_each_input_and_each_share(self):
        path = self.folder / "packet.onnx"
        train = write_pcap(self.folder / "train.pcap", frames_of(2000, (0x0800, 0x0806)))
        self.assertEqual(run("train", "packet", "-o", path, "--epochs", 1, train).returncode, 0)
        self.serve(frames_of(2000, (0x0800, 0x0806)), "[metrics]\ndrift-interval = 0.6\ninterval = off\n",
                   settings=("--set", f"models.packet={path}"))
        end = time.monotonic() + 60
        while "wirescore_input_drift_psi{" not in self.metrics():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        samples = parse(self.metrics())
        inputs = {dict(labels)["input"]: value for (name, labels), value in samples.items()
                  if name == "wirescore_input_drift_psi" and dict(labels)["task"] == "packet"}
        self.assertEqual(set(inputs), {f"byte{i}" for i in range(14)})
        self.assertLess(max(inputs.values()), noise(samples["wirescore_input_drift_rows", (("task", "packet"),)]))
        shares = [value for (name, labels), value in samples.items() if name == "wirescore_class_share_ratio"]
        self.assertAlmostEqual(sum(shares), 1, delta=1e-6)
        self.assertGreaterEqual(samples["wirescore_input_drift_rows", (("task", "packet"),)], 200)
        drift = self.stats()["drift"]["packet"]
        self.assertEqual(drift["has_baseline"], True)
        self.assertEqual(len(drift["inputs"]), 5)
        self.stop()

    @unittest.skipUnless(find_browser(), "chromium is not installed")
    def test_the_page_shows_what_has_shifted(self):
        model = self.model(**{"train.quantiles_0": "1@0.5 2@1"})
        self.serve(flows_of(600, 100, 200), flow_model=model, active_timeout=0.02,
                   settings=("--set", "metrics.drift-interval=0.6"))
        with Browser(self.folder) as browser:
            browser.open(f"http://127.0.0.1:{self.port}/")
            end = time.monotonic() + 60
            while "payload_bytes" not in (text := browser.value("document.getElementById('drift')?.innerText ?? ''")):
                self.assertLess(time.monotonic(), end, text)
                browser.wait(0.5)
            self.assertRegex(text, r"payload_bytes\s+flows\s+\d+\.\d{3}\s+shifted")
            self.assertEqual(browser.complaints, [])
        self.stop()


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""Models are real ONNX: onnx.checker accepts ours, and files of other exporters load and score the same.

What a graph computes is worked out in numpy, operator by operator, from the files alone. Skipped where Debian's
python3-onnx (with numpy) is absent, and in part where python3-torch is.
"""
import io
import json
import os
import subprocess
import unittest
import warnings

from captures import MIX, ROOT, TestCase, run

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, checker, helper, numpy_helper
except ImportError:
    onnx = None
try:
    import torch
except ImportError:
    torch = None

# Writes a model whose input stage takes logarithms: no command does it without training one.
WRITE_LOG_MODEL = os.environ.get("WRITE_LOG_MODEL", str(ROOT / "build/tests/functional/write_log_model"))
TOLERANCE = 1e-5
OPERATORS = {
    "Gemm": lambda a, x, w, c: x @ (w.T if a.get("transB") else w) + c,
    "MatMul": lambda a, x, w: x @ w,
    "Add": lambda a, x, c: x + c,
    "Sub": lambda a, x, c: x - c,
    "Mul": lambda a, x, c: x * c,
    "Clip": lambda a, x, low=None, high=None: np.clip(x, -np.inf if low is None else low,
                                                      np.inf if high is None else high),
    "Relu": lambda a, x: np.maximum(x, 0),
    "Log": lambda a, x: np.log(x),
    "Where": lambda a, mask, x, y: np.where(mask != 0, x, y),
    "LeakyRelu": lambda a, x: np.where(x < 0, a["alpha"] * x, x),
    "Tanh": lambda a, x: np.tanh(x),
    "Sigmoid": lambda a, x: 1 / (1 + np.exp(-x)),
    "Softmax": lambda a, x: np.exp(x - x.max(1, keepdims=True)) / np.exp(x - x.max(1, keepdims=True)).sum(
        1, keepdims=True),
}


def evaluate(model, rows):
    """The outputs of a graph of OPERATORS, in double precision."""
    values = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in model.graph.initializer}
    values[model.graph.input[0].name] = rows.astype(np.float64)
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = OPERATORS[node.op_type](attributes, *(values.get(name) for name in node.input))
    return values[model.graph.output[0].name]


def random_rows(n_features, low=-2.0, high=2.0, n=70):
    return np.random.default_rng(42).uniform(low, high, (n, n_features)).astype(np.float32)


@unittest.skipIf(onnx is None, "needs python3-onnx and python3-numpy")
class Models(TestCase):
    def score(self, path, rows, *options):
        table = self.folder / "rows.csv"
        np.savetxt(table, rows, delimiter=",", fmt="%.9g")
        result = run("model", "score", *options, path, table)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return np.loadtxt(io.StringIO(result.stdout), delimiter=",", ndmin=2)

    def assert_scores(self, path, rows, expected):
        expected = np.asarray(expected, np.float64).reshape(len(rows), -1)
        np.testing.assert_allclose(self.score(path, rows), expected, rtol=0, atol=TOLERANCE)

    def assert_ours(self, path):
        model = onnx.load(str(path))
        checker.check_model(model, full_check=True)
        self.assertEqual(model.producer_name, "wirescore")
        n_features = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
        rows = random_rows(n_features, 0, 255).round()
        self.assert_scores(path, rows, evaluate(model, rows))
        shown = json.loads(run("model", "show", "--json", path).stdout)
        entries = {entry.key: entry.value for entry in model.metadata_props}
        self.assertEqual(len(entries), int(entries["wirescore.entries"]))
        self.assertEqual(shown["task"], entries["wirescore.task"])
        self.assertEqual(shown["features"], entries["wirescore.features"].split(","))
        self.assertEqual(shown["classes"], entries["wirescore.classes"].split(","))

    def save(self, nodes, tensors, n_in, n_out=1, opset=13, ml=False):
        """A file as onnx.helper makes it; tensors are numpy arrays by name."""
        graph = helper.make_graph(
            nodes, "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, n_in])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, n_out])],
            [numpy_helper.from_array(array, name) for name, array in tensors.items()])
        opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid("ai.onnx.ml", 2)] if ml else [])
        model = helper.make_model(graph, opset_imports=opsets, producer_name="test")
        checker.check_model(model)
        path = self.folder / "model.onnx"
        onnx.save(model, str(path))
        return path


class Ours(Models):
    def test_shipped_models_are_valid_onnx_and_score_as_onnx_says(self):
        paths = sorted((ROOT / "config/models").glob("*.onnx"))
        if not paths:
            self.skipTest("config/models has no models yet")
        for path in paths:
            with self.subTest(path.name):
                self.assert_ours(path)

    def test_a_freshly_trained_model_is_valid_onnx(self):
        path = self.folder / "fresh.onnx"
        result = run("train", "packet", "--label", "ip", "--bytes", "22", "-o", path, MIX)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_ours(path)

    def test_logarithms_are_valid_onnx_and_score_as_onnx_says(self):
        path = self.folder / "log.onnx"
        for marks in ("1111", "0000", "0110", "1000"):
            with self.subTest(marks):
                subprocess.run([WRITE_LOG_MODEL, path, marks], check=True)
                self.assert_ours(path)
                model = onnx.load(str(path))
                self.assertEqual([node.op_type == "Log" for node in model.graph.node].count(True), "1" in marks)
                # Counts, sizes and times: many magnitudes, and what was measured below zero.
                rows = 10 ** random_rows(4, -3, 9) - np.float32(2)
                self.assert_scores(path, rows, evaluate(model, rows))
                scalar = self.score(path, rows, "--kernel", "scalar")
                np.testing.assert_array_equal(self.score(path, rows), scalar)

    def test_the_inputs_of_logarithms_are_shown(self):
        path = self.folder / "log.onnx"
        for marks, line in (("1110", "ln(1 + max(x, 0)) of 3: feature0..feature2"),
                            ("0101", "ln(1 + max(x, 0)) of 2: feature1, feature3")):
            subprocess.run([WRITE_LOG_MODEL, path, marks], check=True)
            self.assertIn(f"  input      {line}\n", run("model", "show", path).stdout)
            stage = json.loads(run("model", "show", "--json", path).stdout)["input_stage"]
            self.assertEqual(stage["log"], [mark == "1" for mark in marks])
        subprocess.run([WRITE_LOG_MODEL, path, "0000"], check=True)
        self.assertNotIn("ln(", run("model", "show", path).stdout)
        self.assertNotIn("log", json.loads(run("model", "show", "--json", path).stdout)["input_stage"])

    def test_every_kernel_scores_the_same(self):
        rng = np.random.default_rng(1)
        path = self.save([helper.make_node("Gemm", ["x", "W", "b"], ["h"]), helper.make_node("Tanh", ["h"], ["y"])],
                         {"W": rng.normal(size=(5, 3)).astype(np.float32), "b": np.zeros(3, np.float32)}, 5, 3)
        rows = random_rows(5)
        scalar = self.score(path, rows, "--kernel", "scalar")
        np.testing.assert_array_equal(self.score(path, rows), scalar)


class Foreign(Models):
    def test_a_keras_model_as_tf2onnx_writes_it(self):
        rng = np.random.default_rng(2)
        w1, w2 = rng.normal(size=(6, 8)).astype(np.float32), rng.normal(size=(8, 1)).astype(np.float32)
        b1, b2 = rng.normal(size=8).astype(np.float32), rng.normal(size=1).astype(np.float32)
        mean, std = rng.normal(size=(1, 6)).astype(np.float32), rng.uniform(1, 2, (1, 6)).astype(np.float32)
        path = self.save([
            helper.make_node("Sub", ["x", "mean"], ["a"], name="model/normalization/sub"),
            helper.make_node("Div", ["a", "std"], ["b"], name="model/normalization/truediv"),
            helper.make_node("MatMul", ["b", "w1"], ["c"], name="model/dense/MatMul"),
            helper.make_node("Add", ["c", "b1"], ["d"], name="model/dense/BiasAdd"),
            helper.make_node("Relu", ["d"], ["e"], name="model/dense/Relu"),
            helper.make_node("Min", ["e", "six"], ["f"], name="model/dense/Relu6"),
            helper.make_node("Transpose", ["w2t"], ["w2"], name="transposed"),
            helper.make_node("MatMul", ["f", "w2"], ["g"], name="model/dense_1/MatMul"),
            helper.make_node("Add", ["b2", "g"], ["h"], name="model/dense_1/BiasAdd"),
            helper.make_node("Sigmoid", ["h"], ["y"], name="model/dense_1/Sigmoid"),
        ], {"mean": mean, "std": std, "w1": w1, "b1": b1, "w2t": w2.T.copy(), "b2": b2,
            "six": np.array(6, np.float32)}, 6)
        rows = random_rows(6)
        hidden = np.clip((rows - mean) / std @ w1 + b1, 0, 6)
        self.assert_scores(path, rows, 1 / (1 + np.exp(-(hidden @ w2 + b2))))

    def test_features_that_did_not_vary_in_training_add_no_noise(self):
        """Keras' Normalization divides those by 1e-7."""
        rng = np.random.default_rng(4)
        w = rng.normal(size=(4, 1)).astype(np.float32)
        mean, std = np.array([[1e6, 8, 0.5, 0]], np.float32), np.array([[1e-7, 1e-7, 2, 1]], np.float32)
        path = self.save([
            helper.make_node("Sub", ["x", "mean"], ["a"]),
            helper.make_node("Div", ["a", "std"], ["b"]),
            helper.make_node("MatMul", ["b", "w"], ["c"]),
            helper.make_node("Sigmoid", ["c"], ["y"]),
        ], {"mean": mean, "std": std, "w": w}, 4)
        rows = random_rows(4)
        rows[:, :2] = mean[0, :2]
        expected = (rows.astype(np.float64) - mean) / std @ w
        self.assert_scores(path, rows, 1 / (1 + np.exp(-expected)))
        shown = json.loads(run("model", "show", "--json", path).stdout)
        self.assertEqual(shown["input_stage"]["centre"], [1e6, 8, 0.5, 0])

    def test_a_scikit_learn_pipeline(self):
        rng = np.random.default_rng(3)
        w, b = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
        offset, scale = rng.normal(size=4).astype(np.float32), rng.uniform(0.5, 2, 4).astype(np.float32)
        path = self.save([
            helper.make_node("Scaler", ["x"], ["a"], domain="ai.onnx.ml", offset=offset.tolist(), scale=scale.tolist()),
            helper.make_node("Cast", ["a"], ["b"], to=TensorProto.FLOAT),
            helper.make_node("Gemm", ["b", "w", "c"], ["d"]),
            helper.make_node("Softmax", ["d"], ["y"], axis=1),
        ], {"w": w, "c": b}, 4, 3, ml=True)
        rows = random_rows(4)
        logits = ((rows - offset) * scale) @ w + b
        self.assert_scores(path, rows, np.exp(logits) / np.exp(logits).sum(1, keepdims=True))

    def test_what_is_no_perceptron_is_refused_in_one_line_by_name(self):
        path = self.save([
            helper.make_node("Gemm", ["x", "w"], ["h"]),
            helper.make_node("Erf", ["h"], ["y"], name="gelu/Erf"),
        ], {"w": np.eye(2, dtype=np.float32)}, 2, 2)
        for action in ("show", "score"):
            result = run("model", action, path)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertRegex(result.stderr, rf"^wirescore: {path}: node 'gelu/Erf' \(Erf\): not a dense layer.*\n$")


@unittest.skipIf(torch is None, "needs python3-torch")
class Torch(Models):
    def nets(self):
        nn = torch.nn
        torch.manual_seed(42)
        normed = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5),
                               nn.Linear(8, 1), nn.Sigmoid())
        for _ in range(20):  # running statistics that are not 0 and 1
            normed(torch.randn(32, 6) * 3 + 1)

        class Scaled(nn.Module):
            """Scaling and clipping of the input, and an output squeezed to [batch]."""

            def __init__(self):
                super().__init__()
                self.register_buffer("mean", torch.randn(6))
                self.register_buffer("std", torch.rand(6) + 0.5)
                self.layers = nn.Sequential(nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, 4, bias=False),
                                            nn.Hardtanh(-0.5, 0.75), nn.Linear(4, 1))

            def forward(self, x):
                x = torch.clamp((x - self.mean) / self.std, -2.0, 2.0)
                return torch.sigmoid(self.layers(torch.flatten(x, 1)).squeeze(-1))

        class Logs(nn.Module):
            """The logarithm of all features, or of those that a mask names, or of the others."""

            def __init__(self, form):
                super().__init__()
                self.form = form
                self.register_buffer("mask", torch.tensor([True, False, False, True, True, False]))
                self.register_buffer("mean", torch.randn(6))
                self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())

            def forward(self, x):
                if self.form == "all":
                    x = torch.log1p(torch.relu(x))
                elif self.form == "marked":
                    x = torch.where(self.mask, torch.log(torch.clamp(x, min=0) + 1), x)
                else:
                    x = torch.where(self.mask, x, torch.log(1 + torch.relu(x)))
                return self.layers(x - self.mean)

        return {
            "logs of all": Logs("all"),
            "logs of some": Logs("marked"),
            "logs of others": Logs("others"),
            "relu": nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 1),
                                  nn.Sigmoid()),
            "softmax": nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 5), nn.Softmax(dim=1)),
            "logits": nn.Sequential(nn.Linear(6, 9), nn.Sigmoid(), nn.Linear(9, 3)),
            "relu6": nn.Sequential(nn.Linear(6, 9), nn.ReLU6(), nn.Linear(9, 2), nn.Tanh()),
            "normed": normed,
            "scaled": Scaled(),
        }

    def test_exported_nets_score_the_same_for_every_opset(self):
        rows = random_rows(6)
        path = self.folder / "torch.onnx"
        for name, net in self.nets().items():
            net.eval()
            with torch.no_grad():
                expected = net(torch.from_numpy(rows)).numpy()
            for opset in range(9, 17):
                for folding in (True, False):
                    with self.subTest(net=name, opset=opset, folding=folding), warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        torch.onnx.export(net, torch.from_numpy(rows[:1] if folding else rows), str(path),
                                          opset_version=opset, do_constant_folding=folding,
                                          dynamic_axes={"x": {0: "batch"}} if folding else None, input_names=["x"])
                        self.assert_scores(path, rows, expected)

    def test_the_exporter_is_named(self):
        path = self.folder / "torch.onnx"
        torch.onnx.export(self.nets()["relu"].eval(), torch.zeros(1, 6), str(path))
        shown = json.loads(run("model", "show", "--json", path).stdout)
        self.assertEqual(shown["producer"].split()[0], "pytorch")
        self.assertEqual(shown["shape"], "6-64-16-1")


class Command(Models):
    def setUp(self):
        super().setUp()
        self.path = self.save([helper.make_node("Gemm", ["x", "w"], ["y"])], {"w": np.array([[2], [3]], np.float32)}, 2)

    def test_rows_come_from_stdin_with_or_without_a_header(self):
        for text in ("1,1\n2,0\n", "a,b\r\n1,1\r\n\r\n 2 , 0\r\n", "\ufeff1,1\n2,0\n",
                     "\ufeffinfo,nanos\n1,1\n2,0\n"):
            result = run("model", "score", self.path, input=text)
            self.assertEqual((result.returncode, result.stdout), (0, "5\n4\n"))

    def test_bad_rows_are_named_by_line(self):
        for text, what in (("1,1\n1\n", "2: 1 numbers, but"), ("1,1\n1,2,3\n", "2: more numbers"),
                           ("1,1\n1,x\n", "2: field 2"), ("1,nan\n", "1: field 2"), ("1,1\n1,\n", "2: field 2"),
                           ("nan,1\n", "1: field 1"), ("-,1\n", "1: field 1"), ("inf,3\n", "1: field 1"),
                           ("\ufeffx,1\n", "1: field 1")):
            result = run("model", "score", self.path, "-", input=text)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, rf"^wirescore: stdin:{what}.*\n$")

    def test_show_prints_what_the_file_says(self):
        model = onnx.load(str(self.path))
        helper.set_model_props(model, {"wirescore.features": "byte0,byte1", "wirescore.train.seed": "7"})
        onnx.save(model, str(self.path))
        result = run("model", "show", self.path)
        self.assertEqual(result.returncode, 0)
        for line in ("network      2-1, 3 parameters", "  layer 1    2 -> 1, identity", "features     2: byte0, byte1",
                     "threshold    0.5", "  seed 7"):
            self.assertIn(line + "\n", result.stdout)

    def test_files_that_are_no_models_end_in_one_line(self):
        empty = self.folder / "empty"
        empty.touch()
        sparse = self.folder / "sparse"
        with open(sparse, "wb") as file:
            file.truncate(2 << 30)
        for path, what in ((empty, "empty"), (sparse, "too many"), (self.folder, "directory"), (MIX, "not an ONNX file"),
                           (self.folder / "none", "cannot open")):
            result = run("model", "show", path)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertRegex(result.stderr, rf"^wirescore: {path}: .*{what}.*\n$")

    def test_bad_usage_ends_with_2(self):
        for arguments in ([], ["print"], ["show"], ["show", "a", "b"], ["score", "a", "b", "c"], ["show", "--no", "a"],
                          ["score", "--json", "a"], ["score", "--kernel", "none", "a"], ["-x", "show"],
                          ["--kernel"]):
            self.assertEqual(run("model", *arguments).returncode, 2, arguments)


if __name__ == "__main__":
    unittest.main()

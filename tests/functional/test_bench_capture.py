# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore bench capture`: its loops over one capture, with and without JSON, and the models it refuses."""
import json
import os
import unittest

from captures import TestCase, ethernet, ipv4, run, udp, write_pcap

LOOPS = ["libpcap", "empty", "classify", "flows", "attack"]
SHIPPED = os.path.join(os.environ.get("WIRESCORE_MODELS", ""), "attack.onnx")


class BenchCapture(TestCase):
    def setUp(self):
        super().setUp()
        self.capture = self.folder / "few.pcap"
        write_pcap(self.capture, [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + i % 7, 53, b"x" * 40)))
                                  for i in range(200)])

    @unittest.skipUnless(os.path.exists(SHIPPED), "no attack.onnx is shipped")
    def test_every_loop_is_timed(self):
        result = run("bench", "capture", "--rounds", "2", "--json", self.capture)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        printed = json.loads(result.stdout)
        self.assertEqual((printed["packets"], printed["rounds"]), (200, 2))
        self.assertEqual(list(printed["loops"]), LOOPS)
        for loop in printed["loops"].values():
            self.assertGreater(loop["cycles_per_packet"], 0)
        for loop in LOOPS[2:]:
            self.assertGreater(printed[f"{loop}_of_empty"], 0)
        table = run("bench", "capture", "--rounds", "1", self.capture).stdout.splitlines()
        self.assertEqual([line.split()[0] for line in table[3:8]], LOOPS)

    def test_models_that_do_not_fit_are_refused(self):
        packet_model = os.path.join(os.path.dirname(SHIPPED), "ip.onnx")
        for option, path, says in (("--flow-model", packet_model, "a flow model is needed here"),
                                   ("--flow-model", self.folder / "none.onnx", "none.onnx"),
                                   ("--packet-model", self.folder / "none.onnx", "none.onnx")):
            result = run("bench", "capture", option, path, self.capture)
            self.assert_complains(result, 1, says)
            self.assertEqual(result.stdout, "")

    def test_a_folder_without_the_shipped_model_is_told_of(self):
        result = run("bench", "capture", self.capture, env={**os.environ, "WIRESCORE_MODELS": str(self.folder)})
        self.assert_complains(result, 1, "$WIRESCORE_MODELS")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""What a service manager and an administrator expect of a run that packets pass through."""
import json
import os
import pathlib
import shutil
import signal
import socket

from inline_case import LEFT, RIGHT, Inline
from onnx_file import write_linear_model


class Serving(Inline):
    def test_rights_are_given_up_by_every_thread_and_traffic_goes_on(self):
        self.wire("w")
        self.folder.chmod(0o755)
        logs = self.folder / "logs"
        logs.mkdir()
        shutil.chown(logs, "nobody")
        config = self.write_config(f"[security]\nuser = nobody\n[records flows]\npath = {logs}/records\n",
                                   self.model())
        self.start(config)
        for task in pathlib.Path(f"/proc/{self.program.pid}/task").iterdir():
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
            self.assertEqual(set(status["Uid"].split()), {"65534"})
            self.assertEqual(status["NoNewPrivs"].strip(), "1")
            self.assertEqual(int(status["CapEff"], 16), 0)
        self.ping(RIGHT)
        self.swap()
        self.ping(RIGHT)
        self.assertGreater(self.stop()["flows"]["ended"], 0)
        records = [json.loads(line) for line in (logs / "records").read_text().splitlines()]
        self.assertIn((LEFT, RIGHT, 1, "benign"), {(r["src"], r["dst"], r["protocol"], r["class"]) for r in records})

    def test_a_service_manager_is_told_and_idle_workers_rest(self):
        self.wire("w")
        path = str(self.folder / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(5)
            self.start(self.write_config(), "--idle-sleep", NOTIFY_SOCKET=path, WATCHDOG_USEC="200000")
            self.assertIn(b"READY=1", manager.recv(512))
            before = self.cpu_seconds()
            self.assertEqual([manager.recv(512) for _ in range(10)], [b"WATCHDOG=1"] * 10)
            self.assertLess(self.cpu_seconds() - before, 0.7)  # of more than a second
            self.ping(RIGHT)
            self.stop()
            manager.settimeout(0.1)
            said = [b""]
            while said[-1] != b"STOPPING=1":
                said.append(manager.recv(512))

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.program.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_two_pairs_are_served_by_two_workers_on_cores_of_their_own(self):
        self.wire("w")
        self.wire("x", subnet=80)
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            self.skipTest("one core")
        config = self.write_config(wires=("w", "x"))
        self.start(config, "--set", f"eal.cores={cores[0]},{cores[1]}", "--set", "eal.workers=auto", "--idle-sleep")
        self.assertIn("running with 2 workers", self.said())
        for address in (RIGHT, "10.80.0.2"):
            self.peer("right", "echo", address, 53)
            self.assertEqual(self.ask("left", "ping", address, 53, 300, 60)[0]["lost"], 0)
        report = self.stop()
        for port in report["ports"].values():
            self.assertGreaterEqual(port["forwarded"], 300)

    def test_what_cannot_be_taken_over_is_told_and_changes_nothing(self):
        self.wire("w")
        self.wire("x", subnet=80)
        model = self.model(bias=-1e6)
        other = write_linear_model(self.folder / "other.onnx", [[1.0], [1.0], [1.0]], [0.0, 0.0, 0.0], "Softmax",
                                   task="flow", features="payload_bytes", classes="benign,a,b", threshold="0.5",
                                   checkpoints="1")
        deep = self.model({"initiator_flows_60s": 1.0}, name="deep.onnx")
        two = ("w", "x")
        self.start(self.write_config(flow_model=model, wires=two))
        for words, config in (
            ("other classes", {"flow_model": other}),
            ("cannot be added nor taken away", {"flow_model": "none"}),
            ("do you mean", {"flow_model": model, "text": "[policy attak]\naction = drop\n"}),
            ("port y does not run", {"flow_model": model, "wires": ("w",),
                                     "text": "[port y]\ndevice = xr\n[policy]\nnon-ip = mirror y\n"}),
            ("reads more of flows", {"flow_model": deep}),
        ):
            with self.subTest(words=words):
                before = self.said().count("nothing is changed")
                self.write_config(**{"wires": two, **config})
                self.program.send_signal(signal.SIGHUP)
                self.wait_for("nothing is changed", 20, before + 1)
                self.assertIn(words, self.said())
        self.ping(RIGHT)
        self.assertEqual(self.stop()["reloads"], 0)

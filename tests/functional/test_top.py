# SPDX-License-Identifier: BSD-3-Clause
"""What a live run tells at its telemetry socket, and `wirescore top`, which shows it: as lines, as JSON, on a screen."""
import contextlib
import fcntl
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest

from captures import ROOT, WIRESCORE, ethernet, ipv4, ipv6, udp, write_pcap
from onnx_file import write_linear_model
from outcomes import OUTCOMES
from test_live_control import NOBODY, Live

COMMANDS = ("stats", "worker", "port", "flows/top", "model", "histograms", "drift")
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[A-Za-z@`]|\([AB0]|[=>78M]|\][^\x07]*\x07)")


def flows_of(n, make=lambda i: (ipv4, "10.0.0.1", f"10.1.{i >> 8}.{i & 255}")):
    """The flow of number i has i + 1 packets."""
    packets = []
    for i in range(n):
        network, source, destination = make(i)
        packets += [ethernet(network(source, destination, 17, udp(1000 + i, 53, b"x" * 100)))] * (i + 1)
    return packets


class Run(Live):
    def begin(self, packets, text="", once=True, model=True, **flow):
        """A run on a capture that ends, when it has: what it has counted stands still."""
        path = self.folder / "in.pcap"
        write_pcap(path, packets)
        device = f"net_pcap0,rx_pcap={path}" + ("" if once else ",infinite_rx=1")
        program = self.start(self.write_config(device, text, self.model(bias=1e6) if model else "none", **flow))
        if once:
            with self.telemetry() as ask:
                end = time.monotonic() + 30
                while ask("/wirescore/stats")["ports"]["a"]["received"] < len(packets):
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.02)
        return program

    def top(self, *options):
        return subprocess.run([WIRESCORE, "top", *map(str, options)], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "RUNTIME_DIRECTORY": str(self.folder)}, stdin=subprocess.DEVNULL,
                              check=False)


class Telemetry(Run):
    def assert_same(self, told, counted, where=""):
        """What is told is what was counted, as far as DPDK can carry it."""
        for key, value in counted.items():
            name = re.sub("[^A-Za-z0-9]", "_", key)
            if value is None:
                self.assertNotIn(name, told, where)
            elif isinstance(value, dict):
                self.assert_same(told[name], value, f"{where}/{key}")
            elif isinstance(value, float):
                self.assertAlmostEqual(float(told[name]), value, delta=1e-4 * abs(value) + 1e-9, msg=f"{where}/{key}")
            elif isinstance(value, list) and value and isinstance(value[0], float):
                for one, other in zip(told[name], value):
                    self.assertAlmostEqual(float(one), other, delta=1e-4 * abs(other) + 1e-9, msg=f"{where}/{key}")
            else:
                self.assertEqual(told[name], value, f"{where}/{key}")

    def test_all_commands_tell_what_the_report_has(self):
        text = f"[records out]\npath = {self.folder}/out.ndjson\n"
        self.begin(flows_of(20), text)
        with self.telemetry() as ask:
            self.assertEqual([f"/wirescore/{name}" for name in COMMANDS if f"/wirescore/{name}" not in ask("/")], [])
            for name in COMMANDS:
                self.assertTrue(ask(f"/help,/wirescore/{name}"))
            stats, model, histograms = (ask(f"/wirescore/{name}") for name in ("stats", "model", "histograms"))
            worker, port = ask("/wirescore/worker,0"), ask("/wirescore/port,0")
        report = self.dump()
        self.assertGreater(report.pop("seconds"), float(stats["seconds"]))
        self.assert_same(model, report.pop("models"))
        self.assert_same(histograms, report.pop("histograms"))
        self.assert_same(stats, report)
        self.assert_same(port, report["ports"]["a"])
        self.assertEqual(sum(port[outcome] for outcome in OUTCOMES), 210)
        self.assertEqual((stats["flows"]["started"], stats["flows"]["open"]), (20, 20))
        self.assertEqual((worker["packets"], worker["flows_open"]), (210, 20))
        self.assertEqual(sum(histograms["verdict_ns"]["counts"]), 210)
        self.assertEqual(sum(histograms["packet_scores"]["counts"]), 0)
        self.assertEqual((model["flow"]["name"], model["flow"]["classes"]), ("model.onnx", ["benign", "attack"]))
        self.assertRegex(model["flow"]["version"], "^[0-9a-f]{8}$")
        self.stop()

    def test_the_model_is_told_anew_when_another_is_taken_over(self):
        self.begin(flows_of(3))
        with self.telemetry() as ask:
            before = ask("/wirescore/model")["flow"]
            self.model(bias=-5)
            self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
            after = ask("/wirescore/model")["flow"]
        self.assertEqual(before["name"], after["name"])
        self.assertNotEqual(before["version"], after["version"])
        self.stop()

    def test_the_largest_flows_come_in_order(self):
        self.begin(flows_of(150))
        with self.telemetry() as ask:
            answer = ask("/wirescore/flows/top,5")
            self.assertEqual((answer["order"], answer["workers_left_out"], len(answer["flows"])), ("packets", 0, 5))
            self.assertEqual([flow["packets_fwd"] for flow in answer["flows"].values()], [150, 149, 148, 147, 146])
            first = answer["flows"]["1"]
            self.assertEqual((first["src"], first["dst"], first["src_port"], first["dst_port"], first["protocol"]),
                             ("10.0.0.1", "10.1.0.149", 1149, 53, 17))
            self.assertEqual((first["bytes_fwd"], first["packets_bwd"], first["bytes_bwd"]), (150 * 128, 0, 0))
            self.assertEqual((first["class"], float(first["score"])), ("attack", 1))
            for order in ("packets", "bytes", "score"):
                self.assertEqual(ask(f"/wirescore/flows/top,3,{order}")["order"], order)
            self.assertEqual(len(ask("/wirescore/flows/top,60")["flows"]), 60)
        self.stop()

    def test_flows_without_a_model_have_no_score(self):
        self.begin(flows_of(3), model=False)
        with self.telemetry() as ask:
            flows = ask("/wirescore/flows/top,3,score")["flows"]
            self.assertEqual(len(flows), 3)
            self.assertNotIn("score", flows["1"])
            self.assertNotIn("flow", ask("/wirescore/model"))
        self.stop()

    def test_where_there_are_no_flows_the_list_is_empty(self):
        path = self.folder / "in.pcap"
        write_pcap(path, flows_of(3))
        config = self.write_config(f"net_pcap0,rx_pcap={path}")
        config.write_text(config.read_text().replace("flows = 4096", "flows = 0"))
        self.start(config)
        with self.telemetry() as ask:
            self.assertEqual(ask("/wirescore/flows/top,3")["flows"], [])
            self.assertNotIn("flows", ask("/wirescore/stats"))
        self.assertEqual(self.top("--once", "-d", "0.1").returncode, 0)
        self.stop()

    def test_what_does_not_fit_into_an_answer_is_left_out_and_counted(self):
        long = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:"
        self.begin(flows_of(120, lambda i: (ipv6, f"{long}ff01", f"{long}{0xf000 + i:x}")))
        with self.telemetry() as ask:
            answer = ask("/wirescore/flows/top,100")
        self.assertEqual(len(answer["flows"]) + answer["flows_left_out"], 100)
        self.assertGreater(len(answer["flows"]), 50)
        self.assertEqual(answer["flows"]["1"]["packets_fwd"], 120)
        self.stop()

    def test_ports_that_do_not_fit_have_an_answer_of_their_own(self):
        ports = "".join(f"[port a-long-name-{i}]\ndevice = net_null{i}\n" for i in range(30))
        config = self.write_config("net_ring0", ports, workers=1)
        config.write_text(config.read_text().replace("[port a]\ndevice = net_ring0\n", ""))
        self.start(config, "--set", "eal.idle-sleep=yes")
        with self.telemetry() as ask:
            stats = ask("/wirescore/stats")
            self.assertEqual(len(stats["ports"]) + stats["ports_left_out"], 30)
            self.assertGreater(len(stats["ports"]), 10)
            self.assertEqual(stats["ports"]["a_long_name_3"]["name"], "a-long-name-3")
            self.assertEqual(ask("/wirescore/port,29")["name"], "a-long-name-29")
        self.stop()

    def test_names_as_long_as_they_may_be_fit_into_answers(self):
        path, n = self.folder / "in.pcap", 64
        write_pcap(path, flows_of(3))
        classes = [f"{i:02}{'x' * 126}" for i in range(n)]
        model = write_linear_model(self.folder / "many.onnx", [[1.0]] * n, [float(-i) for i in range(n)], "Softmax",
                                   task="flow", features="payload_bytes", classes=",".join(classes), threshold="0.5",
                                   checkpoints="1")
        sinks = "".join(f"[records {'s' * 18}{i:02}]\npath = {self.folder}/{i}\n" for i in range(16))
        self.start(self.write_config(f"net_pcap0,rx_pcap={path}", sinks, model))
        with self.telemetry() as ask:
            stats = ask("/wirescore/stats")
            self.assertEqual(len(stats["flows"]["classes"]), n)
            self.assertEqual((len(stats["ports"]) + stats.get("ports_left_out", 0),
                              len(stats["sinks"]) + stats.get("sinks_left_out", 0)), (1, 16))
            self.assertEqual(len(ask("/wirescore/model")["flow"]["classes"]), n)
        result = self.top("--once", "-d", "0.1")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.stop()

    def test_names_that_dpdk_does_not_allow_arrive_all_the_same(self):
        path = self.folder / "in.pcap"
        write_pcap(path, flows_of(3))
        model = self.model("mödel.onnx", bias=1e6, classes="be-nign,be_nign")
        self.start(self.write_config(f"net_pcap0,rx_pcap={path}", flow_model=model))
        with self.telemetry() as ask:
            self.assertEqual(set(ask("/wirescore/stats")["flows"]["classes"]), {"be_nign", "be_nign_2"})
            told = ask("/wirescore/model")["flow"]
            self.assertEqual((told["name"], told["classes"]), ("m??del.onnx", ["be-nign", "be_nign"]))
            (self.folder / "mödel.onnx").unlink()
            self.assertIn("m??del.onnx", ask("/wirescore/reload")["reason"])
        self.assertIn("be-nign 0/s", self.top("--once", "-d", "0.1").stdout)
        self.stop()

    def test_junk_is_answered_with_an_error_and_the_run_goes_on(self):
        self.begin(flows_of(5))
        junk = ["", "-1", "1e9", "x", "0x1", " 1", "1 ", "+1", "1,", "1,,", ",", ",1", "9" * 23, "4294967296",
                "%s%n%s%n%x", "1\n", "a" * 900, "1," + "b" * 900, "1,packets,1", "1,packets,", "1,Packets",
                "1,score ", "\x01\x7f", "1;2", "'", '"', "\\", "101", "1,%n", "\u00e9" * 20]
        with self.telemetry() as ask:
            for text in junk:
                for name in COMMANDS:
                    with self.subTest(name=name, text=text):
                        answer = ask(f"/wirescore/{name},{text}")
                        if not text.strip(",") and name in ("stats", "model", "histograms"):
                            continue
                        self.assertEqual(list(answer), ["error"])
            for text in ("", ",0", ",-1", ",1e9", ",101", ",1,", ",1,x", ",,1"):
                self.assertEqual(list(ask(f"/wirescore/flows/top{text}")), ["error"], text)
            for name in ("worker", "port"):
                for text in ("", ",1", ",-0", ",00x"):
                    self.assertEqual(list(ask(f"/wirescore/{name}{text}")), ["error"], text)
            self.assertEqual(ask("/wirescore/worker,0")["worker"], 0)
        self.stop()

    def test_random_bytes_do_not_end_the_run(self):
        self.begin(flows_of(5))
        dice = random.Random(1)
        letters = b"/wirescoretflp,0123456789-%n\\\"\xff\x80 \n"
        with self.telemetry() as ask:
            path = self.socket_of()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(path)
            client.settimeout(30)
            client.recv(1024)
            for _ in range(1500):
                name = dice.choice(COMMANDS).encode()
                text = bytes(dice.choice(letters) for _ in range(dice.randrange(0, 60)))
                client.send(b"/wirescore/" + name + b"," + text)
                json.loads(client.recv(1 << 16).decode())
        with self.telemetry() as ask:
            self.assertEqual(ask("/wirescore/stats")["ports"]["a"]["received"], 15)
        self.stop()

    def test_a_run_that_ends_while_many_ask_ends_well(self):
        for _ in range(4):
            program = self.begin(flows_of(50), once=False)
            path, ends, n_answers = self.socket_of(), threading.Event(), []

            def client(path=path, ends=ends, n_answers=n_answers):
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
                    asker.connect(path)
                    asker.settimeout(10)
                    asker.recv(1024)
                    while not ends.is_set():
                        for name in ("stats", "flows/top,50,bytes", "histograms", "model", "worker,0"):
                            asker.send(f"/wirescore/{name}".encode())
                            data = asker.recv(1 << 16)
                            if not data:
                                return
                            json.loads(data)
                            n_answers.append(name)
            clients = [threading.Thread(target=client) for _ in range(6)]
            for thread in clients:
                thread.start()
            time.sleep(0.3)
            self.stop(program)
            ends.set()
            for thread in clients:
                thread.join(30)
            self.assertGreater(len(n_answers), 10)
            self.assertNotIn("ERROR", self.said(program))

    @unittest.skipUnless(shutil.which("dpdk-telemetry.py"), "dpdk-telemetry.py (package dpdk-dev) is not installed")
    def test_dpdks_own_client_speaks_to_it(self):
        self.begin(flows_of(20))
        words = "".join(f"{line}\n" for line in ("/wirescore/stats", "/wirescore/flows/top,2,bytes",
                                                 "/wirescore/worker,0", "/wirescore/model", "/wirescore/histograms",
                                                 "/wirescore/worker,9", "quit"))
        result = subprocess.run(["dpdk-telemetry.py"], input=words, text=True, capture_output=True, timeout=30,
                                env={**os.environ, "RUNTIME_DIRECTORY": str(self.folder)}, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        found, at, decoder = {}, 0, json.JSONDecoder()
        while (at := result.stdout.find("{", at)) >= 0:
            value, at = decoder.raw_decode(result.stdout, at)
            found.update({key: value[key] for key in value if key not in found})
        self.assertEqual(found["/wirescore/stats"]["ports"]["a"]["received"], 210)
        self.assertEqual(found["/wirescore/flows/top"]["flows"]["1"]["packets_fwd"], 20)
        self.assertEqual(found["/wirescore/worker"]["packets"], 210)
        self.assertEqual(found["/wirescore/model"]["flow"]["name"], "model.onnx")
        self.assertIn("verdict_ns", found["/wirescore/histograms"])
        self.stop()


class Once(Run):
    def test_json_has_what_the_socket_tells(self):
        self.begin(flows_of(20))
        result = self.top("--once", "--json", "-d", "0.2", "-n", 3, "--by", "bytes")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        told = json.loads(result.stdout)
        with self.telemetry() as ask:
            stats, flows = ask("/wirescore/stats"), ask("/wirescore/flows/top,3,bytes")
        for part in ("ports", "flows", "worker_packets"):
            self.assertEqual(told["stats"][part], stats[part])
        self.assertEqual(told["flows"], flows)
        self.assertEqual(told["pid"], self.programs[-1].pid)
        self.assertEqual(told["socket"], self.socket_of())
        # Nothing comes any more.
        self.assertEqual((told["rates"]["packets"], told["rates"]["bits"], told["rates"]["flows_started"]), (0, 0, 0))
        self.assertEqual(told["rates"]["ports"]["a"]["packets"], 0)
        self.assertGreater(told["rates"]["seconds"], 0.19)
        self.stop()

    def test_lines_have_what_the_socket_tells(self):
        text = f"[records to-file]\nto = file\npath = {self.folder}/out.ndjson\n"
        self.begin(flows_of(20), text)
        result = self.top("--once", "--delay=0.1")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with self.telemetry() as ask:
            stats = ask("/wirescore/stats")
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], rf"wirescore  runs for 0:00:\d\d  pid {self.programs[-1].pid}  0 reloads  "
                         + re.escape(self.socket_of()))
        for words in (f"packets 210  bytes {stats['classifier']['bytes']}  flows 20", "20 flows open",
                      "dropped     nothing", "flows model.onnx", "benign 0/s", "attack 0/s", "kernel ",
                      "workers     0: ", "FLOWS BY packets"):
            self.assertIn(words, result.stdout)
        self.assertRegex(result.stdout, r"(?m)^a +0 +0\.000 +0 +0 +0  up$")
        self.assertRegex(result.stdout, r"(?m)^to-file +file ")
        self.assertRegex(result.stdout, r"(?m)^ +20 +2\.56k +0 attack +1\.000  udp 10\.0\.0\.1:1019 > 10\.1\.0\.19:53$")
        self.assertEqual(len([line for line in lines if " > " in line]), 20)
        self.stop()

    def test_rates_are_those_of_the_run(self):
        self.begin(flows_of(20), once=False)
        first = self.dump()
        told = json.loads(self.top("--once", "--json", "-d", "1").stdout)
        last = self.dump()
        rates = told["rates"]
        n = last["classifier"]["packets"] - first["classifier"]["packets"]
        self.assertGreater(rates["packets"], 0)
        self.assertLess(rates["packets"] * rates["seconds"], n)
        self.assertAlmostEqual(rates["bits"] / rates["packets"], 8 * 142, delta=8)
        self.assertGreater(rates["workers"][0]["load"], 0)
        self.assertLess(rates["workers"][0]["load"], 1.2)
        self.assertGreater(rates["verdict_us"]["p50"], 0)
        self.assertLessEqual(rates["verdict_us"]["p50"], rates["verdict_us"]["p99"])
        self.assertLessEqual(rates["verdict_us"]["p99"], rates["verdict_us"]["p99.9"])
        self.stop()

    def test_what_is_lost_is_shown_by_its_cause(self):
        packets = flows_of(20)
        self.begin(packets, "[port b]\ndevice = net_null1\n[pair p]\nports = a, b\n[policy attack]\naction = drop\n",
                   once=False)
        told = json.loads(self.top("--once", "--json", "-d", "0.5").stdout)
        self.assertGreater(told["rates"]["dropped"]["dropped_by_policy"], 0)
        self.assertRegex(self.top("--once", "-d", "0.5").stdout, r"(?m)^dropped +by_policy \S+/s")
        self.stop()

    def test_without_a_run_one_line_says_so(self):
        for options, words in (([], "no run is found"), (["--file-prefix", "zebra"], "no run is found"),
                               (["--socket", self.folder / "none"], "none: No such file"),
                               (["--socket", "/" + "x" * 200], "File name too long"),
                               (["--socket", "/etc/passwd"], "/etc/passwd: ")):
            result = self.top("--once", *options)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertRegex(result.stderr, r"^wirescore: top: [^\n]*" + re.escape(words) + r"[^\n]*\n$")

    def test_a_signal_ends_it_with_a_status_that_its_help_has(self):
        self.begin(flows_of(3))
        for number in (signal.SIGINT, signal.SIGTERM):
            top = subprocess.Popen([WIRESCORE, "top", "--once", "-d", "60", "-s", self.socket_of()],
                                   stdout=subprocess.PIPE, text=True)
            time.sleep(0.5)
            top.send_signal(number)
            self.assertEqual((top.communicate(timeout=20)[0], top.returncode), ("", 130))
        self.assertRegex(self.top("--help").stdout, r"(?m)^Exit status: .*; 130 where a signal ends --once\.$")
        self.stop()

    def test_the_readme_names_every_command(self):
        text = (ROOT / "README.md").read_text()
        told = text[text.index("--> /wirescore/"):][:400]
        for name in (*COMMANDS, "reload"):
            self.assertRegex(told, rf"(/wirescore/|`){name}\b")

    def test_bad_usage_is_told(self):
        for options in (["--json"], ["--once", "x"], ["-d", "0"], ["-d", "nan"], ["-n", "0"], ["-n", "101"],
                        ["--by", "age"], ["--zebra"]):
            with self.subTest(options=options):
                self.assertEqual(self.top(*options).returncode, 2)

    def test_the_newest_run_is_found_and_one_that_was_killed_is_passed_over(self):
        first = self.begin(flows_of(3))
        second = self.start(self.folder / "run.conf")
        self.assertEqual(json.loads(self.top("--once", "--json", "-d", "0.1").stdout)["pid"], second.pid)
        path = self.socket_of(first)
        self.assertEqual(json.loads(self.top("--once", "--json", "-d", "0.1", "-s", path).stdout)["pid"], first.pid)
        second.kill()
        second.wait()
        self.assertEqual(json.loads(self.top("--once", "--json", "-d", "0.1").stdout)["pid"], first.pid)
        self.stop(first)

    def listen_silently(self, name, user, listener=0):
        """A socket that takes everybody and says nothing, in a folder of that user's; its path."""
        folder = self.folder / "dpdk" / name
        folder.mkdir(parents=True)
        path = folder / "dpdk_telemetry.v2"
        words = ("import os, socket, sys, time; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); "
                 "s.bind(sys.argv[1]); os.setuid(int(sys.argv[2])); s.listen(9); print(flush=True); time.sleep(99)")
        server = subprocess.Popen([sys.executable, "-c", words, path, str(listener)], stdout=subprocess.PIPE)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        server.stdout.readline()
        os.chown(folder, user, -1)
        return path

    @unittest.skipIf(os.geteuid(), "sockets of others need root")
    def test_sockets_that_others_can_have_made_are_passed_over(self):
        program = self.begin(flows_of(3))
        start = time.monotonic()
        paths = [self.listen_silently("theirs", NOBODY), self.listen_silently("given", 0, NOBODY),
                 self.listen_silently("open", 0)]
        paths[2].parent.chmod(0o777)
        self.assertEqual(json.loads(self.top("--once", "--json", "-d", "0.1").stdout)["pid"], program.pid)
        self.stop()
        result = self.top("--once")
        self.assertLess(time.monotonic() - start, 9)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, rf"^wirescore: top: {re.escape(str(self.folder))}/dpdk/\w+/dpdk_telemetry\.v2: "
                         r"is of another user; --socket PATH takes it all the same\n$")

    def test_a_socket_that_answers_junk_is_refused(self):
        folder = self.folder / "dpdk/fake"
        folder.mkdir(parents=True)
        path = folder / "dpdk_telemetry.v2"
        junk = [b"", b"x", b"{", b"[1]", b'"', b"{}" * 20000, b'{"/wirescore/stats":{}}', b"\xff\xfe",
                b'{"/":["/wirescore/stats"]}']
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.bind(str(path))
            server.listen(1)

            def serve():
                for data in junk:
                    with contextlib.suppress(OSError):
                        client, _ = server.accept()
                        with client:
                            client.send(b'{"version":"x","pid":1,"max_output_len":16384}')
                            while client.recv(1024):
                                client.send(data or b" ")
            thread = threading.Thread(target=serve)
            thread.start()
            for data in junk:
                result = self.top("--once", "-d", "0.1", "-s", path)
                self.assertEqual((result.returncode, result.stdout), (1, ""), data)
                self.assertEqual(result.stderr.count("\n"), 1)
            thread.join(30)

    def test_what_a_run_tells_cannot_steer_the_terminal(self):
        evil = "\x1b[31m\x07\r\n"
        answers = {"/": ["/wirescore/stats"],
                   "/wirescore/stats": {"seconds": "1e99", "classifier": {"packets": 1, "classes": {evil: 1}},
                                        "ports": {evil: {"name": evil, "received": -5}, "b": 7},
                                        "sinks": {evil: {"error": evil, "to": 3}}, "worker_packets": [1, "x", {}]},
                   "/wirescore/model": {"flow": {"name": evil, "classes": [evil, 1]}, "kernel": evil},
                   "/wirescore/histograms": {"verdict_ns": {"le": [1, 2], "counts": [3]}},
                   "/wirescore/flows/top": {"order": evil, "flows": {
                       str(i): {"src": evil * 40, "class": evil, "score": "x"} for i in range(60)}}}
        folder = self.folder / "dpdk/fake"
        folder.mkdir(parents=True)
        path = folder / "dpdk_telemetry.v2"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.bind(str(path))
            server.listen(1)

            def serve():
                client, _ = server.accept()
                with client, contextlib.suppress(OSError):
                    client.send(b'{"version":"x","pid":1}')
                    while command := client.recv(1024).decode():
                        name = command.partition(",")[0]
                        client.send(json.dumps({name: answers[name]} if answers[name] else {}).encode())
            def ask(*options):
                thread = threading.Thread(target=serve)
                thread.start()
                result = self.top("--once", "-d", "0.1", "-s", path, *options)
                thread.join(30)
                return result
            result = ask()
            # Who listens, not who it says it is.
            told = json.loads(ask("--json").stdout)["pid"]
            answers["/wirescore/model"] = None
            without = ask("--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"\A[ -~\n]+\Z")
        self.assertIn(f"  pid {os.getpid()}  ", result.stdout)
        self.assertEqual(told, os.getpid())
        self.assertEqual((without.returncode, without.stdout), (1, ""))
        self.assertRegex(without.stderr, r"^wirescore: top: [^\n]*: not all that is asked for is answered;[^\n]*\n$")


class Screen(Run):
    def setUp(self):
        super().setUp()
        if "built without the screen" in subprocess.run([WIRESCORE, "--version"], capture_output=True, text=True,
                                                        check=False).stdout:
            self.skipTest("built without ncurses")

    @contextlib.contextmanager
    def screen(self, *options, term="xterm", columns=80, rows=24):
        """`top` in a terminal of its own; what it drew is read with self.wait_drawn."""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.drawn, self.slave = "", slave
        # ncurses keeps what it allocates for a terminal that it does not know.
        environment = {**os.environ, "RUNTIME_DIRECTORY": str(self.folder), "TERM": term or "",
                       "ASAN_OPTIONS": "detect_leaks=0"}
        environment.pop("COLUMNS", None)
        environment.pop("LINES", None)
        if term is None:
            environment.pop("TERM")
        program = subprocess.Popen([WIRESCORE, "top", *map(str, options)], stdin=slave, stdout=slave, stderr=slave,
                                   env=environment, start_new_session=True,
                                   preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        try:
            yield program
        finally:
            if program.poll() is None:
                program.kill()
            program.wait()
            os.close(slave)
            os.close(self.master)

    def read(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                with contextlib.suppress(OSError):
                    self.drawn += os.read(self.master, 65536).decode(errors="replace")

    def text(self):
        return ESCAPES.sub(" ", self.drawn)

    def wait_drawn(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text()):
            self.assertLess(time.monotonic(), end, f"{pattern} is not in {self.text()[-3000:]}")
            self.read(0.1)

    def press(self, keys):
        self.drawn = ""
        os.write(self.master, keys.encode())

    def wait_end(self, program, code=0):
        end = time.monotonic() + 20
        while program.poll() is None:
            self.assertLess(time.monotonic(), end)
            self.read(0.05)
        self.read(0.1)
        self.assertEqual(program.returncode, code, self.drawn)
        self.assertEqual(termios.tcgetattr(self.slave), self.before)

    def test_it_shows_the_run_and_heeds_keys_on_several_terminals(self):
        self.begin(flows_of(20), once=False)
        for term in ("xterm", "vt100", "linux"):
            with self.subTest(term=term), self.screen("-d", "0.2", term=term) as program:
                self.wait_drawn(r"wirescore +runs for")
                self.wait_drawn(r"FLOWS BY packets")
                self.wait_drawn(r"10\.0\.0\.1:1019 > 10\.1\.0\.19:53")
                for key, order in (("b", "bytes"), ("s", "score"), ("p", "packets")):
                    self.press(key)
                    self.wait_drawn(rf"{order[0:3]}|{order}")
                self.press("?")
                self.wait_drawn(r"this page")
                self.press("?")
                self.wait_drawn(r"packets/s")
                self.press(" ")
                self.wait_drawn("STOPPED")
                self.read(0.7)
                self.press("xyz\x1b[A")
                self.read(0.5)
                self.assertNotRegex(self.text(), r"Gbit")
                self.press("q")
                self.wait_end(program)
                if term == "xterm":
                    self.assertIn("\x1b[?1049l", self.drawn)
        self.stop()

    def test_it_fits_into_any_size_and_follows_when_that_changes(self):
        self.begin(flows_of(20))
        for columns, rows in ((80, 24), (40, 10), (200, 60), (5, 2), (1, 1)):
            with self.subTest(columns=columns, rows=rows), \
                    self.screen("-d", "0.2", columns=columns, rows=rows) as program:
                self.read(0.8)
                self.assertIsNone(program.poll())
                self.drawn = ""
                fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
                self.wait_drawn(r"10\.0\.0\.1:1019 > 10\.1\.0\.19:53")
                self.press("q")
                self.wait_end(program)
        self.stop()

    def test_signals_leave_the_terminal_as_it_was(self):
        self.begin(flows_of(20))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number=number), self.screen() as program:
                self.wait_drawn("FLOWS BY")
                program.send_signal(number)
                program.send_signal(number)
                self.wait_end(program)
                self.assertIn("\x1b[?1049l", self.drawn)
        self.stop()

    def test_a_run_that_ends_is_told_of_and_the_next_is_found(self):
        program = self.begin(flows_of(20))
        with self.screen("-d", "0.2") as top:
            self.wait_drawn(rf"pid +{program.pid}")
            self.drawn = ""
            self.stop(program)
            self.wait_drawn(r"has ended")
            self.read(1)
            self.assertIsNone(top.poll())
            self.drawn = ""
            program = self.start(self.folder / "run.conf")
            self.wait_drawn(r"runs for")
            self.drawn = ""
            program.kill()
            program.wait()
            self.wait_drawn(r"has ended")
            self.press("q")
            self.wait_end(top)

    def test_where_nothing_can_be_drawn_one_line_says_what_to_do(self):
        self.begin(flows_of(3))
        for term in ("dumb", "", None, "no-such-terminal"):
            with self.subTest(term=term), self.screen(term=term) as program:
                self.wait_end(program, 1)
                self.assertRegex(self.drawn, r"^wirescore: top: this terminal .* 'wirescore top --once' prints lines\r\n$")
        result = self.top()
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"^wirescore: top: no terminal is here; 'wirescore top --once' prints lines\n$")
        self.stop()

    def test_without_a_run_the_line_stays_to_be_read(self):
        with self.screen("--socket", self.folder / "none") as program:
            self.wait_end(program, 1)
            last = self.drawn[self.drawn.rindex("\x1b") if "\x1b" in self.drawn else 0:]
            self.assertRegex(last, r"wirescore: top: .*none: No such file or directory\r\n")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""What the control core of `wirescore run` does while packets pass: reload, signals, the service manager, rights, and
what a crash would leave behind. Captures, null ports and memif are the ports: root is needed only to give up rights."""
import contextlib
import ctypes
import errno
import fcntl
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

from captures import MIX, ROOT, WIRESCORE, TestCase, ethernet, frame, ipv4, run, tcp, udp, write_pcap
from onnx_file import write_linear_model
from outcomes import OUTCOMES

MODELS = ROOT / "config/models"
NOBODY = 65534
MARKER = b"wirescore-marker"
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207  # of sys/ptrace.h
WALL = 0x40000000  # of waitpid: threads too


def is_sanitized():
    return b"__asan_init" in pathlib.Path(WIRESCORE).read_bytes()


def status_of(task):
    return dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)


def as_nobody(*capabilities):
    """The words before a command that has it run as nobody, with these capabilities."""
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if capabilities:
        named = ",".join(f"+{name}" for name in capabilities)
        words += [f"--inh-caps={named}", f"--ambient-caps={named}"]
    return words


def why_not_nobody():
    """Why nothing can be run as nobody here; None where it can."""
    if os.geteuid() != 0:
        return "becoming another user needs root"
    if not shutil.which("setpriv"):
        return "setpriv is not installed"
    if subprocess.run([*as_nobody(), WIRESCORE, "--version"], capture_output=True, check=False).returncode:
        return f"nobody may not run {WIRESCORE}"
    return None


class Live(TestCase):
    def setUp(self):
        super().setUp()
        self.folder.chmod(0o711)
        self.programs = []
        self.addCleanup(self.kill)

    def kill(self):
        for program in self.programs:
            if program.poll() is None:
                program.kill()
                program.wait()
            program.stdout.close()
            program.log.close()

    def model(self, name="model.onnx", bias=-1e6, features=None, classes="benign,attack", **metadata):
        features = features or {"payload_bytes": 1.0}
        return write_linear_model(self.folder / name, [list(features.values())], [bias], task="flow",
                                  features=",".join(features), classes=classes, threshold="0.5", checkpoints="1,4",
                                  **metadata)

    def capture(self, packets=None):
        """The device of a capture that begins again where it ends."""
        path = self.folder / "in.pcap"
        write_pcap(path, packets or [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + i, 53, b"x" * 200)))
                                     for i in range(50)])
        return f"net_pcap0,rx_pcap={path},infinite_rx=1"

    def write_config(self, device=None, text="", flow_model="none", name="run.conf", workers=1, **flow):
        lines = ["[eal]", "hugepages = no", f"workers = {workers}", "[models]", "packet = none",
                 f"flow = {flow_model}", "[flow]", "flows = 4096",
                 *(f"{k.replace('_', '-')} = {v}" for k, v in flow.items()), text]
        if "interval" not in text:
            lines += ["[metrics]", "interval = off", "http = none"] if "[metrics]" not in text else []
        if device:
            lines += ["[port a]", f"device = {device}"]
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o644)
        return path

    def start(self, config, *options, before=(), waits=True, **environment):
        log = open(self.folder / f"log{len(self.programs)}", "w+")
        program = subprocess.Popen([*map(str, before), WIRESCORE, "run", "--json", *options, config],
                                   stdout=subprocess.PIPE, stderr=log, text=True,
                                   env={"RUNTIME_DIRECTORY": str(self.folder), **os.environ, **environment})
        program.log = log
        self.programs.append(program)
        if waits:
            self.wait_for("running with", program)
        return program

    def said(self, program=None):
        return pathlib.Path((program or self.programs[-1]).log.name).read_text()

    def wait_for(self, text, program=None, times=1, seconds=60):
        program = program or self.programs[-1]
        end = time.monotonic() + seconds
        while self.said(program).count(text) < times:
            self.assertIsNone(program.poll(), self.said(program))
            self.assertLess(time.monotonic(), end, self.said(program))
            time.sleep(0.01)

    def stop(self, program=None, code=0, end=signal.SIGTERM):
        """Ends a run; returns its last report, which must add up."""
        program = program or self.programs[-1]
        program.send_signal(end)
        return self.end(program, code)

    def end(self, program, code=0, adds_up=True):
        text, _ = program.communicate(timeout=60)
        self.assertEqual(program.returncode, code, self.said(program))
        reports = [line for line in (text + self.said(program)).splitlines() if line.startswith('{"seconds"')]
        report = json.loads(reports[0] if text.startswith('{"seconds"') else reports[-1])
        for port in report["ports"].values() if adds_up else ():
            self.assertEqual(port["received"], sum(port[outcome] for outcome in OUTCOMES))
        if adds_up:
            self.assertEqual(report["classifier"]["packets"], sum(p["received"] for p in report["ports"].values()))
        return report

    def dump(self, program=None):
        """What the run has counted so far."""
        program = program or self.programs[-1]
        n = self.said(program).count('{"seconds"')
        program.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 30
        while True:
            reports = [line for line in self.said(program).splitlines(keepends=True) if line.startswith('{"seconds"')]
            if len(reports) > n and reports[-1].endswith("\n"):
                return json.loads(reports[-1])
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def reload(self, program=None):
        """Has the config read again; returns what was said of it."""
        program = program or self.programs[-1]
        before = len(self.said(program))
        program.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while not re.search(r"wirescore: reload: .*\n", self.said(program)[before:]):
            self.assertIsNone(program.poll(), self.said(program))
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        return self.said(program)[before:]

    def socket_of(self, program=None):
        return re.search(r"telemetry: (\S+)", self.said(program))[1]

    @contextlib.contextmanager
    def telemetry(self, program=None):
        """A function that sends a command and returns the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(self.socket_of(program))
            client.settimeout(60)
            self.assertIn("version", json.loads(client.recv(1024)))

            def ask(command):
                client.send(command.encode())
                return json.loads(client.recv(1 << 16))[command.partition(",")[0]]
            yield ask


class Telemetry(Live):
    def test_a_worker_that_hands_all_over_tells_what_it_costs_to_receive_and_to_hand_over(self):
        # One conversation, of whichever host it takes for it to be the other worker's.
        for host in range(1, 33):
            packets = [ethernet(ipv4(f"10.0.0.{host}", "10.9.0.1", 17, udp(1000, 53, b"x")))] * 1000
            self.start(self.write_config(self.capture(packets), workers=2, hash_seed=7))
            with self.telemetry() as ask:
                end = time.monotonic() + 30
                while int(ask("/wirescore/stats")["classifier"]["timed_packets"]) < 10000:
                    self.assertLess(time.monotonic(), end)
                workers = sorted((ask(f"/wirescore/worker,{i}") for i in range(2)), key=lambda one: one["packets"])
            self.stop()
            if workers[0]["bursts"]:
                break
        self.assertEqual(workers[0]["packets"], 0)
        cycles = [{stage: float(n) for stage, n in worker["cycles_per_packet"].items()} for worker in workers]
        self.assertEqual([stage for stage, n in cycles[0].items() if n], ["rx", "share"])
        self.assertEqual([stage for stage, n in cycles[1].items() if not n], ["share"])

    def test_a_reload_is_asked_for_and_answered_when_it_is_done(self):
        config = self.write_config(self.capture(), flow_model=self.model())
        self.start(config)
        with self.telemetry() as ask:
            self.assertEqual(ask("/wirescore/reload"), {"reloaded": 1, "reason": "models and policy are taken over"})
            answer = ask("/wirescore/reload,now")
            self.assertEqual((answer["reloaded"], "no parameters" in answer["reason"]), (0, True))
            self.write_config(self.capture(), "[zebra]", "gone.onnx")
            answer = ask("/wirescore/reload")
            self.assertEqual(answer["reloaded"], 0)
            self.assertIn("[models] flow", answer["reason"])
            self.wait_for("[zebra]: is no section")
            self.write_config(self.capture(), flow_model="no\"such\tmodel" + "x" * 100)
            answer = ask("/wirescore/reload")
            self.assertEqual((answer["reloaded"], answer["reason"][-3:]), (0, "..."))
            self.assertEqual(ask("/ethdev/list"), [0])
            self.assertIn("/wirescore/reload", ask("/"))
        self.assertEqual(self.stop()["reloads"], 1)

    def test_several_ask_at_once_and_each_is_answered(self):
        self.start(self.write_config(self.capture(), flow_model=self.model()))
        answers = []

        def client():
            with self.telemetry() as ask:
                answers.extend(ask("/wirescore/reload")["reloaded"] for _ in range(5))
        clients = [threading.Thread(target=client) for _ in range(6)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join(60)
        self.assertEqual(answers, [1] * 30)
        self.assertLessEqual(self.stop()["reloads"], 30)

    def test_runs_side_by_side_have_sockets_of_their_own_and_one_that_was_killed_is_in_nobodys_way(self):
        config = self.write_config("net_ring0")
        first, second = self.start(config), self.start(config)
        self.assertNotEqual(self.socket_of(first), self.socket_of(second))
        for program in (first, second):
            with self.telemetry(program) as ask:
                self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
        first.kill()
        first.wait()
        third = self.start(config)
        self.assertEqual(self.socket_of(third), self.socket_of(first))
        with self.telemetry(third) as ask:
            self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
        self.stop(second)
        self.stop(third)
        self.assertFalse(os.path.exists(self.socket_of(third)))

    def test_where_no_socket_can_be_made_the_run_goes_on_and_says_so_once(self):
        config = self.write_config("net_null0")
        (self.folder / "open").mkdir()
        (self.folder / "open/dpdk").mkdir()
        (self.folder / "open/dpdk").chmod(0o777)
        (self.folder / "file").write_text("")
        for base in (self.folder / "open", self.folder / "file", "/proc", self.folder / ("long" * 25)):
            with self.subTest(base=base):
                program = self.start(config, RUNTIME_DIRECTORY=str(base))
                lines = [line for line in self.said(program).splitlines() if "telemetry" in line]
                self.assertEqual(len(lines), 1, lines)
                self.assertRegex(lines[0], r"\[metrics\] telemetry: no socket can be made in .*the run goes on without")
                self.stop(program)
        program = self.start(config, "--set", "metrics.telemetry=no")
        self.assertNotIn("telemetry", self.said(program))
        self.stop(program)

    @unittest.skipUnless(os.environ.get("DEVICE_STATS"), "no library DEVICE_STATS is named")
    def test_devices_are_asked_for_their_losses_once_a_second_and_by_one_thread(self):
        start = time.monotonic()
        self.start(self.write_config(self.capture()), "--set", "metrics.http=127.0.0.1:0",
                   LD_PRELOAD=os.environ["DEVICE_STATS"])
        names = [f"device_{name}" for name in ("missed", "no_buffer", "rx_errors", "tx_errors")]
        with self.telemetry() as ask:
            for _ in range(50):
                for port in (ask("/wirescore/stats")["ports"]["a"], ask("/wirescore/port,0")):
                    self.assertEqual([port[name] for name in names[:3]], [1, 2, 3])
        for url in re.findall(r"http: (http://\S+)", self.said()):
            with urllib.request.urlopen(f"{url}metrics", timeout=20) as answer:
                self.assertIn('wirescore_port_device_lost_packets_total{port="a",cause="rx_missed"} 1\n', answer.read().decode())
        n_asked = self.stop()["ports"]["a"]["device_tx_errors"]
        self.assertGreater(n_asked, port["device_tx_errors"])
        self.assertLess(n_asked, time.monotonic() - start + 3)
        self.assertNotIn("another thread", self.said())

    def test_offline_commands_open_no_socket(self):
        result = subprocess.run([WIRESCORE, "classify", MIX], env={**os.environ, "RUNTIME_DIRECTORY": str(self.folder)},
                                capture_output=True, check=False)
        self.assertEqual(result.returncode, 0)
        self.assertEqual([path for path in self.folder.rglob("*telemetry*")], [])

    def listening(self, program):
        """The rows of the kernel's tables that are of sockets of the program's."""
        sockets = set()
        for fd in pathlib.Path(f"/proc/{program.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.update(re.findall(r"socket:\[(\d+)\]", os.readlink(fd)))
        self.assertTrue(sockets)
        found = []
        for kind in ("tcp", "tcp6", "udp", "udp6", "udplite", "raw", "raw6", "packet"):
            table = pathlib.Path(f"/proc/{program.pid}/net/{kind}")
            rows = table.read_text().splitlines()[1:] if table.exists() else []
            found += [(kind, *row.split()[1:4]) for row in rows if sockets & set(row.split())]
        return found

    def test_nothing_listens_at_any_network_but_http_at_loopback(self):
        program = self.start(self.write_config(self.capture()))
        self.assertEqual(self.listening(program), [])
        self.stop()
        if "built without http" in subprocess.run([WIRESCORE, "--version"], capture_output=True, text=True,
                                                  check=True).stdout:
            self.skipTest("built without http")
        for address, local in (("127.0.0.1:0", "0100007F"), ("[::1]:0", "00000000000000000000000001000000")):
            program = self.start(self.write_config(self.capture()), "--set", f"metrics.http={address}")
            if "cannot assign" not in self.said(program).lower():
                (_, at, _, state), = self.listening(program)
                self.assertEqual((at.split(":")[0], state), (local, "0A"))
            self.stop()


class Reload(Live):
    def test_what_needs_a_restart_is_told_of_and_the_rest_is_taken_over(self):
        one, other = self.model("one.onnx"), self.model("other.onnx", bias=1e6)
        self.start(self.write_config(self.capture(), flow_model=one))
        path = self.write_config(self.capture(), f"[records flows]\npath = {self.folder}/x\nformat = joy\n"
                                 "[port b]\ndevice = net_null1\n[port c]\ndevice = net_null2\n[pair p]\nports = b, c\n"
                                 "[security]\nuser = 12345\n", flow_model=other, idle_timeout=7, hash_seed=3, workers=2)
        said = self.reload()
        told = [line for line in said.splitlines() if line.startswith(str(path))]
        form = re.compile(r".*:\d+: (\[[^]]+\](?: [a-z-]+)?): (differs|does not run)")
        keys = [form.match(line).group(1, 2) for line in told]
        self.assertEqual(keys, [("[eal] workers", "differs"), ("[flow] idle-timeout", "differs"),
                                ("[flow] hash-seed", "differs"), ("[records flows]", "does not run"),
                                ("[port b]", "does not run"),
                                ("[port c]", "does not run"), ("[pair p]", "does not run"),
                                ("[security] user", "differs")])
        self.assertIn("models and policy are taken over", said)
        self.write_config("net_null0", "[port z]\ndevice = net_null5\n", flow_model=one)
        text = (self.folder / "run.conf").read_text().replace("[port a]\ndevice = net_null0\n", "")
        (self.folder / "run.conf").write_text(text)
        said = self.reload()
        self.assertIn("[port z]: does not run; restart to take it", said)
        self.assertIn("[port a]: runs, and is left out; restart to end it", said)
        self.assertIn("models and policy are taken over", said)
        self.write_config(self.capture(), flow_model=one)
        self.assertEqual(self.reload(), "wirescore: reload: models and policy are taken over\n")
        report = self.stop()
        self.assertEqual(report["reloads"], 3)
        self.assertEqual(list(report["ports"]), ["a"])

    def test_a_model_that_cannot_be_taken_leaves_the_one_that_runs_in_its_place(self):
        good = self.model()
        config = self.write_config(self.capture(), flow_model=good)
        self.start(config)
        damaged, other_schema = self.folder / "damaged.onnx", self.model("schema.onnx", schema="0123456789abcdef")
        damaged.write_bytes(pathlib.Path(good).read_bytes()[:-40])
        empty = self.folder / "empty.onnx"
        empty.write_bytes(b"")
        mistakes = (("flow", self.folder / "gone.onnx", "No such file"), ("flow", damaged, "damaged.onnx"),
                    ("flow", empty, "empty.onnx"), ("flow", MODELS / "ip.onnx", "ip.onnx"),
                    ("flow", other_schema, "schema"),
                    ("flow", self.model("classes.onnx", classes="good,bad"), "other classes"),
                    ("flow", self.model("deep.onnx", features={"initiator_flows_60s": 1.0}), "reads more of flows"),
                    ("flow", "none", "cannot be added nor taken away"),
                    ("packet", MODELS / "attack.onnx", "a flow model"))
        for key, path, words in mistakes:
            with self.subTest(path=path):
                text = self.write_config(self.capture(), flow_model=good).read_text()
                was = f"flow = {good}" if key == "flow" else "packet = none"
                config.write_text(text.replace(was, f"{key} = {path}"))
                line = config.read_text().split(f"{key} = {path}")[0].count("\n") + 1
                told = self.reload().splitlines()
                self.assertEqual(len(told), 2, told)
                self.assertTrue(told[0].startswith(f"{config}:{line}: [models] {key}: "), told)
                self.assertIn(words, told[0])
                self.assertEqual(told[1], "wirescore: reload: nothing is changed")
        before = self.dump()
        time.sleep(0.2)
        after = self.dump()
        self.assertGreater(after["classifier"]["packets"], before["classifier"]["packets"])
        report = self.stop()
        self.assertEqual((report["reloads"], report["flows"]["unscored"]), (0, 0))
        self.assertGreater(report["flows"]["classes"]["benign"], 0)

    def test_a_model_that_is_taken_over_scores_what_comes_then(self):
        self.start(self.write_config(self.capture(), flow_model=self.model(bias=-1e6), active_timeout=0.05))
        time.sleep(0.2)
        self.assertEqual(self.dump()["flows"]["classes"]["attack"], 0)
        self.model(bias=1e6)
        self.assertIn("taken over", self.reload())
        end = time.monotonic() + 20
        while not self.dump()["flows"]["classes"]["attack"]:
            self.assertLess(time.monotonic(), end)
        self.stop()

    def test_mirrors_are_found_by_their_names_and_no_other_port_takes_copies(self):
        packets = [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + i, 53, b"x" * 200))) for i in range(30)]
        packets += [frame(0x0806, bytes(46))] * 10
        ports = [f"[port {name}]\ndevice = net_null{i}\n" for i, name in enumerate(("one", "two", "idle"))]
        to_one, to_two = "[policy attack]\naction = mirror one\n", "[policy]\nnon-ip = mirror two\n"
        model = self.model(bias=1e6)
        self.start(self.write_config(self.capture(packets), "".join(ports) + to_one + to_two, model))
        with self.telemetry() as ask:
            for order, policy, grows in ((ports, to_one, "one"), (ports[::-1], to_one, "one"),
                                         (ports[::-1], to_two, "two"), (ports, to_two, "two")):
                self.write_config(self.capture(packets), "".join(order) + policy, model)
                self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
                # The worker has taken it over; ports are in the order of the first config.
                time.sleep(0.1)
                before = [ask(f"/ethdev/stats,{port}")["opackets"] for port in range(3)]
                time.sleep(0.1)
                after = [ask(f"/ethdev/stats,{port}")["opackets"] for port in range(3)]
                names = [name for name, n, m in zip(("one", "two", "idle"), before, after) if m > n]
                self.assertEqual(names, [grows])
            for port, words in (("idle", "port idle is no mirror as it runs"), ("new", "port new does not run")):
                text = "".join(ports) + "[port new]\ndevice = net_null4\n"
                self.write_config(self.capture(packets), f"{text}[policy]\nnon-ip = mirror {port}\n", model)
                answer = ask("/wirescore/reload")
                self.assertEqual(answer["reloaded"], 0)
                self.wait_for(words)
        self.stop()

    def test_copies_never_go_into_a_pair_that_runs_whatever_the_file_says_by_now(self):
        ports = "[port b]\ndevice = net_null1\n"
        self.start(self.write_config("net_null0", f"{ports}[pair p]\nports = a, b\n"))
        self.write_config("net_null0", f"{ports}[policy]\nnon-ip = mirror b\n")
        said = self.reload()
        self.assertIn("[policy] non-ip: port b is no mirror as it runs; restart to make it one", said)
        self.assertIn("reload: nothing is changed", said)
        report = self.stop()
        self.assertEqual((report["reloads"], report["ports"]["a"]["mirrored"], report["ports"]["a"]["mirror_lost"]),
                         (0, 0, 0))

    def test_flows_are_not_held_where_what_runs_scores_them_at_their_end(self):
        model, pair = self.model(), "[port b]\ndevice = net_null1\n[pair p]\nports = a, b\n"
        self.start(self.write_config("net_null0", pair, model, checkpoints="end"))
        self.write_config("net_null0", f"{pair}[policy]\nbefore-verdict = hold-drop\n", model, checkpoints="1,end")
        said = self.reload()
        self.assertIn("[policy] before-verdict: no flow would ever pass: as it runs", said)
        self.assertIn("reload: nothing is changed", said)
        self.assertEqual(self.stop()["reloads"], 0)

    def test_200_in_a_row_under_traffic_of_two_workers_lose_nothing(self):
        one, other = self.model("one.onnx"), self.model("other.onnx", bias=-2e6)
        second = f"[port b]\ndevice = net_pcap1,rx_pcap={self.folder}/in.pcap,infinite_rx=1\n"
        self.start(self.write_config(self.capture(), second, one, workers=2))
        with self.telemetry() as ask:
            for i in range(200):
                self.write_config(self.capture(), second, (other, one)[i % 2], workers=2)
                self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
        report = self.stop()
        self.assertEqual((report["reloads"], report["workers"], report["flows"]["unscored"]), (200, 2, 0))
        for port in report["ports"].values():
            self.assertGreater(port["observed"], 1000)


class Signals(Live):
    def flows(self, n_flows, n_packets=4):
        """Closed, open and one-packet flows, and what is none."""
        packets = [frame(0x0806, bytes(46))] * 5
        for i in range(n_packets):
            packets += [ethernet(ipv4("10.0.0.1", f"10.1.{f >> 8}.{f & 255}", 17, udp(1000, 53, b"y" * 20)))
                        for f in range(n_flows) if f % 3 or not i]
        packets += [ethernet(ipv4("10.0.0.1", "10.2.0.1", 6, tcp(i, 80, "R"))) for i in range(1000, 1020)]
        return packets

    def read_records(self, path):
        data = gzip.open(path).read() if str(path).endswith(".gz") else pathlib.Path(path).read_bytes()
        return [json.loads(line) for line in data.splitlines()]

    def test_the_end_leaves_no_packet_without_outcome_and_no_flow_without_record(self):
        packets = self.flows(900)
        write_pcap(self.folder / "in.pcap", packets)
        for ending, end in (("", signal.SIGTERM), (".gz", signal.SIGINT)):
            with self.subTest(ending=ending):
                flows, each = self.folder / f"flows{ending}", self.folder / f"packets{ending}"
                self.start(self.write_config(f"net_pcap0,rx_pcap={self.folder}/in.pcap",
                                             f"[records flows]\npath = {flows}\n"
                                             f"[records each]\nrecords = packets\npath = {each}\n"))
                while self.dump()["ports"]["a"]["received"] < len(packets):
                    pass
                report = self.stop(end=end)
                self.assertEqual(report["ports"]["a"]["observed"], len(packets))
                records = self.read_records(flows)
                self.assertEqual(len(records), 920)
                self.assertEqual(report["flows"]["ended"], 920)
                self.assertEqual(sum(r["packets_fwd"] + r["packets_bwd"] for r in records), len(packets) - 5)
                self.assertEqual([record["n"] for record in self.read_records(each)], list(range(1, len(packets) + 1)))

    def test_an_end_under_load_accounts_for_every_packet_and_every_flow(self):
        path = self.folder / "flows.gz"
        self.start(self.write_config(self.capture(self.flows(300)), f"[records flows]\npath = {path}\n", active_timeout=0.1))
        time.sleep(0.5)
        report = self.stop()
        records = self.read_records(path)
        lost = report["flows"]["records_lost"] + report["sinks"]["flows"]["dropped_full"]
        self.assertEqual(len(records) + lost, report["flows"]["ended"])
        if not lost:
            self.assertEqual(sum(r["packets_fwd"] + r["packets_bwd"] for r in records),
                             report["flows"]["flow_packets"])

    def test_further_signals_while_it_ends_lose_nothing_and_hold_up_nothing(self):
        fifo = self.folder / "flows"
        os.mkfifo(fifo)
        packets = self.flows(4000, 1)
        write_pcap(self.folder / "in.pcap", packets)
        held = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, held)
        program = self.start(self.write_config(f"net_pcap0,rx_pcap={self.folder}/in.pcap",
                                               f"[records flows]\npath = {fifo}\n"))
        while self.dump()["ports"]["a"]["received"] < len(packets):
            pass
        program.send_signal(signal.SIGINT)
        time.sleep(0.3)
        # It waits for the reader of the pipe, which is full.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
            program.send_signal(number)
            time.sleep(0.02)
        self.assertIsNone(program.poll())
        data = b""
        os.set_blocking(held, True)
        while part := os.read(held, 1 << 16):
            data += part
        report = self.end(program)
        self.assertEqual(len(data.splitlines()), 4000 + 20)
        self.assertEqual(report["flows"]["records_lost"], 0)
        self.assertEqual(report["reloads"], 0)

    def test_a_reload_that_is_asked_for_while_it_starts_is_done_when_it_runs(self):
        program = self.start(self.write_config(self.capture(), flow_model=self.model()), waits=False)
        end = time.monotonic() + 30
        while not int(status_of(pathlib.Path(f"/proc/{program.pid}"))["SigCgt"], 16) >> (signal.SIGUSR1 - 1) & 1:
            self.assertLess(time.monotonic(), end)
        for _ in range(20):
            program.send_signal(signal.SIGHUP)
            program.send_signal(signal.SIGUSR1)
            time.sleep(0.01)
        self.wait_for("reload: models and policy are taken over", program)
        self.assertGreaterEqual(self.stop()["reloads"], 1)

    def test_an_end_that_is_asked_for_while_it_starts_is_one(self):
        program = self.start(self.write_config(self.capture()), waits=False)
        while not int(status_of(pathlib.Path(f"/proc/{program.pid}"))["SigCgt"], 16) >> (signal.SIGUSR1 - 1) & 1:
            pass
        self.stop(program)

    def test_a_reader_that_goes_away_ends_its_records_and_not_the_run(self):
        program = self.start(self.write_config(self.capture(self.flows(300)), "[records flows]\npath = -\n",
                                               active_timeout=0.05))
        program.stdout.readline()
        program.stdout.close()
        time.sleep(0.3)
        before = self.dump()["classifier"]["packets"]
        time.sleep(0.1)
        self.assertGreater(self.dump()["classifier"]["packets"], before)
        program.send_signal(signal.SIGTERM)
        self.assertEqual(program.wait(60), 1)
        self.assertRegex(self.said(), r"\[records flows\] .*Broken pipe")


class Service(Live):
    """A service manager hears what it expects to."""

    @contextlib.contextmanager
    def manager(self, name):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind("\0" + name[1:] if name[0] == "@" else name)
            manager.settimeout(30)
            yield manager

    def heard(self, manager, seconds):
        """What comes within a time."""
        messages, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            manager.settimeout(left)
            with contextlib.suppress(TimeoutError):
                messages.append(manager.recv(512).decode())
        return messages

    @staticmethod
    def ptrace(request, thread):
        function = ctypes.CDLL(None, use_errno=True).ptrace
        function.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        return function(request, thread, None, None)

    def stop_worker(self, program):
        """Has one worker stand still and all other threads go on, as no signal can; returns its id."""
        workers = [int(task.name) for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir()
                   if (task / "comm").read_text().startswith(("rte-worker", "lcore-worker"))]
        self.assertTrue(workers)
        if self.ptrace(PTRACE_SEIZE, workers[0]) or self.ptrace(PTRACE_INTERRUPT, workers[0]):
            self.skipTest("a thread cannot be stopped here")
        os.waitpid(workers[0], WALL)
        self.addCleanup(self.reap, program, workers[0])
        return workers[0]

    @staticmethod
    def reap(program, worker):
        """A process has not ended before whoever stopped one of its threads has seen that thread end."""
        if program.returncode is None:
            program.kill()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(worker, WALL)

    def test_readiness_reload_and_end(self):
        for name in (str(self.folder / "notify"), f"@wirescore-test-{os.getpid()}"):
            with self.subTest(name=name), self.manager(name) as manager:
                program = self.start(self.write_config(self.capture()), waits=False, NOTIFY_SOCKET=name)
                self.assertEqual(manager.recv(512).decode().splitlines()[0], "READY=1")
                # Nobody was told before packets passed.
                self.assertGreater(self.dump(program)["classifier"]["packets"], 0)
                before = time.monotonic_ns() // 1000
                self.reload()
                told = dict(line.split("=") for line in manager.recv(512).decode().splitlines())
                self.assertEqual(told["RELOADING"], "1")
                self.assertLess(before, int(told["MONOTONIC_USEC"]))
                self.assertEqual(manager.recv(512), b"READY=1")
                self.stop()
                self.assertEqual(manager.recv(512).decode().splitlines()[0], "STOPPING=1")

    def test_a_run_that_does_not_start_is_never_ready(self):
        with self.manager(str(self.folder / "notify")) as manager:
            config = self.write_config("net_null0", f"[records flows]\npath = {self.folder}\n")
            program = self.start(config, waits=False, NOTIFY_SOCKET=str(self.folder / "notify"))
            self.assertEqual(program.wait(60), 1)
            self.assertEqual(self.heard(manager, 0.1), [])

    def test_the_watchdog_hears_nothing_while_a_worker_stands_still(self):
        path = str(self.folder / "notify")
        with self.manager(path) as manager:
            program = self.start(self.write_config(self.capture()), NOTIFY_SOCKET=path, WATCHDOG_USEC="100000")
            self.assertGreaterEqual(self.heard(manager, 1).count("WATCHDOG=1"), 10)
            worker = self.stop_worker(program)
            self.heard(manager, 0.2)
            self.assertEqual(self.heard(manager, 0.6), [])
            self.assertEqual(self.ptrace(PTRACE_DETACH, worker), 0)
            self.assertGreaterEqual(self.heard(manager, 0.5).count("WATCHDOG=1"), 3)
            self.stop()

    def test_an_end_does_not_wait_for_a_worker_that_stands_still(self):
        path = self.folder / "flows"
        second = f"[port b]\ndevice = net_pcap1,rx_pcap={self.folder}/in.pcap\n[records flows]\npath = {path}\n"
        program = self.start(self.write_config(self.capture(), second, workers=2))
        worker = self.stop_worker(program)
        program.send_signal(signal.SIGTERM)
        end = time.monotonic() + 60
        while not os.waitpid(worker, WALL | os.WNOHANG)[0]:
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.05)
        self.end(program, 1, adds_up=False)
        self.assertRegex(self.said(), r"worker \d stands still and does not end")
        # Those of the other one.
        self.assertEqual(len(path.read_text().splitlines()), 50)

    def test_an_end_does_not_wait_for_those_who_wait_for_a_worker(self):
        program = self.start(self.write_config(self.capture(), workers=2), "--set", "metrics.http=127.0.0.1:0")
        answers = {}

        def ask_telemetry():
            with self.telemetry() as ask:
                answers["telemetry"] = (ask("/wirescore/flows/top,5")["workers_left_out"], time.monotonic())

        def ask_http(url):
            try:
                with urllib.request.urlopen(f"{url}stats.json?top=5", timeout=20) as answer:
                    answers["http"] = (answer.read(), time.monotonic())
            except urllib.error.HTTPError as error:
                answers["http"] = (error.read(), time.monotonic())
            except OSError as error:
                answers["http"] = (repr(error), time.monotonic())
        worker = self.stop_worker(program)
        urls = re.findall(r"http: (http://\S+)", self.said())
        askers = [threading.Thread(target=ask_http, args=(url,)) for url in urls]
        askers.append(threading.Thread(target=ask_telemetry))
        for asker in askers:
            asker.start()
        time.sleep(0.5)
        self.assertEqual(answers, {})
        start = time.monotonic()
        program.send_signal(signal.SIGTERM)
        for asker in askers:
            asker.join(30)
        self.assertEqual(self.ptrace(PTRACE_DETACH, worker), 0)
        self.assertGreater(answers["telemetry"][0], 0)
        self.assertEqual([answers["http"][0] for _ in urls], [b"the run ends\n" for _ in urls])
        self.assertLess(max(when for _, when in answers.values()), start + 1.5)
        self.end(program)

    def test_a_watchdog_of_another_process_is_not_told(self):
        path = str(self.folder / "notify")
        with self.manager(path) as manager:
            self.start(self.write_config(self.capture()), NOTIFY_SOCKET=path, WATCHDOG_USEC="100000", WATCHDOG_PID="1")
            self.assertNotIn("WATCHDOG=1", self.heard(manager, 0.4))
            self.stop()

    def test_the_unit_is_valid(self):
        unit = pathlib.Path(WIRESCORE).parents[1] / "config/wirescore.service"
        if not unit.exists() or not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        text = unit.read_text()
        command = re.search(r"^ExecStart=(/\S+/wirescore) run ", text, re.M)
        self.assertTrue(command, text)
        (self.folder / "wirescore.service").write_text(text.replace(command[1], "/bin/true"))
        result = subprocess.run(["systemd-analyze", "verify", "--man=no", self.folder / "wirescore.service"],
                                capture_output=True, text=True, check=False)
        told = [line for line in (result.stdout + result.stderr).splitlines() if "wirescore.service" in line]
        self.assertEqual(told, [])


WHY_NOT_NOBODY = why_not_nobody()


@unittest.skipIf(WHY_NOT_NOBODY, WHY_NOT_NOBODY)
class Rights(Live):
    def assert_no_rights(self, program):
        """No thread of it has any."""
        tasks = list(pathlib.Path(f"/proc/{program.pid}/task").iterdir())
        self.assertGreater(len(tasks), 2)
        for task in tasks:
            status = status_of(task)
            self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
            self.assertEqual(status["Gid"].split(), [str(NOBODY)] * 4)
            self.assertIn(status["Groups"].split(), ([], [str(NOBODY)]))
            self.assertEqual(status["NoNewPrivs"].strip(), "1")
            for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(status[kind], 16), 0, kind)

    def logs(self):
        """A folder of nobody's, for records."""
        folder = self.folder / "logs"
        folder.mkdir(exist_ok=True)
        shutil.chown(folder, NOBODY, NOBODY)
        return folder

    def connect_as(self, user):
        """In a child: connects to the telemetry socket and exits with the errno."""
        path, code = self.socket_of(), 255
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                code = client.connect_ex(path)
        finally:
            os._exit(code)

    def test_the_user_has_what_was_opened_before_and_can_reload(self):
        model, records = self.model(), self.logs() / "records"
        os.chmod(model, 0o644)
        program = self.start(self.write_config(
            self.capture(), f"[security]\nuser = nobody\n[records flows]\npath = {records}\n", model, active_timeout=0.1),
            before=["setpriv", "--groups=4,27"])
        self.assert_no_rights(program)
        with self.telemetry() as ask:
            self.assertEqual(ask("/wirescore/reload")["reloaded"], 1)
            os.chmod(model, 0o600)
            answer = ask("/wirescore/reload")
            self.assertEqual(answer["reloaded"], 0)
            self.wait_for("Permission denied")
        # Root, who asked above, and the user may; nobody else.
        for user, may in ((NOBODY, True), (NOBODY - 1, False)):
            child = os.fork()
            if not child:
                self.connect_as(user)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0 if may else errno.EACCES)
        self.assertGreater(self.stop()["reloads"], 0)
        self.assertGreater(records.stat().st_size, 0)
        # The socket cannot be removed by nobody: it must not be in the way.
        self.start(self.write_config("net_null0"))
        with self.telemetry() as ask:
            self.assertEqual(ask("/ethdev/list"), [0])
        self.stop()

    def test_capabilities_do_in_place_of_root_and_are_given_up(self):
        namespace = f"wsc-{os.getpid()}"
        if subprocess.run(["ip", "netns", "add", namespace], capture_output=True, check=False).returncode:
            self.skipTest("network namespaces are not permitted here")
        self.addCleanup(subprocess.run, ["ip", "netns", "delete", namespace], check=False)
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up", "mtu", "1500"], check=True)
        runtime = self.folder / "runtime"
        runtime.mkdir()
        shutil.chown(runtime, NOBODY, NOBODY)
        config = self.write_config("lo")
        inside = ["ip", "netns", "exec", namespace]
        program = self.start(config, before=[*inside, *as_nobody("net_raw", "net_admin")],
                             RUNTIME_DIRECTORY=str(runtime))
        self.assert_no_rights(program)
        subprocess.run([*inside, sys.executable, "-c", "import socket\n"
                        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                        "for _ in range(50): s.sendto(b'x' * 100, ('127.0.0.1', 9))"], check=True)
        end = time.monotonic() + 20
        while self.dump()["ports"]["a"]["received"] < 50:
            self.assertLess(time.monotonic(), end)
        self.assertIn("taken over", self.reload())
        self.stop()
        program = self.start(config, before=[*inside, *as_nobody()], waits=False, RUNTIME_DIRECTORY=str(runtime))
        self.assertEqual(program.wait(60), 1)
        self.assertIn("[port a]", self.said())

    def test_capabilities_to_become_others_are_given_up_too(self):
        runtime = self.folder / "runtime"
        runtime.mkdir()
        shutil.chown(runtime, NOBODY, NOBODY)
        caps = as_nobody("setuid", "setgid", "net_raw", "net_admin")
        for security in ("", "[security]\nuser = nobody\n"):
            program = self.start(self.write_config("net_null0", security), before=caps, RUNTIME_DIRECTORY=str(runtime))
            self.assert_no_rights(program)
            self.stop(program)

    def test_a_user_that_is_a_number_alone_needs_a_group(self):
        config = self.write_config("net_null0", "[security]\nuser = 64873\n")
        program = self.start(config, waits=False)
        self.assertEqual(program.wait(20), 1)
        self.assertIn("[security] user: user 64873 has no name here, and so no group of its own", self.said())
        program = self.start(config, "--set", "security.group=64874")
        for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir():
            status = status_of(task)
            self.assertEqual((status["Uid"].split(), status["Gid"].split()), (["64873"] * 4, ["64874"] * 4))
        self.stop(program)

    def test_records_are_the_users_and_nobody_elses_to_read(self):
        flows, packets = self.logs() / "flows", self.logs() / "packets.gz"
        self.start(self.write_config("net_null0", f"[security]\nuser = nobody\n[records flows]\npath = {flows}\n"
                                     f"[records each]\nrecords = packets\npath = {packets}\n"))
        for path in (flows, packets):
            status = path.stat()
            self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o777), (NOBODY, NOBODY, 0o640))
        self.stop()

    def test_a_folder_that_is_not_the_users_ends_the_start_and_says_what_to_do(self):
        logs = self.folder / "logs"
        logs.mkdir()
        config = self.write_config("net_null0", f"[security]\nuser = nobody\n[records flows]\npath = {logs}/flows\n")
        for command in ("check", "run"):
            result = run(command, config)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"[records flows] path: {logs}: user nobody may not write there: Permission denied; make it that "
                          f"user's with chown nobody {logs}\n", result.stderr)
        self.assertEqual(list(logs.iterdir()), [])
        advice = re.search(r"with (chown .*)", result.stderr)[1]
        subprocess.run(advice.split(), check=True)
        self.start(config)
        self.stop()
        self.assertEqual((logs / "flows").stat().st_uid, NOBODY)

    def test_a_folder_that_is_taken_away_during_the_start_ends_it_too(self):
        if "built without redis" in run("--version").stdout:
            self.skipTest("built without redis")
        logs, secret = self.logs(), self.folder / "secret"
        os.mkfifo(secret, 0o600)
        program = self.start(self.write_config(
            "net_null0", f"[security]\nuser = nobody\n[records flows]\npath = {logs}/flows\n[records far]\nto = redis\n"
                         f"server = 127.0.0.1:1\npassword-file = {secret}\n"), waits=False)
        # The config was looked at when the password is read, still with all rights.
        with open(secret, "w") as pipe:
            shutil.chown(logs, 0, 0)
            pipe.write("hush\n")
        self.assertEqual(program.wait(60), 1)
        self.assertIn(f"wirescore: [records flows] {logs}/flows: cannot be opened: Permission denied for user nobody; make the "
                      "file and its folder that user's with chown nobody\n", self.said())
        self.assertNotIn("running with", self.said())
        self.assertEqual(list(logs.iterdir()), [])

    def test_secrets_need_not_be_the_users_to_read(self):
        if "built without redis" in run("--version").stdout:
            self.skipTest("built without redis")
        secret = self.folder / "secret"
        secret.write_text("hush\n")
        secret.chmod(0o600)
        self.start(self.write_config("net_null0", "[security]\nuser = nobody\n[records far]\nto = redis\n"
                                     f"server = 127.0.0.1:1\npassword-file = {secret}\n"))
        self.stop()

    def test_what_the_unit_does_before_makes_the_folder_that_its_config_needs(self):
        unit = pathlib.Path(WIRESCORE).parents[1] / "config/wirescore.service"
        commands = re.findall(r"^ExecStartPre=-?(/usr/bin/.* /var/log/wirescore)$", unit.read_text(), re.M)
        self.assertEqual(len(commands), 2)
        logs = self.folder / "logs"
        example = (ROOT / "config/examples/records.conf").read_text()
        self.assertIn("\nuser = wirescore\n", example)
        device = ("--set", "port.lan.device=net_null0", "--set", "metrics.http=none", "--set", "eal.hugepages=no")
        config = self.folder / "records.conf"
        config.write_text(example.replace("/var/log/wirescore", str(logs)).replace("user = wirescore", "user = nobody"))
        logs.mkdir(0o755)
        self.assertEqual(run("check", *device, config).stderr.count("user nobody may not write there"), 4)
        # The folder is that of another start the second time.
        for command in commands * 2:
            command = command.replace("wirescore:wirescore", f"nobody:{NOBODY}").replace("/var/log/wirescore", str(logs))
            subprocess.run(command.split(), check=True)
        result = run("check", *device, config)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        program = self.start(config, *device)
        self.stop(program)
        self.assertNotIn("cannot", self.said())

    def test_others_of_the_same_user_see_no_memory_and_a_crash_leaves_a_core_all_the_same(self):
        if is_sanitized():
            self.skipTest("the sanitizer takes crashes for itself, and writes no cores")
        look = "import sys; open(f'/proc/{sys.argv[1]}/mem', 'rb')"
        folder = self.folder / "cores"
        folder.mkdir()
        folder.chmod(0o777)
        for kind, is_readable, is_dumped in (("without-packets", False, True), ("full", True, True), ("no", False, False)):
            for number in (signal.SIGSEGV, signal.SIGABRT):
                with self.subTest(kind=kind, number=number):
                    program = self.start(self.write_config("net_null0",
                                                           f"[security]\nuser = nobody\ncore-dumps = {kind}\n"),
                                         before=["prlimit", "--core=unlimited:unlimited", "env", f"--chdir={folder}"])
                    result = subprocess.run([*as_nobody(), sys.executable, "-c", look, str(program.pid)],
                                            capture_output=True, text=True, check=False)
                    self.assertEqual(result.returncode == 0, is_readable, result.stderr)
                    program.send_signal(number)
                    ended = os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
                    self.assertEqual(ended.si_status, number)
                    self.assertEqual(ended.si_code == os.CLD_DUMPED, is_dumped)
                    program.wait(10)

    def test_a_thread_that_cannot_be_kept_from_new_privileges_is_told_of(self):
        library = os.environ.get("FILTERED_THREAD")
        if is_sanitized() or not library:
            self.skipTest("there is no such thread here")
        program = self.start(self.write_config("net_null0"), waits=False, LD_PRELOAD=library)
        self.assertEqual(program.wait(20), 1)
        self.assertIn("[security] no-new-privs: Device or resource busy", self.said())

    def test_captures_need_no_rights_at_all(self):
        folder = self.folder / "config"
        shutil.copytree(ROOT / "config", folder)
        capture = self.folder / "capture.pcap"
        shutil.copy(MIX, capture)
        capture.chmod(0o644)
        example = folder / "examples/pcap.conf"
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        device = f"port.capture.device=net_pcap0,rx_pcap={capture}"
        program = self.start(example, "--set", device, before=as_nobody(), XDG_RUNTIME_DIR=str(self.folder))
        self.assert_no_rights(program)
        while not self.dump()["ports"]["capture"]["received"]:
            pass
        program.send_signal(signal.SIGTERM)
        text, _ = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 0, self.said())
        self.assertGreater(len([json.loads(line) for line in text.splitlines()]), 5)
        result = subprocess.run([*as_nobody(), WIRESCORE, "classify", "--json", capture], capture_output=True,
                                text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)


class CoreDump(Live):
    """What a crash leaves behind has no packets of others."""

    def dumped(self, program):
        """Where the marker is in memory that a core dump has by default: a list of (name, how often)."""
        found, flags_of = [], []
        text = pathlib.Path(f"/proc/{program.pid}/smaps").read_text()
        for line in text.splitlines():
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$", line):
                flags_of.append([int(match[1], 16), int(match[2], 16), match[3], match[4], ()])
            elif line.startswith("VmFlags:"):
                flags_of[-1][4] = line.split()[1:]
        with open(f"/proc/{program.pid}/mem", "rb", 0) as memory:
            for start, end, permissions, name, flags in flags_of:
                if permissions[0] != "r" or "dd" in flags or name.startswith(("[v", "/usr", "/lib")):
                    continue
                memory.seek(start)
                with contextlib.suppress(OSError):
                    if n := self.count(memory, end - start):
                        found.append((name, n))
        return found

    @staticmethod
    def count(memory, n_bytes):
        n, tail = 0, b""
        while n_bytes:
            data = memory.read(min(n_bytes, 1 << 22))
            if not data:
                break
            n_bytes -= len(data)
            n += (tail + data).count(MARKER)
            tail = data[1 - len(MARKER):]
        return n

    def test_no_packet_is_in_memory_that_would_be_dumped(self):
        if is_sanitized():
            self.skipTest("the sanitizer's memory is larger than can be looked at")
        packets = [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + i, 53, MARKER * 20))) for i in range(200)]
        memif = f"socket={self.folder}/memif,socket-abstract=no"
        sink = self.start(self.write_config(
            f"net_memif0,role=server,{memif}", f"[records flows]\npath = {self.folder}/flows\n"
            f"[records each]\nrecords = packets\npath = {self.folder}/each\n",
            self.model(), name="sink.conf", active_timeout=0.1), LD_BIND_NOW="1")
        source = self.start(self.write_config(
            self.capture(packets), f"[port m]\ndevice = net_memif0,role=client,{memif}\n[pair p]\nports = a, m\n",
            name="source.conf"), LD_BIND_NOW="1")
        end = time.monotonic() + 30
        while self.dump(sink)["ports"]["a"]["received"] < 10000:
            self.assertLess(time.monotonic(), end)
        self.wait_for("link is up", sink)
        time.sleep(0.3)
        try:
            self.assertEqual(self.dumped(sink), [])
            # A capture that is a port is in the buffers of libpcap too.
            self.assertEqual([name for name, _ in self.dumped(source)], ["[heap]"])
        except PermissionError:
            self.skipTest("the memory of another process may not be looked at")
        self.stop(source)
        self.stop(sink)

    def test_what_is_dumped_is_as_the_config_says(self):
        packets = [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + i, 53, MARKER * 20))) for i in range(200)]
        for kind, hidden in (("full", False), ("without-packets", True)):
            program = self.start(self.write_config(self.capture(packets), f"[security]\ncore-dumps = {kind}\n"))
            text = pathlib.Path(f"/proc/{program.pid}/smaps").read_text()
            self.assertEqual(" dd " in re.search(r"memfd:nohuge.*?VmFlags:([^\n]*)", text, re.S)[1] + " ", hidden)
            self.stop(program)
        program = self.start(self.write_config("net_null0", "[security]\ncore-dumps = no\n"))
        limits = pathlib.Path(f"/proc/{program.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size\s+0\s+0\s")
        self.stop(program)


class Unread(Live):
    """What nobody reads holds up nothing."""

    def start_unread(self, config, *options, stdout=subprocess.PIPE, **environment):
        """A run whose stderr is a pipe that is not read; its log is the pipe's end."""
        reader, writer = os.pipe()
        program = subprocess.Popen([WIRESCORE, "run", "--json", *options, config], stdout=stdout, stderr=writer,
                                   text=True, env={"RUNTIME_DIRECTORY": str(self.folder), **os.environ, **environment})
        os.close(writer)
        program.log = os.fdopen(reader)
        self.addCleanup(self.end_unread, program)
        return program

    @staticmethod
    def end_unread(program):
        if program.poll() is None:
            program.kill()
            program.wait()
        if program.stdout:
            program.stdout.close()
        program.log.close()

    def flood(self, program, manager, seconds):
        """Has reports go to stderr for a time; returns how often the watchdog was heard."""
        n, end = 0, time.monotonic() + seconds
        manager.setblocking(False)
        while time.monotonic() < end:
            program.send_signal(signal.SIGUSR1)
            time.sleep(0.002)
            with contextlib.suppress(BlockingIOError):
                n += manager.recv(512) == b"WATCHDOG=1"
        return n

    def test_stderr_stops_neither_the_watchdog_nor_reload_nor_the_end(self):
        path = str(self.folder / "notify")
        config = self.write_config(self.capture(), "[metrics]\ninterval = 0.1\nhttp = none\n", self.model())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(60)
            program = self.start_unread(config, NOTIFY_SOCKET=path, WATCHDOG_USEC="100000")
            self.assertIn("READY=1", manager.recv(512).decode())
            self.flood(program, manager, 3)
            # The pipe and the buffer are full by now: 64 + 256 KiB.
            self.assertGreater(self.flood(program, manager, 1), 10)
            program.send_signal(signal.SIGTERM)
            text = program.stdout.read()
            self.assertEqual(program.wait(30), 0)
        self.assertGreater(json.loads(text)["ports"]["a"]["received"], 0)

    def test_lines_that_find_no_room_are_left_out_as_a_whole_and_counted(self):
        path = str(self.folder / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(60)
            program = self.start_unread(self.write_config(self.capture()), NOTIFY_SOCKET=path)
            self.assertIn("READY=1", manager.recv(512).decode())
            self.flood(program, manager, 4)
            lines = []
            reader = threading.Thread(target=lambda: lines.extend(program.log))
            reader.start()
            time.sleep(0.5)
            program.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(30), 0)
            reader.join(30)
        notes = [int(match[1]) for line in lines if (match := re.search(r"lines left out here: (\d+)$", line))]
        self.assertEqual(len(notes), 1, lines[-3:])
        self.assertGreater(notes[0], 10)
        reports = [json.loads(line) for line in lines if not line.startswith("wirescore: ")]
        self.assertGreater(len(reports), 30)
        # One that was asked for after the reader had come back.
        self.assertNotIn("left out", lines[-1])

    def test_a_last_report_that_nobody_takes_waits_when_all_else_is_done_and_a_signal_ends_it(self):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        records = self.folder / "records"
        write_pcap(self.folder / "in.pcap", [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1, 2, b"x")))] * 9)
        config = self.write_config(f"net_pcap0,rx_pcap={self.folder}/in.pcap", f"[records flows]\npath = {records}\n")
        with open(self.folder / "log", "w+") as log:
            program = subprocess.Popen([WIRESCORE, "run", config], stdout=writer, stderr=log,
                                       env={"RUNTIME_DIRECTORY": str(self.folder), **os.environ})
            program.log, program.stdout = log, open(reader, "rb")
            os.close(writer)
            self.programs.append(program)
            self.wait_for("running with")
            time.sleep(0.2)
            program.send_signal(signal.SIGTERM)
            time.sleep(1)
            self.assertIsNone(program.poll())
            self.assertEqual(len(records.read_text().splitlines()), 1)
            # Ports are closed: threads of DPDK's devices and workers wait for nothing, and there are no records' files open.
            opened = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{program.pid}/fd").iterdir()]
            self.assertNotIn(str(records), opened)
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(10), 1)
            self.assertIn("wirescore: stdout: cannot write: Interrupted system call\n", self.said())

    def test_a_last_report_that_cannot_be_written_is_told_of(self):
        with open("/dev/full", "w") as full:
            program = self.start_unread(self.write_config("net_null0"), stdout=full)
            while "running with" not in program.log.readline():
                self.assertIsNone(program.poll())
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(30), 1)
        self.assertEqual(program.log.read().splitlines(), ["wirescore: stdout: cannot write: No space left on device"])

    def test_the_text_of_a_report_speaks_of_a_run(self):
        program = subprocess.Popen([WIRESCORE, "run", self.write_config(self.capture())], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True,
                                   env={"RUNTIME_DIRECTORY": str(self.folder), **os.environ})
        while "running with" not in program.stderr.readline():
            self.assertIsNone(program.poll())
        time.sleep(0.2)
        program.send_signal(signal.SIGTERM)
        text, _ = program.communicate(timeout=30)
        self.assertRegex(text, r"end +50  open when the run ended\n")
        self.assertNotIn("capture ended", text)

    def test_a_config_that_is_not_there_is_one_mistake(self):
        result = run("run", self.folder / "nope.conf")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr.splitlines(),
                         [f"{self.folder}/nope.conf: cannot be read: No such file or directory",
                          f"wirescore: {self.folder}/nope.conf: 1 mistake"])


@unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "there is one CPU only")
class Cores(Live):
    """A worker has its CPU for itself."""

    def cpus(self, program):
        """Of each thread: (its name, its CPUs)."""
        found = []
        for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir():
            status = status_of(task)
            found.append((int(task.name) == program.pid, status["Name"].strip(), status["Cpus_allowed_list"].strip()))
        return found

    def test_control_and_its_threads_keep_off_the_cpus_of_workers(self):
        first, second = sorted(os.sched_getaffinity(0))[:2]
        records = f"[records flows]\npath = {self.folder}/records\n"
        program = self.start(self.write_config("net_ring0", records), "--set", f"eal.cores={second}", "--set",
                             "eal.idle-sleep=yes")
        names = [name for _, name, cpus in self.cpus(program) if cpus == str(second)]
        self.assertEqual(len(names), 1, self.cpus(program))
        self.assertRegex(names[0], "worker")
        self.stop(program)
        program = self.start(self.write_config("net_ring0", records), "--set", f"eal.main-core={second}", "--set",
                             "eal.idle-sleep=yes")
        self.assertEqual([cpus for is_main, _, cpus in self.cpus(program) if is_main], [str(second)])
        workers = [cpus for _, name, cpus in self.cpus(program) if "worker" in name]
        self.assertEqual(len(workers), 1)
        self.assertNotIn(second, [int(cpu) for part in workers[0].split(",") for cpu in
                                  range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)])
        self.stop(program)
        program = self.start(self.write_config("net_ring0", records), "--set", f"eal.cores={first}", "--set",
                             "eal.idle-sleep=yes", before=["taskset", "-c", first])
        self.assertEqual({cpus for _, _, cpus in self.cpus(program)}, {str(first)})
        self.stop(program)

    def test_a_file_prefix_names_the_folder_also_where_hugepages_are_chosen(self):
        for hugepages in ("auto", "no"):
            program = self.start(self.write_config("net_null0"), "--set", f"eal.hugepages={hugepages}", "--set",
                                 "eal.file-prefix=wsprefix")
            self.assertIn("/dpdk/wsprefix/dpdk_telemetry", self.socket_of(program))
            self.stop(program)


UNSHARE = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


def why_no_namespaces():
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("ip", "ethtool", "unshare", "ping")):
        return "root, ip, ethtool, unshare and ping are needed"
    result = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", "/run"], capture_output=True, check=False)
    return "namespaces are not permitted here" if result.returncode else None


WHY_NO_NAMESPACES = why_no_namespaces()


@unittest.skipIf(WHY_NO_NAMESPACES, WHY_NO_NAMESPACES)
class Lab(Live):
    """Examples and warnings, in a network and a /run of their own, which end with the shell."""

    def shell(self, *lines):
        script = "\n".join(["set -e", "mount -t tmpfs none /run", "ip link set lo up", *lines])
        # All that it started ends with it.
        return subprocess.run([*UNSHARE, "bash", "-c", script], capture_output=True, text=True,
                              timeout=120, check=False)

    def example_commands(self):
        text = (ROOT / "config/examples/lab.conf").read_text()
        commands = re.findall(r"^#     (.+)$", text, re.M)
        self.assertGreater(len(commands), 6)
        return commands

    def test_what_the_example_says_makes_a_lab_that_tcp_passes_through(self):
        (self.folder / "web").mkdir()
        (self.folder / "web/file").write_bytes(os.urandom(1 << 20))
        result = self.shell(
            *self.example_commands(), f"cd {self.folder}",
            f"{WIRESCORE} check {ROOT}/config/examples/lab.conf >/dev/null 2>check",
            f"{WIRESCORE} run {ROOT}/config/examples/lab.conf --set metrics.interval=off >report 2>log & run=$!",
            "until grep -q 'running with' log; do kill -0 $run; sleep 0.05; done",
            "ip netns exec left ping -qc 3 -i 0.2 -W 2 10.77.0.2",
            f"ip netns exec right {sys.executable} -u -m http.server -b 10.77.0.2 -d web 8080 >served 2>&1 & web=$!",
            "until grep -q Serving served; do kill -0 $web; sleep 0.05; done",
            f"ip netns exec left timeout 60 {sys.executable} -c 'import urllib.request as u; open(\"fetched\", \"wb\")"
            ".write(u.urlopen(\"http://10.77.0.2:8080/file\").read())'",
            "kill $web; kill -TERM $run; wait $run")
        log = self.folder / "log"
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr + (log.read_text() if log.exists() else ""))
        self.assertEqual((self.folder / "check").read_text(), "")
        self.assertTrue((self.folder / "fetched").read_bytes() == (self.folder / "web/file").read_bytes())

    def test_offloads_and_the_host_itself_are_warned_of_once_for_each_interface(self):
        offs = [line for line in self.example_commands() if "ethtool -K $end" in line]
        self.assertEqual(len(offs), 1)
        config = f"{ROOT}/config/examples/lab.conf"
        result = self.shell("ip link add wsleft type veth peer name l0", "ip link add wsright type veth peer name r0",
                            "sysctl -qw net.ipv6.conf.wsright.disable_ipv6=1", "ip address add 10.0.0.1/24 dev wsleft",
                            f"{WIRESCORE} check {config} >/dev/null", "echo --- >&2", *offs,
                            "ip address flush dev wsleft", f"{WIRESCORE} check --json {config} --set port.left.device="
                            "net_af_packet0,iface=wsleft")
        self.assertEqual(result.returncode, 0, result.stderr)
        before, after = result.stderr.split("---\n")
        warnings = [line.split(": ", 2)[1:] for line in before.splitlines()]
        self.assertEqual([where for where, _ in warnings], ["[port left] device", "[port left] device",
                                                            "[port right] device"], before)
        self.assertIn("warning: wsleft has tx, tso, gso on", before)
        self.assertIn("run 'ethtool -K wsright tx off tso off gso off", before)
        self.assertIn("warning: this machine has IPv4 addresses and IPv6 on wsleft", before)
        self.assertEqual(after, "")
        told = json.loads(result.stdout[result.stdout.index("{"):])
        result = self.shell("ip link add wsleft type veth peer name l0", "ip link add wsright type veth peer name r0",
                            f"timeout -s TERM 3 {WIRESCORE} run --set metrics.interval=off {config} || [ $? = 124 ]")
        self.assertEqual((result.returncode, result.stderr.count("warning: wsleft has tx, tso, gso")), (0, 1), result.stderr)
        self.assertIn("running with", result.stderr)
        self.assertEqual([("IPv6 on wsleft" in row["mistake"], row["key"]) for row in told["warnings"]], [(True, "device")])
        self.assertTrue(told["valid"])


class Words(Live):
    def test_as_many_virtual_devices_as_a_config_may_name_are_all_made(self):
        vdevs = " ".join(f"net_null{i}" for i in range(1, 24))
        config = self.write_config("net_null0")
        config.write_text(config.read_text().replace("[models]", f"vdevs = {vdevs}\n[models]", 1))
        self.start(config)
        with self.telemetry() as ask:
            self.assertEqual(ask("/ethdev/list"), list(range(24)))
        self.stop()


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""What the tests in inline/ share: the program between two network namespaces that nothing else joins, with servers and
clients at both ends; and the program between two ports that a load of numbered packets is sent through. All names are
made here and removed afterwards; no traffic leaves them."""
import hashlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

import namespaces
from captures import ROOT, WIRESCORE, TestCase
from inline_peers import READY
from onnx_file import write_linear_model
from outcomes import OUTCOMES

PEERS = pathlib.Path(__file__).with_name("inline_peers.py")
LEFT, RIGHT = "10.77.0.1", "10.77.0.2"
LEFT_6, RIGHT_6 = "fd77::1", "fd77::2"
# What veth must not do: hand over frames that no wire carries, and checksums that somebody else is to fill in.
OFFLOADS = "tx off rx off sg off tso off gso off gro off".split()
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
PACKAGES = {"ip": "iproute2", "ss": "iproute2", "ethtool": "ethtool", "ping": "iputils-ping", "sysctl": "procps",
            "nginx": "nginx", "curl": "curl", "iperf3": "iperf3", "dnsmasq": "dnsmasq-base", "dig": "bind9-dnsutils"}


def lacks(*programs):
    """Which of the programs this machine lacks, in words; None where it has them all."""
    missing = [name for name in programs if shutil.which(name, path=SYSTEM_PATH) is None]
    if not missing:
        return None
    packages = " ".join(sorted({PACKAGES[name] for name in missing}))
    return f"not installed: {', '.join(missing)}; 'tools/install-packages inline' installs {packages}"


def needs(*programs):
    reason = lacks(*programs)
    return unittest.skipIf(reason, reason)


def why_no_namespaces():
    """What this machine lacks; None where it has it all."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = lacks("ip", "ss", "ethtool", "ping", "sysctl")
    if missing:
        return missing
    return namespaces.why_not_permitted()


WHY_NOT = why_no_namespaces()


def print_figures(text):
    print(f"\n{text}", file=sys.stderr)


class Running(TestCase):
    """With `wirescore run`, or what holds it, as a child."""

    def setUp(self):
        super().setUp()
        self.program = None
        self.addCleanup(self.kill)

    def launch(self, command, **environment):
        with open(self.folder / "out", "w") as out, open(self.folder / "log", "w") as log:
            self.program = subprocess.Popen([str(word) for word in command], stdout=out, stderr=log,
                                            env={**os.environ, **environment})
        self.wait_for("running with")

    def said(self):
        return (self.folder / "log").read_text()

    def wait_for(self, text, seconds=60, times=1):
        end = time.monotonic() + seconds
        while self.said().count(text) < times:
            self.assertIsNone(self.program.poll(), self.said())
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.02)

    def kill(self):
        if self.program and self.program.poll() is None:
            self.program.kill()
            self.program.wait()

    def stop(self, code=0, end=signal.SIGTERM):
        """Ends the run; returns its last report, which must add up."""
        self.program.send_signal(end)
        return self.finish(code)

    def finish(self, code=0):
        self.assertEqual(self.program.wait(timeout=60), code, self.said())
        lines = (self.folder / "out").read_text().splitlines()
        self.assertTrue(lines, self.said())
        report = json.loads(lines[-1])
        for port in report["ports"].values():
            self.assertEqual(port["received"], sum(port[outcome] for outcome in OUTCOMES))
        self.assertEqual(report["classifier"]["packets"],
                         sum(p["received"] - p["dropped_spread_full"] for p in report["ports"].values()))
        self.assertEqual(sum(report["worker_packets"]), report["classifier"]["packets"])
        return report

    def report(self):
        """What has been counted so far."""
        n = self.said().count('{"seconds"')
        self.program.send_signal(signal.SIGUSR1)
        self.wait_for('{"seconds"', 20, n + 1)
        while not (said := self.said()).endswith("\n"):
            time.sleep(0.001)
        return json.loads([line for line in said.splitlines() if line.startswith("{")][-1])

    def swap(self, times=1):
        """Has the config read again, and waits until all of it has been taken over so many times."""
        self.program.send_signal(signal.SIGHUP)
        self.wait_for("taken over", 20, times)

    def stopped_reader(self):
        """A pipe that is open for reading, and whose reader stands still."""
        fifo = self.folder / "records"
        os.mkfifo(fifo)
        reader = subprocess.Popen(["cat", fifo], stdout=subprocess.DEVNULL)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        return fifo, reader

    def config_of(self, ports, text="", flow_model="none", **flow):
        """A config with pairs of ports, which are {pair: [(name, device), (name, device)]}; what else it is to say."""
        lines = ["[eal]", "workers = 1", "[models]", "packet = none", f"flow = {flow_model}", "[metrics]",
                 "interval = off", "http = none", "[flow]",
                 *(f"{key.replace('_', '-')} = {value}" for key, value in {"flows": 32768, **flow}.items())]
        for pair, ends in ports.items():
            for name, device in ends:
                lines += [f"[port {name}]", f"device = {device}"]
            lines += [f"[pair {pair}]", f"ports = {ends[0][0]}, {ends[1][0]}"]
        path = self.folder / "run.conf"
        path.write_text("\n".join(lines) + "\n" + text)
        return path

    def model(self, features=None, bias=-500.0, name="model.onnx", checkpoints="1,4"):
        """Calls flows an attack that have more than 500 bytes of payload at one of the checkpoints."""
        features = features or {"payload_bytes": 1.0}
        return write_linear_model(self.folder / name, [list(features.values())], [bias], task="flow",
                                  features=",".join(features), classes="benign,attack", threshold="0.5",
                                  checkpoints=checkpoints)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Inline(Running):
    """Two network namespaces, and the program in a third one, with af_packet on the near ends of veth pairs."""

    def setUp(self):
        super().setUp()
        self.names = {end: f"wsi-{os.getpid()}-{end}" for end in ("left", "middle", "right")}
        self.tokens = itertools.count()
        self.ends = {}  # of sinks, where they have one of their own
        # Below those that the kernel gives to others: each flow has one that no flow before it had.
        self.ports = itertools.count(10000)
        for name in self.names.values():
            self.tool("ip", "netns", "add", name)
            self.addCleanup(subprocess.run, ["ip", "netns", "delete", name], check=False, capture_output=True)
            self.tool("ip", "-n", name, "link", "set", "lo", "up")

    @staticmethod
    def tool(*arguments):
        return subprocess.run([str(a) for a in arguments], check=True, capture_output=True, text=True).stdout

    def at(self, end, *arguments):
        return self.tool("ip", "netns", "exec", self.names[end], *arguments)

    def wire(self, name, mtu=1500, subnet=77):
        """A veth pair from each side to the middle, where its ends are called NAMEl and NAMEr."""
        for end, port, host in (("left", f"{name}l", 1), ("right", f"{name}r", 2)):
            self.tool("ip", "link", "add", name, "netns", self.names[end], "mtu", mtu, "type", "veth", "peer", "name",
                      port, "netns", self.names["middle"], "mtu", mtu)
            self.at("middle", "sysctl", "-qw", f"net.ipv6.conf.{port}.disable_ipv6=1")
            for where, link in ((end, name), ("middle", port)):
                self.at(where, "ethtool", "-K", link, *OFFLOADS)
                self.tool("ip", "-n", self.names[where], "link", "set", link, "up")
            self.tool("ip", "-n", self.names[end], "address", "add", f"10.{subnet}.0.{host}/24", "dev", name)
            self.tool("ip", "-n", self.names[end], "address", "add", f"fd{subnet}::{host}/64", "dev", name, "nodad")

    def write_config(self, text="", flow_model="none", wires=("w",), **flow):
        """Pairs of the wires' near ends; what else the config is to say."""
        return self.config_of({wire: [(f"{wire}{side}", f"{wire}{side}") for side in "lr"] for wire in wires}, text,
                              flow_model, **flow)

    def start(self, config, *options, **environment):
        self.launch(["ip", "netns", "exec", self.names["middle"], WIRESCORE, "run", "--json", *options, config],
                    **environment)

    def peer(self, end, *arguments):
        """Starts what waits for others, and waits until it does."""
        process = self.background(end, *arguments)
        self.assertEqual(process.stdout.readline().strip(), READY)
        return process

    def background(self, end, *arguments):
        """Starts what ends by itself."""
        return self.child(end, sys.executable, PEERS, *arguments)

    def child(self, end, *arguments):
        process = subprocess.Popen(["ip", "netns", "exec", self.names[end], *map(str, arguments)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def ask(self, end, *arguments):
        text = self.at(end, sys.executable, PEERS, *arguments)
        return json.loads(text) if text else None

    def serve(self, address, port, *arguments):
        """Starts a server on the right, and waits until it listens there."""
        server = self.child("right", "timeout", 120, *arguments)
        where = f"[{address}]:{port} " if ":" in address else f"{address}:{port} "
        end = time.monotonic() + 30
        while where not in self.at("right", "ss", "-Hlntu"):
            self.assertIsNone(server.poll(), f"{arguments[0]} does not start")
            self.assertLess(time.monotonic(), end, f"{arguments[0]} does not listen")
            time.sleep(0.02)
        return server

    def serve_file(self, n_bytes, address=RIGHT, port=8080):
        """nginx with one file of random bytes; returns its URL and its SHA-256."""
        folder = self.folder / f"nginx-{next(self.tokens)}"
        folder.mkdir()
        data = random.Random(n_bytes).randbytes(n_bytes)
        (folder / "file").write_bytes(data)
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        temporary = "".join(f" {kind}_temp_path {folder};"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; user root; pid {folder}/pid; error_log stderr crit; events {{ }}\n"
            f"http {{ access_log off; sendfile on;{temporary} server {{ listen {where}; root {folder}; }} }}\n")
        self.serve(address, port, "nginx", "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf")
        return f"http://{where}/file", hashlib.sha256(data).hexdigest()

    def start_curl(self, url, *options):
        """Begins to fetch into the file that finish_curl looks at."""
        return self.child("left", "curl", "-sS", "--fail", "--noproxy", "*", "--max-time", 120, "-o",
                          self.folder / "fetched", "-w", "%{time_total}", *options, url)

    def finish_curl(self, curl, sha256):
        """Waits for the file, which must be that one; returns the seconds it took."""
        text, _ = curl.communicate(timeout=120)
        self.assertEqual(curl.returncode, 0)
        self.assertEqual(hashlib.sha256((self.folder / "fetched").read_bytes()).hexdigest(), sha256)
        return float(text)

    def fetch_file(self, n_bytes, address=RIGHT, port=8080):
        """A file of random bytes, fetched by HTTP from right to left; returns the seconds."""
        url, sha256 = self.serve_file(n_bytes, address, port)
        return self.finish_curl(self.start_curl(url), sha256)

    def ping(self, address, *options):
        """Five echo requests, of which each is answered."""
        text = self.at("left", "ping", "-c", 5, "-i", 0.1, "-W", 5, *options, address)
        self.assertIn(" 0% packet loss", text)

    def send(self, flows, packets, payload_bytes, gap=0.001, address=RIGHT):
        """Datagrams of new flows to the sink; returns how many there were."""
        first = next(self.ports)
        for _ in range(flows - 1):
            next(self.ports)
        self.ask("left", "send", address, 9000, flows, packets, payload_bytes, gap, first)
        return flows * packets

    def sink(self):
        token = f"end-{next(self.tokens)}"
        sink = self.peer("right", "sink", RIGHT, 9000, token)
        self.ends[sink] = token
        return sink

    def count(self, sink):
        """What a sink has counted when its end, which goes the same way, has come."""
        self.ask("left", "end", RIGHT, 9000, self.ends.get(sink, "end"))
        return {int(flow): n for flow, n in json.loads(sink.communicate(timeout=30)[0]).items()}


class Loaded(Running):
    """
    The program between two ports, p0 and p1, whose far ends a load of numbered packets goes through; see inline/load.h.
    Needs neither rights nor namespaces. A subclass says what the ports are, with the methods that raise here.
    """

    def start_load(self, config, **options):
        """Starts the program and the load of these options."""
        raise NotImplementedError

    def take_load(self):
        """Waits for the load's end, and returns what it says of both directions."""
        raise NotImplementedError

    def finish_load(self):
        """Ends the program after its load; returns its report."""
        raise NotImplementedError

    def devices(self):
        raise NotImplementedError

    def write_config(self, text="", flow_model="none", **flow):
        return self.config_of({"p": list(zip(("p0", "p1"), self.devices()))}, text, flow_model, **flow)

    @staticmethod
    def options_of(options):
        return [str(word) for name, value in options.items() for word in (f"--{name}", value)]

    def run_load(self, config, **options):
        self.start_load(config, **options)
        ways = self.take_load()
        return ways, self.finish_load()

    def assert_conserved(self, ways, report):
        """Each packet that a port took came out of the other, whole and in its flow's order, or was counted."""
        for way, port in zip(ways, (report["ports"]["p0"], report["ports"]["p1"])):
            self.assertEqual([way[wrong] for wrong in ("damaged", "out_of_order", "foreign")], [0, 0, 0])
            self.assertEqual(way["sent"], port["received"])
            self.assertEqual(way["received"], port["forwarded"])

    def assert_intact(self, ways, report):
        """And none was dropped."""
        self.assert_conserved(ways, report)
        for way in ways:
            self.assertGreater(way["sent"], 0)
            self.assertEqual(way["received"], way["sent"])


class LoadTests:
    """What holds whatever the ports are: a mixin for test cases of Loaded."""

    def wait_for_verdicts(self, is_attack):
        """Until thousands of packets have come, and some of them, or none, were attacks: a flow may be older than a
        swap of models, and under load not each is judged."""
        end = time.monotonic() + 30
        before, n, n_attacks = self.report()["ports"].values(), 0, 0
        while n < 5000 or (n_attacks > 0) != is_attack:
            self.assertLess(time.monotonic(), end, f"{n_attacks} of {n} are attacks")
            if n_attacks and not is_attack:
                before = after
            time.sleep(0.02)
            after = self.report()["ports"].values()
            n, n_attacks = (sum(now[what] - then[what] for now, then in zip(after, before))
                            for what in ("received", "count_only"))

    def test_packets_of_all_sizes_arrive_whole_and_in_order_both_ways(self):
        ways, report = self.run_load(self.write_config(), packets=40000, flows=50, window=256)
        self.assert_intact(ways, report)
        self.assertEqual([way["sent"] for way in ways], [40000, 40000])

    def test_exactly_the_flows_of_a_dropped_class_are_dropped_once_they_are_known(self):
        # Each third flow is heavy, which the model finds out at its fourth packet.
        config = self.write_config("[policy attack]\naction = drop\n", self.model(checkpoints="4"))
        ways, report = self.run_load(config, packets=30000, flows=12, heavy=3, window=256)
        self.assert_conserved(ways, report)
        for way, port in zip(ways, report["ports"].values()):
            for number, (sent, received, following) in enumerate(way["flows"]):
                expected = 3 if number % 3 == 0 else sent
                self.assertEqual((received, following), (expected, expected), f"flow {number}")
            self.assertEqual(port["dropped_by_policy"], way["sent"] - way["received"])
        self.assertEqual(report["flows"]["classes"], {"benign": 2 * 8, "attack": 2 * 4})

    def test_exactly_the_packets_before_a_verdict_are_dropped_where_the_policy_fails_closed(self):
        config = self.write_config("[policy]\nbefore-verdict = hold-drop\n", self.model(bias=-1e9, checkpoints="4"))
        ways, report = self.run_load(config, packets=30000, flows=20, window=256)
        self.assert_conserved(ways, report)
        for way, port in zip(ways, report["ports"].values()):
            for sent, received, following in way["flows"]:
                self.assertEqual((received, following), (sent - 3, sent))
            self.assertEqual(port["dropped_before_verdict"], 3 * 20)

    def test_models_swapped_under_load_judge_what_comes_then_and_lose_no_packet(self):
        """One calls no flow an attack, the other every one; a table that is far too small makes packets new flows."""
        models = [self.model(bias=bias, name=f"{bias:g}.onnx") for bias in (-1e6, 1e6)]
        policy = "[policy attack]\naction = drop\ncount-only = yes\n"
        end = self.folder / "end"
        self.start_load(self.write_config(policy, models[0], flows=1024), packets=1e9, seconds=60, until=end,
                        flows=60000, window=256)
        for i in range(1, 5):
            self.write_config(policy, models[i % 2], flows=1024)
            self.swap(i)
            self.wait_for_verdicts(i % 2 == 1)
        self.assertIsNone(self.program.poll())
        end.touch()
        ways = self.take_load()
        report = self.finish_load()
        self.assertEqual(report["reloads"], 4)
        self.assert_intact(ways, report)

    def test_a_reader_of_records_that_stands_still_holds_no_packet_up(self):
        fifo, reader = self.stopped_reader()
        # A table that is far too small makes a record of nearly every packet.
        config = self.write_config(f"[records flows]\npath = {fifo}\nqueue = 64\n", flows=1024)
        self.start_load(config, packets=60000, flows=30000, window=256)
        reader.send_signal(signal.SIGSTOP)
        ways = self.take_load()
        reader.send_signal(signal.SIGCONT)
        report = self.finish_load()
        self.assert_intact(ways, report)
        lost = report["sinks"]["flows"]["dropped_full"]
        self.assertGreater(lost, 0)
        print_figures(f"a reader of records that stands still behind {self.figures(ways)}; "
                      f"{lost} of {report['flows']['ended']} records lost")

    def test_a_flood_is_received_or_counted_and_the_rate_is_told(self):
        ways, report = self.run_load(self.write_config(flow_model="shipped"), packets=1e9, seconds=1, flows=5000,
                                     size=60, rate=2e6)
        self.assert_conserved(ways, report)
        for way, port in zip(ways, report["ports"].values()):
            self.assertGreater(way["received"], 0)
            self.assertEqual(way["sent"], way["received"] + port["dropped_tx_full"])
        print_figures(f"2 x 2 M/s offered to {self.figures(ways)}")

    def test_nothing_is_lost_at_a_low_rate_and_the_latency_is_told(self):
        ways, report = self.run_load(self.write_config(flow_model="shipped"), packets=5000, flows=50, rate=5000)
        self.assert_intact(ways, report)
        self.assertEqual([way["not_taken"] for way in ways], [0, 0])
        print_figures(f"2 x 5000/s offered to {self.figures(ways)}")

    def figures(self, ways):
        return f"{type(self).__name__.lower()}: " + "; ".join(
            f"{'there' if way is ways[0] else 'back'} {way['sent']} sent, {way['not_taken']} not taken, "
            f"{way['received']} received, {way['rate'] / 1e6:.3f} M/s, "
            f"us {', '.join(f'{share} {us:g}' for share, us in way['us'].items())}" for way in ways)

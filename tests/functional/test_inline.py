# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore run` as a bump in the wire: two network namespaces that nothing joins but the program, in a third one, with
af_packet on the near ends of veth pairs. All names are made here and removed afterwards; no traffic leaves them."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

from captures import WIRESCORE, TestCase, ethernet, frame, ipv4, ipv6, read_pcap, udp, write_pcap
from inline_peers import READY
from onnx_file import write_linear_model
from outcomes import OUTCOMES

PEERS = pathlib.Path(__file__).with_name("inline_peers.py")
LEFT, RIGHT = "10.77.0.1", "10.77.0.2"
LEFT_6, RIGHT_6 = "fd77::1", "fd77::2"
# What veth must not do: hand over frames that no wire carries, and checksums that somebody else is to fill in.
OFFLOADS = "tx off rx off sg off tso off gso off gro off".split()


def why_not():
    """What this machine lacks; None where it has it all."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [program for program in ("ip", "ethtool", "ping") if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    probe = f"wsi-{os.getpid()}-probe"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode != 0:
        return "network namespaces are not permitted here"
    subprocess.run(["ip", "netns", "delete", probe], check=True)
    return None


WHY_NOT = why_not()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Inline(TestCase):
    def setUp(self):
        super().setUp()
        self.names = {end: f"wsi-{os.getpid()}-{end}" for end in ("left", "middle", "right")}
        for name in self.names.values():
            self.tool("ip", "netns", "add", name)
            self.addCleanup(subprocess.run, ["ip", "netns", "delete", name], check=False, capture_output=True)
            self.tool("ip", "-n", name, "link", "set", "lo", "up")
        self.program = None
        self.addCleanup(self.kill)

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
        lines = ["[eal]", "workers = 1", "[models]", "packet = none", f"flow = {flow_model}", "[metrics]",
                 "interval = off", "[flow]", "flows = 32768", *(f"{k.replace('_', '-')} = {v}" for k, v in flow.items())]
        for wire in wires:
            for side in "lr":
                lines += [f"[port {wire}{side}]", f"device = {wire}{side}"]
            lines += [f"[pair {wire}]", f"ports = {wire}l, {wire}r"]
        path = self.folder / "run.conf"
        path.write_text("\n".join(lines) + "\n" + text)
        return path

    def start(self, config, *options, **environment):
        self.log = open(self.folder / "log", "w+")
        self.addCleanup(self.log.close)
        self.program = subprocess.Popen(["ip", "netns", "exec", self.names["middle"], WIRESCORE, "run", "--json",
                                         *options, config], stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env={**os.environ, **environment})
        self.wait_for("running with")

    def said(self):
        return (self.folder / "log").read_text()

    def wait_for(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.said():
            self.assertIsNone(self.program.poll(), self.said())
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.02)

    def kill(self):
        if self.program and self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        if self.program:
            self.program.stdout.close()

    def stop(self, code=0, end=signal.SIGTERM):
        """Ends the run; returns its last report, which must add up."""
        self.program.send_signal(end)
        text, _ = self.program.communicate(timeout=60)
        self.assertEqual(self.program.returncode, code, self.said())
        self.assertTrue(text, self.said())
        report = json.loads(text.splitlines()[-1])
        for port in report["ports"].values():
            self.assertEqual(port["received"], sum(port[outcome] for outcome in OUTCOMES))
        self.assertEqual(report["classifier"]["packets"],
                         sum(p["received"] - p["dropped_spread_full"] for p in report["ports"].values()))
        self.assertEqual(sum(report["worker_packets"]), report["classifier"]["packets"])
        return report

    def peer(self, end, *arguments):
        """Starts what waits for others, and waits until it does."""
        process = self.background(end, *arguments)
        self.assertEqual(process.stdout.readline().strip(), READY)
        return process

    def background(self, end, *arguments):
        """Starts what ends by itself."""
        process = subprocess.Popen(["ip", "netns", "exec", self.names[end], sys.executable, PEERS,
                                    *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def ask(self, end, *arguments):
        text = self.at(end, sys.executable, PEERS, *arguments)
        return json.loads(text) if text else None

    def fetch_file(self, n_bytes, address=RIGHT):
        """A file of random bytes, fetched by HTTP from right to left; returns the seconds."""
        web = self.folder / "web"
        web.mkdir(exist_ok=True)
        data = random.Random(n_bytes).randbytes(n_bytes)
        (web / "file").write_bytes(data)
        self.peer("right", "web", address, 8080, web)
        host = f"[{address}]" if ":" in address else address
        answer = self.ask("left", "fetch", f"http://{host}:8080/file")
        self.assertEqual(answer["sha256"], hashlib.sha256(data).hexdigest())
        return answer["seconds"]

    def model(self, features=None, bias=-500.0, name="model.onnx", checkpoints="1,4"):
        """Calls flows an attack that have more than 500 bytes of payload at one of the checkpoints."""
        features = features or {"payload_bytes": 1.0}
        return write_linear_model(self.folder / name, [list(features.values())], [bias], task="flow",
                                  features=",".join(features), classes="benign,attack", threshold="0.5",
                                  checkpoints=checkpoints)

    def count(self, sink):
        """What a sink has counted when the end, which goes the same way, has come."""
        self.ask("left", "end", RIGHT, 9000)
        return {int(flow): n for flow, n in json.loads(sink.communicate(timeout=30)[0]).items()}

    def sink(self):
        return self.peer("right", "sink", RIGHT, 9000)


class Passing(Inline):
    """What is no business of the policy's passes as it came."""

    def test_ping_ipv6_vlan_tags_and_datagrams_pass(self):
        self.wire("w")
        self.start(self.write_config())
        self.at("left", "ping", "-c", 5, "-i", 0.1, "-W", 2, RIGHT)
        self.at("left", "ping", "-6", "-c", 5, "-i", 0.1, "-W", 2, RIGHT_6)
        catcher = self.peer("right", "catch_tagged", "w", 7, 100)
        self.ask("left", "send_tagged", "w", 7, 100)
        self.assertEqual(json.loads(catcher.communicate(timeout=10)[0]), [90, 10])
        for address in (RIGHT, RIGHT_6):
            self.peer("right", "echo", address, 53)
            self.assertEqual(self.ask("left", "ping", address, 53, 200, 60)[0]["lost"], 0)
        report = self.stop()
        self.assertGreaterEqual(report["ports"]["wl"]["forwarded"], 510)
        for port in ("wl", "wr"):
            self.assertEqual(report["ports"][port]["received"], report["ports"][port]["forwarded"])

    def test_100_mb_by_http_arrive_as_they_were_sent(self):
        self.wire("w")
        self.start(self.write_config(flow_model="shipped"))
        seconds = self.fetch_file(100_000_000)
        report = self.stop(end=signal.SIGINT)
        print(f"\n100 MB by HTTP in {seconds:.2f} s, {800 / seconds:.0f} Mbit/s; "
              f"{report['ports']['wr']['received']} packets one way, "
              f"overloaded {report['classifier']['times_overloaded']} times", file=sys.stderr)
        self.assertGreater(report["ports"]["wr"]["forwarded_bytes"], 100_000_000)

    def test_jumbo_frames_pass_whole(self):
        self.wire("w", mtu=9000)
        self.start(self.write_config())
        self.at("left", "ping", "-c", 5, "-i", 0.1, "-W", 2, "-M", "do", "-s", 8972, RIGHT)
        self.fetch_file(20_000_000, RIGHT_6)
        self.stop()

    def test_latency_added_is_measured(self):
        self.wire("w")
        self.tool("ip", "link", "add", "direct", "netns", self.names["left"], "type", "veth", "peer", "name", "direct",
                  "netns",
                  self.names["right"])
        for end, host in (("left", 1), ("right", 2)):
            self.at(end, "ip", "address", "add", f"10.79.0.{host}/24", "dev", "direct")
            self.at(end, "ip", "link", "set", "direct", "up")
        self.start(self.write_config(flow_model="shipped"))
        self.peer("right", "echo", "10.79.0.2", 53)
        self.peer("right", "echo", RIGHT, 53)
        self.ask("left", "ping", f"10.79.0.2,{RIGHT}", 53, 200, 100)
        ways = self.ask("left", "ping", f"10.79.0.2,{RIGHT}", 53, 3000, 100)
        self.assertEqual([way["lost"] for way in ways], [0, 0])
        report = self.stop()
        for share in (0.5, 0.99, 0.999):
            direct, inline = (way["times"][int(share * 3000)] for way in ways)
            print(f"\np{100 * share:g} of a round trip: {direct:.0f} us direct, {inline:.0f} us inline, "
                  f"{(inline - direct) / 2:.0f} us added one way", end="", file=sys.stderr)
        print(f"; us in the worker: {report['latency_us']}", file=sys.stderr)


class Policy(Inline):
    """What the policy says is done to the flows that it is for, and to no others."""

    def send(self, flows, packets, payload_bytes, gap=0.001, address=RIGHT):
        self.ask("left", "send", address, 9000, flows, packets, payload_bytes, gap)

    def test_flows_of_a_dropped_class_are_dropped_and_no_others(self):
        self.wire("w")
        self.start(self.write_config("[policy attack]\naction = drop\n", self.model()))
        self.peer("right", "echo", RIGHT, 53)
        sink = self.sink()
        # Known at once: no packet passes. Known at the fourth packet: three pass. Never known: all pass.
        self.send(3, 10, 600)
        self.assertEqual(self.ask("left", "ping", RIGHT, 53, 50, 60)[0]["lost"], 0)
        self.at("left", "ping", "-c", 3, "-i", 0.1, "-W", 2, RIGHT)
        self.assertEqual(self.count(sink), {})
        sink = self.sink()
        self.send(4, 10, 200)
        self.assertEqual(self.count(sink), {flow: 3 for flow in range(4)})
        sink = self.sink()
        self.send(5, 10, 100)
        self.assertEqual(self.count(sink), {flow: 10 for flow in range(5)})
        self.fetch_file(1_000_000)
        report = self.stop()
        self.assertEqual(report["ports"]["wl"]["dropped_by_policy"], 3 * 10 + 4 * 7)
        self.assertEqual(report["ports"]["wr"]["dropped_by_policy"], 0)

    def test_a_threshold_spares_flows_below_it_and_count_only_spares_all(self):
        self.wire("w")
        model = self.model({"payload_bytes": 0.01}, -5.0, checkpoints="1")
        self.start(self.write_config("[policy attack]\naction = drop\nthreshold = 0.9\n", model))
        sink = self.sink()
        self.send(1, 5, 600)  # logit 1: a score of 0.73
        self.assertEqual(self.count(sink), {0: 5})
        sink = self.sink()
        self.send(1, 5, 800)  # logit 3: 0.95
        self.assertEqual(self.count(sink), {})
        self.write_config("[policy attack]\naction = drop\ncount-only = yes\n", model)
        self.program.send_signal(signal.SIGHUP)
        self.wait_for("taken over")
        sink = self.sink()
        self.send(1, 5, 800)
        self.assertEqual(self.count(sink), {0: 5})
        report = self.stop()
        self.assertEqual(report["ports"]["wl"]["dropped_by_policy"], 5)
        self.assertEqual(report["ports"]["wl"]["count_only"], 5)

    def test_flows_without_a_verdict_are_held_where_the_policy_fails_closed(self):
        self.wire("w")
        self.start(self.write_config("[policy]\nbefore-verdict = hold-drop\n", self.model(checkpoints="4")))
        sink = self.sink()
        self.send(2, 10, 60)
        self.assertEqual(self.count(sink), {0: 7, 1: 7})
        report = self.stop()
        self.assertGreaterEqual(report["ports"]["wl"]["dropped_before_verdict"], 6)

    def test_flows_are_marked_and_their_checksums_stay_right(self):
        self.wire("w")
        self.start(self.write_config("[policy attack]\naction = mark DSCP 46\n", self.model()))
        catcher = self.peer("right", "dscp", RIGHT, 9000)
        self.send(1, 1, 600)
        self.assertEqual(json.loads(catcher.communicate(timeout=10)[0]), [46])
        report = self.stop()
        self.assertEqual(report["ports"]["wl"]["marked"], 1)

    def test_flows_are_mirrored_to_a_third_port(self):
        self.wire("w")
        self.wire("tap", subnet=80)
        self.start(self.write_config("[port tap]\ndevice = tapr\n[policy attack]\naction = mirror tap\n", self.model()))
        sink = self.sink()
        self.send(2, 10, 600)
        self.assertEqual(self.count(sink), {0: 10, 1: 10})
        seen = json.loads(self.at("right", "ip", "-j", "-s", "link", "show", "tap"))[0]["stats64"]["rx"]["packets"]
        report = self.stop()
        self.assertEqual(report["ports"]["wl"]["mirrored"], 20)
        self.assertGreaterEqual(seen, 20)


class Serving(Inline):
    """What a service manager and its administrator expect."""

    def test_rights_are_given_up_by_every_thread_and_traffic_goes_on(self):
        self.wire("w")
        self.folder.chmod(0o755)
        config = self.write_config(f"[security]\nuser = nobody\n[records]\nfile = {self.folder}/records\n",
                                   self.model())
        self.start(config)
        for task in pathlib.Path(f"/proc/{self.program.pid}/task").iterdir():
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
            self.assertEqual(set(status["Uid"].split()), {"65534"})
            self.assertEqual(status["NoNewPrivs"].strip(), "1")
            self.assertEqual(int(status["CapEff"], 16), 0)
        self.at("left", "ping", "-c", 3, "-i", 0.1, "-W", 2, RIGHT)
        self.program.send_signal(signal.SIGHUP)
        self.wait_for("taken over")
        self.at("left", "ping", "-c", 3, "-i", 0.1, "-W", 2, RIGHT)
        self.assertGreater(self.stop()["flows"]["ended"], 0)
        records = [json.loads(line) for line in (self.folder / "records").read_text().splitlines()]
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
            self.at("left", "ping", "-c", 3, "-i", 0.1, "-W", 2, RIGHT)
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


def random_packets(n, seed):
    """Datagrams of many flows and of all lengths, jumbo too, fragments, and what is no IP at all."""
    draw = random.Random(seed)
    packets = []
    for i in range(n):
        data = draw.randbytes(draw.choice((0, 18, 100, 600, 1400, 1400, 7000)))
        port = 1024 + draw.randrange(200)
        packets.append(draw.choice((
            ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(port, 53, data), ident=i & 0xFFFF)),
            ethernet(ipv6("fd00::1", "fd00::2", 17, udp(port, 53, data))),
            ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, data, flags_offset=draw.randrange(100), ident=port)),
            ethernet(ipv4("10.0.0.3", "10.0.0.2", 17, udp(port, 53, data)), vlan=7),
            frame(draw.choice((0x0806, 0x88CC, 0x8847, 0x0800)), draw.randbytes(46)),
        )))
    return packets


class Files(TestCase):
    """Captures as ports need neither rights nor namespaces."""

    def run_pair(self, packets, text="", model="none"):
        """The packets that leave at the other port, and the report."""
        source, empty, out = (self.folder / name for name in ("in.pcap", "empty.pcap", "out.pcap"))
        write_pcap(source, packets)
        write_pcap(empty, [])
        config = self.folder / "run.conf"
        config.write_text(
            f"[eal]\nworkers = 1\n[models]\npacket = none\nflow = {model}\n[flow]\nflows = 4096\n"
            f"[metrics]\ninterval = off\n[port a]\ndevice = net_pcap0,rx_pcap={source},tx_pcap={self.folder}/back.pcap\n"
            f"[port b]\ndevice = net_pcap1,rx_pcap={empty},tx_pcap={out}\n[pair p]\nports = a, b\n{text}")
        program = subprocess.Popen([WIRESCORE, "run", "--json", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(program.kill)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.1)
            program.send_signal(signal.SIGUSR1)
            line = program.stderr.readline()
            while line and not line.startswith("{"):
                line = program.stderr.readline()
            if not line or json.loads(line)["ports"]["a"]["received"] == len(packets):
                break
        program.send_signal(signal.SIGTERM)
        text, errors = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 0, errors)
        report = json.loads(text)
        self.assertEqual(report["ports"]["a"]["received"], len(packets))
        return read_pcap(out), report

    def test_packets_leave_as_they_came_in_their_order(self):
        packets = random_packets(5000, seed=5)
        out, report = self.run_pair(packets)
        self.assertEqual(out, packets)
        self.assertEqual(report["ports"]["a"]["forwarded"], len(packets))
        self.assertEqual(report["classifier"]["packets"], len(packets))

    def test_whole_flows_are_dropped_and_the_others_keep_their_order(self):
        model = write_linear_model(self.folder / "model.onnx", [[1.0]], [-500.0], task="flow", features="payload_bytes",
                                   classes="benign,attack", threshold="0.5", checkpoints="1")
        packets = [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + i % 50, 53, bytes([i & 255]) *
                                                                   (600 if i % 50 % 3 else 60)))) for i in range(3000)]
        out, report = self.run_pair(packets, "[policy attack]\naction = drop\n", model)
        self.assertEqual(out, [packet for packet in packets if len(packet) < 600])
        self.assertEqual(report["ports"]["a"]["dropped_by_policy"], sum(len(p) >= 600 for p in packets))

    def test_overload_sheds_scoring_and_no_packet(self):
        config = self.folder / "run.conf"
        # A port that always has more.
        config.write_text("[eal]\nworkers = 1\n[flow]\nflows = 4096\n[metrics]\ninterval = off\n"
                          "[port a]\ndevice = net_null0\n[port b]\ndevice = net_null1\n[pair p]\nports = a, b\n")
        program = subprocess.Popen([WIRESCORE, "run", "--json", config], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.kill)
        while "running with" not in (line := program.stderr.readline()):
            self.assertTrue(line)
        time.sleep(1)
        program.send_signal(signal.SIGTERM)
        text, errors = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 0, errors)
        report = json.loads(text)
        classifier, ports = report["classifier"], report["ports"].values()
        self.assertEqual(classifier["times_overloaded"], 1)
        self.assertEqual(classifier["packets"] - classifier["shed_packets"], 128 * 2 * 32)
        self.assertEqual([port["forwarded"] for port in ports], [port["received"] for port in ports])

    def test_a_second_process_sends_over_memif_and_the_rate_is_told(self):
        source, path = self.folder / "in.pcap", self.folder / "memif.sock"
        write_pcap(source, [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(i, 53, b"x" * 18))) for i in range(1000, 3000)])
        memif = f"socket={path},socket-abstract=no"
        common = ("[eal]\nworkers = 1\n[models]\npacket = none\nflow = none\n[flow]\nflows = 4096\n"
                  "[metrics]\ninterval = off\n")
        (self.folder / "sink.conf").write_text(f"{common}[port m]\ndevice = net_memif0,role=server,{memif}\n")
        (self.folder / "source.conf").write_text(
            f"{common}[port m]\ndevice = net_memif0,role=client,{memif}\n"
            f"[port f]\ndevice = net_pcap0,rx_pcap={source},tx_pcap=/dev/null,infinite_rx=1\n[pair p]\nports = f, m\n")
        runs = []
        for name in ("sink", "source"):
            runs.append(subprocess.Popen([WIRESCORE, "run", "--json", self.folder / f"{name}.conf"], text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            self.addCleanup(runs[-1].kill)
            while "running with" not in (line := runs[-1].stderr.readline()):
                self.assertTrue(line)
        time.sleep(3)
        reports = []
        for program in reversed(runs):
            program.send_signal(signal.SIGTERM)
            text, errors = program.communicate(timeout=60)
            self.assertEqual(program.returncode, 0, errors)
            reports.append(json.loads(text))
        sent, received = reports[0]["ports"]["f"], reports[1]["ports"]["m"]
        self.assertGreater(received["received"], 10000)
        self.assertEqual(received["received"], received["observed"])
        # What the ring between them still held when the sender left is lost with it.
        self.assertLessEqual(sent["forwarded"] - received["received"], 4096)
        print(f"\nover memif: {sent['forwarded']} packets sent, {received['received']} received in "
              f"{reports[0]['seconds']:.2f} s, {received['received'] / reports[0]['seconds'] / 1e6:.2f} M/s; "
              f"{sent['dropped_tx_full']} did not fit", file=sys.stderr)


class Enduring(Inline):
    """Reload, lost interfaces and readers that stand still cost no packet."""

    def test_a_swap_under_load_loses_nothing_and_a_bad_model_changes_nothing(self):
        self.wire("w")
        one, other = self.model(bias=-1e6, name="one.onnx"), self.model(bias=-2e6, name="other.onnx")
        self.start(self.write_config(flow_model=one))
        sink = self.sink()
        sender = self.background("left", "send", RIGHT, 9000, 4, 1000, 200, 0.0005)
        data = random.Random(1).randbytes(20_000_000)
        (self.folder / "web").mkdir()
        (self.folder / "web" / "file").write_bytes(data)
        self.peer("right", "web", RIGHT, 8080, self.folder / "web")
        fetcher = self.background("left", "fetch", f"http://{RIGHT}:8080/file")
        for i in range(6):
            self.write_config(flow_model=(other, one)[i % 2])
            self.program.send_signal(signal.SIGHUP)
            end = time.monotonic() + 20
            while self.said().count("taken over") <= i:
                self.assertLess(time.monotonic(), end, self.said())
                time.sleep(0.02)
        (self.folder / "bad.onnx").write_bytes(b"not a model")
        self.write_config(flow_model=self.folder / "bad.onnx")
        self.program.send_signal(signal.SIGHUP)
        self.wait_for("nothing is changed")
        self.assertEqual(sender.wait(60), 0)
        answer = json.loads(fetcher.communicate(timeout=60)[0])
        self.assertEqual(answer["sha256"], hashlib.sha256(data).hexdigest())
        self.assertEqual(self.count(sink), {flow: 1000 for flow in range(4)})
        report = self.stop()
        self.assertEqual(report["reloads"], 6)
        self.assertEqual(report["flows"]["classes"]["attack"], 0)

    def test_an_interface_that_is_deleted_under_traffic_stops_its_pair_alone(self):
        self.wire("w")
        self.wire("x", subnet=80)
        self.start(self.write_config(wires=("w", "x")))
        self.peer("right", "echo", RIGHT, 53)
        self.peer("right", "echo", "10.80.0.2", 53)
        sender = self.background("left", "send", RIGHT, 53, 4, 1000, 200, 0.0005)
        time.sleep(0.3)
        self.at("right", "ip", "link", "delete", "w")
        self.wait_for("is gone")
        self.assertEqual(self.ask("left", "ping", "10.80.0.2", 53, 300, 60)[0]["lost"], 0)
        sender.wait(60)
        report = self.stop()
        self.assertTrue(report["ports"]["wr"]["is_gone"])
        self.assertGreater(report["ports"]["wl"]["dropped_port_gone"], 0)
        self.assertFalse(report["ports"]["wl"]["is_gone"])

    def test_a_link_that_goes_down_and_up_under_traffic_is_told_of_and_used_again(self):
        self.wire("w")
        self.wire("x", subnet=80)
        self.start(self.write_config(wires=("w", "x")))
        self.peer("right", "echo", RIGHT, 53)
        self.peer("right", "echo", "10.80.0.2", 53)
        sender = self.background("left", "send", RIGHT, 53, 4, 1000, 200, 0.0002)
        time.sleep(0.1)
        self.at("middle", "ip", "link", "set", "wr", "down")
        self.wait_for("port wr: link is down")
        sender.wait(60)
        self.assertEqual(self.ask("left", "ping", "10.80.0.2", 53, 300, 60)[0]["lost"], 0)
        self.at("middle", "ip", "link", "set", "wr", "up")
        end = time.monotonic() + 20
        while self.said().count("port wr: link is up") < 2:
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.02)
        self.ask("left", "ping", RIGHT, 53, 3, 60)
        self.assertEqual(self.ask("left", "ping", RIGHT, 53, 100, 60)[0]["lost"], 0)
        self.stop()

    def test_a_reader_of_records_that_stands_still_slows_nothing(self):
        self.wire("w")
        fifo = self.folder / "records"
        os.mkfifo(fifo)
        self.peer("right", "echo", RIGHT, 53)
        reader = subprocess.Popen(["cat", fifo], stdout=subprocess.DEVNULL)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        self.start(self.write_config(f"[records]\nfile = {fifo}\n", idle_timeout=1))
        reader.send_signal(signal.SIGSTOP)
        self.ask("left", "scatter", RIGHT, 10000, 20000)
        answer = self.ask("left", "ping", RIGHT, 53, 500, 60)
        self.assertEqual(answer[0]["lost"], 0)
        time.sleep(6)
        self.assertEqual(self.ask("left", "ping", RIGHT, 53, 500, 60)[0]["lost"], 0)
        self.program.send_signal(signal.SIGUSR1)
        self.wait_for('"records_lost"')
        lost = json.loads([line for line in self.said().splitlines() if line.startswith("{")][-1])
        self.assertGreater(lost["flows"]["records_lost"], 0)
        reader.send_signal(signal.SIGCONT)
        self.assertGreaterEqual(self.stop()["flows"]["ended"], 20000)

    def test_a_reader_of_records_that_never_goes_on_does_not_hold_up_the_end(self):
        self.wire("w")
        fifo = self.folder / "records"
        os.mkfifo(fifo)
        reader = subprocess.Popen(["cat", fifo], stdout=subprocess.DEVNULL)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        self.start(self.write_config(f"[records]\nfile = {fifo}\n"))
        reader.send_signal(signal.SIGSTOP)
        self.ask("left", "scatter", RIGHT, 10000, 15000)
        report = self.stop(code=1)
        self.assertIn("nobody takes them any more", self.said())
        self.assertGreaterEqual(report["flows"]["ended"], 15000)

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
                end = time.monotonic() + 20
                while self.said().count("nothing is changed") == before:
                    self.assertLess(time.monotonic(), end, self.said())
                    time.sleep(0.02)
                self.assertIn(words, self.said())
        self.at("left", "ping", "-c", 3, "-i", 0.1, "-W", 2, RIGHT)
        self.assertEqual(self.stop()["reloads"], 0)

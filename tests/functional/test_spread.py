# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore run` with more workers than a device has queues: one worker receives and shares the packets out."""
import collections
import ipaddress
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import unittest

from captures import WIRESCORE, TestCase, ethernet, frame, ipv4, ipv6, read_pcap, tcp, udp, write_pcap
from inline_case import RIGHT, RIGHT_6, WHY_NOT, Inline
from onnx_file import write_linear_model

MANY = 32


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Spread(Inline):
    """Between namespaces, by af_packet, which has one queue here."""

    def start_workers(self, n, text="", *options, **config):
        self.start(self.write_config(text, **config), "--verbose", "--set", f"eal.workers={n}", *options)
        self.assertRegex(self.said(), rf"port wl: .*, 1\+1 queues .* spread in software by worker \d+ over {n} workers")
        self.assertRegex(self.said(), rf"port wr: .* spread in software by worker \d+ over {n} workers")

    def stop_whole(self):
        """Ends the run; no buffer may be left anywhere."""
        report = self.stop()
        self.assertNotIn("not come back", self.said())
        self.assertEqual({port["spread"] for port in report["ports"].values()}, {"software"})
        return report

    def many_hosts(self):
        for number in range(MANY):
            self.tool("ip", "-n", self.names["left"], "address", "add", f"10.77.1.{number + 1}/32", "dev", "w")
        self.tool("ip", "-n", self.names["right"], "route", "add", "10.77.1.0/24", "dev", "w")

    def send_numbered(self, packets, payload_bytes=100, gap=0.0001, start="ask"):
        return getattr(self, start)("left", "send_numbered", RIGHT, 9000, "10.77.1", MANY, packets, payload_bytes, gap)

    def count_numbered(self, sink):
        """{flow: (packets, those out of order)}."""
        time.sleep(0.5)  # the end is another worker's
        return {flow: tuple(seen) for flow, seen in self.count(sink).items()}

    def pass_through(self, workers, *options):
        self.wire("w")
        self.many_hosts()
        self.start_workers(workers, "", *options)
        seconds = self.fetch_file(20_000_000)
        self.fetch_file(2_000_000, RIGHT_6)
        self.at("left", "ping", "-c", 3, "-i", 0.1, "-W", 2, RIGHT)
        sink = self.peer("right", "sink_numbered", RIGHT, 9000)
        self.send_numbered(200)
        self.assertEqual(self.count_numbered(sink), {flow: (200, 0) for flow in range(MANY)})
        # As fast as it goes: some may be lost, none may overtake.
        sink = self.peer("right", "sink_numbered", RIGHT, 9000)
        self.send_numbered(1000, 60, 0)
        counts = self.count_numbered(sink)
        self.assertEqual({flow: disordered for flow, (_, disordered) in counts.items()}, dict.fromkeys(range(MANY), 0))
        report = self.stop_whole()
        shares = report["worker_packets"]
        self.assertEqual(len(shares), workers)
        self.assertGreater(min(shares), MANY * 200 / workers / 20)
        print(f"\n{workers} workers: 20 MB in {seconds:.2f} s; packets of each: {shares}; us from reception to "
              f"sending: {report['latency_us']}", file=sys.stderr)

    def test_files_arrive_whole_and_datagrams_in_order_with_two_workers(self):
        self.pass_through(2)

    def test_files_arrive_whole_and_datagrams_in_order_with_three_workers_that_rest(self):
        self.pass_through(3, "--idle-sleep")

    def test_flows_of_a_dropped_class_are_dropped_whoever_has_them_and_no_others(self):
        self.wire("w")
        self.many_hosts()
        # A packet at a time: a verdict is for all packets of a flow that are in a burst.
        self.start_workers(3, "[policy attack]\naction = drop\n", "--set", "eal.burst=1", "--idle-sleep",
                           flow_model=self.model())
        sink = self.peer("right", "sink_numbered", RIGHT, 9000)
        # Known at once, at the fourth packet, never.
        self.send_numbered(5, 600)
        self.assertEqual(self.count_numbered(sink), {})
        sink = self.peer("right", "sink_numbered", RIGHT, 9000)
        self.send_numbered(10, 200)
        self.assertEqual(self.count_numbered(sink), {flow: (3, 0) for flow in range(MANY)})
        sink = self.peer("right", "sink_numbered", RIGHT, 9000)
        self.send_numbered(10, 100)
        self.assertEqual(self.count_numbered(sink), {flow: (10, 0) for flow in range(MANY)})
        report = self.stop_whole()
        self.assertEqual(report["ports"]["wl"]["dropped_by_policy"], MANY * (5 + 7))

    def test_a_mirror_with_queues_enough_takes_copies_of_every_worker_while_models_are_swapped(self):
        self.wire("w")
        self.wire("tap", subnet=80)
        self.many_hosts()
        text = "[port tap]\ndevice = tapr\n[policy attack]\naction = mirror tap\n"
        self.start_workers(3, text, "--idle-sleep", flow_model=self.model())
        self.assertRegex(self.said(), r"port tap: .*, 1\+3 queues")
        for reloads in range(3):
            sink = self.peer("right", "sink_numbered", RIGHT, 9000)
            self.send_numbered(5, 600)
            self.assertEqual(self.count_numbered(sink), {flow: (5, 0) for flow in range(MANY)})
            self.write_config(text, self.model())
            self.program.send_signal(signal.SIGHUP)
            end = time.monotonic() + 20
            while self.said().count("taken over") <= reloads:
                self.assertLess(time.monotonic(), end, self.said())
                time.sleep(0.02)
        report = self.stop()
        self.assertEqual(report["ports"]["wl"]["mirrored"], 3 * MANY * 5)

    def test_an_end_under_load_leaves_no_packet_between_workers(self):
        self.wire("w")
        self.many_hosts()
        # As little room as there can be.
        self.start_workers(3, "", "--set", "port.wl.rx-descriptors=32", "--set", "port.wr.tx-descriptors=32")
        if os.cpu_count() < 3:
            self.assertIn("3 workers wait for each other", self.said())
        self.peer("right", "echo", RIGHT, 9000)
        sender = self.send_numbered(100000, 60, 0, "background")
        time.sleep(2)
        port = self.stop_whole()["ports"]["wl"]
        sender.kill()
        self.assertGreater(port["forwarded"], 1000)
        print(f"\nended under load: { {name: n for name, n in port.items() if n and not isinstance(n, (bool, str))} }",
              file=sys.stderr)

    def test_an_interface_that_is_deleted_under_traffic_stops_its_pair_alone(self):
        self.wire("w")
        self.wire("x", subnet=80)
        self.many_hosts()
        self.start_workers(2, wires=("w", "x"))
        self.sink()
        self.peer("right", "echo", "10.80.0.2", 53)
        sender = self.send_numbered(200, 200, 0.0003, "background")
        time.sleep(0.3)
        self.at("right", "ip", "link", "delete", "w")
        self.wait_for("is gone")
        self.assertEqual(self.ask("left", "ping", "10.80.0.2", 53, 300, 60)[0]["lost"], 0)
        sender.wait(60)
        # It may have ended before the interface was gone.
        self.send_numbered(5)
        report = self.stop_whole()
        self.assertTrue(report["ports"]["wr"]["is_gone"])
        self.assertGreater(report["ports"]["wl"]["dropped_port_gone"], 0)
        self.assertFalse(report["ports"]["wl"]["is_gone"])


def random_packets(n, seed):
    """Datagrams and segments of many hosts, fragments, tunnels, and what has no flow, numbered."""
    draw = random.Random(seed)
    packets = []
    for i in range(n):
        data = i.to_bytes(4, "big") + bytes(draw.choice((0, 18, 100, 600, 1200, 7000)))
        client, port = f"10.0.{draw.randrange(4)}.{draw.randrange(1, 60)}", 1024 + draw.randrange(4)
        ends = draw.choice(((client, "10.9.0.1"), ("10.9.0.1", client)))
        ports = (port, 53) if ends[0] == client else (53, port)
        inner = ipv4(*ends, 17, udp(*ports, data))
        # Of few, so that one worker remembers as many datagrams as three do.
        parts = (f"10.8.0.{draw.randrange(1, 20)}", "10.9.0.1")
        packets.append(draw.choice((
            ethernet(ipv4(*ends, 17, udp(*ports, data), ident=i & 0xFFFF)),
            ethernet(ipv4(*ends, 6, tcp(*ports, "A", data))),
            ethernet(ipv6("fd00::" + ends[0].replace(".", ":"), "fd00::" + ends[1].replace(".", ":"), 17,
                          udp(*ports, data))),
            # The first of three fragments, and sooner or later another.
            ethernet(ipv4(*parts, 17, udp(*ports, data), flags_offset=0x2000, ident=port)),
            ethernet(ipv4(*parts, 17, data, flags_offset=0x2000 | 150, ident=port)),
            ethernet(ipv4("192.0.2.1", "192.0.2.2", 4, inner)),
            ethernet(inner, vlan=7),
            frame(draw.choice((0x0806, 0x88CC, 0x88E5)), data),
        )))
    return packets


def hosts_of(data):
    """What the order is kept of: the innermost addresses in their network, or nothing for all that is no IP."""
    offset = 16 if data[12:14] == b"\x81\x00" else 12
    if data[offset : offset + 2] == b"\x08\x00":
        is_tunnel = data[offset + 11] == 4
        at = offset + 14 + 20 * is_tunnel
        return offset, is_tunnel, frozenset((data[at : at + 4], data[at + 4 : at + 8]))
    if data[offset : offset + 2] == b"\x86\xdd":
        return offset, frozenset((data[offset + 10 : offset + 26], data[offset + 26 : offset + 42]))
    return None


class Files(TestCase):
    """Captures as ports: neither rights nor namespaces are needed, and all packets are known."""

    def write_config(self, workers, text="", model="none", a="", b="", endless=""):
        """The pair of a capture and of one without packets."""
        write_pcap(self.folder / "empty.pcap", [])
        path = self.folder / "run.conf"
        path.write_text(
            f"[eal]\nworkers = {workers}\n[models]\npacket = none\nflow = {model}\n[flow]\nflows = 16384\n"
            f"hash-seed = 7\n[metrics]\ninterval = off\nhttp = none\n"
            f"[port a]\ndevice = net_pcap0,rx_pcap={self.folder}/in.pcap,tx_pcap={self.folder}/back.pcap{endless}\n{a}"
            f"[port b]\ndevice = net_pcap1,rx_pcap={self.folder}/empty.pcap,tx_pcap={self.folder}/out.pcap\n{b}"
            f"[pair p]\nports = a, b\n{text}")
        return path

    def run_config(self, config, n=None, seconds=0):
        """Runs until n packets have come, or for so long; returns the report."""
        program = subprocess.Popen([WIRESCORE, "run", "--json", "--verbose", config], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.kill)
        line, self.said = " ", ""
        while line and "running with" not in line:
            line = program.stderr.readline()
            self.said += line
        end = time.monotonic() + (seconds or 60)
        while time.monotonic() < end and line:
            time.sleep(0.1)
            if n is None:
                continue
            program.send_signal(signal.SIGUSR1)
            line = program.stderr.readline()
            while line and not line.startswith("{"):
                line = program.stderr.readline()
            ports = json.loads(line)["ports"] if line else {}
            if any(sum(v for k, v in port.items() if k in ("forwarded", "observed") or k.startswith("dropped_")) == n
                   for port in ports.values()):
                break
        program.send_signal(signal.SIGTERM)
        text, errors = program.communicate(timeout=60)
        self.assertEqual(program.returncode, 0, self.said + errors)
        self.assertNotIn("not come back", errors)
        report = json.loads(text)
        if n is not None:
            self.assertEqual(report["ports"]["a"]["received"], n)
        return report

    def records(self, name):
        """The lines of flows without their times."""
        lines = []
        for line in (self.folder / name).read_text().splitlines():
            record = json.loads(line)
            lines.append({key: value for key, value in record.items()
                          if key not in ("start", "end", "duration", "flow_id", "first_packet")})
        return lines

    def test_one_and_three_workers_find_the_same_flows_and_verdicts_and_forward_the_same(self):
        model = write_linear_model(self.folder / "model.onnx", [[1.0]], [-500.0], task="flow", features="payload_bytes",
                                   classes="benign,attack", threshold="0.5", checkpoints="1")
        packets = random_packets(20000, seed=11)
        write_pcap(self.folder / "in.pcap", packets)
        found = []
        for workers in (1, 2, 3):
            config = self.write_config(workers, f"[records flows]\npath = {self.folder}/flows{workers}\n[policy attack]\n"
                                       f"action = drop\n", model, a="mtu = 9000\n")
            report = self.run_config(config, len(packets))
            out = read_pcap(self.folder / "out.pcap")
            order = collections.defaultdict(list)
            for data in out:
                order[hosts_of(data)].append(data)
            port = report["ports"]["a"]
            self.assertEqual(len(out), port["forwarded"])
            self.assertEqual(port["forwarded"] + port["dropped_by_policy"], len(packets))
            self.assertGreater(min(report["worker_packets"]), len(packets) / workers / 4)
            records = sorted(json.dumps(record, sort_keys=True) for record in self.records(f"flows{workers}"))
            found.append((records, sorted(out), order, port["dropped_by_policy"], report["flows"]["classes"]))
        self.assertGreater(found[0][3], 1000)
        self.assertGreater(len(found[0][0]), 1000)
        for other in found[1:]:
            for one, its in zip(found[0], other):
                self.assertEqual(one, its)

    def test_a_mirror_with_one_queue_takes_the_copies_of_all_workers(self):
        model = write_linear_model(self.folder / "model.onnx", [[1.0]], [-500.0], task="flow", features="payload_bytes",
                                   classes="benign,attack", threshold="0.5", checkpoints="1")
        packets = [ethernet(ipv4(f"10.0.0.{i % 99}", "10.9.0.1", 17, udp(1000, 53, bytes([i & 255]) *
                                                                            (600 if i % 3 else 60))))
                   for i in range(3000)]
        write_pcap(self.folder / "in.pcap", packets)
        config = self.write_config(3, f"[port tap]\ndevice = net_pcap2,rx_pcap={self.folder}/empty.pcap,"
                                   f"tx_pcap={self.folder}/tap.pcap\n[policy attack]\naction = mirror tap\n", model)
        report = self.run_config(config, len(packets))
        self.assertRegex(self.said, r"port tap: .*, sent to by worker \d for all")
        port = report["ports"]["a"]
        copies = read_pcap(self.folder / "tap.pcap")
        self.assertEqual(port["forwarded"], len(packets))
        self.assertEqual(port["mirrored"] + port["mirror_lost"], sum(len(p) >= 600 for p in packets))
        self.assertEqual(len(copies), port["mirrored"])
        self.assertGreater(port["mirrored"], 0)
        self.assertLessEqual(set(copies), {p for p in packets if len(p) >= 600})

    def test_a_port_that_is_looked_at_is_shared_out_too(self):
        packets = random_packets(5000, seed=3)
        write_pcap(self.folder / "in.pcap", packets)
        config = self.folder / "run.conf"
        config.write_text(f"[eal]\nworkers = 3\n[models]\npacket = none\nflow = none\n[flow]\nflows = 0\n[metrics]\n"
                          f"interval = off\nhttp = none\n[port a]\ndevice = net_pcap0,rx_pcap={self.folder}/in.pcap\n")
        report = self.run_config(config, len(packets))
        self.assertEqual(report["ports"]["a"]["observed"], len(packets))
        self.assertEqual(len([n for n in report["worker_packets"] if n > 300]), 3)

    def test_what_is_asked_of_rss_and_queues_is_heeded(self):
        write_pcap(self.folder / "in.pcap", random_packets(100, seed=1))
        symmetric = "rss = symmetric\n"
        result = subprocess.run([WIRESCORE, "run", self.write_config(2, a=symmetric)], capture_output=True, text=True,
                                timeout=60, check=False)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"\[port a\] rss: symmetric over 2 workers is more than .* write auto")
        # One worker needs no spread, nor do ports that ask for no more.
        for workers, keys in ((1, {"a": symmetric}), (1, {"a": "rss = software\n"}), (2, {"b": "queues = 1\n"})):
            with self.subTest(workers=workers, **keys):
                report = self.run_config(self.write_config(workers, **keys), 100)
                self.assertEqual([port["spread"] for port in report["ports"].values()], ["none", "none"])
        self.assertIn("1 of 2 workers have nothing to do", self.said)
        report = self.run_config(self.write_config(3, a="queues = 2\n"), 100)
        self.assertEqual([port["spread"] for port in report["ports"].values()], ["software", "software"])
        self.assertEqual(sorted(bool(n) for n in report["worker_packets"]), [False, True, True])

    def flood(self, workers, hosts, burst=32):
        """The report of two seconds of as many packets as go, which are looked at; of these hosts."""
        write_pcap(self.folder / "in.pcap", [
            ethernet(ipv4(f"10.0.0.{hosts[i % len(hosts)]}", "10.9.0.1", 17, udp(1000, 53, b"x" * 18)))
            for i in range(2000)])
        config = self.folder / "run.conf"
        config.write_text(f"[eal]\nworkers = {workers}\nburst = {burst}\n[models]\npacket = none\nflow = none\n[flow]\n"
                          f"flows = 16384\nhash-seed = 7\n[metrics]\ninterval = off\nhttp = none\n[port a]\n"
                          f"mbufs = 65535\ndevice = net_pcap0,rx_pcap={self.folder}/in.pcap,infinite_rx=1\n")
        return self.run_config(config, seconds=2)

    def test_a_worker_that_always_has_packets_is_busy_all_the_time(self):
        for burst in (1, 32):
            with self.subTest(burst=burst):
                report = self.flood(1, range(1, 100), burst=burst)
                self.assertGreater(report["worker_busy_ms"][0], 0.85 * 1000 * report["seconds"])
                self.assertLess(report["worker_busy_ms"][0], 1050 * report["seconds"])

    def test_stages_are_those_of_packets_that_stay_and_of_those_that_are_handed_over(self):
        alone = self.flood(1, range(1, 100))
        self.assertEqual(alone["cycles_per_packet"]["share"], 0)
        counts = alone["classifier"]
        self.assertEqual(counts["timed_received"], counts["timed_packets"])
        report = self.flood(2, range(1, 100))
        self.assertGreater(min(report["worker_packets"]), 0)
        self.assertGreater(report["cycles_per_packet"]["share"], 0)
        counts = report["classifier"]
        # Some are received, and handed over, by a worker, and then received by another.
        self.assertGreater(counts["timed_received"], 1.1 * counts["timed_packets"])
        self.assertLess(counts["timed_received"], 2 * counts["timed_packets"])
        print(f"\ncycles of a packet, one worker: {alone['cycles_per_packet']}, busy {alone['worker_busy_ms']} ms; two: "
              f"{report['cycles_per_packet']}, busy {report['worker_busy_ms']} ms", file=sys.stderr)

    def test_bursts_that_are_handed_over_whole_are_timed_as_often_as_others(self):
        # One conversation, of whichever hosts it takes for it to be the other worker's.
        for host in range(1, 33):
            report = self.flood(2, [host])
            owner = int(re.search(r"spread in software by worker (\d)", self.said)[1])
            if report["worker_packets"][owner] == 0:
                break
        self.assertEqual(report["worker_packets"][owner], 0)
        counts = report["classifier"]
        # Each packet was received twice, and once to its end.
        self.assertGreater(counts["timed_packets"] / counts["packets"], 0.7 / 61)
        self.assertLess(counts["timed_packets"] / counts["packets"], 1.3 / 61)
        self.assertGreater(counts["timed_received"] / counts["packets"], 1.5 / 61)
        self.assertLess(counts["timed_received"] / counts["packets"], 2.5 / 61)
        self.assertGreater(report["cycles_per_packet"]["share"], 0)

    def test_the_rate_of_one_and_of_two_workers_is_told(self):
        draw = random.Random(5)
        write_pcap(self.folder / "in.pcap", [
            ethernet(ipv4(str(ipaddress.ip_address(0x0A000000 + draw.randrange(5000))), "10.9.0.1", 17,
                          udp(draw.randrange(1024, 65536), 53, b"x" * 18))) for _ in range(50000)])
        rates = [0, 0]
        # Whoever else uses the CPUs: the best of three.
        for workers in (1, 2) * 3:
            report = self.run_config(self.write_config(workers, model="shipped", endless=",infinite_rx=1",
                                                       a="mbufs = 131071\n"), seconds=1)
            port = report["ports"]["a"]
            self.assertEqual(port["received"], port["forwarded"])
            rates[workers - 1] = max(rates[workers - 1], port["forwarded"] / report["seconds"])
        print(f"\nattack model and flow table: {rates[0] / 1e6:.2f} M/s with one worker, {rates[1] / 1e6:.2f} M/s with "
              f"two of which one receives for both, {rates[1] / rates[0]:.2f} times", file=sys.stderr)

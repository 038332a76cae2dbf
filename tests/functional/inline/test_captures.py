# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore run` between captures as ports, and where packets come faster than any model scores them: with neither
rights nor namespaces."""
import json
import random
import signal
import subprocess
import time

from captures import WIRESCORE, TestCase, ethernet, frame, ipv4, ipv6, read_pcap, udp, write_pcap
from onnx_file import write_linear_model


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


class Captures(TestCase):
    def run_pair(self, packets, text="", model="none"):
        """The packets that leave at the other port, and the report."""
        source, empty, out = (self.folder / name for name in ("in.pcap", "empty.pcap", "out.pcap"))
        write_pcap(source, packets)
        write_pcap(empty, [])
        config = self.folder / "run.conf"
        config.write_text(
            f"[eal]\nworkers = 1\n[models]\npacket = none\nflow = {model}\n[flow]\nflows = 4096\n"
            f"[metrics]\ninterval = off\nhttp = none\n"
            f"[port a]\ndevice = net_pcap0,rx_pcap={source},tx_pcap={self.folder}/back.pcap\n"
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
        config.write_text("[eal]\nworkers = 1\n[flow]\nflows = 4096\n[metrics]\ninterval = off\nhttp = none\n"
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

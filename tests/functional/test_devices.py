# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore run` on every kind of device that the config takes. Packets come from captures, from another process over a
socket, or from the kernel inside a namespace that the test makes."""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import unittest

import namespaces
from captures import MIX, ROOT, WIRESCORE, TestCase, ethernet, frame, ipv4, read_pcap, run, udp, write_pcap
from onnx_file import write_linear_model
from outcomes import OUTCOMES

PCI = pathlib.Path("/sys/bus/pci/devices")


def why_no_namespace():
    """What this machine lacks for interfaces of the kernel; None where it has it all."""
    if os.geteuid() != 0:
        return "interfaces of the kernel need root"
    missing = [program for program in ("ip", "unshare", "mount") if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return namespaces.why_not_permitted()


WHY_NOT = why_no_namespace()


class Program:
    """A run of a config, and what it says."""

    def __init__(self, test, config, *options, before=()):
        self.test = test
        self.log = config.with_suffix(".log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([*before, WIRESCORE, "run", "--json", *options, config],
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        test.addCleanup(self.process.stdout.close)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.kill)

    def said(self):
        return self.log.read_text()

    def wait_for(self, text, times=1):
        end = time.monotonic() + 20
        while self.said().count(text) < times:
            self.test.assertIsNone(self.process.poll(), self.said())
            self.test.assertLess(time.monotonic(), end, f"no '{text}':\n{self.said()}")
            time.sleep(0.01)

    def ready(self):
        self.wait_for("running with")
        return self

    def report(self):
        """The report so far."""
        before = self.said().count('{"seconds"')
        self.process.send_signal(signal.SIGUSR1)
        end = time.monotonic() + 10
        while self.said().count('{"seconds"') == before or not self.said().endswith("\n"):
            self.test.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.01)
        return json.loads([line for line in self.said().splitlines() if line.startswith("{")][-1])

    def wait_until(self, holds):
        end = time.monotonic() + 20
        while not holds(self.report()["ports"]):
            self.test.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.05)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rate(self, port, outcome):
        """Packets of a port that have that outcome from now on, in a second of a processor's time: others want it too."""
        before, start, end = self.report()["ports"][port][outcome], self.cpu_seconds(), time.monotonic() + 20
        while self.cpu_seconds() < start + 0.3:
            self.test.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        return (self.report()["ports"][port][outcome] - before) / (self.cpu_seconds() - start)

    def stop(self):
        """Ends it; the ports of the last report, which must add up."""
        self.process.send_signal(signal.SIGTERM)
        text, _ = self.process.communicate(timeout=30)
        self.test.assertEqual(self.process.returncode, 0, self.said())
        report = json.loads(text.splitlines()[-1])
        for port in report["ports"].values():
            self.test.assertEqual(port["received"], sum(port[outcome] for outcome in OUTCOMES))
        return report["ports"]


class Devices(TestCase):
    def config(self, ports, pair=None, name="run", text="", **eal):
        """A config of ports {name: device, or lines}."""
        eal = {"hugepages": "no", "workers": 1, "idle-sleep": "yes", **{k.replace("_", "-"): v for k, v in eal.items()}}
        lines = ["[eal]", *(f"{key} = {value}" for key, value in eal.items()), "[models]", "packet = none", "flow = none",
                 "[flow]", "flows = 1024", "[metrics]", "interval = off", "http = none"]
        for port, device in ports.items():
            lines += [f"[port {port}]", f"device = {device}"]
        if pair:
            lines += ["[pair pair]", f"ports = {pair}"]
        path = self.folder / f"{name}.conf"
        path.write_text("\n".join(lines) + "\n" + text)
        return path

    def start(self, ports, pair=None, before=(), **options):
        return Program(self, self.config(ports, pair, **options), before=before).ready()

    def pass_frames(self, frames, text="", **ports):
        """Frames from one capture to another through a pair; what arrives, and the last report."""
        source, target = write_pcap(self.folder / "in.pcap", frames), self.folder / "out.pcap"
        program = self.start({"source": f"net_pcap0,rx_pcap={source}" + text,
                              "target": f"net_pcap1,tx_pcap={target}" + text}, "source, target", **ports)
        program.wait_until(lambda now: now["source"]["received"] >= len(frames))
        report = program.stop()
        return read_pcap(target), report


class WithoutRights(Devices):
    """What any user can run."""

    def test_null(self):
        program = self.start({"a": "net_null0,size=100", "b": "net_null1"}, "a, b")
        program.wait_until(lambda now: min(now["a"]["received"], now["b"]["received"]) > 1000)
        ports = program.stop()
        self.assertEqual(ports["a"]["forwarded_bytes"], 100 * ports["a"]["forwarded"])

    def test_null_with_two_queues_is_spread_once_it_has_taken_the_key(self):
        program = self.start({"a": "net_null0\nrss = symmetric\nqueues = 2", "b": "net_null1\nqueues = 2"}, "a, b",
                             workers=2)
        self.assertEqual(program.said().count("2+2 queues of 1024+1024 descriptors"), 2)
        self.assertEqual(program.said().count("spread by a symmetric hash"), 2)
        program.wait_until(lambda now: now["a"]["received"] > 1000)
        program.stop()

    @unittest.skipUnless(os.environ.get("DEAF_RSS"), "no library DEAF_RSS is named")
    def test_a_device_that_does_not_tell_its_key_has_one_queue(self):
        before = ("env", f"LD_PRELOAD={os.environ['DEAF_RSS']}")
        ports = {"a": "net_null0", "b": "net_null1", "c": f"net_pcap0,rx_pcap={MIX}"}
        program = self.start(ports, "a, b", before=before, workers=2)
        said = program.said()
        self.assertEqual(said.count("has one queue: it cannot be told to bring both directions of a flow to the same one: "
                                    "it does not tell its hash key"), 2, said)
        self.assertEqual(said.count("1+1 queues"), 3)
        self.assertEqual(said.count("spread in software"), 3)
        program.wait_until(lambda now: now["a"]["forwarded"] > 1000)
        program.stop()
        config = self.config({"a": "net_null0\nqueues = 2\nrss = symmetric"}, workers=2)
        result = subprocess.run([*before, WIRESCORE, "run", config], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("is more than the device can", result.stderr)

    def test_a_device_that_spreads_nothing_is_not_taken_where_that_is_demanded(self):
        for queues in ("", "\nqueues = 2"):
            config = self.config({"a": f"net_pcap0,rx_pcap={MIX}\nrss = symmetric{queues}"}, workers=2)
            result = run("run", config)
            self.assertEqual(result.returncode, 1)
            self.assertIn("is more than the device can", result.stderr)

    def test_ring_gives_back_what_it_is_sent(self):
        program = self.start({"file": f"net_pcap0,rx_pcap={MIX},tx_pcap={self.folder}/out.pcap", "ring": "net_ring0"},
                             "file, ring")
        program.wait_until(lambda now: now["ring"]["received"] == 1000)
        ports = program.stop()
        self.assertEqual(ports["ring"]["forwarded"], 1000)
        self.assertEqual(read_pcap(self.folder / "out.pcap"), read_pcap(MIX))

    def test_pcap_from_one_file_to_another(self):
        frames, ports = self.pass_frames(read_pcap(MIX))
        self.assertEqual(frames, read_pcap(MIX))
        self.assertEqual(ports["source"]["forwarded"], 1000)

    def test_pcap_without_end(self):
        program = self.start({"a": f"net_pcap0,rx_pcap={MIX},infinite_rx=1"})
        program.wait_until(lambda now: now["a"]["received"] > 5000)
        program.stop()

    def test_a_capture_is_of_the_config_s_folder(self):
        shutil.copy(MIX, self.folder / "here.pcap")
        program = self.start({"a": "net_pcap0,rx_pcap=here.pcap"})
        program.wait_until(lambda now: now["a"]["observed"] == 1000)
        program.stop()

    def test_runts_and_empty_headers_pass(self):
        runts = [bytes(range(1, n + 1)) for n in range(1, 60)]
        frames, ports = self.pass_frames(runts)
        self.assertEqual(frames, runts)
        self.assertEqual(ports["source"]["forwarded"], len(runts))

    def test_jumbo_frames_pass_in_one_buffer_or_in_several(self):
        jumbo = [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + n, 53, bytes([n]) * (n * 45))))
                 for n in range(1, 199)]
        for text in ("", "\nmtu = 9000"):
            with self.subTest(text=text):
                frames, ports = self.pass_frames(jumbo, text)
                self.assertEqual(frames, jumbo)
                self.assertEqual(ports["source"]["forwarded_bytes"], sum(map(len, jumbo)))

    def test_a_mirror_that_takes_nothing_does_not_hold_up_the_wire(self):
        """Packets of net_null are no IP."""
        rates = {}
        for name, device in (("takes all", "net_null2"), ("is full", "net_ring0"),
                             ("has no peer", f"net_memif0,role=server,socket={self.folder}/m,socket-abstract=no")):
            program = self.start({"a": "net_null0", "b": "net_null1", "m": device}, "a, b",
                                 text="[policy]\nnon-ip = mirror m\n")
            program.wait_until(lambda now: now["a"]["mirrored"] + now["a"]["mirror_lost"] > 100000)
            rates[name] = program.rate("a", "forwarded")
            a = program.stop()["a"]
            self.assertEqual(a["mirrored"] + a["mirror_lost"], a["received"])
            if name != "takes all":
                self.assertGreater(a["mirror_lost"], 0.9 * a["received"])
        print("packets a second of a processor beside a mirror that " +
              ", ".join(f"{name}: {rate:.0f}" for name, rate in rates.items()))
        # To ask again and again for each packet made it a tenth and less.
        for name in ("is full", "has no peer"):
            self.assertGreater(rates[name], 0.5 * rates["takes all"])

    def test_what_a_policy_would_do_is_counted_where_a_port_is_only_looked_at(self):
        model = write_linear_model(self.folder / "model.onnx", [[1.0]], [1.0], task="flow", features="payload_bytes",
                                   classes="benign,attack", threshold="0.5", checkpoints="1")
        for count_only, n in (("yes", 30), ("no", 0)):
            with self.subTest(count_only=count_only):
                path = write_pcap(self.folder / "in.pcap", 3 * [
                    ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + i, 53, b"x"))) for i in range(10)])
                config = self.config({"a": f"net_pcap0,rx_pcap={path}", "b": "net_null0", "c": "net_null1"}, "b, c",
                                     text=f"[policy attack]\naction = drop\ncount-only = {count_only}\n")
                config.write_text(config.read_text().replace("flow = none", f"flow = {model}"))
                program = Program(self, config).ready()
                program.wait_until(lambda now: now["a"]["received"] == 30)
                port = program.stop()["a"]
                self.assertEqual((port["observed"], port["count_only"], port["dropped_by_policy"]), (30, n, 0))

    def test_odd_numbers_run(self):
        for text, eal, said in (
            ("\nrx-descriptors = 32\ntx-descriptors = 32\nmbufs = 512", {"burst": 1}, "32+32 descriptors, 512 buffers"),
            ("\nmtu = 68", {"burst": 64}, "MTU 68"),
            ("\nmtu = 9600\nrx-descriptors = 4096\nqueues = 1", {}, "4096+1024 descriptors"),
            ("\nmtu = 32000\nqueues = 2", {"workers": 2}, "512+512 descriptors"),
        ):
            with self.subTest(text=text):
                program = self.start({"a": "net_null0" + text, "b": "net_null1" + text}, "a, b", **eal)
                self.assertIn(said, program.said())
                program.wait_until(lambda now: now["a"]["forwarded"] > 1000)
                program.stop()

    def test_fewer_buffers_than_all_queues_keep_are_refused(self):
        for ports, pair, text, least in (
            ({"a": "net_null0\nmbufs = 2000", "b": "net_null1"}, "a, b", "", 1024 + 64 + 1024 + 375),
            ({"a": "net_null0\nmbufs = 3000", "b": "net_null1", "m": "net_null2\ntx-descriptors = 4096"}, "a, b",
             "[policy]\nnon-ip = mirror m\n", 1024 + 64 + 1024 + 4096 + 384),
            ({"a": "net_null0\nmbufs = 1024"}, None, "", 1024 + 64 + 192),
        ):
            with self.subTest(ports=ports):
                result = run("run", self.config(ports, pair, text=text))
                self.assertEqual(result.returncode, 1)
                self.assertIn(f"may keep {least}: then nothing more is received; write at least {least}, or auto",
                              result.stderr)
                enough = {name: re.sub("mbufs = .*", f"mbufs = {2 * least}", device) for name, device in ports.items()}
                self.start(enough, pair, text=text).stop()

    def test_thirty_two_ports_run(self):
        program = self.start({f"p{n}": f"net_null{n}" for n in range(32)})
        program.wait_until(lambda now: all(port["received"] > 100 for port in now.values()))
        self.assertEqual(len(program.stop()), 32)

    def test_memory_that_does_not_suffice_is_told(self):
        config = self.config({"a": "net_null0\nmtu = 9000\nrx-descriptors = 4096"}, memory_mb=64)
        self.assert_complains(run("run", config), 1, "[port a]", "memory-mb")
        config = self.config({"a": "net_null0\nmbufs = 16777216\nmtu = 9000"})
        self.assert_complains(run("run", config), 1, "MB for packets and this machine has")

    def test_an_mtu_that_does_not_fit_a_buffer_is_told(self):
        self.assert_complains(run("run", self.config({"a": "net_null0\nmtu = 65000"})), 1, "[port a] net_null0 has an MTU",
                              "set mtu to at most")

    def test_rest_is_cool_and_loses_nothing(self):
        shares = {}
        for sleeps in ("yes", "no"):
            program = self.start({"a": f"net_pcap0,rx_pcap={MIX}"}, idle_sleep=sleeps)
            program.wait_until(lambda now: now["a"]["received"] == 1000)
            before, start = program.cpu_seconds(), time.monotonic()
            time.sleep(1)
            shares[sleeps] = (program.cpu_seconds() - before) / (time.monotonic() - start)
            self.assertEqual(program.stop()["a"]["observed"], 1000)
        print(f"share of a core while idle: {shares}")
        self.assertLess(shares["yes"], 0.5 * shares["no"])


class OverSockets(Devices):
    """Two runs, of which one sends what the other writes to a capture."""

    def sender(self, device, name="sender"):
        return self.start({"file": f"net_pcap0,rx_pcap={MIX},infinite_rx=1", "wire": device}, "file, wire", name=name)

    def receiver(self, device, name="receiver"):
        return self.start({"wire": device, "file": f"net_pcap0,tx_pcap={self.folder}/{name}.pcap"}, "wire, file", name=name)

    def assert_received(self, receiver, name="receiver"):
        receiver.wait_for("port wire: link is up")
        receiver.wait_until(lambda now: now["wire"]["received"] > 2000)
        ports = receiver.stop()
        frames, mix = read_pcap(self.folder / f"{name}.pcap"), set(read_pcap(MIX))
        self.assertEqual(len(frames), ports["wire"]["forwarded"])
        self.assertLessEqual(set(frames), mix)

    def test_memif(self):
        wire = f"net_memif0,socket={self.folder}/memif,socket-abstract=no,role="
        receiver = self.receiver(wire + "server")
        sender = self.sender(wire + "client")
        sender.wait_for("port wire: link is up")
        self.assert_received(receiver)
        self.assertGreater(sender.stop()["file"]["forwarded"], 2000)

    def test_vhost_and_virtio_user(self):
        receiver = self.receiver(f"net_vhost0,iface={self.folder}/vhost")
        sender = self.sender(f"net_virtio_user0,path={self.folder}/vhost")
        self.assert_received(receiver)
        self.assertGreater(sender.stop()["file"]["forwarded"], 2000)

    def test_virtio_user_outlives_the_vhost_that_it_serves(self):
        sender = Program(self, self.config({"file": f"net_pcap0,rx_pcap={MIX},infinite_rx=1",
                                            "wire": f"net_virtio_user0,path={self.folder}/virtio,server=1"},
                                           "file, wire", name="sender"))
        wire = f"net_vhost0,iface={self.folder}/virtio,client=1"
        receiver = self.receiver(wire)
        sender.wait_for("port wire: link is up")
        receiver.wait_until(lambda now: now["wire"]["received"] > 2000)
        receiver.process.kill()
        sender.wait_for("port wire: link is down")
        second = self.receiver(wire, "second")
        sender.wait_for("port wire: link is up", 2)
        self.assert_received(second, "second")
        sender.stop()

    def test_a_port_that_holds_many_packets_is_sent_to_without_end(self):
        """Drivers let go of what was sent when they need the descriptors again."""
        receiver = self.start({"wire": f"net_vhost0,iface={self.folder}/vhost"}, name="receiver")
        for first, second, text in (("a", "wire", ""), ("wire", "a", "\nmtu = 9000")):
            with self.subTest(first=first):
                wire = f"net_virtio_user0,path={self.folder}/vhost,queue_size=8192\ntx-descriptors = 8192"
                ports = {"a": "net_null0" + text, "wire": wire}
                sender = self.start({name: ports[name] for name in (first, second)}, "a, wire", name=f"first-{first}")
                sender.wait_until(lambda now: now["a"]["forwarded"] > 50000)
                sender.stop()
                receiver.wait_for("port wire: link is down", 1 if first == "a" else 2)
        receiver.stop()

    def test_a_port_that_takes_nothing_does_not_hold_up_other_pairs(self):
        receiver = self.start({"wire": f"net_vhost0,iface={self.folder}/vhost"}, name="receiver")
        config = self.config({"a": "net_null0", "wire": f"net_virtio_user0,path={self.folder}/vhost", "c": "net_null1",
                              "d": "net_null2"}, "a, wire", text="[pair other]\nports = c, d\n")
        sender = Program(self, config).ready()
        sender.wait_until(lambda now: now["a"]["forwarded"] > 1000)
        receiver.process.send_signal(signal.SIGSTOP)
        sender.wait_until(lambda now: now["a"]["dropped_tx_full"] > 100000)
        held = sender.rate("c", "forwarded")
        self.assertGreater(sender.rate("a", "dropped_tx_full"), 0)
        receiver.process.send_signal(signal.SIGCONT)  # the driver asks it before it closes
        config = self.config({"a": "net_null0", "wire": "net_null3", "c": "net_null1", "d": "net_null2"}, "a, wire",
                             name="free", text="[pair other]\nports = c, d\n")
        sender.stop()
        sender = Program(self, config).ready()
        sender.wait_until(lambda now: now["a"]["forwarded"] > 100000)
        free = sender.rate("c", "forwarded")
        sender.stop()
        print(f"packets a second of a processor of a pair beside one that takes nothing: {held:.0f}; "
              f"beside one that takes all: {free:.0f}")
        # To ask again and again for each burst made it an eighth.
        self.assertGreater(held, 0.5 * free)

    def test_a_memif_peer_that_is_killed_at_full_load_takes_nothing_with_it(self):
        """DPDK's thread of interrupts unmaps rings that a worker may be polling: see memif_guard.h."""
        wire = f"net_memif0,socket={self.folder}/memif,socket-abstract=no,role="
        ends = {"server": {"wire": wire + "server", "a": "net_null0"}, "client": {"wire": wire + "client", "a": "net_null0"}}
        for killed, stays in (("client", "server"), ("server", "client")):
            with self.subTest(killed=killed):
                staying = mortal = None
                for n in range(1, 6):
                    if killed == "server":
                        mortal = self.start(ends[killed], "wire, a", name=f"{killed}-{n}")
                    staying = staying or self.start(ends[stays], "wire, a", name=stays)
                    if killed == "client":
                        mortal = self.start(ends[killed], "wire, a", name=f"{killed}-{n}")
                    staying.wait_for("port wire: link is up", n)
                    before = staying.report()["ports"]
                    staying.wait_until(lambda now, before=before: all(
                        now[port]["forwarded"] > before[port]["forwarded"] + 10000 for port in ("wire", "a")))
                    mortal.process.kill()
                    mortal.process.wait()
                    staying.wait_for("port wire: link is down", n)
                staying.stop()

    def test_peers_that_knock_at_a_memif_server_and_run_do_not_end_it(self):
        """DPDK would look at the interrupts of a socket that it has closed: see memif_guard.h."""
        wire = f"net_memif0,socket={self.folder}/memif,socket-abstract=no,role="
        server = self.start({"a": wire + "server"}, name="server")
        end, n_knocks = time.monotonic() + 2, 0
        while time.monotonic() < end:
            self.assertIsNone(server.process.poll(), server.said())
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as knock:
                knock.connect(str(self.folder / "memif"))
            n_knocks += 1
        self.assertGreater(n_knocks, 100)
        client = self.start({"a": wire + "client"}, name="client")
        client.wait_for("port a: link is up")
        client.stop()
        server.stop()

    def test_a_memif_server_that_stands_still_holds_no_client_up(self):
        wire = f"net_memif0,socket={self.folder}/memif,socket-abstract=no,role="
        server = self.start({"a": wire + "server"}, name="server")
        server.process.send_signal(signal.SIGSTOP)
        clients = [self.start({"a": wire + "client"}, name="client")]
        clients += [Program(self, self.config({"a": wire + "client"}, name=f"client{i}")) for i in range(3)]
        # Their tries are more than the server lets wait.
        time.sleep(3)
        for client in clients:
            if client.process.poll() is None:
                client.stop()
            else:
                self.assertIn("Failed to connect", client.said())
        server.process.send_signal(signal.SIGCONT)
        self.start({"a": wire + "client"}, name="late").wait_for("port a: link is up")
        server.stop()

    def test_vhost_over_the_socket_of_one_that_died(self):
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(self.folder / "vhost"))
        self.start({"a": f"net_vhost0,iface={self.folder}/vhost"}).stop()

    def test_a_socket_that_somebody_listens_on_is_left_alone(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            other.bind(str(self.folder / "memif"))
            other.listen()
            config = self.config({"a": f"net_memif0,role=server,socket={self.folder}/memif,socket-abstract=no"})
            self.assert_complains(run("run", config), 1, "[port a] net_memif0", "does not open", "in use")

    def test_a_start_that_waits_for_its_peer_can_be_ended(self):
        program = Program(self, self.config({"a": f"net_virtio_user0,path={self.folder}/peer,server=1"}))
        end = time.monotonic() + 20
        while not (self.folder / "peer").exists() and time.monotonic() < end:
            time.sleep(0.02)
        program.process.send_signal(signal.SIGINT)
        program.process.wait(10)


class Refused(Devices):
    """What cannot be opened is told in one line that says what to do."""

    def test_a_driver_that_dpdk_has_not(self):
        config = self.config({"a": "net_zebra0"})
        self.assertEqual(run("check", config).returncode, 0)
        self.assert_complains(run("run", config), 1, "[port a] net_zebra0 does not open", "no driver")

    def test_a_mistyped_driver(self):
        result = run("check", self.config({"a": "net_memfi0"}))
        self.assertEqual(result.returncode, 1)
        self.assertIn("do you mean net_memif?", result.stderr)

    def test_arguments_that_the_driver_does_not_take(self):
        self.assert_complains(run("run", self.config({"a": "net_null0,colour=3"})), 1, "[port a] net_null0")

    def test_a_pci_address_that_is_not_there(self):
        for command in ("check", "run"):
            result = run(command, self.config({"a": "0000:ff:1f.7"}, hugepages="auto"))
            self.assertEqual(result.returncode, 1)
            self.assertIn("no PCI device 0000:ff:1f.7; dpdk-devbind.py --status-dev net lists", result.stderr)

    def fake_pci(self, driver, has_iommu=False, pci_class="0x020000"):
        """`check` of a card as /sys would show it; the machine's own /sys stays as it is."""
        if WHY_NOT:
            self.skipTest(WHY_NOT)
        card = self.folder / "devices/0000:77:00.0"
        card.mkdir(parents=True)
        (card / "class").write_text(pci_class + "\n")
        if driver:
            (self.folder / driver).mkdir()
            (card / "driver").symlink_to(self.folder / driver)
        if has_iommu:
            (card / "iommu_group").mkdir()
        config = self.config({"a": "0000:77:00.0"}, hugepages="auto")
        script = 'mount --bind "$0" /sys/bus/pci/devices && exec "$@"'
        return subprocess.run(["unshare", "--mount", "sh", "-c", script, self.folder / "devices", WIRESCORE, "check", config],
                              capture_output=True, text=True, check=False)

    def test_a_card_that_the_kernel_has(self):
        result = self.fake_pci("ixgbe")
        self.assertEqual(result.returncode, 1)
        self.assertIn("is ixgbe, which DPDK cannot use; run dpdk-devbind.py -b vfio-pci 0000:77:00.0", result.stderr)

    def test_a_card_that_nobody_has(self):
        self.assertIn("is none, which DPDK cannot use; run dpdk-devbind.py -b vfio-pci", self.fake_pci("").stderr)

    def test_a_card_without_an_iommu(self):
        result = self.fake_pci("vfio-pci")
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no IOMMU for 0000:77:00.0", result.stderr)

    def test_a_card_that_is_ready(self):
        result = self.fake_pci("vfio-pci", has_iommu=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_what_is_no_card(self):
        self.assertIn("is no network card", self.fake_pci("vfio-pci", pci_class="0x010802").stderr)

    def test_one_port_of_each_kind_is_checked_without_opening_any(self):
        config = self.config({
            "null": "net_null0", "ring": "net_ring0", "pcap": f"net_pcap0,rx_pcap={MIX}", "tap": "net_tap0,iface=wsd0",
            "packet": "net_af_packet0,iface=lo", "xdp": "net_af_xdp0,iface=no-such", "memif": "net_memif0,role=server",
            "vhost": "net_vhost0", "virtio": "net_virtio_user0", "interface": "no-such-2", "bond": "net_bonding0,slave=x",
            "card": "0000:ff:1f.7"}, hugepages="auto")
        result = run("check", config)
        lines = [line.split(": ", 1)[1] for line in result.stderr.splitlines()[:-1]]
        self.assertEqual([line.split("]")[0] for line in lines],
                         ["[port xdp", "[port vhost", "[port virtio", "[port interface", "[port card"], result.stderr)


@unittest.skipIf(WHY_NOT, WHY_NOT)
class OfTheKernel(Devices):
    """In a namespace of its own."""

    def setUp(self):
        super().setUp()
        self.name = f"wsd-{os.getpid()}"
        self.tool("ip", "netns", "add", self.name)
        self.addCleanup(subprocess.run, ["ip", "netns", "delete", self.name], check=False, capture_output=True)
        self.inside = ("ip", "netns", "exec", self.name)

    @staticmethod
    def tool(*arguments):
        return subprocess.run([str(a) for a in arguments], check=True, capture_output=True, text=True).stdout

    def link(self, *arguments):
        return self.tool("ip", "-n", self.name, "link", *arguments)

    def veth(self, near="near", far="far", mtu=1500):
        self.link("add", near, "mtu", mtu, "type", "veth", "peer", "name", far, "mtu", mtu)
        for end in (near, far):
            self.quiet(end)
            self.link("set", end, "up")

    def quiet(self, interface):
        """The kernel says nothing of its own there."""
        self.tool(*self.inside, "sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1")

    def send(self, interface, frames):
        """Frames, byte by byte, by an interface of the namespace."""
        path = self.folder / "frames"
        path.write_text(json.dumps([data.hex() for data in frames]))
        script = ("import json,socket,sys,time\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                  "s.bind((sys.argv[1], 0))\n"
                  "for i, f in enumerate(json.load(open(sys.argv[2]))):\n s.send(bytes.fromhex(f)); time.sleep(0.0005)\n")
        self.tool(*self.inside, "python3", "-c", script, interface, path)

    def pass_kernel_frames(self, device, sender, frames):
        """Frames that the kernel sends by sender, from device to a capture. What arrives."""
        program = self.start({"wire": device, "file": f"net_pcap0,tx_pcap={self.folder}/out.pcap"}, "wire, file",
                             before=self.inside)
        program.wait_for("port wire: link is up")
        self.send(sender, frames)
        program.wait_until(lambda now: now["wire"]["received"] >= len(frames))
        time.sleep(0.3)  # the kernel may have had a word of its own
        ports = program.stop()
        self.assertEqual(ports["wire"]["forwarded"], ports["wire"]["received"])
        return [data for data in read_pcap(self.folder / "out.pcap") if data[12:14] == b"\x08\x00"]

    def frames(self, sizes=range(20, 1400, 20)):
        return [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + n, 53, bytes([n % 251]) * n))) for n in sizes]

    def test_af_packet_by_the_interface_s_name(self):
        self.veth()
        self.assertEqual(self.pass_kernel_frames("near", "far", self.frames()), self.frames())

    def test_af_packet_as_a_virtual_device(self):
        self.veth(mtu=9000)
        device = "net_af_packet0,iface=near,framesz=16384,blocksz=16384,framecnt=64"
        frames = self.frames(range(100, 8900, 200))
        self.assertEqual(self.pass_kernel_frames(device, "far", frames), frames)

    def test_af_xdp(self):
        self.veth()
        self.inside += ("env", "ASAN_OPTIONS=detect_leaks=0")  # libxdp lets go of less than it takes
        config = self.config({"wire": "net_af_xdp0,iface=near"}, name="probe")
        probe = Program(self, config, before=self.inside)
        while probe.process.poll() is None and "running with" not in probe.said():
            time.sleep(0.02)
        if probe.process.poll() is not None:
            self.assertEqual(len(probe.said().splitlines()), 1, probe.said())
            self.assertIn("[port wire]", probe.said())
            self.skipTest(f"no AF_XDP here: {probe.said().strip()}")
        self.assertNotIn("libxdp", probe.said())
        probe.stop()
        self.assertEqual(self.pass_kernel_frames("net_af_xdp0,iface=near", "far", self.frames()), self.frames())

    def test_packets_of_several_buffers_do_not_go_where_they_would_be_misread(self):
        self.veth(mtu=3000)
        self.inside += ("env", "ASAN_OPTIONS=detect_leaks=0")
        long = [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1000 + n, 53, bytes([n]) * 2500))) for n in range(10)]
        capture = write_pcap(self.folder / "in.pcap", [data for pair in zip(long, self.frames()) for data in pair])
        config = self.config({"file": f"net_pcap0,rx_pcap={capture}", "wire": "net_af_xdp0,iface=near"}, "file, wire")
        program = Program(self, config, before=self.inside)
        while program.process.poll() is None and "running with" not in program.said():
            time.sleep(0.02)
        if program.process.poll() is not None:
            self.skipTest(f"no AF_XDP here: {program.said().strip()}")
        program.wait_until(lambda now: now["file"]["received"] == 20)
        ports = program.stop()
        self.assertEqual((ports["file"]["forwarded"], ports["file"]["dropped_chain"]), (10, 10))

    def test_tap(self):
        got = self.pass_kernel_frames("net_tap0,iface=wstap", "wstap", self.frames())
        self.assertEqual(got, self.frames())

    def test_tap_keeps_service_tags(self):
        tags = [0x88A8, 0x8100]
        frames = [frame(tag, bytes([0, 7]) + bytes.fromhex("81000005") + data[12:]) for tag in tags for data in self.frames()]
        program = self.start({"wire": "net_tap0,iface=wstap", "file": f"net_pcap0,tx_pcap={self.folder}/out.pcap"},
                             "wire, file", before=self.inside)
        self.send("wstap", frames)
        program.wait_until(lambda now: now["wire"]["received"] >= len(frames))
        time.sleep(0.3)
        program.stop()
        got = [data for data in read_pcap(self.folder / "out.pcap") if data[12:14] in (b"\x88\xa8", b"\x81\x00")]
        self.assertEqual(got, frames)

    def test_tap_takes_jumbo_frames_in_several_buffers(self):
        frames = self.frames(range(100, 8900, 200))
        program = self.start({"wire": "net_tap0,iface=wstap\nmtu = 9000",
                              "file": f"net_pcap0,tx_pcap={self.folder}/out.pcap"}, "wire, file", before=self.inside)
        self.quiet("wstap")
        self.assertIn("MTU 9000, longer packets in several", program.said())
        self.send("wstap", frames)
        time.sleep(0.3)
        program.stop()
        got = [data for data in read_pcap(self.folder / "out.pcap") if data[12:14] == b"\x08\x00"]
        self.assertEqual(got, frames)

    def test_the_tap_example_runs_as_it_is(self):
        log = self.folder / "tap.log"
        with open(log, "w") as file:
            process = subprocess.Popen([*self.inside, WIRESCORE, "run", "--json", ROOT / "config/examples/tap.conf"],
                                       stdout=subprocess.PIPE, stderr=file, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        end = time.monotonic() + 20
        while "running with" not in log.read_text():
            self.assertIsNone(process.poll(), log.read_text())
            self.assertLess(time.monotonic(), end, log.read_text())
            time.sleep(0.02)
        self.send("ws0", self.frames())
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, log.read_text())
        report = json.loads([line for line in log.read_text().splitlines() if line.startswith("{")][-1])
        self.assertGreaterEqual(report["ports"]["tap"]["observed"], len(self.frames()))

    def test_a_memif_client_finds_a_server_that_comes_back(self):
        wire = f"net_memif0,socket={self.folder}/memif,socket-abstract=no,role="
        names = ("first", "second")
        sender = None
        for n, name in enumerate(names, 1):
            server = self.start({"wire": wire + "server", "file": f"net_pcap0,tx_pcap={self.folder}/{name}.pcap"},
                                "wire, file", name=name)
            sender = sender or self.start({"tap": "net_tap0,iface=wstap", "wire": wire + "client"}, "tap, wire",
                                          name="sender", before=self.inside)
            sender.wait_for("port wire: link is up", n)
            self.quiet("wstap")
            before = server.report()["ports"]["wire"]["received"]
            self.send("wstap", self.frames())
            server.wait_until(lambda now, before=before: now["wire"]["received"] >= before + len(self.frames()))
            if n == 1:
                # It leaves its socket behind, which is in nobody's way.
                server.process.kill()
                sender.wait_for("port wire: link is down")
                self.assertTrue((self.folder / "memif").exists())
        got = [data for data in self.frames_of(server, "second") if data[12:14] == b"\x08\x00"]
        self.assertEqual(got, self.frames())
        lines = [line for line in sender.said().splitlines() if not line.startswith("{")]
        self.assertLess(len(lines), 12, lines)

    def frames_of(self, program, name):
        program.stop()
        return read_pcap(self.folder / f"{name}.pcap")

    def test_a_tap_that_is_deleted_takes_nothing_else_with_it(self):
        program = self.start({"a": "net_tap0,iface=wstap", "b": "net_null0", "c": f"net_pcap0,rx_pcap={MIX}"},
                             "a, b", before=self.inside)
        program.wait_for("port a: link is up")
        self.link("delete", "wstap")
        program.wait_for("port a: wstap is gone")
        before = program.report()["ports"]["b"]["dropped_port_gone"]
        program.wait_until(lambda now: now["b"]["dropped_port_gone"] > before + 1000)
        self.assertEqual(program.said().count("is gone"), 1)
        ports = program.stop()
        self.assertTrue(ports["a"]["is_gone"])
        self.assertEqual(ports["c"]["observed"], 1000)

    def test_links_that_go_down_and_up_are_told_once_each_and_used_again(self):
        self.veth()
        program = self.start({"a": "near", "b": "net_tap0,iface=wstap"}, before=self.inside)
        for port, interface, sender in (("a", "near", "far"), ("b", "wstap", "wstap")):
            with self.subTest(interface=interface):
                program.wait_for(f"port {port}: link is up")
                self.link("set", interface, "down")
                program.wait_for(f"port {port}: link is down")
                self.link("set", interface, "up")
                program.wait_for(f"port {port}: link is up", 2)
                before = program.report()["ports"][port]["received"]
                self.send(sender, self.frames())
                program.wait_until(lambda now, port=port: now[port]["received"] >= before + len(self.frames()))
                self.assertEqual(program.said().count(f"port {port}: link"), 3)
        program.stop()

    def test_an_interface_that_gets_another_name_goes_on(self):
        self.veth()
        program = self.start({"a": "near"}, before=self.inside)
        program.wait_for("port a: link is up")
        self.link("set", "near", "name", "other")
        time.sleep(0.5)
        self.send("far", self.frames())
        program.wait_until(lambda now: now["a"]["received"] >= len(self.frames()))
        self.assertNotIn("is gone", program.said())
        program.stop()

    def test_a_process_that_may_open_nothing_more_goes_on(self):
        self.veth()
        program = self.start({"a": "near", "b": "net_null0"}, before=self.inside)
        program.wait_for("port a: link is up")
        limits = resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        time.sleep(0.5)
        self.send("far", self.frames())
        program.wait_until(lambda now: now["a"]["received"] >= len(self.frames()))
        self.assertNotIn("is gone", program.said())
        self.assertNotIn("is down", program.said())
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, limits)  # sanitizers look around at the end
        program.stop()

    def test_interfaces_may_be_called_as_virtual_devices_are(self):
        for name, device in (("eth_x0", "eth_x0"), ("net_fifteen_lan", "net_fifteen_lan"),
                             ("net_null0", "net_af_packet0,iface=net_null0,framesz=2048,blocksz=4096,framecnt=512")):
            with self.subTest(name=name):
                self.veth(name)
                self.assertEqual(self.pass_kernel_frames(device, "far", self.frames()), self.frames())
                self.link("delete", name)

    def test_an_mtu_that_becomes_larger_than_the_buffers_is_told(self):
        self.veth()
        program = self.start({"a": "near"}, before=self.inside)
        self.link("set", "far", "mtu", 9000)
        self.link("set", "near", "mtu", 9000)
        program.wait_for("near has an MTU of 9000 now")
        self.send("far", self.frames(range(3000, 3010)))
        program.stop()

    def test_an_mtu_that_an_interface_does_not_take_is_told(self):
        self.veth()
        tap = self.config({"a": "net_tap0,iface=wstap\nmtu = 65521"})
        result = subprocess.run([*self.inside, "timeout", "-s", "INT", "1", WIRESCORE, "run", tap], capture_output=True,
                                text=True, check=False)
        self.assertIn("MTU 65521, longer packets in several", result.stderr)
        config = self.config({"a": "near\nmtu = 68"})
        result = subprocess.run([*self.inside, "timeout", "-s", "INT", "1", WIRESCORE, "run", config], capture_output=True,
                                text=True, check=False)
        self.assertIn("MTU 68", result.stderr)
        config = self.config({"a": "near\nmtu = 40000"})
        result = subprocess.run([*self.inside, WIRESCORE, "run", config], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        mistake, count = result.stderr.splitlines()
        self.assertIn("[port a] mtu: is 40000; af_packet passes packets of up to 32614 bytes", mistake)
        self.assertRegex(count, "1 mistake$")

    def test_interfaces_that_come_and_go_while_it_starts(self):
        for delay in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3):
            with self.subTest(delay=delay):
                self.veth()
                program = Program(self, self.config({"a": "near", "b": "net_null0"}, "a, b"), before=self.inside)
                time.sleep(delay)
                self.link("delete", "near")
                end = time.monotonic() + 1
                while time.monotonic() < end and program.process.poll() is None and "is gone" not in program.said():
                    time.sleep(0.02)
                program.process.send_signal(signal.SIGTERM)
                self.assertIn(program.process.wait(20), (0, 1, -signal.SIGTERM), program.said())


if __name__ == "__main__":
    unittest.main()

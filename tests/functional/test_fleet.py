# SPDX-License-Identifier: BSD-3-Clause
"""The fleet of config/fleet: two sensors in network namespaces that the test makes, each with its share of
conversations, one redis-server, and the consumer, which is killed, as are sensors and broker. No traffic leaves the
namespaces."""
import collections
import csv
import gzip
import importlib.util
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
from unittest import mock

import namespaces
from captures import MIX, ROOT, WIRESCORE, TestCase, ethernet, ipv4, udp
from sink_servers import RedisServer, free_port, is_installed, kinds, resp, resp_read

FLEET = ROOT / "config/fleet"
SENSORS = ("east", "west")
HEARTBEAT_S, PATIENCE_S = 0.2, 3
CONVERSATIONS = 60
# Pauses before the packets of each conversation; what is longer than the active timeout is cut into slices.
PAUSES = (0, 0.6, 0.6, 0.6, 0.6)
SENDER = """import json, socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
for pause, frames in json.load(open(sys.argv[2])):
    time.sleep(pause)
    for frame in frames:
        s.send(bytes.fromhex(frame))
        time.sleep(0.001)
"""


def why_no_sensors():
    """What this machine lacks for them; None where it has it all."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [program for program in ("ip", "sysctl") if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    return namespaces.why_not_permitted()


NO_SENSORS = why_no_sensors()
NO_BROKER = None if is_installed("redis-server") else "redis-server is not installed"
NO_SINK = None if "redis" in kinds() else "built without redis"


def endpoints(record):
    return tuple(sorted(((record["src"], record["src_port"]), (record["dst"], record["dst_port"]))))


def conversation(number):
    """Who speaks to whom."""
    return (f"10.1.{number // 200}.{number % 200 + 1}", 20000 + number), ("10.2.0.1", 53)


def packets(number):
    """How often conversation `number` is heard: some once, some until they are cut into slices."""
    return 1 + number % len(PAUSES)


class Fleet(TestCase):
    def setUp(self):
        super().setUp()
        self.server = RedisServer(self, self.folder).start()
        self.results = self.folder / "results"
        (self.folder / "consumer.log").touch()
        self.consumer = None
        self.addCleanup(self.kill_consumer)

    def start_consumer(self, workers=3, patience=PATIENCE_S, address=None, **environment):
        log = open(self.folder / "consumer.log", "a")
        self.consumer = subprocess.Popen(
            [sys.executable, FLEET / "consumer.py", "--redis", address or self.server.path, "--folder", self.results,
             "--workers", str(workers), "--missing-after", str(patience), *SENSORS], stdout=log, stderr=log,
            env={**os.environ, **environment})
        log.close()

    def kill_consumer(self):
        if self.consumer:
            self.consumer.kill()
            self.consumer.wait()

    def stop_consumer(self):
        self.consumer.terminate()
        self.assertEqual(self.consumer.wait(timeout=20), 0, self.said())

    def said(self):
        return (self.folder / "consumer.log").read_text()

    def wait_for(self, holds, seconds=20):
        end = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.02)

    def wait_until_said(self, text, times=1, seconds=20):
        self.wait_for(lambda: self.said().count(text) >= times, seconds)

    def state(self):
        return json.loads((self.results / "state.json").read_text())

    def sums(self, sensor):
        return self.state()["sensors"][sensor]["sums"]

    def handed_on(self):
        """Records of each worker's file."""
        return [[json.loads(line) for line in path.read_text().splitlines()]
                for path in sorted(self.results.glob("worker-*.ndjson"))]


class Heartbeats(TestCase):
    """Of sinks that are files."""

    def run_pcap(self, text):
        """A run on a capture, for a second after its packets; its report."""
        config = self.folder / "run.conf"
        config.write_text(f"[eal]\nhugepages = no\nidle-sleep = yes\n[port p]\ndevice = net_pcap0,rx_pcap={MIX}\n"
                          f"[flow]\nflows = 1024\n[metrics]\nhttp = none\ntelemetry = no\n{text}")
        log = self.folder / "log"
        with open(log, "w") as file:
            process = subprocess.Popen([WIRESCORE, "run", "--json", config], stdout=subprocess.PIPE, stderr=file,
                                       text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        end = time.monotonic() + 20
        while "running with" not in log.read_text():
            self.assertIsNone(process.poll(), log.read_text())
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, log.read_text())
        return json.loads(out.splitlines()[-1])

    def check_heartbeats(self, lines, sink):
        """Each counts the records before it; the last one is the end. They are not counted themselves."""
        records, beats = 0, []
        for line in map(json.loads, lines):
            beat = line.get("heartbeat")
            self.assertEqual((beat or line)["sensor"], "tap-1")
            if beat:
                self.assertEqual((beat["delivered"], beat["dropped"]), (records, 0))
                beats.append(beat)
            records += not beat
        self.assertEqual([beat["last"] for beat in beats], [False] * (len(beats) - 1) + [True])
        self.assertEqual({beat["since"] for beat in beats}, {beats[0]["since"]})
        self.assertTrue(4 <= len(beats) <= 40, len(beats))
        self.assertEqual((sink["accepted"], sink["delivered"]), (records, records))
        self.assertGreater(records, 0)

    def test_lines_of_files_tell_the_sensor_and_heartbeats_stand_among_them(self):
        beating = "heartbeat = 0.2\n"
        sinks = self.run_pcap("[sensor]\nname = tap-1\n"
                              f"[records flows]\npath = flows.ndjson\n{beating}"
                              f"[records packets]\nrecords = packets\npath = packets.gz\n{beating}"
                              "[records table]\nformat = csv\npath = flows.csv\n")["sinks"]
        self.check_heartbeats((self.folder / "flows.ndjson").read_text().splitlines(), sinks["flows"])
        self.check_heartbeats(gzip.open(self.folder / "packets.gz", "rt").read().splitlines(), sinks["packets"])
        with open(self.folder / "flows.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), sinks["table"]["delivered"])
        self.assertEqual({row["sensor"] for row in rows}, {"tap-1"})
        lines = map(json.loads, (self.folder / "flows.ndjson").read_text().splitlines())
        self.assertEqual([row["flow_id"] for row in rows], [line["flow_id"] for line in lines if "flow_id" in line])


@unittest.skipIf(NO_BROKER, NO_BROKER)
class Consumer(Fleet):
    """What it makes of streams that the test writes."""

    def add(self, sensor, *lines, server=None):
        with socket.create_connection(("127.0.0.1", (server or self.server).port), 10) as connection, \
                connection.makefile("rb") as file:
            for at in range(0, len(lines), 500):
                some = lines[at:at + 500]
                connection.sendall(b"".join(resp("XADD", f"wirescore:{sensor}", "*", "record", line) for line in some))
                for _ in some:
                    resp_read(file)

    @staticmethod
    def heartbeat(delivered, dropped=0, since=5, last=False):
        return json.dumps({"heartbeat": {"sensor": "east", "since": since, "time": 7, "delivered": delivered,
                                         "dropped": dropped, "last": last}})

    @staticmethod
    def record(flow, number=0, reason="idle", class_="benign"):
        return json.dumps({"sensor": "east", "flow_id": f"{flow:016x}", "start": 10 * number, "end": 10 * number + 9,
                           "slice": number, "reason": reason, "class": class_})

    def consume(self, **options):
        """Until all that is there is read. The sums."""
        end = self.server.do("XREVRANGE", "wirescore:east", "+", "-", "COUNT", 1)[0][0]
        starts = self.said().count("reading")
        self.start_consumer(**options)
        self.wait_until_said("reading", starts + len(SENSORS))
        self.wait_for(lambda: (self.results / "state.json").exists() and
                      self.state()["sensors"]["east"]["position"] == end)
        self.stop_consumer()
        return self.sums("east")

    def test_what_a_sink_sends_again_counts_once(self):
        lines = [self.heartbeat(0), *map(self.record, range(511))]
        # A batch that broke after 300, one whose answer was lost, and the one that was taken.
        self.add("east", *lines[:300], *lines, *lines, self.heartbeat(511))
        sums = self.consume()
        self.assertEqual(sums, {"records": 511, "class benign": 511, "duplicates": 300 + 512})
        self.assertEqual(sorted(r["flow_id"] for r in sum(self.handed_on(), [])), [f"{i:016x}" for i in range(511)])

    def test_repetitions_are_known_across_a_restart(self):
        lines = [self.heartbeat(0), *map(self.record, range(50))]
        self.add("east", *lines)
        self.consume()
        self.add("east", *lines, self.record(50), self.heartbeat(51))
        self.assertEqual(self.consume(), {"records": 51, "class benign": 51, "duplicates": 51})

    def test_a_consumer_that_is_killed_again_and_again_loses_nothing_and_counts_nothing_twice(self):
        for number in range(20):
            self.add("east", *(self.record(flow, number, "active") for flow in range(1000)))
        self.add("east", self.heartbeat(20000))
        state, draw, kills = self.results / "state.json", random.Random(1), 0
        while not state.exists() or self.sums("east").get("records", 0) < 20000:
            saved = state.stat().st_mtime_ns if state.exists() else 0
            self.start_consumer()
            self.wait_for(lambda: state.exists() and state.stat().st_mtime_ns != saved)
            time.sleep(draw.uniform(0, 0.02))
            self.kill_consumer()
            kills += 1
        self.assertGreater(kills, 3)
        self.assertEqual({key: n for key, n in self.consume().items() if n},
                         {"records": 20000, "class benign": 20000})
        slices = collections.defaultdict(list)
        for number, worker in enumerate(self.handed_on()):
            for record in worker:
                slices[number, record["flow_id"]].append(record["slice"])
        self.assertEqual(len(slices), 1000)
        for flow, numbers in slices.items():
            self.assertEqual(numbers, list(range(20)), flow)

    def test_losses_are_told_of(self):
        self.add("east", self.heartbeat(0), *map(self.record, range(5)), self.heartbeat(8), self.record(8),
                 self.heartbeat(9, 7), self.heartbeat(0, since=6), self.record(10),
                 self.heartbeat(1, since=6, last=True))
        sums = self.consume()
        self.assertEqual((sums["lost"], sums["dropped"], sums["records"]), (3, 7, 7))
        for text in ("3 records were lost on the way", "had to drop 7 records", "has ended its run"):
            self.assertEqual(self.said().count(text), 1)
        self.assertEqual(self.said().count("began a run"), 2)

    def test_a_heartbeat_behind_records_that_it_does_not_count_is_no_loss(self):
        self.add("east", self.heartbeat(0), *map(self.record, range(10)), self.heartbeat(6), self.heartbeat(10),
                 *map(self.record, range(10, 13)), self.heartbeat(13))
        self.assertEqual(self.consume().get("lost", 0), 0)

    def test_records_of_a_run_whose_first_heartbeats_are_gone_are_lost(self):
        self.add("east", self.heartbeat(0), self.record(1), self.heartbeat(1, last=True))
        self.consume()
        self.add("east", *map(self.record, range(2, 12)), self.heartbeat(5000, since=6), self.heartbeat(5000, 3, since=6))
        sums = self.consume()
        self.assertEqual((sums["lost"], sums["dropped"], sums["records"]), (4990, 3, 11))

    def test_a_flow_whose_slices_come_in_another_order_is_told_of(self):
        self.add("east", *(self.record(1, number, "active") for number in (0, 1, 3, 2)), self.record(2, 1, "active"),
                 self.record(2, 2), self.record(2, 0))
        sums = self.consume()
        self.assertEqual((sums["records"], sums["out of order"]), (7, 1))

    def test_what_is_no_record_is_counted_and_left_out(self):
        self.add("east", "junk", "[]", '"x"', "7", "{}", '{"flow_id": 7}', '{"flow_id": "x"}', '{"heartbeat": 7}',
                 '{"heartbeat": {}}', '{"flow_id": "1", "slice": 0}', self.record(1))
        sums = self.consume()
        self.assertEqual((sums["records"], sums["unreadable"]), (1, 10))
        self.add("east", b'{"flow_id": "1", "class": "\xff"}', b"\x80", "[" * 100000, self.heartbeat('"x"', '"y"'),
                 self.heartbeat(float("nan")), r'{"flow_id": "1", "class": "\ud800"}', self.heartbeat(2))
        sums = self.consume()
        self.assertEqual((sums["records"], sums["unreadable"]), (2, 15))

    def test_files_of_workers_that_are_no_more_are_cut_too(self):
        self.add("east", *map(self.record, range(30)))
        self.consume(workers=3)
        for number in (1, 2):
            with open(self.results / f"worker-{number}.ndjson", "a") as file:
                file.write(self.record(99) + "\n")  # as if it had died before it counted this one
        self.add("east", self.record(30))
        self.consume(workers=1)
        self.assertEqual(sorted(int(r["flow_id"], 16) for r in sum(self.handed_on(), [])), list(range(31)))

    def test_records_without_the_state_that_counts_them_are_left_alone(self):
        self.add("east", *map(self.record, range(30)))
        self.consume()
        (self.results / "state.json").unlink()
        before = self.handed_on()
        self.start_consumer()
        self.assertEqual(self.consumer.wait(timeout=20), 1)
        self.assertIn("there is no state.json that counts them", self.said())
        self.assertEqual(self.handed_on(), before)
        self.assertFalse((self.results / "state.json").exists())

    def test_a_second_consumer_of_a_folder_is_refused(self):
        self.start_consumer()
        self.wait_until_said("reading", len(SENSORS))
        second = subprocess.run([sys.executable, FLEET / "consumer.py", "--redis", self.server.path, "--folder",
                                 self.results, "east"], capture_output=True, text=True, timeout=20)
        self.assertEqual(second.returncode, 1)
        self.assertRegex(second.stderr, "^consumer.py: .* is another consumer's; .*\n$")

    def test_streams_of_a_cluster_are_read_from_the_nodes_that_have_them(self):
        nodes = []
        for name in ("one", "other"):
            (self.folder / name).mkdir()
            nodes.append(RedisServer(self, self.folder / name, "--cluster-enabled", "yes", "--cluster-port",
                                     free_port(), "--cluster-require-full-coverage", "no").start())
        port = re.search(r":\d+@(\d+)", nodes[1].do("CLUSTER", "NODES"))[1]
        nodes[0].do("CLUSTER", "MEET", "127.0.0.1", nodes[1].port, port)
        slots = {nodes[0].do("CLUSTER", "KEYSLOT", f"wirescore:{name}"): name for name in SENSORS}
        middle = min(slots)
        nodes[0].do("CLUSTER", "ADDSLOTSRANGE", 0, middle)
        nodes[1].do("CLUSTER", "ADDSLOTSRANGE", middle + 1, 16383)
        self.wait_for(lambda: all("cluster_state:ok" in node.do("CLUSTER", "INFO") for node in nodes))
        for node, slot in zip(nodes, sorted(slots)):
            self.add(slots[slot], *map(self.record, range(100)), server=node)
        self.start_consumer(address=nodes[0].address)
        self.wait_for(lambda: (self.results / "state.json").exists() and
                      all(self.sums(name).get("records") == 100 for name in SENSORS))
        # A node that is dead holds up the streams of no other.
        here, away = slots[min(slots)], slots[max(slots)]
        nodes[1].kill()
        self.wait_until_said(f"sensor {away}: the broker: ")
        self.add(here, *map(self.record, range(100, 150)), server=nodes[0])
        self.wait_for(lambda: self.sums(here)["records"] == 150)
        self.assertNotIn(f"sensor {here}: the broker: ", self.said())
        self.stop_consumer()

    def test_a_broker_that_is_away_is_told_of_and_no_sensor_is_missed_meanwhile(self):
        self.add("east", self.record(1))
        self.add("west", self.record(1))
        self.start_consumer(patience=2)
        self.wait_until_said("reading")
        self.server.kill()
        self.wait_until_said("trying again")
        time.sleep(2.5)
        self.assertNotIn("missing", self.said())
        self.server.start()
        self.wait_until_said("the broker is back")
        self.add("east", self.record(2))
        self.wait_for(lambda: self.sums("east").get("records") == 2)
        self.assertEqual(self.said().count("trying again"), len(SENSORS))

    def test_a_password_opens_the_broker_and_never_shows(self):
        self.server.do("CONFIG", "SET", "requirepass", "a secret word")
        self.start_consumer(REDIS_PASSWORD="another word")
        self.wait_until_said("WRONGPASS")
        self.kill_consumer()
        self.start_consumer(REDIS_PASSWORD="a secret word")
        self.wait_until_said("reading")
        self.assertNotRegex(self.said(), "secret|another")

    def test_a_sensor_that_never_came_is_missing(self):
        self.start_consumer(patience=0.5)
        self.wait_until_said("sensor west is missing")
        self.add("west", self.heartbeat(0))
        self.wait_until_said("sensor west is back")

    def test_a_sensor_is_back_after_all_the_time_that_it_was_silent(self):
        self.add("east", self.record(1))
        self.start_consumer(patience=0.5)
        self.wait_until_said("sensor east is missing")
        self.server.kill()
        self.wait_until_said("trying again", len(SENSORS))
        time.sleep(1)
        self.server.start()
        self.wait_until_said("the broker is back", len(SENSORS))
        self.add("east", self.record(2))
        self.wait_until_said("sensor east is back")
        self.assertGreater(float(re.search("sensor east is back after ([0-9.]+) s", self.said())[1]), 1.5)


class Answers(unittest.TestCase):
    """What the consumer makes of a server's answers."""

    def setUp(self):
        spec = importlib.util.spec_from_file_location("consumer", FLEET / "consumer.py")
        self.consumer = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.consumer)

    def server(self, *connections):
        """Each connection gets these bytes. The addresses that are connected to."""
        sockets = []
        for data in connections:
            file = io.BytesIO(data)
            sockets.append(mock.Mock())
            sockets[-1].makefile.return_value = mock.Mock(readline=file.readline, read=file.read)
        patch = mock.patch.object(self.consumer.socket, "create_connection", side_effect=sockets)
        self.addCleanup(patch.stop)
        return patch.start()

    def test_an_answer_that_is_cut_is_none(self):
        whole = b"*2\r\n$3\r\nabc\r\n:7\r\n"
        self.server(whole)
        self.assertEqual(self.consumer.Redis("server:1", None).ask("X"), [b"abc", 7])
        for n in range(len(whole)):
            self.server(whole[:n])
            with self.assertRaises(OSError):
                self.consumer.Redis("server:1", None).ask("X")

    def test_what_is_not_redis_is_an_error_and_no_answer(self):
        for data in (b"HTTP/1.1 400 Bad\r\n", b"$x\r\n", b"*\r\n", b":1.5\r\n", b"$3\r\nabcde\r\n", b"\xff\r\n"):
            self.server(data)
            with self.assertRaises(OSError):
                self.consumer.Redis("server:1", None).ask("X")

    def test_a_node_without_a_name_is_at_the_address_of_the_one_that_names_it(self):
        connect = self.server(b"-MOVED 1 :7001\r\n", b":7\r\n")
        self.assertEqual(self.consumer.Redis("[fd00::1]:7000", None).ask("X"), 7)
        self.assertEqual([call[0][0] for call in connect.call_args_list], [("fd00::1", 7000), ("fd00::1", 7001)])


class Sensor:
    """A run of the fleet's config in a namespace of its own."""

    def __init__(self, test, name):
        self.test, self.name = test, name
        self.namespace = f"wsf-{os.getpid()}-{name}"
        self.process, self.runs = None, 0
        test.addCleanup(subprocess.run, ["ip", "netns", "delete", self.namespace], check=False, capture_output=True)
        self.tool("ip", "netns", "add", self.namespace)
        self.tool("ip", "-n", self.namespace, "link", "add", "near", "type", "veth", "peer", "name", "far")
        for end in ("near", "far"):
            self.inside("sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1")
            self.tool("ip", "-n", self.namespace, "link", "set", end, "up")
        test.addCleanup(self.kill)

    @staticmethod
    def tool(*arguments):
        subprocess.run([str(word) for word in arguments], check=True, capture_output=True)

    def inside(self, *arguments):
        self.tool("ip", "netns", "exec", self.namespace, *arguments)

    def start(self):
        self.runs += 1
        self.log = self.test.folder / f"{self.name}-{self.runs}.log"
        settings = {"sensor.name": self.name, "port.tap.device": "net_af_packet0,iface=near",
                    "records.fleet.server": self.test.server.path, "records.fleet.topic": f"wirescore:{self.name}",
                    "records.fleet.heartbeat": HEARTBEAT_S, "flow.flows": 1024, "flow.idle-timeout": 1.5,
                    "flow.active-timeout": 1, "metrics.http": "none", "metrics.telemetry": "no"}
        words = [word for item in settings.items() for word in ("--set", "=".join(map(str, item)))]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.namespace, WIRESCORE, "run", "--json", *words,
                                             FLEET / "sensor.conf"], stdout=subprocess.PIPE, stderr=log, text=True)

    def ready(self):
        self.test.wait_for(lambda: "running with" in self.log.read_text() or self.process.poll() is not None)
        self.test.assertIsNone(self.process.poll(), self.log.read_text())

    def send(self, numbers):
        """The packets of these conversations, in the background."""
        path = self.test.folder / f"{self.name}-{min(numbers)}.json"
        rounds = [(pause, [self.frame(number, i) for number in numbers if packets(number) > i])
                  for i, pause in enumerate(PAUSES)]
        path.write_text(json.dumps(rounds))
        sender = subprocess.Popen(["ip", "netns", "exec", self.namespace, sys.executable, "-c", SENDER, "far", path])
        self.test.addCleanup(sender.wait)
        return sender

    @staticmethod
    def frame(number, i):
        source, target = conversation(number)
        if i % 2:
            source, target = target, source
        return ethernet(ipv4(source[0], target[0], 17, udp(source[1], target[1], bytes(40)))).hex()

    def stop(self):
        """Ends it in peace. Its last report."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=30)
        self.test.assertEqual(self.process.returncode, 0, self.log.read_text())
        return json.loads(out.splitlines()[-1])

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
            self.process.stdout.close()


@unittest.skipIf(NO_BROKER, NO_BROKER)
@unittest.skipIf(NO_SINK, NO_SINK)
@unittest.skipIf(NO_SENSORS, NO_SENSORS)
class WithSensors(Fleet):
    def setUp(self):
        super().setUp()
        self.sensors = [Sensor(self, name) for name in SENSORS]
        for sensor in self.sensors:
            sensor.start()
        for sensor in self.sensors:
            sensor.ready()

    def shares(self, numbers):
        """A sensor sees every second conversation. Sends them; returns once the last packet is gone."""
        for sender in [s.send([n for n in numbers if n % 2 == i]) for i, s in enumerate(self.sensors)]:
            self.assertEqual(sender.wait(timeout=30), 0)

    def check_records(self, records, reports):
        """Each slice of each conversation, once; its packets are those that were sent."""
        self.assertEqual(len(records), len({(r["sensor"], r["flow_id"], r["slice"]) for r in records}))
        heard = collections.Counter()
        for record in records:
            heard[record["sensor"], endpoints(record)] += record["packets_fwd"] + record["packets_bwd"]
        self.assertEqual(heard, {(SENSORS[n % 2], tuple(sorted(conversation(n)))): packets(n)
                                 for n in range(CONVERSATIONS)})
        self.assertGreater(sum(record["reason"] == "active" for record in records), 10)
        for name, report in zip(SENSORS, reports):
            sink = report["sinks"]["fleet"]
            self.assertEqual(sink["accepted"], sink["delivered"])
            self.assertEqual(sink["delivered"], sum(record["sensor"] == name for record in records))
            self.assertEqual(sink["delivered"], report["flows"]["ended"])

    def check_order(self):
        """A flow is one worker's, and its slices are in order there."""
        owners = {}
        for number, worker in enumerate(self.handed_on()):
            self.assertGreater(len(worker), 0)
            slices = collections.defaultdict(list)
            for record in worker:
                slices[record["sensor"], record["flow_id"]].append(record["slice"])
                self.assertEqual(owners.setdefault(record["flow_id"], number), number)
            for flow, numbers in slices.items():
                self.assertEqual(numbers, list(range(len(numbers))), flow)

    def test_every_flow_arrives_once_and_in_order_though_consumer_and_broker_are_killed(self):
        self.start_consumer(patience=20)
        self.shares(range(0, CONVERSATIONS // 2))
        self.wait_for(lambda: (self.results / "state.json").exists() and
                      all(self.sums(name).get("records", 0) > 0 for name in SENSORS))
        self.kill_consumer()
        senders = [s.send([n for n in range(CONVERSATIONS // 2, CONVERSATIONS) if n % 2 == i])
                   for i, s in enumerate(self.sensors)]
        time.sleep(0.8)
        self.start_consumer(patience=20)
        self.server.restart()
        for sender in senders:
            self.assertEqual(sender.wait(timeout=30), 0)
        reports = [sensor.stop() for sensor in self.sensors]
        self.wait_until_said("has ended its run", 2)
        self.wait_for(lambda: all(self.sums(name)["records"] == report["sinks"]["fleet"]["delivered"]
                                  for name, report in zip(SENSORS, reports)))
        self.stop_consumer()
        self.check_records(sum(self.handed_on(), []), reports)
        self.check_order()
        for name, report in zip(SENSORS, reports):
            sums = self.sums(name)
            self.assertEqual((sums.get("lost", 0), sums.get("dropped", 0), sums.get("out of order", 0)), (0, 0, 0))
            classes = {key.split()[1]: n for key, n in sums.items() if key.startswith("class ")}
            self.assertEqual(sum(classes.values()), sums["records"])
            self.assertEqual(classes, {key: n for key, n in report["flows"]["classes"].items() if n})
        self.assertNotIn("missing", self.said())

    def test_a_sensor_that_is_dead_or_hangs_is_missing_and_one_without_traffic_is_not(self):
        east, west = self.sensors
        self.start_consumer()
        self.wait_until_said("began a run", 2)
        time.sleep(PATIENCE_S + 1)
        self.assertNotIn("missing", self.said())
        east.process.kill()
        west.process.send_signal(signal.SIGSTOP)
        for name in SENSORS:
            self.wait_until_said(f"sensor {name} is missing", seconds=PATIENCE_S + 5)
        east.kill()
        east.start()
        west.process.send_signal(signal.SIGCONT)
        for name in SENSORS:
            self.wait_until_said(f"sensor {name} is back")
        self.wait_until_said("sensor east began a run", 2)
        silences = [float(s) for s in re.findall(r"missing: nothing came for ([0-9.]+) s", self.said())]
        self.assertEqual(len(silences), 2)
        self.assertTrue(all(PATIENCE_S <= s < PATIENCE_S + 3 for s in silences), silences)
        east.ready()
        for sensor in self.sensors:
            sensor.stop()
        self.wait_until_said("has ended its run", 2)
        time.sleep(PATIENCE_S + 1)
        # Who ends in peace is not missed.
        self.assertEqual(self.said().count("is missing"), 2)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""Records to RabbitMQ: a real broker that is killed, stopped, full or blocked, and servers that are none."""
import json
import signal
import struct
import tempfile
import time
import unittest

from captures import TestCase
from sink_servers import (Amqp, Drive, Listener, RABBITMQ_SERVER, RabbitServer, black_hole, certificate, flooder,
                          free_port, is_installed, kinds, noises, reset, saying, silence, why_no_tls)

KIND = "rabbitmq"
WHY_NOT = None if KIND in kinds() else "built without rabbitmq"
NO_TLS = WHY_NOT or why_no_tls()


def method(kind, number, arguments=b"", channel=0):
    payload = struct.pack(">HH", kind, number) + arguments
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


START = method(10, 10, b"\0\x09" + struct.pack(">I", 0) + b"\0\0\0\5PLAIN" + b"\0\0\0\5en_US")
TUNE = method(10, 30, struct.pack(">HIH", 0, 131072, 60))
LOGIN = (START, TUNE, method(10, 41, b"\0"), method(20, 11, struct.pack(">I", 0), 1), method(85, 11, b"", 1))


class Rabbit(TestCase):
    def drive(self, server, *arguments, queue="flows", **environment):
        address = getattr(server, "address", server)
        return Drive(self, KIND, "--server", address, "--topic", queue, *arguments, **environment)

    def delivered(self, server, *arguments, **keywords):
        """A run in which all goes well."""
        report = self.drive(server, *arguments, **keywords).end()
        self.assertEqual(report["delivered"], report["offered"], report)
        self.assertEqual(report["failures"], 0, report)
        return report

    def refused(self, server, pattern, *arguments, **keywords):
        """A run in which nothing is taken, for a reason that is told."""
        report = self.drive(server, "--count", 5, "--give-up", 0, *arguments, **keywords).end()
        self.assertEqual(report["delivered"], 0, report)
        self.assertRegex(report["last_error"], pattern)
        return report


@unittest.skipIf(WHY_NOT, WHY_NOT)
@unittest.skipUnless(is_installed(RABBITMQ_SERVER, "epmd"), "rabbitmq-server is not installed")
class RealRabbit(Rabbit):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        settings = ["heartbeat = 2"]
        if not NO_TLS:
            (cls.crt, key), cls.tls_port = certificate(folder.name), free_port()
            settings += [f"listeners.ssl.default = 127.0.0.1:{cls.tls_port}", f"ssl_options.cacertfile = {cls.crt}",
                         f"ssl_options.certfile = {cls.crt}", f"ssl_options.keyfile = {key}",
                         "ssl_options.verify = verify_none"]
        cls.server = RabbitServer(cls, folder.name, *settings).start()

    def setUp(self):
        super().setUp()
        if self.server.process.poll() is not None:
            self.server.start()

    def declare(self, queue, **arguments):
        with Amqp(self.server.port) as amqp:
            amqp.declare(queue, **arguments)

    def take(self, queue):
        """Numbers of the records in a queue, in its order."""
        with Amqp(self.server.port) as amqp:
            return [json.loads(body)["bytes_fwd"] for _, body in amqp.take_all(queue)]

    def wait_for_length(self, queue, least):
        end = time.monotonic() + 30
        with Amqp(self.server.port) as amqp:
            while amqp.declare_passive(queue) < least:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.02)

    def test_each_record_is_a_persistent_message_with_an_id(self):
        self.declare("each")
        self.delivered(self.server, "--count", 3000, queue="each")
        with Amqp(self.server.port) as amqp:
            messages = amqp.take_all("each")
        self.assertEqual([json.loads(body)["bytes_fwd"] for _, body in messages], list(range(3000)))
        ids = [properties.pop("message_id") for properties, _ in messages]
        self.assertEqual([int(text.partition("-")[2]) for text in ids], list(range(1, 3001)))
        self.assertEqual(len({text.partition("-")[0] for text in ids}), 1)
        for properties, _ in messages:
            self.assertEqual(properties, {"content_type": "application/json", "delivery_mode": 2,
                                          "app_id": "wirescore"})

    def test_large_records_are_cut_into_frames(self):
        self.declare("large")
        self.delivered(self.server, "--count", 300, "--padding", 50000, queue="large")
        self.assertEqual(self.take("large"), list(range(300)))

    def test_exchange_routing_key_virtual_host_and_user_lead_to_a_queue(self):
        login = {"user": "wire", "password": self.server.PASSWORD, "host": "taps"}
        with Amqp(self.server.port, **login) as amqp:
            amqp.declare("q")
            amqp.declare_exchange("records", "topic")
            amqp.bind("q", "records", "flows.#")
        arguments = ("--exchange", "records", "--virtual-host", "taps", "--user", "wire")
        self.delivered(self.server, *arguments, "--count", 100, queue="flows.attack", password=self.server.PASSWORD)
        with Amqp(self.server.port, **login) as amqp:
            self.assertEqual(len(amqp.take_all("q")), 100)
        self.refused(self.server, "no queue takes routing key 'packets' of exchange 'records'", *arguments,
                     queue="packets", password=self.server.PASSWORD)

    def test_what_no_queue_takes_is_not_counted_and_arrives_once_there_is_one(self):
        drive = self.drive(self.server, "--count", 700, "--give-up", 60, queue="later")
        time.sleep(1)
        self.declare("later")
        report = drive.end()
        self.assertEqual(report["delivered"], 700)
        self.assertRegex(report["errors"][0], "no queue takes routing key 'later' of exchange '': declare")
        self.assertEqual(self.take("later"), list(range(700)))

    def test_what_a_full_queue_refuses_is_not_counted(self):
        self.declare("full", max_length=100, overflow="reject-publish")
        report = self.drive(self.server, "--count", 400, "--give-up", 0, queue="full").end()
        there = self.take("full")
        self.assertRegex(report["last_error"], "a queue refused a record .* is it full")
        self.assertEqual(there[:report["delivered"]], list(range(report["delivered"])))
        self.assertLess(report["delivered"], 400)

    def test_a_wrong_password_or_place_is_told_of_and_no_password_shown(self):
        report = self.refused(self.server, "403 ACCESS_REFUSED.*check user and password", "--user", "wire",
                              password="another word")
        self.assertNotIn("another word", str(report))
        self.refused(self.server, "530 NOT_ALLOWED.*check the virtual host", "--virtual-host", "nowhere")
        self.refused(self.server, "404 NOT_FOUND.*exchange 'none'.*declare it", "--exchange", "none")

    @unittest.skipIf(NO_TLS, NO_TLS)
    def test_tls_leads_to_a_broker_that_is_trusted_and_to_no_other(self):
        self.declare("tls")
        self.delivered(f"tls://localhost:{self.tls_port}", "--count", 3000, queue="tls", trusted=self.crt)
        self.assertEqual(self.take("tls"), list(range(3000)))
        self.refused(f"tls://localhost:{self.tls_port}", "TLS: its certificate is refused", queue="tls")

    def test_heartbeats_keep_an_idle_connection(self):
        self.declare("idle")
        report = self.delivered(self.server, "--count", 2, "--batch", 1, "--pause", 9000, queue="idle")
        self.assertEqual(report["deliveries"], 2)
        self.assertEqual(self.take("idle"), [0, 1])

    def test_all_that_was_confirmed_is_there_after_the_broker_was_killed_and_restarted(self):
        self.declare("killed")
        drive = self.drive(self.server, "--count", 20000, "--batch", 256, "--pause", 10, "--give-up", 90,
                           queue="killed")
        self.wait_for_length("killed", 2000)
        self.server.restart()
        report = drive.end()
        self.assertEqual(report["delivered"], 20000)
        self.assertGreaterEqual(report["failures"], 1)
        there = self.take("killed")
        self.assertEqual(sorted(set(there)), list(range(20000)))
        self.assertLessEqual(len(there), 20000 + 256)

    def test_what_it_confirmed_before_it_died_is_there_and_nothing_else_counted(self):
        self.declare("died")
        drive = self.drive(self.server, "--count", 1000000, "--batch", 64, "--give-up", 1, queue="died")
        self.wait_for_length("died", 2000)
        self.server.kill()
        report = drive.end()
        self.server.start()
        there = self.take("died")
        self.assertLess(report["delivered"], 1000000)
        self.assertEqual(there[:report["delivered"]], list(range(report["delivered"])))
        self.assertLessEqual(len(there), report["delivered"] + 64)

    def test_a_stopped_broker_gets_no_more_than_one_batch_twice(self):
        self.declare("stopped")
        drive = self.drive(self.server, "--count", 20000, "--batch", 256, "--pause", 10, "--give-up", 60,
                           queue="stopped")
        self.wait_for_length("stopped", 2000)
        self.server.signal(signal.SIGSTOP)
        time.sleep(12)
        self.server.signal(signal.SIGCONT)
        report = drive.end()
        self.assertEqual(report["delivered"], 20000)
        self.assertRegex(str(report["errors"]), "no confirm in time|no answer in time")
        there = self.take("stopped")
        self.assertEqual(sorted(set(there)), list(range(20000)))
        self.assertLessEqual(len(there), 20000 + 256)

    def test_a_broker_that_blocks_is_waited_for(self):
        self.declare("blocked")
        drive = self.drive(self.server, "--count", 20000, "--batch", 64, "--pause", 20, "--give-up", 90,
                           queue="blocked")
        self.wait_for_length("blocked", 500)
        self.server.control("set_vm_memory_high_watermark", "0.0000001")
        self.addCleanup(self.server.control, "set_vm_memory_high_watermark", "0.4")
        time.sleep(7)
        self.server.control("set_vm_memory_high_watermark", "0.4")
        report = drive.end()
        self.assertEqual(report["delivered"], 20000)
        self.assertRegex(str(report["errors"]), "takes nothing for now .*memory")
        there = self.take("blocked")
        self.assertEqual(sorted(set(there)), list(range(20000)))
        self.assertLessEqual(len(there), 20000 + 64)


def broker(*afterwards):
    """Logs anybody in, then answers each thing that comes with the next of these."""
    def talk(listener, connection):
        for answer in (*LOGIN, *afterwards):
            if not connection.recv(1 << 20):
                return
            connection.sendall(answer)
        silence(listener, connection)
    return talk


@unittest.skipIf(WHY_NOT, WHY_NOT)
class OtherBrokers(Rabbit):
    @staticmethod
    def ack(tag, multiple=False, number=80):
        return method(60, number, struct.pack(">QB", tag, multiple), 1)

    def count(self, answers, *arguments):
        return self.drive(Listener(self, broker(answers)), "--count", 10, "--give-up", 0, *arguments).end()

    def test_confirms_in_any_order_count_up_to_the_first_that_is_missing(self):
        self.assertEqual(self.count(self.ack(0, True))["delivered"], 10)
        self.assertEqual(self.count(self.ack(10, True))["delivered"], 10)
        self.assertEqual(self.count(b"".join(map(self.ack, reversed(range(1, 11)))))["delivered"], 10)
        report = self.count(self.ack(4, True) + self.ack(6) + self.ack(9))
        self.assertEqual(report["delivered"], 4)
        self.assertRegex(report["last_error"], "no confirm in time")

    def test_heartbeats_are_sent_and_missed(self):
        got, closed = [], []

        def talk(listener, connection):
            beat = struct.pack(">BHI", 8, 0, 0) + b"\xce"
            for answer in (START, method(10, 30, struct.pack(">HIH", 0, 131072, 2)), *LOGIN[2:], self.ack(1)):
                connection.recv(1 << 20)
                connection.sendall(answer)
            start = time.monotonic()
            while not listener.ends.is_set():
                if time.monotonic() < start + 4:
                    connection.sendall(beat)
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    continue
                if not data:
                    closed.append(time.monotonic() - start)
                    return
                got.append(data)
        self.drive(Listener(self, talk), "--count", 1, "--pause", 11000).end()
        frames = b"".join(got)
        self.assertIn(frames.count(b"\x08\0\0\0\0\0\0\xce"), range(4, 9), frames)
        # Two heartbeats after the last of the broker's, not at the end of the run.
        self.assertEqual(len(closed), 1)
        self.assertTrue(7 < closed[0] < 10, closed)

    def test_one_that_blocks_gets_nothing_more_over_any_connection_until_it_says_so(self):
        got = []

        def talk(_, connection):
            for answer in (*LOGIN, method(10, 60, b"\x0dlow on memory")):
                connection.recv(1 << 20)
                connection.sendall(answer)
            time.sleep(7)
            connection.settimeout(5)
            connection.sendall(method(10, 61) + self.ack(10, True))
            got.append(connection.recv(1 << 20))
            connection.sendall(self.ack(20, True))
            connection.recv(1 << 20)
        server = Listener(self, talk)
        report = self.drive(server, "--count", 10, "--give-up", 20).end()
        self.assertEqual((report["delivered"], server.n_connections), (10, 1), report)
        self.assertEqual(set(report["errors"]), {f"{server.address}: takes nothing for now (low on memory): free its "
                                                 "memory or disk"})
        # basic.publish, once for each.
        self.assertEqual(got[0].count(b"\0\x3c\0\x28"), 10)

    def test_what_is_refused_is_not_counted(self):
        report = self.count(self.ack(3, True) + self.ack(4, number=120) + self.ack(10, True))
        self.assertEqual(report["delivered"], 3)
        self.assertRegex(report["last_error"], "a queue refused a record")
        self.assertEqual(self.count(self.ack(0, True, number=120) + self.ack(0, True))["delivered"], 0)

    def test_confirms_of_what_was_not_sent_end_the_connection(self):
        for answers in (self.ack(11), self.ack(11, True), self.ack(2 ** 64 - 1, True), self.ack(2 ** 64 - 1)):
            report = self.count(self.ack(2, True) + answers)
            self.assertEqual(report["delivered"], 2)
            self.assertRegex(report["last_error"], "confirms what it was not sent")

    def test_a_close_in_the_middle_is_told_of(self):
        text = b"PRECONDITION_FAILED - no\x1b[31m guest"
        close = struct.pack(">HB", 406, len(text)) + text + b"\0\0\0\0"
        for answers in (self.ack(5, True) + method(10, 50, close), self.ack(5, True) + method(20, 40, close, 1)):
            report = self.count(answers)
            self.assertEqual(report["delivered"], 5)
            self.assertRegex(report["last_error"], r"406 PRECONDITION_FAILED - no\?\[31m guest: see the broker's log")

    def test_what_never_answers_does_not_hold_up_its_thread(self):
        servers = [("silent", Listener(self, silence).address), ("black hole", black_hole(self))]
        servers += [(f"silent after {n}", Listener(self, saying_only(*LOGIN[:n])).address) for n in (1, 3, 5)]
        for name, address in servers:
            with self.subTest(name):
                self.refused(address, "no answer in time|no confirm in time|timed out")

    def test_nobody_there_is_told_of(self):
        self.refused(f"127.0.0.1:{free_port()}", "Connection refused: check that it runs")

    def test_servers_that_are_none_are_refused_in_bounded_memory(self):
        heartbeats = struct.pack(">BHI", 8, 0, 0) + b"\xce"
        nested = b"\x01tA" + b"\0\0\x0f\x00A" * 700
        tables = method(10, 10, b"\0\x09" + struct.pack(">I", len(nested)) + nested)
        head = struct.pack(">BHI", 2, 1, 14) + struct.pack(">HHQH", 60, 0, 5, 0) + b"\xce"
        servers = {
            "another version": saying(b"AMQP\0\1\0\0"),
            "a frame of 4 GB": flooder(b"\x01\0\0\xff\xff\xff\xff", b"x" * 65536),
            "a frame without its end": saying(b"\x01\0\0\0\0\0\x04\0\x0a\0\x0a\0"),
            "a frame of nothing": saying(b"\x01\0\0\0\0\0\0\xce"),
            "a method that is none": saying(method(99, 99)),
            "a head that is too short": saying(struct.pack(">BHI", 2, 1, 3) + b"\0<\0\xce"),
            "a head of no class": saying(struct.pack(">BHI", 2, 1, 14) + bytes(14) + b"\xce"),
            "tables in tables": saying(tables),
            "out of order": saying(TUNE),
            "small frames": broker(),
            "heartbeats without end": flooder(b"", heartbeats * 5000),
            "heartbeats after the login": broker(heartbeats * 100000),
            "heads without end": flooder(b"".join(LOGIN), head * 3000),
            "acks of nothing without end": flooder(b"".join(LOGIN), self.ack(0) * 3000),
            "blocked without end": flooder(b"".join(LOGIN), method(10, 60, b"\xff" + b"r" * 255) * 100),
            "another protocol": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "closed at once": lambda *_: None,
            "reset at once": reset,
        }
        for name, talk in servers.items():
            with self.subTest(name):
                server = Listener(self, talk)
                report = self.drive(server, "--count", 600, "--give-up", 0).end()
                self.assertLess(report["max_rss_kb"], 80 << 10)
                self.assertEqual(report["delivered"], 0, report)
                self.assertTrue(report["last_error"])
                server.end()

    def test_noise_is_refused_before_and_after_the_login(self):
        for i, noise in enumerate(noises(2)):
            for talk in (lambda _, connection, noise=noise: connection.sendall(noise), broker(noise * 20)):
                with self.subTest(i):
                    server = Listener(self, talk)
                    report = self.refused(server, ".")
                    self.assertLess(report["max_rss_kb"], 80 << 10)
                    server.end()

    def test_options_that_cannot_be_are_refused_at_once(self):
        for server, queue in (("", "q"), ("/a/path", "q"), ("host:0", "q"), ("host", ""), ("host", "q" * 256)):
            with self.subTest(server=server, queue=queue):
                drive = self.drive(server, "--count", 1, queue=queue)
                _, error = drive.process.communicate(timeout=60)
                self.assertEqual(drive.process.returncode, 1)
                self.assertRegex(error, "^drive_sink: .*(no server|needs|no Unix socket|at most).*\n$")


def saying_only(*answers):
    """Answers the first things that come, then nothing more."""
    def talk(listener, connection):
        for answer in answers:
            if not connection.recv(1 << 20):
                return
            connection.sendall(answer)
        silence(listener, connection)
    return talk


if __name__ == "__main__":
    unittest.main()

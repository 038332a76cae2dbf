# SPDX-License-Identifier: BSD-3-Clause
"""Records to RabbitMQ: brokers that a script plays, which confirm what they like, and servers that are none."""
import struct
import time
import unittest

from sink_servers import Listener, SinkTest, black_hole, flooder, free_port, kinds, noises, reset, saying, silence

KIND = "rabbitmq"
WHY_NOT = None if KIND in kinds() else "built without rabbitmq"


def method(kind, number, arguments=b"", channel=0):
    payload = struct.pack(">HH", kind, number) + arguments
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


START = method(10, 10, b"\0\x09" + struct.pack(">I", 0) + b"\0\0\0\5PLAIN" + b"\0\0\0\5en_US")
TUNE = method(10, 30, struct.pack(">HIH", 0, 131072, 60))
LOGIN = (START, TUNE, method(10, 41, b"\0"), method(20, 11, struct.pack(">I", 0), 1), method(85, 11, b"", 1))


def saying_only(*answers):
    """Answers the first things that come, then nothing more."""
    def talk(listener, connection):
        for answer in answers:
            if not connection.recv(1 << 20):
                return
            connection.sendall(answer)
        silence(listener, connection)
    return talk


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
class OtherBrokers(SinkTest):
    kind = KIND

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
            for answer in (START, method(10, 30, struct.pack(">HIH", 0, 131072, 1)), *LOGIN[2:], self.ack(1)):
                connection.recv(1 << 20)
                connection.sendall(answer)
            start = time.monotonic()
            while not listener.ends.is_set():
                if time.monotonic() < start + 1:
                    connection.sendall(beat)
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    continue
                if not data:
                    closed.append(time.monotonic() - start)
                    return
                got.append(data)
        self.drive(Listener(self, talk), "--count", 1, "--linger", 4600).end()
        frames = b"".join(got)
        self.assertIn(frames.count(b"\x08\0\0\0\0\0\0\xce"), range(2, 6), frames)
        # Two heartbeats after the last of the broker's, not at the end of the run.
        self.assertEqual(len(closed), 1)
        self.assertTrue(2.5 < closed[0] < 4.5, closed)

    def test_one_that_blocks_gets_nothing_more_over_any_connection_until_it_says_so(self):
        got = []

        def talk(_, connection):
            for answer in (*LOGIN, method(10, 60, b"\x0dlow on memory")):
                connection.recv(1 << 20)
                connection.sendall(answer)
            time.sleep(2)
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
        servers = {"silent": Listener(self, silence).address, "black hole": black_hole(self)}
        servers |= {f"silent after {n}": Listener(self, saying_only(*LOGIN[:n])).address for n in (1, 3, 5)}
        self.at_once(servers,
                lambda address: self.refused(address, "no answer in time|no confirm in time|timed out"))

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

        def check(talk):
            server = Listener(self, talk)
            report = self.drive(server, "--count", 600, "--give-up", 0).end()
            self.assertLess(report["max_rss_kb"], 80 << 10)
            self.assertEqual(report["delivered"], 0, report)
            self.assertTrue(report["last_error"])
            server.end()
        self.at_once(servers, check)

    def test_noise_is_refused_before_and_after_the_login(self):
        def check(talk):
            server = Listener(self, talk)
            report = self.refused(server, ".")
            self.assertLess(report["max_rss_kb"], 80 << 10)
            server.end()
        talks = []
        for noise in noises(2):
            talks += [lambda _, connection, noise=noise: connection.sendall(noise), broker(noise * 20)]
        self.at_once(enumerate(talks), check)

    def test_options_that_cannot_be_are_refused_at_once(self):
        for server, queue in (("", "q"), ("/a/path", "q"), ("host:0", "q"), ("host", ""), ("host", "q" * 256)):
            with self.subTest(server=server, topic=queue):
                drive = self.drive(server, "--count", 1, topic=queue)
                _, error = drive.process.communicate(timeout=60)
                self.assertEqual(drive.process.returncode, 1)
                self.assertRegex(error, "^drive_sink: .*(no server|needs|no Unix socket|at most).*\n$")


if __name__ == "__main__":
    unittest.main()

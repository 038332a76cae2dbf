# SPDX-License-Identifier: BSD-3-Clause
"""Records to Redis: a real redis-server that is killed, stopped, full or in a cluster, and servers that are none."""
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from functools import partial

from test_sinks import Sinks, packets_of_flows
from sink_servers import (DRIVE_SINK, PATIENCE_MS, Listener, RedisServer, SinkTest, black_hole, certificate, dribble,
                          flooder, free_port, is_installed, kinds, noises, reset, resp, saying, silence, slow_way, why_no_tls)

KIND = "redis"
WHY_NOT = None if KIND in kinds() else "built without redis"
NO_TLS = WHY_NOT or why_no_tls()


class Redis(SinkTest):
    kind = KIND


def without_repetitions(numbers):
    return list(dict.fromkeys(numbers))


@unittest.skipIf(WHY_NOT, WHY_NOT)
@unittest.skipUnless(is_installed("redis-server"), "redis-server is not installed")
class RealRedis(Redis):
    def server(self, *options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return RedisServer(self, folder.name, *options).start()

    def wait_for_length(self, server, key, least):
        end = time.monotonic() + 30
        while server.do("XLEN", key) < least:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_each_record_is_an_entry_of_the_stream_in_order(self):
        server = self.server()
        self.delivered(server, "--count", 2000)
        self.assertEqual(server.stream("flows"), list(range(2000)))

    def test_a_stream_keeps_about_as_many_entries_as_it_may(self):
        server = self.server()
        self.delivered(server, "--count", 5000, "--longest", 1000)
        there = server.stream("flows")
        self.assertEqual(there, list(range(5000 - len(there), 5000)))
        self.assertTrue(1000 <= len(there) < 1300, len(there))

    def test_a_list_keeps_the_newest_records_at_its_right_end(self):
        server = self.server()
        self.delivered(server, "--count", 2000, "--list", "--longest", 700, topic="NEW_PACKETS")
        self.assertEqual(server.list("NEW_PACKETS"), list(range(1300, 2000)))
        self.delivered(server, "--count", 900, "--list", topic="ALL")
        self.assertEqual(server.list("ALL"), list(range(900)))

    def test_large_records_are_taken_too(self):
        server = self.server()
        self.delivered(server, "--count", 600, "--padding", 20000)
        self.assertEqual(server.stream("flows"), list(range(600)))

    def test_sockets_names_and_ipv6_lead_to_it(self):
        server = self.server()
        addresses = [server.path, f"localhost:{server.port}"]
        if socket.has_ipv6:
            addresses.append(f"[::1]:{server.port}")
        for i, address in enumerate(addresses):
            with self.subTest(address):
                self.delivered(address, "--count", 10, topic=f"key{i}")
                self.assertEqual(server.stream(f"key{i}"), list(range(10)))

    def test_a_password_opens_it_and_never_shows(self):
        server = self.server("--requirepass", "a secret word")
        self.delivered(server, "--count", 10, password="a secret word")
        self.refused(server, "NOAUTH.*it wants a password")
        report = self.refused(server, "refuses the user or the password", password="another secret")
        self.assertNotIn("another secret", str(report))

    def test_users_write_where_they_may(self):
        server = self.server()
        server.do("ACL", "SETUSER", "wire", "on", ">a secret word", "~flows", "+multi", "+exec", "+xadd")
        self.delivered(server, "--count", 10, "--user", "wire", password="a secret word")
        self.assertEqual(server.stream("flows"), list(range(10)))
        self.refused(server, "NOPERM.*let this user", "--user", "wire", password="a secret word", topic="others")
        self.refused(server, "refuses the user or the password", "--user", "who", password="a secret word")
        server.do("ACL", "SETUSER", "wire", "-multi")
        self.refused(server, "MULTI: NOPERM.*let this user MULTI", "--user", "wire", password="a secret word")
        self.assertEqual(server.do("XLEN", "flows"), 10)  # nothing is written without a transaction

    def test_a_password_that_nobody_asked_for_is_told_of_without_it(self):
        report = self.refused(self.server(), "does not take the password", password="a secret word")
        self.assertNotIn("a secret word", str(report))

    @unittest.skipIf(NO_TLS, NO_TLS)
    def test_tls_leads_to_a_server_that_is_trusted_and_to_no_other(self):
        (crt, key), (other, _) = certificate(self.folder), certificate(self.folder, "other")
        port = free_port()
        server = self.server("--tls-port", port, "--tls-cert-file", crt, "--tls-key-file", key, "--tls-auth-clients",
                             "no", "--requirepass", "a secret word")
        server_do = partial(server.do, password="a secret word")
        for i, host in enumerate(("127.0.0.1", "localhost")):
            self.delivered(f"tls://{host}:{port}", "--count", 1000, "--padding", 3000, topic=f"key{i}",
                           password="a secret word", trusted=crt)
            self.assertEqual(server_do("XLEN", f"key{i}"), 1000)
        for host, trusted in (("127.0.0.1", None), ("127.0.0.1", other), ("[::1]", crt)):
            self.refused(f"tls://{host}:{port}", "TLS: its certificate is refused", password="a secret word",
                         trusted=trusted)
        self.refused(f"tls://127.0.0.1:{server.port}", "TLS: .*check that this port speaks it", trusted=crt)
        self.refused(f"127.0.0.1:{port}", "the connection broke|answers what Redis would not")

    def test_a_key_of_another_type_is_told_of(self):
        server = self.server()
        server.do("SET", "flows", "text")
        self.refused(server, "XADD: WRONGTYPE .*the key holds something else")
        self.refused(server, "RPUSH: WRONGTYPE .*the key holds something else", "--list")
        self.refused(server, "LTRIM: WRONGTYPE .*the key holds something else", "--list", "--longest", 10)

    def test_a_replica_is_told_of(self):
        server = self.server("--replicaof", f"127.0.0.1 {free_port()}", "--replica-serve-stale-data", "yes")
        self.refused(server, "READONLY .*name the master")

    def test_what_a_full_server_refuses_again_and_again_keeps_its_order_and_is_there_once(self):
        for options in ((), ("--list", "--longest", 1000000)):
            server = self.server("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
            drive = self.drive(server, "--count", 12000, "--padding", 300, "--give-up", 60, *options)
            # Little at a time, so that room ends and comes again in the middle of batches.
            limit, end = 3 << 20, time.monotonic() + 60
            while drive.process.poll() is None:
                self.assertLess(time.monotonic(), end)
                limit += 1024
                server.do("CONFIG", "SET", "maxmemory", limit)
            report = drive.end()
            self.assertEqual(report["delivered"], 12000)
            self.assertGreaterEqual(report["failures"], 2)
            self.assertRegex(report["errors"][0], "OOM .*raise the server's maxmemory")
            self.assertEqual(server.list("flows") if options else server.stream("flows"), list(range(12000)))

    def test_all_that_was_acknowledged_is_there_after_it_was_killed_and_restarted(self):
        server = self.server()
        drive = self.drive(server, "--count", 16000, "--batch", 256, "--pause", 5, "--give-up", 60)
        for least in (2000, 8000):
            self.wait_for_length(server, "flows", least)
            server.restart()
        report = drive.end()
        self.assertEqual(report["delivered"], 16000)
        self.assertGreaterEqual(report["failures"], 2)
        there = server.stream("flows")
        self.assertEqual(without_repetitions(there), list(range(16000)))
        # What was on its way each time may be there twice.
        self.assertLessEqual(len(there), 16000 + 2 * 256)

    def test_what_it_acknowledged_before_it_died_is_there_and_nothing_else_counted(self):
        server = self.server()
        drive = self.drive(server, "--count", 1000000, "--batch", 64, "--give-up", 1)
        self.wait_for_length(server, "flows", 3000)
        server.kill()
        report = drive.end()
        there = server.start().stream("flows")
        self.assertLess(report["delivered"], 1000000)
        self.assertEqual(there[:report["delivered"]], list(range(report["delivered"])))
        self.assertLessEqual(len(there), report["delivered"] + 64)

    def test_a_stopped_server_gets_no_more_than_one_batch_twice(self):
        server = self.server()
        drive = self.drive(server, "--count", 10000, "--batch", 256, "--pause", 5, "--give-up", 60)
        self.wait_for_length(server, "flows", 3000)
        server.signal(signal.SIGSTOP)
        time.sleep(3.3)  # twice the patience and more
        server.signal(signal.SIGCONT)
        report = drive.end()
        self.assertEqual(report["delivered"], 10000)
        self.assertGreaterEqual(report["failures"], 2)
        self.assertRegex(report["last_error"], "no answer in time")
        there = server.stream("flows")
        self.assertEqual(without_repetitions(there), list(range(10000)))
        self.assertLessEqual(len(there), 10000 + 256)

    def test_what_a_slow_way_takes_in_time_counts_so_that_the_rest_follows(self):
        server = self.server()
        way = Listener(self, slow_way(server.port))
        report = self.drive(way, "--count", 120, "--padding", 30000, "--give-up", 20).end()
        self.assertEqual(report["delivered"], 120)
        # Until a transaction is small enough, and none that would not come to its end is begun after it.
        self.assertIn(report["failures"], range(1, 6), report)
        there = server.stream("flows")
        self.assertEqual(without_repetitions(there), list(range(120)))
        self.assertLess(len(there), 360)

    def test_a_connection_that_the_server_closed_for_idling_is_made_again(self):
        server = self.server()
        drive = self.drive(server, "--count", 3, "--batch", 1, "--pause", 700)
        for n in (1, 2):
            self.wait_for_length(server, "flows", n)
            server.do("CLIENT", "KILL", "TYPE", "normal")  # as its `timeout` does
        report = drive.end()
        self.assertEqual((report["delivered"], report["deliveries"], report["failures"]), (3, 3, 0), report)
        self.assertEqual(server.stream("flows"), [0, 1, 2])

    def test_the_node_of_a_cluster_that_has_the_key_is_found(self):
        nodes = [self.server("--cluster-enabled", "yes", "--cluster-port", free_port()) for _ in range(2)]
        self.refused(nodes[0], "CLUSTERDOWN .*does not serve the key")
        ports = [re.search(r":\d+@(\d+)", node.do("CLUSTER", "NODES"))[1] for node in nodes]
        nodes[0].do("CLUSTER", "MEET", "127.0.0.1", nodes[1].port, ports[1])
        nodes[1].do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        end = time.monotonic() + 30
        while any("cluster_state:ok" not in node.do("CLUSTER", "INFO") for node in nodes):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.delivered(nodes[0], "--count", 2000)
        self.assertEqual(nodes[1].stream("flows"), list(range(2000)))


@unittest.skipIf(WHY_NOT, WHY_NOT)
@unittest.skipUnless(is_installed("redis-server"), "redis-server is not installed")
class WholeRun(Sinks):
    def test_what_waits_survives_a_server_that_dies_and_what_finds_no_room_is_counted(self):
        server = RedisServer(self, self.folder)
        packets = packets_of_flows(20000, 2)
        self.start(packets, f"[records broker]\nto = redis\nserver = {server.address}\ntopic = packets\n"
                            "records = packets\nqueue = 16384\n")
        self.wait_for(lambda report: report["sinks"]["broker"]["dropped_full"] > 0)
        server.start()
        end = time.monotonic() + 30
        while server.do("XLEN", "packets") < 2000:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.005)
        server.restart()
        self.wait_for(lambda report: not report["sinks"]["broker"]["queued"])
        report = self.stop()
        broker = report["sinks"]["broker"]
        self.assertEqual(broker["accepted"] + report["flows"]["packet_records_lost"], len(packets))
        self.assertGreaterEqual(broker["delivered"], 16384)
        self.assertEqual((broker["dropped_end"], broker["error"]), (0, None))
        self.assertGreaterEqual(broker["failures"], 2)
        numbers = server.stream("packets", "n")
        # All that was acknowledged, and twice at most what was under way.
        self.assertEqual(len(set(numbers)), broker["delivered"])
        self.assertLessEqual(len(numbers), broker["delivered"] + 512)
        self.assertIn("Connection refused: check that it runs, and `server`; records wait", self.said())


ENTRY = b"$3\r\n1-1\r\n"
BEGUN, EMPTY = b"+OK\r\n", b"*0\r\n"  # MULTI, and EXEC of nothing


def taken(*answers):
    """What is answered to a transaction of as many records."""
    return BEGUN + b"+QUEUED\r\n" * len(answers) + b"*%d\r\n" % len(answers) + b"".join(answers)


def parrot(*answers):
    """Answers the greeting, then each transaction with one of these; further ones, and the next connection's, with
    nothing."""
    def talk(listener, connection):
        left = [BEGUN, EMPTY, *(answers if listener.n_connections == 1 else ())]
        while left:
            data = b""
            while not data.endswith(b"EXEC\r\n") and data != resp("MULTI"):
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            connection.sendall(left.pop(0))
        silence(listener, connection)
    return talk


@unittest.skipIf(WHY_NOT, WHY_NOT)
class OtherServers(Redis):
    def test_answers_count_up_to_the_first_error(self):
        server = Listener(self, parrot(taken(*[ENTRY] * 10, b"-OOM command not allowed\r\n", *[ENTRY] * 9)))
        report = self.drive(server, "--count", 20, "--give-up", 0).end()
        self.assertEqual((report["delivered"], report["deliveries"]), (10, 1), report)
        self.assertRegex(report["errors"][0], "XADD: OOM command not allowed: raise")

    def test_a_transaction_that_is_not_made_acknowledges_nothing(self):
        queued = BEGUN + b"+QUEUED\r\n" * 5
        for answer, reason in ((queued + b"-EXECABORT Transaction discarded because of: OOM no\r\n", "EXEC: .*maxmemory"),
                               (queued + b"*-1\r\n", "answers what Redis would not"),
                               (queued + b"+OK\r\n", "answers what Redis would not"),
                               (queued + EMPTY, "answers what Redis would not"),
                               (queued + b"*6\r\n" + ENTRY * 6, "answers what Redis would not"),
                               (queued + b"*5\r\n" + ENTRY * 4, "no answer in time"),
                               (BEGUN + b"+QUEUED\r\n" * 4 + b"*5\r\n" + ENTRY * 5, "no answer in time"),
                               (queued + b"*5\r\n*0\r\n" + ENTRY * 4, "answers what Redis would not"),
                               (queued + b"*5\r\n-WRONGTYPE a\r\n-B b\r\n" + ENTRY * 3, "XADD: WRONGTYPE .*the key")):
            with self.subTest(answer):
                server = Listener(self, parrot(answer))
                report = self.drive(server, "--count", 5, "--give-up", 0).end()
                self.assertEqual(report["delivered"], 0, report)
                self.assertRegex(report["last_error"], reason)

    def test_answers_that_nobody_asked_for_acknowledge_nothing(self):
        server = Listener(self, parrot(taken(*[ENTRY] * 5) + taken(*[ENTRY] * 5)))
        report = self.drive(server, "--count", 10, "--batch", 5, "--pause", 300, "--give-up", 0).end()
        self.assertEqual((report["delivered"], server.n_connections), (5, 2), report)

    def test_nodes_that_name_each_other_are_not_followed_for_ever(self):
        server = Listener(self, lambda *_: None)
        server.talk = saying(b"-MOVED 1 " + server.address.encode() + b"\r\n", 0)
        self.refused(server, "MOVED")
        self.assertLessEqual(server.n_connections, 4)

    def test_a_node_that_hangs_is_left_for_the_server_of_the_config(self):
        node = Listener(self, silence)
        moved = b"-MOVED 1 " + node.address.encode() + b"\r\n"

        def talk(listener, connection):
            answer = taken(*[ENTRY] * 5) if listener.n_connections > 1 else BEGUN + moved * 5
            for answer in (BEGUN, EMPTY, answer):
                connection.recv(65536)
                connection.sendall(answer)
        server = Listener(self, talk)
        report = self.drive(server, "--count", 5, "--give-up", 20).end()
        self.assertEqual((report["delivered"], report["failures"]), (5, 1), report)
        self.assertEqual((server.n_connections, node.n_connections), (2, 1))

    def test_moves_to_nowhere_are_refused(self):
        for where in (b"", b"1", b"1 :", b"1 x", b"1 x:0", b"1 x:99999", b"1 \x1b[31m:1", b"1 " + b"y" * 300 + b":1",
                      b"1 :" + b"1" * 90):
            with self.subTest(where):
                self.refused(Listener(self, saying(b"-MOVED " + where + b"\r\n", 0)), "MOVED|its name is not found")

    def test_a_server_that_repeats_the_password_does_not_get_it_shown(self):
        answer = b"-ERR unknown command `AUTH`, with args beginning with: `my secret`\r\n"
        report = self.refused(Listener(self, saying(answer)), "does not take the password", password="my secret")
        self.assertNotIn("my secret", str(report))

    def test_errors_that_come_before_it_listens_are_told_of(self):
        for password in (None, "my secret"):
            self.refused(Listener(self, saying(b"-ERR max number of clients reached\r\n")),
                         "max number of clients reached: raise its maxclients", password=password)
            self.refused(Listener(self, saying(b"-LOADING Redis is loading the dataset in memory\r\n")),
                         "LOADING .*asked again", password=password)
        self.refused(Listener(self, saying(b"-ERR invalid password\r\n")), "refuses the user or the password",
                     password="my secret")

    def test_a_server_without_streams_is_told_of(self):
        def talk(_, connection):
            for answer in (BEGUN, EMPTY, BEGUN + b"-ERR unknown command 'XADD'\r\n" * 5):
                connection.recv(65536)
                connection.sendall(answer)
        self.refused(Listener(self, talk), "streams need Redis 5: use a list there")

    def test_an_error_that_quotes_the_password_does_not_get_it_shown(self):
        def talk(_, connection):
            for answer in (b"+OK\r\n", b"-NOAUTH my secret my secret\r\n"):
                connection.recv(65536)
                connection.sendall(answer)
        report = self.refused(Listener(self, talk), r"MULTI: NOAUTH \*{9} \*{9}: it wants a password",
                              password="my secret")
        self.assertNotIn("my secret", str(report))

    def test_what_does_not_answer_gets_no_records(self):
        got = []

        def talk(listener, connection):
            while not listener.ends.is_set():
                try:
                    got.append(connection.recv(65536))
                except TimeoutError:
                    pass
        self.refused(Listener(self, talk), "no answer in time")
        self.assertEqual(b"".join(got), resp("MULTI"))

    def test_what_never_answers_does_not_hold_up_its_thread(self):
        self.at_once({"silent": Listener(self, silence).address, "black hole": black_hole(self),
                       "dribbling": Listener(self, dribble).address},
                lambda address: self.refused(address, "no answer in time|timed out"))

    def test_connecting_takes_little_of_the_time_that_is_left_when_the_run_ends(self):
        report = self.refused(black_hole(self), "timed out", "--ends")
        self.assertLess(report["longest_ms"], 2000)

    @unittest.skipIf(os.geteuid() != 0, "another name service needs root")
    def test_a_name_service_that_never_answers_does_not_hold_up_its_thread(self):
        with socket.socket(type=socket.SOCK_DGRAM) as names:
            try:
                names.bind(("127.0.0.77", 53))
            except OSError as error:
                self.skipTest(f"127.0.0.77:53: {error}")
            (self.folder / "resolv.conf").write_text("nameserver 127.0.0.77\n")
            (self.folder / "nsswitch.conf").write_text("hosts: dns\n")
            command = "".join(f"mount --bind {self.folder}/{name} /etc/{name} && "
                              for name in ("resolv.conf", "nsswitch.conf"))
            command += f"exec {DRIVE_SINK} redis --server host.invalid --topic t --count 1 --give-up 2"
            result = subprocess.run(["unshare", "--mount", "sh", "-c", command], capture_output=True, text=True,
                                    check=False, timeout=60)
        if result.returncode != 1 or not result.stdout:
            self.skipTest(f"mounts are not permitted here: {result.stderr}")
        report = json.loads(result.stdout)
        self.assertRegex(report["errors"][0], "looking its name up takes too long")
        self.assertLessEqual(report["longest_ms"], PATIENCE_MS)
        self.assertEqual(result.stderr, "")

    @unittest.skipIf(NO_TLS, NO_TLS)
    def test_what_speaks_no_tls_does_not_hold_up_its_thread(self):
        def check(talk):
            server = Listener(self, talk)
            report = self.refused("tls://" + server.address, "TLS: |reset by peer")
            self.assertLess(report["max_rss_kb"], 80 << 10)
            server.end()
        self.at_once({"silent": silence, "dribbling": dribble, "another protocol": flooder(b"", b"x" * 65536),
                       "a record without end": flooder(b"\x16\x03\x03\x40\0", b"x" * 65536), "reset": reset}, check)

    @unittest.skipIf(NO_TLS, NO_TLS)
    def test_what_says_hello_again_without_end_does_not_hold_up_its_thread(self):
        # A client has to overlook HelloRequest while it shakes hands, and OpenSSL does as long as there are some.
        hello_again = (b"\x16\x03\x03\x40\0" + bytes(16384)) * 16
        report = self.refused("tls://" + Listener(self, flooder(b"", hello_again)).address, "TLS: no answer in time")
        self.assertLess(report["max_rss_kb"], 80 << 10)

    def test_nobody_there_is_told_of(self):
        self.refused(f"127.0.0.1:{free_port()}", "Connection refused: check that it runs")
        self.refused("/nowhere/redis.socket", "No such file")
        self.refused("no-such-host.invalid:6379", "its name is not found|name up takes too long")

    def test_servers_that_are_none_are_refused_in_bounded_memory(self):
        floods = {
            "a bulk of 4 GB": flooder(b"$4294967295\r\n", b"x" * 65536),
            "a bulk that ends": flooder(b"$536870911\r\n", b"x" * 65536),
            "a bulk of negative length": saying(b"$-7\r\n"),
            "an array of a billion": flooder(b"*1000000000\r\n", b"$1\r\nx\r\n" * 5000),
            "arrays in arrays": flooder(b"", b"*1\r\n" * 5000),
            "a line without end": flooder(b"+", b"x" * 65536),
            "an error without end": flooder(b"-", b"\x1b[31m" * 5000),
            "answers without end": flooder(b"", b"+PONG\r\n" * 5000),
            "errors without end": flooder(b"", b"-ERR no\r\n" * 5000),
            "integers without end": flooder(b"", b":1\r\n" * 5000),
            "an integer of many digits": flooder(b":", b"9" * 65536),
            "another protocol": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "types of RESP3": saying(b"%1\r\n+a\r\n+b\r\n"),
            "a push of RESP3": saying(b">1\r\n+a\r\n"),
            "a double of RESP3": saying(b",1.5\r\n"),
            "closed at once": lambda *_: None,
            "reset at once": reset,
        }

        def check(name):
            server = Listener(self, floods[name])
            report = self.drive(server, "--count", 600, "--give-up", 0).end()
            self.assertLess(report["max_rss_kb"], 80 << 10)
            self.assertEqual(report["delivered"], 0, report)
            self.assertTrue(report["last_error"])
            server.end()
        self.at_once(zip(floods, floods), check)

    def test_noise_is_refused(self):
        def check(noise):
            server = Listener(self, lambda _, connection: connection.sendall(noise))
            report = self.refused(server, ".")
            self.assertLess(report["max_rss_kb"], 80 << 10)
            server.end()
        self.at_once(enumerate(noises()), check)

    def test_servers_that_cannot_be_are_refused_at_once(self):
        for server in ("", ":1", "tls://", "host:0", "host:65536", "host:port", "host:1:2", "::1", "[::1", "[::1]1",
                       "[]:1", "/" + "p" * 108, "h" * 256, "redis://:hunter2@host:1"):
            with self.subTest(server):
                drive = self.drive(server, "--count", 1)
                _, error = drive.process.communicate(timeout=60)
                self.assertEqual(drive.process.returncode, 1)
                self.assertRegex(error, "^drive_sink: .*(no server|too long|needs `server`|no TLS).*\n$")
                self.assertNotIn("hunter2", error)


if __name__ == "__main__":
    unittest.main()

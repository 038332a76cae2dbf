# SPDX-License-Identifier: BSD-3-Clause
"""Records to RabbitMQ: a real broker that is killed, stopped, full or blocked."""
import json
import signal
import tempfile
import time
import unittest

from sink_servers import (Amqp, RABBITMQ_SERVER, RabbitServer, SinkTest, certificate, free_port, is_installed, kinds,
                          why_no_tls)

KIND = "rabbitmq"
WHY_NOT = None if KIND in kinds() else "built without rabbitmq"
NO_TLS = WHY_NOT or why_no_tls()


@unittest.skipIf(WHY_NOT, WHY_NOT)
@unittest.skipUnless(is_installed(RABBITMQ_SERVER, "epmd"), "rabbitmq-server is not installed")
class RealRabbit(SinkTest):
    kind = KIND

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
        self.delivered(self.server, "--count", 3000, topic="each")
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
        self.delivered(self.server, "--count", 300, "--padding", 50000, topic="large")
        self.assertEqual(self.take("large"), list(range(300)))

    def test_exchange_routing_key_virtual_host_and_user_lead_to_a_queue(self):
        login = {"user": "wire", "password": self.server.PASSWORD, "host": "taps"}
        with Amqp(self.server.port, **login) as amqp:
            amqp.declare("q")
            amqp.declare_exchange("records", "topic")
            amqp.bind("q", "records", "flows.#")
        arguments = ("--exchange", "records", "--virtual-host", "taps", "--user", "wire")
        self.delivered(self.server, *arguments, "--count", 100, topic="flows.attack", password=self.server.PASSWORD)
        with Amqp(self.server.port, **login) as amqp:
            self.assertEqual(len(amqp.take_all("q")), 100)
        self.refused(self.server, "no queue takes routing key 'packets' of exchange 'records'", *arguments,
                     topic="packets", password=self.server.PASSWORD)

    def test_what_no_queue_takes_is_not_counted_and_arrives_once_there_is_one(self):
        drive = self.drive(self.server, "--count", 700, "--give-up", 60, topic="later")
        time.sleep(1)
        self.declare("later")
        report = drive.end()
        self.assertEqual(report["delivered"], 700)
        self.assertRegex(report["errors"][0], "no queue takes routing key 'later' of exchange '': declare")
        self.assertEqual(self.take("later"), list(range(700)))

    def test_what_a_full_queue_refuses_is_not_counted(self):
        self.declare("full", max_length=100, overflow="reject-publish")
        report = self.drive(self.server, "--count", 400, "--give-up", 0, topic="full").end()
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
        self.delivered(f"tls://localhost:{self.tls_port}", "--count", 3000, topic="tls", trusted=self.crt)
        self.assertEqual(self.take("tls"), list(range(3000)))
        self.refused(f"tls://localhost:{self.tls_port}", "TLS: its certificate is refused", topic="tls")

    def test_heartbeats_keep_an_idle_connection(self):
        self.declare("idle")
        report = self.delivered(self.server, "--count", 2, "--batch", 1, "--pause", 6200, topic="idle")
        self.assertEqual(report["deliveries"], 2)
        self.assertEqual(self.take("idle"), [0, 1])

    def test_all_that_was_confirmed_is_there_after_the_broker_was_killed_and_restarted(self):
        self.declare("killed")
        drive = self.drive(self.server, "--count", 8000, "--batch", 256, "--pause", 10, "--give-up", 90,
                           topic="killed")
        self.wait_for_length("killed", 2000)
        self.server.restart()
        report = drive.end()
        self.assertEqual(report["delivered"], 8000)
        self.assertGreaterEqual(report["failures"], 1)
        there = self.take("killed")
        self.assertEqual(sorted(set(there)), list(range(8000)))
        self.assertLessEqual(len(there), 8000 + 256)

    def test_what_it_confirmed_before_it_died_is_there_and_nothing_else_counted(self):
        self.declare("died")
        drive = self.drive(self.server, "--count", 1000000, "--batch", 64, "--give-up", 1, topic="died")
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
        drive = self.drive(self.server, "--count", 8000, "--batch", 256, "--pause", 10, "--give-up", 60,
                           topic="stopped")
        self.wait_for_length("stopped", 2000)
        self.server.signal(signal.SIGSTOP)
        time.sleep(2.5)  # more than the patience
        self.server.signal(signal.SIGCONT)
        report = drive.end()
        self.assertEqual(report["delivered"], 8000)
        self.assertRegex(str(report["errors"]), "no confirm in time|no answer in time")
        there = self.take("stopped")
        self.assertEqual(sorted(set(there)), list(range(8000)))
        self.assertLessEqual(len(there), 8000 + 256)

    def test_a_broker_that_blocks_is_waited_for(self):
        self.declare("blocked")
        drive = self.drive(self.server, "--count", 4000, "--batch", 64, "--pause", 20, "--give-up", 90,
                           topic="blocked")
        self.wait_for_length("blocked", 500)
        self.server.control("set_vm_memory_high_watermark", "0.0000001")
        try:
            time.sleep(2.5)
        finally:
            self.server.control("set_vm_memory_high_watermark", "0.4")
        report = drive.end()
        self.assertEqual(report["delivered"], 4000)
        self.assertRegex(str(report["errors"]), "takes nothing for now .*memory")
        there = self.take("blocked")
        self.assertEqual(sorted(set(there)), list(range(4000)))
        self.assertLessEqual(len(there), 4000 + 64)


if __name__ == "__main__":
    unittest.main()

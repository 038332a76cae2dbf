# SPDX-License-Identifier: BSD-3-Clause
"""Records to Kafka: librdkafka's mock cluster, brokers that go and come back, requests that fail."""
import collections
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

import kafka_log
from asked_drive import AskedDrive
from test_sinks import Sinks, packets_of_flows

DRIVE = os.environ.get('DRIVE_KAFKA')
PATIENCE = 5.0

# Kafka's protocol: kinds of requests, and errors of brokers.
PRODUCE, METADATA, INIT_PRODUCER_ID = 0, 3, 22
NOT_LEADER, TIMED_OUT, NOT_ENOUGH_REPLICAS, OUT_OF_ORDER, CLUSTER_REFUSED = 6, 7, 19, 45, 31
DISCONNECT = -195  # RD_KAFKA_RESP_ERR__TRANSPORT: the broker hangs up


@unittest.skipUnless(DRIVE and os.path.exists(DRIVE), 'built without librdkafka')
class SinkKafka(AskedDrive):
    program = DRIVE

    def open(self, n_brokers, n_partitions, *properties):
        self.make_cluster(n_brokers, n_partitions)
        self.assertEqual(self.do('open', 'mock', *properties), {})

    def make_cluster(self, n_brokers, n_partitions):
        self.servers, self.n_partitions = self.do('cluster', n_brokers, 'records', n_partitions)['servers'], n_partitions
        # The mock cluster draws who leads what: one broker may lead nothing, and would not be missed.
        for partition in range(n_partitions):
            self.do('leader', partition, 1 + partition % n_brokers)

    def run_all(self, seconds=60, *until):
        done = self.do('run', seconds, *until)
        self.assertLess(done['longest'], PATIENCE)
        return done

    def messages(self):
        for partition in range(self.n_partitions):
            batches = kafka_log.read_partition(self.servers, 'records', partition)
            for batch in kafka_log.as_real_brokers(batches):
                self.assertGreaterEqual(batch.producer, 0, 'the producer is not idempotent')
                yield from batch.messages

    def assert_all_there(self, n, once=True, in_order=True):
        """Numbers 0..n-1 are in the topic (once), each conversation in one partition and in order."""
        partitions, numbers = collections.defaultdict(set), collections.defaultdict(list)
        counts = collections.Counter()
        for message in self.messages():
            value = json.loads(message.value)
            counts[value['n']] += 1
            self.assertEqual(message.key, b'%016x' % value['key'] if value['key'] else None)
            if value['key']:
                partitions[value['key']].add(message.partition)
                numbers[value['key']].append(value['n'])
        self.assertEqual(sorted(counts), list(range(n)))
        if once:
            self.assertEqual([number for number, count in counts.items() if count > 1], [])
        for key, where in partitions.items():
            self.assertEqual(len(where), 1, 'conversation %d is in partitions %s' % (key, where))
            if in_order:
                self.assertEqual(numbers[key], sorted(numbers[key]), 'conversation %d is out of order' % key)
        return partitions

    def test_each_record_arrives_once_and_a_conversation_stays_in_one_partition(self):
        self.open(3, 8)
        self.do('offer', 5000, 100)
        self.assertEqual(self.run_all()['left'], 0)
        partitions = self.assert_all_there(5000)
        self.assertEqual(set().union(*partitions.values()), set(range(8)), 'all partitions are used')
        self.assertLess(self.do('close')['seconds'], PATIENCE)

    def test_a_broker_that_goes_down_in_the_middle_loses_and_doubles_nothing(self):
        self.open(3, 6)
        self.do('offer', 6000, 50)
        self.run_all(60, 2000)
        self.do('down', 1)
        held_up = self.run_all(9)
        self.assertGreater(held_up['left'], 0)
        self.assertTrue(held_up['reason'].startswith('kafka at 127.0.0.1:'), held_up)
        self.do('up', 1)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_there(6000)

    def test_partitions_that_move_to_other_brokers_are_followed(self):
        self.open(3, 4)
        self.do('offer', 4000, 50)
        self.run_all(60, 1000)
        self.do('down', 2)
        for partition in range(4):
            self.do('leader', partition, 1 + 2 * (partition % 2))
        self.assertEqual(self.run_all()['left'], 0)
        self.do('up', 2)
        self.assert_all_there(4000)

    def test_requests_that_fail_are_made_again_without_doubles(self):
        self.open(3, 4)
        self.do('offer', 3000, 50)
        self.run_all(60, 500)
        self.do('errors', PRODUCE, NOT_LEADER, TIMED_OUT, DISCONNECT, NOT_ENOUGH_REPLICAS, DISCONNECT, TIMED_OUT)
        self.do('errors', METADATA, DISCONNECT, TIMED_OUT)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_there(3000)

    def test_a_cluster_that_is_not_there_at_the_start_is_waited_for(self):
        self.make_cluster(2, 4)
        self.do('down', -1)
        self.assertEqual(self.do('open', 'mock'), {})
        self.do('offer', 1500, 20)
        waited = self.run_all(6)
        self.assertEqual(waited['delivered'], 0)
        self.assertGreater(waited['failures'], 0)
        self.assertIn('Connection refused', waited['reason'])
        self.do('up', -1)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_there(1500)

    def test_a_broker_that_accepts_and_says_nothing_costs_no_more_than_patience(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            self.assertEqual(self.do('open', '127.0.0.1:%d' % server.getsockname()[1]), {})
            self.do('offer', 10, 2)
            waited = self.run_all(6)
            self.assertEqual(waited['delivered'], 0)
            self.assertIn('kafka at 127.0.0.1:', waited['reason'])
            self.assertLess(self.do('close')['seconds'], PATIENCE)

    def test_the_end_of_a_run_does_not_wait_for_a_dead_cluster(self):
        self.make_cluster(1, 1)
        self.do('down', -1)
        self.do('open', 'mock')
        self.do('offer', 100, 2)
        self.do('stop')
        self.assertLess(self.run_all(0.1)['longest'], 1.5)
        self.assertLess(self.do('close')['seconds'], PATIENCE)

    def test_a_producer_that_the_cluster_refuses_for_good_is_made_anew(self):
        self.open(1, 2)
        self.do('errors', INIT_PRODUCER_ID, CLUSTER_REFUSED)
        self.do('offer', 1000, 10)
        done = self.run_all()
        self.assertEqual(done['left'], 0)
        self.assertGreater(done['failures'], 0)
        self.assert_all_there(1000)

    def test_after_an_error_that_breaks_the_promise_of_once_all_is_there_at_least_once(self):
        self.open(2, 2)
        self.do('offer', 3000, 10)
        self.run_all(60, 600)
        self.do('errors', PRODUCE, OUT_OF_ORDER)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_there(3000, once=False, in_order=False)

    def test_records_that_time_out_by_the_users_own_property_come_again(self):
        self.open(1, 2, 'message.timeout.ms=1000')
        self.do('offer', 800, 10)
        self.run_all(60, 100)
        self.do('down', 1)
        held_up = self.run_all(4)
        self.assertIn('timed out', held_up['reason'])
        self.do('up', 1)
        self.assertEqual(self.run_all()['left'], 0)
        # Of a batch some may have been there before others timed out.
        self.assert_all_there(800, once=False, in_order=False)

    def test_a_full_queue_of_librdkafka_only_means_more_calls(self):
        self.open(1, 1, 'queue.buffering.max.messages=100')
        self.do('offer', 2000, 10)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_there(2000)

    def test_a_record_larger_than_allowed_is_an_error_that_says_so(self):
        self.open(1, 1, 'message.max.bytes=1000')
        self.do('offer', 10, 2, 2000)
        done = self.run_all(1)
        self.assertEqual(done['left'], 10)
        self.assertIn('size too large', done['reason'])

    def test_properties_that_cannot_be_are_refused_when_it_opens(self):
        for properties, text in (
                (['no.such.thing=1'], 'property no.such.thing: No such configuration property'),
                (['acks=1'], 'acks'),
                (['compression.codec=best'], 'property compression.codec: librdkafka does not accept its value'),
                (['bootstrap.servers=x:1'], "property bootstrap.servers: cannot be set: brokers are told by `server`"),
                (['enable.idempotence'], 'is not of the form name=value'),
                (['=x'], 'is not of the form name=value'),
                (['security.protocol=ssl', 'ssl.ca.location=/nonexistent/ca.pem'], 'ssl.ca.location'),
                (['security.protocol=sasl_plaintext', 'sasl.mechanisms=NONSENSE'], 'NONSENSE'),
                (['delivery.report.only.error=true'], 'cannot be set')):
            with self.subTest(properties=properties):
                error = self.do('open', '127.0.0.1:1', *properties).get('error', '')
                self.assertIn(text, error)

    @unittest.skipUnless(shutil.which('openssl'), 'no openssl')
    def test_tls_is_by_librdkafkas_own_properties(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = os.path.join(folder, 'key'), os.path.join(folder, 'certificate')
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                            '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=broker',
                            '-addext', 'subjectAltName=IP:127.0.0.1'], check=True, capture_output=True)
            # Without the certificate of the authority nobody is believed.
            for properties in ['ssl.ca.location=' + certificate], []:
                with self.subTest(properties=properties), socket.create_server(('127.0.0.1', 0)) as server:
                    said = []
                    thread = threading.Thread(target=self.greet, args=(server, certificate, key, said))
                    thread.start()
                    self.assertEqual(self.do('open', '127.0.0.1:%d' % server.getsockname()[1],
                                             'security.protocol=ssl', *properties), {})
                    self.do('offer', 1, 1)
                    reason = self.run_all(0.1)['reason']
                    self.do('close')
                    thread.join()
                    if properties:
                        self.assertEqual(said[0][4:6], b'\0\x12', 'Kafka asks for the versions of its API, by TLS')
                    else:
                        self.assertIsInstance(said[0], ssl.SSLError)
                        self.assertIn('certificate', reason)

    @staticmethod
    def greet(server, certificate, key, said):
        """Takes one connection and keeps the first bytes of the request, or why it had none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.settimeout(10)
        try:
            with server.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as broker:
                said.append(broker.recv(8))
        except OSError as error:
            said.append(error)

    def test_no_secret_is_in_any_text(self):
        secret = 'hunter2-and-more'
        self.do('user', 'sensor', secret)
        said = [self.do('open', '127.0.0.1:1', 'sasl.password=' + secret),
                self.do('open', '127.0.0.1:1', 'ssl.key.pem=' + secret, 'security.protocol=ssl')]
        for answer in said:
            self.assertIn('error', answer)
        # librdkafka quotes this one.
        self.assertEqual(self.do('open', '127.0.0.1:1', 'sasl.mechanisms=OAUTHBEARER', 'sasl.oauthbearer.config=' + secret,
                                 'enable.sasl.oauthbearer.un' 'secure.jwt=true', 'security.protocol=sasl_plaintext'), {})
        self.do('offer', 1, 1)
        said.append(self.run_all(1))
        self.assertIn('why is not shown', said[-1]['reason'])
        self.do('close')
        with socket.create_server(('127.0.0.1', 0)) as server:
            server.settimeout(10)
            self.assertEqual(self.do('open', 'localhost:%d' % server.getsockname()[1], 'security.protocol=sasl_plaintext',
                                     'sasl.mechanisms=PLAIN', 'debug=all'), {})
            self.do('offer', 1, 1)
            said.append(self.run_all(1))
        self.do('close')
        self.assertNotIn(secret, repr(said))
        self.assertNotIn(secret, self.stderr())


@unittest.skipUnless(DRIVE and os.path.exists(DRIVE), 'built without librdkafka')
class WholeRun(Sinks):
    def test_all_packets_of_a_conversation_are_in_one_partition_in_order(self):
        cluster = subprocess.Popen([DRIVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   text=True)
        self.addCleanup(cluster.communicate)
        cluster.stdin.write('cluster 2 packets 4\n')
        cluster.stdin.flush()
        servers = json.loads(cluster.stdout.readline())['servers']
        packets = packets_of_flows(300, 10)
        self.start(packets, f'[records broker]\nto = kafka\nserver = {servers}\ntopic = packets\nrecords = packets\n'
                            'properties = linger.ms=5 batch.num.messages=100\n')
        self.wait_for(lambda report: report['sinks']['broker']['delivered'] == len(packets))
        self.stop()
        conversations, n_keyless = collections.defaultdict(list), 0
        for partition in range(4):
            for message in self.messages(servers, partition):
                record = json.loads(message.value)
                n_keyless += message.key is None
                if message.key:
                    self.assertEqual(message.key.decode(), record['flow_id'])
                    conversations[message.key].append((partition, record['n']))
        self.assertEqual((len(conversations), n_keyless), (300, 1))
        for key, places in conversations.items():
            self.assertEqual(len({partition for partition, _ in places}), 1, key)
            self.assertEqual([n for _, n in places], sorted(n for _, n in places), key)
            self.assertEqual(len(places), 10, key)

    @staticmethod
    def messages(servers, partition):
        for batch in kafka_log.read_partition(servers, 'packets', partition):
            yield from batch.messages


if __name__ == '__main__':
    unittest.main()

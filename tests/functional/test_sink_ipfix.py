# SPDX-License-Identifier: BSD-3-Clause
"""Flow records to collectors of IPFIX: this script's, nfdump's nfcapd and libfixbuf's own reader."""
import datetime
import json
import math
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import ipfix_messages
from asked_drive import AskedDrive
from test_sinks import Sinks, packets_of_flows

DRIVE = os.environ.get('DRIVE_IPFIX')
PATIENCE = 5.0
REASONS = {'idle': 1, 'active': 2, 'fin': 3, 'rst': 3, 'end': 4, 'evicted': 5}
ICMP, ICMPV6 = 1, 58
NTP_TO_UNIX = 2208988800
# Compiled into the driver of the test, where the program has 60 and 30 seconds.
TEMPLATES_EVERY, SILENT_AT_MOST = 1.0, 6.0


class Collector:
    """Takes connections, or datagrams, on a port of loopback; each connection's bytes apart."""

    def __init__(self, is_udp=False, port=0, reads=True):
        self.is_udp, self.reads, self.ends = is_udp, reads, False
        self.streams, self.connections = [], []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20 if is_udp else 4096)
        self.socket.bind(('127.0.0.1', port))
        self.port = self.socket.getsockname()[1]
        if not is_udp:
            self.socket.listen()
        self.socket.settimeout(0.05)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ends:
            try:
                if self.is_udp:
                    datagram, sender = self.socket.recvfrom(65536)
                    self.take_datagram(datagram, sender)
                else:
                    self.read_connections()
                    connection, _ = self.socket.accept()
                    connection.settimeout(0.01)
                    self.connections.append(connection)
                    self.streams.append(b'')
            except socket.timeout:
                pass

    def take_datagram(self, datagram, sender):
        if sender not in self.connections:
            self.connections.append(sender)
            self.streams.append([])
        self.streams[self.connections.index(sender)].append(datagram)

    def read_connections(self):
        self.socket.settimeout(0.05)
        for i, connection in enumerate(self.connections):
            try:
                while self.reads and connection.fileno() >= 0:
                    part = connection.recv(1 << 16)
                    if not part:
                        break
                    self.streams[i] += part
                    self.socket.settimeout(0.001)
            except OSError:
                pass

    def hang_up(self):
        """By RST, as a collector that is killed with data unread does."""
        for connection in self.connections:
            if connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                connection.close()

    def end(self):
        self.ends = True
        self.thread.join()
        self.socket.close()
        if not self.is_udp:
            self.hang_up()

    def sessions(self):
        sessions = []
        for stream in self.streams:
            session = ipfix_messages.Session()
            for message in stream if self.is_udp else ipfix_messages.split(stream):
                session.take(message)
            sessions.append(session)
        return sessions


@unittest.skipUnless(DRIVE and os.path.exists(DRIVE), 'built without libfixbuf')
class SinkIpfix(AskedDrive):
    program = DRIVE
    # GLib's pools hide from sanitizers what is not freed.
    environment = {'G_SLICE': 'always-malloc'}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.lines = os.path.join(self.folder.name, 'lines')
        super().setUp()

    def end(self):
        self.assertEqual(super().end(), '')

    def collector(self, **options):
        collector = Collector(**options)
        self.addCleanup(lambda: collector.ends or collector.end())
        return collector

    def open(self, port, *how):
        self.assertEqual(self.do('open', '127.0.0.1:%d' % port, *how), {})

    def make(self, n):
        self.do('make', n, self.lines)

    def run_all(self, seconds=60, *until):
        done = self.do('run', seconds, *until)
        self.assertLess(done['longest'], PATIENCE)
        return done

    def records(self):
        with open(self.lines, encoding='utf-8') as file:
            return [json.loads(line, parse_float=lambda text: text) for line in file]

    def flows_after(self, collector, n):
        """What the collector has once it has so many flows, of all connections."""
        for _ in range(200):
            flows = [flow for session in collector.sessions() for flow in session.flows]
            if len(flows) >= n:
                return flows
            time.sleep(0.05)
        self.fail('%d flows instead of %d' % (len(flows), n))

    def assert_same(self, flow, record, has_series=True):
        """Every element of a flow is that of its line of JSON, and nothing is there that is not known."""
        line, expected = record['line'], {}
        family = 'IPv6' if ':' in line['src'] else 'IPv4'
        expected['source%sAddress' % family] = line['src']
        expected['destination%sAddress' % family] = line['dst']
        if has_series and line['protocol'] == (ICMPV6 if family == 'IPv6' else ICMP):
            expected['icmpTypeCode' + family] = record['icmp']
        else:
            expected['sourceTransportPort'] = line['src_port']
            expected['destinationTransportPort'] = line['dst_port']
        for name, key in (('octetDeltaCount', 'bytes_fwd'), ('reverseOctetDeltaCount', 'bytes_bwd'),
                          ('packetDeltaCount', 'packets_fwd'), ('reversePacketDeltaCount', 'packets_bwd'),
                          ('wirescorePayloadOctets', 'payload_fwd'), ('protocolIdentifier', 'protocol'),
                          ('wirescoreReversePayloadOctets', 'payload_bwd'), ('wirescoreSlice', 'slice')):
            expected[name] = line[key]
        for name, key in (('tcpControlBits', 'tcp_flags_fwd'), ('reverseTcpControlBits', 'tcp_flags_bwd')):
            expected[name] = sum(1 << 'FSRPAUEC'.index(letter) for letter in line[key])
        for name, key in (('flowStart', 'start'), ('flowEnd', 'end')):
            seconds, ns = (int(part) for part in line[key].split('.'))
            expected[name + 'Milliseconds'] = seconds * 1000 + ns // 1000000
            expected[name + 'Nanoseconds'] = seconds * 10 ** 9 + ns
            ntp = flow[name + 'Nanoseconds']
            flow[name + 'Nanoseconds'] = ((ntp >> 32) - NTP_TO_UNIX) * 10 ** 9 + round((ntp % 2 ** 32) * 1e9 / 2 ** 32)
        expected['flowId'] = int(line['flow_id'], 16)
        expected['flowEndReason'] = REASONS[line['reason']]
        expected['biflowDirection'] = 1
        if line['vlan'] is not None:
            expected['vlanId'] = line['vlan']
        if 'tunnel_id' in line:
            expected['wirescoreTunnelId'] = line['tunnel_id']
        if line['class'] is not None:
            name = line['class'].encode()[:254].decode(errors='ignore')
            expected['wirescoreClass'] = name
            expected['wirescoreLogit'] = float(line['logit'])
            expected['wirescoreVerdictPacket'] = line['verdict_packet']
            expected['wirescoreVerdictAtEnd'] = 1 if line['verdict_at'] == 'end' else 2
            self.assertLess(abs(flow['wirescoreScore'] - float(line['score'])), 6e-7)
            expected['wirescoreScore'] = flow['wirescoreScore']
        self.assertEqual(flow, expected)

    def assert_all_same(self, flows, has_series=True):
        records = self.records()
        self.assertEqual(len(flows), len(records))
        for flow, record in zip(flows, records):
            self.assert_same(flow, record, has_series)

    def assert_sound(self, collector, domain):
        for session in collector.sessions():
            self.assertEqual(session.faults, [])
            self.assertEqual(session.domains, {domain})

    def assert_at_least_once(self, flows):
        wanted = [int(record['line']['flow_id'], 16) for record in self.records()]
        self.assertEqual(set(flow['flowId'] for flow in flows), set(wanted))

    def test_every_field_over_tcp_is_that_of_the_json(self):
        collector = self.collector()
        self.open(collector.port, 'tcp', 4000000007)
        self.make(3000)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_same(self.flows_after(collector, 3000))
        self.assert_sound(collector, 4000000007)
        self.assertEqual(len(collector.streams), 1)
        # All kinds were there: of IPv4 or 6, ports or ICMP, verdict or none, VLAN, tunnel or neither.
        self.assertEqual(collector.sessions()[0].n_template_records, 1 + 24)

    def test_every_field_over_udp_is_that_of_the_json(self):
        collector = self.collector(is_udp=True)
        self.open(collector.port, 'udp', 1)
        self.make(1000)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_same(self.flows_after(collector, 1000))
        self.assert_sound(collector, 1)
        self.assertLessEqual(max(len(datagram) for datagram in collector.streams[0]), 1420)

    def test_without_model_and_series_nothing_is_said_of_them(self):
        collector = self.collector()
        self.open(collector.port, 'tcp', 1, 'plain')
        self.make(200)
        self.run_all()
        self.assert_all_same(self.flows_after(collector, 200), has_series=False)

    def test_templates_are_told_again_over_udp(self):
        collector = self.collector(is_udp=True)
        self.open(collector.port, 'udp', 1)
        for n in (50, 100):
            self.make(50)
            self.run_all()
            self.flows_after(collector, n)
            time.sleep(TEMPLATES_EVERY + 0.1)
        again = ipfix_messages.Session()
        of_second = [i for i, datagram in enumerate(collector.streams[0]) if b'\0\3' == datagram[16:18]][1]
        for datagram in collector.streams[0][of_second:]:
            again.take(datagram)
        self.assertEqual(again.faults, [], 'a collector that was started later knows everything')
        self.assertEqual(len(again.flows), 50)
        self.assert_sound(collector, 1)

    def test_a_collector_that_is_not_there_at_the_start_is_waited_for(self):
        with socket.create_server(('127.0.0.1', 0)) as server:
            port = server.getsockname()[1]
        self.open(port, 'tcp', 1)
        self.make(600)
        waited = self.run_all(1)
        self.assertEqual(waited['delivered'], 0)
        self.assertIn('ipfix collector at 127.0.0.1:%d: Connection refused: check that it runs' % port,
                      waited['reason'])
        collector = self.collector(port=port)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_same(self.flows_after(collector, 600))

    def test_over_udp_a_port_that_nobody_listens_at_is_noticed(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(('127.0.0.1', 0))
            port = server.getsockname()[1]
        self.open(port, 'udp', 1)
        self.make(100)
        waited = self.run_all(1)
        self.assertEqual(waited['delivered'], 0)
        self.assertIn('Connection refused', waited['reason'])
        collector = self.collector(is_udp=True, port=port)
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_at_least_once(self.flows_after(collector, 100))

    def test_a_collector_that_hangs_up_gets_what_it_did_not_acknowledge_again(self):
        collector = self.collector()
        self.open(collector.port, 'tcp', 1)
        self.make(2000)
        self.run_all(60, 1000)
        collector.end()  # by RST: what it has not read is gone
        broken = self.run_all(1)
        self.assertEqual(broken['delivered'], 1024, broken)
        self.assertGreater(broken['failures'], 0)
        other = self.collector(port=collector.port)
        self.assertEqual(self.run_all()['left'], 0)
        self.assertEqual(len(self.flows_after(other, 2000 - 1024)), 2000 - 1024)
        self.assert_at_least_once(self.flows_after(collector, 1) + self.flows_after(other, 1))
        self.assert_sound(other, 1)
        self.assertEqual(other.sessions()[0].sequence, 9 + 2000 - 1024, 'it begins again with the connection')

    def test_a_collector_that_stops_reading_costs_patience_and_gets_nothing_twice(self):
        collector = self.collector(reads=False)
        self.open(collector.port, 'tcp', 1)
        self.make(30000)
        waited = self.run_all(1)  # the last call takes all its patience
        self.assertGreater(waited['left'], 0)
        self.assertIn('it is connected, and takes nothing', waited['reason'])
        collector.reads = True
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_all_same(self.flows_after(collector, 30000))
        self.assertEqual(len(collector.streams), 1, 'the connection was kept')
        self.assert_sound(collector, 1)

    def test_what_the_collectors_host_did_not_acknowledge_is_not_delivered(self):
        collector = self.collector(reads=False)
        self.open(collector.port, 'tcp', 1)
        self.make(30000)
        n = self.run_all(1)['delivered']
        self.assertLess(n, 600, 'its buffer has 4 KB, which is not that of this side')
        collector.end()
        other = self.collector(port=collector.port)
        self.assertEqual(self.run_all()['left'], 0)
        flows = self.flows_after(other, 30000 - n)
        self.assertEqual([flow['flowId'] for flow in flows],
                         [int(record['line']['flow_id'], 16) for record in self.records()[n:]])

    def test_a_collector_that_stops_for_good_is_left_for_a_new_connection(self):
        collector = self.collector(reads=False)
        self.open(collector.port, 'tcp', 1)
        self.make(30000)
        self.run_all(SILENT_AT_MOST + 6)
        self.assertGreater(len(collector.streams), 1)
        collector.reads = True
        self.assertEqual(self.run_all()['left'], 0)
        self.assert_at_least_once(self.flows_after(collector, 30000))

    def test_a_connection_that_is_never_answered_costs_no_more_than_patience(self):
        with socket.socket() as server, socket.socket() as first, socket.socket() as second:
            server.bind(('127.0.0.1', 0))
            server.listen(0)
            for waiting in (first, second):  # they fill the queue: the kernel answers no further one
                waiting.setblocking(False)
                waiting.connect_ex(server.getsockname())
            time.sleep(0.1)
            self.open(server.getsockname()[1], 'tcp', 1)
            self.make(10)
            waited = self.run_all(0.1)
            self.assertIn('Connection timed out: check that it runs', waited['reason'])
            self.do('stop')
            self.assertLess(self.run_all(0.1)['longest'], 1.5)
            self.assertLess(self.do('close')['seconds'], 1)

    def test_a_collector_is_found_by_name_and_by_ipv6(self):
        for name, address in (('localhost', '127.0.0.1'), ('[::1]', '::1')):
            with self.subTest(name=name), socket.create_server(
                    (address, 0), family=socket.AF_INET6 if ':' in address else socket.AF_INET) as server:
                self.assertEqual(self.do('open', '%s:%d' % (name, server.getsockname()[1]), 'tcp', 1), {})
                self.make(5)
                self.assertEqual(self.run_all(5)['left'], 0)
                self.do('close')

    def test_a_name_that_does_not_exist_is_an_error_line(self):
        self.assertEqual(self.do('open', 'no.such.host.invalid:4739', 'tcp', 1), {})
        self.make(5)
        waited = self.run_all(0.5)
        self.assertEqual(waited['delivered'], 0)
        self.assertRegex(waited['reason'], 'ipfix collector at no.such.host.invalid:4739: (its name is not found|looking its name up)')
        self.do('close')

    def test_servers_that_cannot_be_are_refused_when_it_opens(self):
        for server in (':4739', 'host:', 'host:0', 'host:65536', 'host:47x', '::1:4739', '[::1', '[::1]4739', '[]:1',
                       'h' * 100 + '.' + 'h' * 20 + ':99999'):
            with self.subTest(server=server):
                error = self.do('open', server, 'tcp', 1).get('error', '')
                self.assertTrue(error.startswith('%s: no server: give HOST:PORT' % server), error)
        for server in ('/run/collector', 'tls://host:4739'):
            self.assertRegex(self.do('open', server, 'tcp', 1)['error'], '^%s: ipfix takes HOST:PORT' % server)
        self.assertIn('not of packets', self.do('open-packets', '127.0.0.1:1')['error'])

    @unittest.skipUnless(shutil.which('ipfixDump'), 'no ipfixDump (libfixbuf-tools)')
    def test_libfixbufs_own_reader_names_our_elements(self):
        collector = self.collector()
        self.open(collector.port, 'tcp', 7)
        self.make(600)
        self.run_all()
        self.flows_after(collector, 600)
        path = os.path.join(self.folder.name, 'ipfix')
        with open(path, 'wb') as file:
            file.write(collector.streams[0])
        said = subprocess.run(['ipfixDump', '--rfc5610', '--in', path], check=True, capture_output=True).stdout.decode()
        wanted = [record['line'] for record in self.records() if record['line']['class'] is not None]
        classes = re.findall(r'\(32473/1\) +wirescoreClass : \(len: \d+\) (.*)', said)
        logits = re.findall(r'\(32473/3\) +wirescoreLogit : (.*)', said)
        self.assertEqual(classes, [line['class'].encode()[:254].decode(errors='ignore') for line in wanted])
        for said_logit, line in zip(logits, wanted, strict=True):
            self.assertTrue(math.isclose(float(said_logit), float(line['logit']), rel_tol=1e-6), line)
        self.assertIn('%d Data Records' % (600 + 9), said.splitlines()[-1])

    @unittest.skipUnless(shutil.which('nfcapd') and shutil.which('nfdump'), 'no nfcapd (nfdump)')
    def test_nfdump_has_the_same_flows_with_both_directions(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(('127.0.0.1', 0))
            port = server.getsockname()[1]
        log = os.path.join(self.folder.name, 'nfcapd')
        with open(log, 'wb') as file:
            nfcapd = subprocess.Popen(['nfcapd', '-w', self.folder.name, '-p', str(port), '-b', '127.0.0.1', '-B',
                                       '4000000'], stdout=file, stderr=file)
        try:
            for _ in range(100):
                with open(log, 'rb') as file:
                    if b'Startup' in file.read():
                        break
                time.sleep(0.05)
            self.open(port, 'udp', 7)
            self.make(600)
            self.assertEqual(self.run_all()['left'], 0)
            time.sleep(1)
        finally:
            nfcapd.send_signal(signal.SIGTERM)
            nfcapd.wait(timeout=20)
        with open(log, encoding='utf-8', errors='replace') as file:
            self.assertIn('Flows: 600, ', said := file.read())
        self.assertIn('Sequence Errors: 0, Bad Packets: 0', said)
        flows = []
        for name in sorted(os.listdir(self.folder.name)):
            if name.startswith('nfcapd.'):
                text = subprocess.run(['nfdump', '-r', os.path.join(self.folder.name, name), '-o', 'json'], check=True,
                                      capture_output=True, text=True).stdout
                flows += json.JSONDecoder().raw_decode(text[text.index('['):])[0]
        records = self.records()
        self.assertEqual(len(flows), len(records))
        for flow, record in zip(flows, records):
            self.assert_nfdump(flow, record)

    def assert_nfdump(self, flow, record):
        line = record['line']
        family = '6' if ':' in line['src'] else '4'
        expected = {'src%s_addr' % family: line['src'], 'dst%s_addr' % family: line['dst'], 'proto': line['protocol'],
                    'in_packets': line['packets_fwd'], 'in_bytes': line['bytes_fwd'],
                    'out_packets': line['packets_bwd'], 'out_bytes': line['bytes_bwd']}
        if line['protocol'] in (ICMP, ICMPV6):
            expected.update(icmp_type=record['icmp'] // 256, icmp_code=record['icmp'] % 256)
        else:
            expected.update(src_port=line['src_port'], dst_port=line['dst_port'])
            expected['tcp_flags'] = ''.join(letter if letter in line['tcp_flags_fwd'] else '.'
                                            for letter in 'CEUAPRSF')
        if line['vlan'] is not None:
            expected['src_vlan'] = line['vlan']
        for name, key in (('first', 'start'), ('last', 'end')):
            seconds, ns = (int(part) for part in line[key].split('.'))
            told = datetime.datetime.fromtimestamp(seconds)
            expected[name] = '%s.%03d' % (told.strftime('%Y-%m-%dT%H:%M:%S'), ns // 1000000)
        self.assertEqual({key: flow.get(key) for key in expected}, expected)


@unittest.skipUnless(DRIVE and os.path.exists(DRIVE), 'built without libfixbuf')
class WholeRun(Sinks):
    def test_flows_of_a_run_are_with_the_collectors_of_its_config(self):
        collectors = [Collector(), Collector(is_udp=True)]
        for collector in collectors:
            self.addCleanup(collector.end)
        packets = packets_of_flows(500, 3)
        self.start(packets, ''.join(
            f'[records {transport}]\nto = ipfix\nserver = 127.0.0.1:{collector.port}\ntransport = {transport}\n'
            f'domain = 77\n' for transport, collector in zip(('tcp', 'udp'), collectors)))
        report = self.stop()
        for transport, collector in zip(('tcp', 'udp'), collectors):
            self.assertEqual(report['sinks'][transport]['delivered'], 500)
            end = time.monotonic() + 10
            while sum(len(session.flows) for session in collector.sessions()) < 500:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            session, = collector.sessions()
            self.assertEqual((session.faults, session.domains), ([], {77}))
            self.assertEqual({(flow['sourceIPv4Address'], flow['packetDeltaCount'], flow['reversePacketDeltaCount'])
                              for flow in session.flows}, {('10.0.0.1', 3, 0)})
            self.assertEqual({flow['sourceTransportPort'] for flow in session.flows}, set(range(1, 501)))
            self.assertTrue(all('wirescoreClass' in flow for flow in session.flows))


if __name__ == '__main__':
    unittest.main()

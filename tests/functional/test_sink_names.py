# SPDX-License-Identifier: BSD-3-Clause
"""A name server that is silent: neither a look-up nor the end of the program may hold a sink for longer than patience."""
import json
import os
import subprocess
import tempfile
import unittest

PATIENCE = 5.0

# Ends with the driver; a name server that takes queries and says nothing.
INSIDE = '''
mount --make-rprivate / && mount --bind "$0" /etc/resolv.conf && ip link set lo up || exit 77
exec 3< <(exec python3 -c 'if True:
    import socket, sys, time
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        print("ready", flush=True)
        time.sleep(60)')
server=$!
read -r -u 3
"$1"
status=$?
kill "$server"
exit "$status"
'''


def can_unshare():
    return not subprocess.run(['unshare', '-n', '-m', 'true'], check=False, capture_output=True).returncode


@unittest.skipUnless(os.geteuid() == 0 and can_unshare(), 'needs root for a namespace of its own')
class SinkNames(unittest.TestCase):
    def answers(self, drive, *commands):
        if not drive or not os.path.exists(drive):
            self.skipTest('built without it')
        with tempfile.NamedTemporaryFile('w') as resolver:
            resolver.write('nameserver 127.0.0.1\noptions timeout:8 attempts:2\n')
            resolver.flush()
            done = subprocess.run(['unshare', '-n', '-m', 'bash', '-c', INSIDE, resolver.name, drive], check=False,
                                  input='\n'.join(commands) + '\n', capture_output=True, text=True, timeout=60)
        if done.returncode == 77:
            self.skipTest('cannot mount: ' + done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_patient(self, answers):
        *_, waited, closed = answers
        self.assertEqual(waited['delivered'], 0)
        self.assertLess(waited['longest'], PATIENCE)
        self.assertLess(closed['seconds'], PATIENCE)

    def test_kafka_waits_no_longer_than_patience_for_a_name(self):
        self.assert_patient(self.answers(os.environ.get('DRIVE_KAFKA'), 'open broker.example.org:9092', 'offer 5 2',
                                         'run 1', 'close'))

    def test_ipfix_waits_no_longer_than_patience_for_a_name(self):
        answers = self.answers(os.environ.get('DRIVE_IPFIX'), 'open collector.example.org:4739 tcp 1',
                               'make 5 /dev/null', 'run 1', 'close')
        self.assert_patient(answers)
        self.assertIn('looking its name up takes too long', answers[-2]['reason'])


if __name__ == '__main__':
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""A program that drives one kind of sink as a test asks it to: a line of words in, a line of JSON out."""

import json
import os
import subprocess
import tempfile
import unittest


class AskedDrive(unittest.TestCase):
    program = None
    environment = {}

    def setUp(self):
        self.log = tempfile.TemporaryFile()
        self.drive = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                      text=True, env={**os.environ, **self.environment})
        self.addCleanup(self.end)

    def end(self):
        """Lets it end, which must go well. Returns what it said on stderr."""
        self.drive.stdin.close()
        try:
            status = self.drive.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.drive.kill()
            status = self.drive.wait()
        self.drive.stdout.close()
        said = self.stderr()
        self.log.close()
        self.assertEqual(status, 0, said)
        return said

    def stderr(self):
        self.log.flush()
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors='replace')

    def do(self, *words):
        self.drive.stdin.write(' '.join(str(word) for word in words) + '\n')
        self.drive.stdin.flush()
        line = self.drive.stdout.readline()
        self.assertTrue(line, 'the driver died: ' + self.stderr())
        return json.loads(line)

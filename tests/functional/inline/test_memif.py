# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore run` between two memif ports, at whose other ends is a second process with the load."""
import json
import os
import subprocess

from captures import WIRESCORE
from inline_case import Loaded, LoadTests


class Memif(LoadTests, Loaded):
    def sockets(self):
        return [self.folder / f"memif{i}" for i in (0, 1)]

    def devices(self):
        return [f"net_memif{i},role=server,id=0,socket={path},socket-abstract=no"
                for i, path in enumerate(self.sockets())]

    def start_load(self, config, **options):
        self.launch([WIRESCORE, "run", "--json", config])
        self.load = subprocess.Popen([os.environ["LOAD_MEMIF"], *self.sockets(), *self.options_of(options)],
                                     stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.load.stdout.close)
        self.addCleanup(self.load.wait)
        self.addCleanup(self.load.kill)

    def take_load(self):
        return json.loads(self.load.stdout.readline())["load"]

    def finish_load(self):
        report = self.stop()
        self.assertEqual(self.load.wait(timeout=30), 0)
        return report

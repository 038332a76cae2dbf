# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore run` between two net_ring ports, in one process with the load: rings reach no further."""
import json
import os
import time

from inline_case import Loaded, LoadTests


class Ring(LoadTests, Loaded):
    def devices(self):
        return "net_ring_near0", "net_ring_near1"

    def start_load(self, config, **options):
        self.launch([os.environ["LOAD_RING"], config, *self.options_of(options)])

    def take_load(self):
        end = time.monotonic() + 60
        while "\n" not in (text := (self.folder / "out").read_text()):
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.02)
        return json.loads(text.splitlines()[0])["load"]

    def finish_load(self):
        return self.finish()

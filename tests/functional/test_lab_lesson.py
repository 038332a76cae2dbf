# SPDX-License-Identifier: BSD-3-Clause
"""The lab's lesson: a model learns whatever tells the classes apart in its captures, and that may be the MACs."""
import json
import random
import struct
import unittest

from captures import BROADCAST, TestCase, frame, run, write_pcap

HOSTS = [bytes.fromhex(f"0021cc0000{i:02x}") for i in range(1, 7)]
STP_GROUP = bytes.fromhex("0180c2000000")
CDP_GROUP = bytes.fromhex("01000ccccccc")
N_FRAMES = 20000


def arp(source, operation, sender):
    return struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + sender + source.randbytes(14)


def lab_frames(source):
    """As on the lab's bench: IP between a few hosts; all else is ARP by broadcast, STP and CDP."""
    frames = []
    for _ in range(N_FRAMES):
        here, there = source.sample(HOSTS, 2)
        kind = source.random()
        if kind < 0.5:
            frames.append(frame(0x0800, b"\x45\0" + source.randbytes(44), there + here))
        elif kind < 0.85:
            frames.append(frame(0x0806, arp(source, 1, here), BROADCAST[:6] + here))
        elif kind < 0.95:
            frames.append(frame(38, b"\x42\x42\x03" + source.randbytes(35), STP_GROUP + here))
        else:
            frames.append(frame(200, b"\xaa\xaa\x03" + source.randbytes(197), CDP_GROUP + here))
    return frames


def unicast_arp_frames(source):
    """What no lab capture held: ARP replies from host to host; and IP by broadcast, as DHCP is."""
    frames = []
    for _ in range(500):
        here, there = source.sample(HOSTS, 2)
        frames.append(frame(0x0806, arp(source, 2, here), there + here))
        frames.append(frame(0x0800, b"\x45\0" + source.randbytes(44), BROADCAST[:6] + here))
    return frames


class LabLesson(TestCase):
    def setUp(self):
        super().setUp()
        source = random.Random(1)
        self.lab = write_pcap(self.folder / "lab.pcap", lab_frames(source))
        self.unicast_arp = write_pcap(self.folder / "unicast-arp.pcap", unicast_arp_frames(source))

    def train(self, *options):
        model = self.folder / "model.onnx"
        result = run("train", "packet", "--label", "ipv4", "-o", model, *options, self.lab)
        self.assertEqual(result.returncode, 0, result.stderr)
        return model

    def evaluate(self, *arguments):
        result = run("eval", "--json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_trained_as_in_the_lab_the_model_leans_on_macs(self):
        model = self.train()
        at_home = self.evaluate("--explain", model, self.lab)
        abroad = self.evaluate(model, self.unicast_arp)
        # On frames like its own it looks perfect ..
        self.assertGreater(at_home["accuracy"], 0.999)
        # .. yet unicast ARP is called IP ..
        (_, arp_as_ip), _ = abroad["confusion"]
        self.assertGreater(arp_as_ip, 250)
        # .. and the bytes say why.
        self.assertLess(at_home["importance"][0]["byte"], 12)
        self.assertIn("MAC", at_home["importance"][0]["meaning"])

    def test_with_macs_redrawn_only_the_type_matters(self):
        model = self.train("--randomize-macs")
        abroad = self.evaluate("--explain", model, self.unicast_arp)
        self.assertEqual(abroad["errors"], 0)
        first, *others = abroad["importance"]
        self.assertIn(first["byte"], (12, 13))
        for importance in others:
            if importance["byte"] < 12:
                self.assertLess(importance["accuracy_drop"], 0.01, importance)


if __name__ == "__main__":
    unittest.main()

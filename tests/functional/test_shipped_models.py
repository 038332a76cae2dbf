# SPDX-License-Identifier: BSD-3-Clause
"""The shipped models are exact: on every EtherType, behind every tag, and on real captures."""
import itertools
import json
import random
import struct
import unittest

from captures import DATA, MIX, ROOT, TestCase, VLAN_TYPES, is_ip, is_ipv4, read_pcap, run, write_pcap

MODELS = {"ip": (ROOT / "config/models/ip.onnx", is_ip), "ipv4": (ROOT / "config/models/ipv4.onnx", is_ipv4)}
# What stands before the type that is looked at: nothing, one tag, two tags of any kinds.
STACKS = [()] + [(a,) for a in VLAN_TYPES] + list(itertools.product(VLAN_TYPES, repeat=2))
# Fillers of MACs, tag control information and payload.
FILLERS = {
    "random": lambda source, n: source.randbytes(n),
    "zeros": lambda source, n: bytes(n),
    "ones": lambda source, n: b"\xff" * n,
}


def evaluate(rule, *captures):
    result = run("eval", "--json", "--show-errors", 5, MODELS[rule][0], *captures)
    if result.returncode != 0:
        raise AssertionError(f"exit {result.returncode}: {result.stderr}")
    return json.loads(result.stdout)


def stacked(source, stack, ethertype, filler):
    """A frame of 40 bytes with the tags of stack and then the type."""
    frame = filler(source, 12)
    for tag in stack:
        frame += struct.pack(">H", tag) + filler(source, 2)
    frame += struct.pack(">H", ethertype)
    return frame + filler(source, 40 - len(frame))


class ShippedModels(TestCase):
    def assert_exact(self, rule, *captures):
        matches = MODELS[rule][1]
        judged = evaluate(rule, *captures)
        self.assertEqual(judged["wrong_frames"], [])
        # The program's own rule is not believed: the frames are counted here.
        frames = [frame for capture in captures for frame in read_pcap(capture)]
        n_ip = sum(map(matches, frames))
        self.assertEqual(judged["confusion"], [[len(frames) - n_ip, 0], [0, n_ip]])

    def test_every_type_behind_every_tag_is_told_right(self):
        source = random.Random(20240229)
        for name, filler in FILLERS.items():
            path = self.folder / f"{name}.pcap"
            frames = [stacked(source, stack, ethertype, filler) for stack in STACKS for ethertype in range(65536)]
            write_pcap(path, frames)
            for rule in MODELS:
                with self.subTest(rule=rule, filler=name):
                    self.assert_exact(rule, path)

    def test_ip_is_told_right_whatever_stands_around_it(self):
        source = random.Random(20240301)
        fillers = list(FILLERS.values())
        frames = [
            stacked(source, stack, ethertype, fillers[i % len(fillers)])
            for stack in STACKS
            for ethertype in (0x0800, 0x86DD)
            for i in range(6000)
        ]
        path = write_pcap(self.folder / "ip.pcap", frames)
        for rule in MODELS:
            with self.subTest(rule=rule):
                self.assert_exact(rule, path)

    def test_what_is_not_a_tag_does_not_lead_to_ip(self):
        source = random.Random(20240302)
        frames = [
            stacked(source, (ethertype, inner), innermost, FILLERS["random"])
            for ethertype in range(65536)
            for inner, innermost in ((0x0800, 0x0800), (0x8100, 0x86DD), (source.choice(VLAN_TYPES), 0x0800))
        ]
        frames += [
            stacked(source, (source.choice(VLAN_TYPES), ethertype), innermost, FILLERS["random"])
            for ethertype in range(65536)
            for innermost in (0x0800, 0x86DD)
        ]
        path = write_pcap(self.folder / "not-tags.pcap", frames)
        for rule in MODELS:
            with self.subTest(rule=rule):
                self.assert_exact(rule, path)

    def test_they_read_nothing_but_types(self):
        for rule, expected in (("ip", {12, 13, 16, 17, 20, 21}), ("ipv4", {12, 13})):
            judged = json.loads(run("eval", "--json", "--explain", MODELS[rule][0], MIX).stdout)
            read = {item["byte"] for item in judged["importance"] if item["log_loss_rise"] != 0}
            self.assertLessEqual(read, expected, rule)
            self.assertLessEqual({12, 13}, read, rule)
            self.assertRegex(run("model", "show", MODELS[rule][0]).stdout, r"exact_rows +9\d{6}\n")

    def test_the_bundled_capture_is_told_right(self):
        for rule in MODELS:
            judged = evaluate(rule, MIX)
            self.assertEqual((judged["errors"], judged["accuracy"]), (0, 1.0))

    def test_real_captures_are_told_right(self):
        captures = sorted((DATA / "ipnonip").glob("*.pcap"))
        if not captures:
            self.skipTest(f"{DATA}/ipnonip is not here")
        for rule in MODELS:
            judged = evaluate(rule, *captures)
            self.assertGreater(judged["frames"], 1000)
            self.assertEqual((judged["errors"], judged["wrong_frames"]), (0, []), rule)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""tools/lab: its captures hold both classes, its labels fit, and it leaves nothing behind, also when interrupted."""
import collections
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest
from types import SimpleNamespace

import namespaces
from captures import ROOT, TestCase, ethernet, ipv4, run, tcp, write_timed_pcap

sys.path.insert(0, str(ROOT / "tools"))
from wirescore_lab import attacks, capture, labels, scenarios  # noqa: E402  (the path has to be known first)

LAB = ROOT / "tools/lab"
FAMILIES = {
    "flood-syn", "flood-ack", "flood-udp", "flood-icmp", "reflection-tcp", "amplification-dns", "amplification-ntp",
    "amplification-snmp", "scan-port", "scan-host", "scan-telnet", "scan-web", "brute-ssh", "brute-ftp", "brute-http",
    "brute-telnet", "slow-http", "tunnel-dns", "tunnel-icmp", "beacon"}
STATES = pathlib.Path("/run/wirescore-lab")
NEEDED = ["ip", "nft", "ethtool", "tcpdump", "nginx", "sshd", "dnsmasq", "curl", "dig", "nmap", "hping3", "hydra"]
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


def why_not():
    """What this machine lacks for a lab; None where it has it all."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [program for program in NEEDED if shutil.which(program, path=SYSTEM_PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)}; tools/install-packages lab installs it"
    return namespaces.why_not_permitted()


def root_links():
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)
    return [(link["ifname"], link["ifindex"]) for link in links]


def syn(src, dst, src_port, dst_port=80):
    return ethernet(ipv4(src, dst, 6, tcp(src_port, dst_port, "S")))


class LabParts(TestCase):
    """What needs neither root nor tools."""

    def test_every_family_is_reached_and_scenarios_name_what_there_is(self):
        # Spoofed ARP makes no flows.
        self.assertEqual({attack.family for attack in attacks.ATTACKS.values()} - {"arp-spoof"}, FAMILIES)
        for scenario in scenarios.SCENARIOS.values():
            self.assertLessEqual(set(scenario.attacks), set(attacks.ATTACKS))
        self.assertEqual(set(scenarios.SCENARIOS["full"].attacks), set(attacks.ATTACKS))

    def test_flood_from_drawn_addresses_is_told_from_known_clients_and_other_times(self):
        flood = SimpleNamespace(start=1000.0, end=1010.0, family="flood-syn", tool="hping3", tuples=[
            labels.Tuple(dst="10.2.0.10", dst_port="80", protocol="tcp", is_spoofed=True)])
        scan = SimpleNamespace(start=1000.0, end=1010.0, family="scan-port", tool="nmap",
                               tuples=[labels.Tuple(src="198.18.0.200")])
        labels.write(self.folder / "x.tsv", [flood, scan], ["10.1.0.0/23", "198.18.0.0/23"], "test")
        expected = [(1001, "77.1.2.3", 80, "flood-syn"), (1001, "10.1.0.7", 80, "benign"),
                    (1002, "77.1.2.3", 443, "benign"), (1300, "77.1.2.4", 80, "benign"),
                    (1003, "198.18.0.200", 80, "scan-port"), (1004, "198.18.0.200", 22, "scan-port")]
        packets = sorted((time_s, syn(src, "10.2.0.10", 3000 + number, port))
                         for number, (time_s, src, port, _) in enumerate(expected))
        write_timed_pcap(self.folder / "x.pcap", packets)
        result = run("extract", self.folder / "x.pcap", "-o", self.folder / "x.csv", "--features", "stats8",
                     "--labels", self.folder / "x.tsv")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.folder / "x.csv", encoding="ascii") as file:
            found = {int(row["src_port"]): row["label"] for row in csv.DictReader(file)}
        self.assertEqual(found, {3000 + number: row[3] for number, row in enumerate(expected)})

    def test_captures_of_two_interfaces_are_merged_by_time(self):
        files = {}
        for name, first in (("office", 1), ("servers", 2)):
            files[name] = write_timed_pcap(self.folder / f"{name}.pcap", [
                (time_s, syn("10.1.0.1", "10.2.0.1", time_s)) for time_s in range(first, 20, 2)])
        for without, from_time, expected in (((), 0, list(range(1, 20))), (("servers",), 0, list(range(1, 20, 2))),
                                             ((), 10, list(range(10, 20)))):
            merged = self.folder / "merged.pcap"
            self.assertEqual(capture.merge(files, merged, without, from_time), len(expected))
            times = [time_us // 1_000_000 for time_us, _, _ in capture.records(merged, "")]
            self.assertEqual(times, expected)


@unittest.skipIf(why_not(), why_not())
class Lab(TestCase):
    def setUp(self):
        super().setUp()
        self.links = root_links()
        self.output = self.folder / "out"
        self.addCleanup(subprocess.run, [LAB, "clean"], capture_output=True, check=False)

    def start(self, *arguments):
        """A lab that has begun its timeline."""
        lab = subprocess.Popen([LAB, "run", "quick", "--seed", "1", "-o", self.output, *arguments], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, lab)
        for line in lab.stdout:
            if "activities" in line:
                return lab
        self.fail(lab.stderr.read())

    def end(self, lab):
        lab.kill()
        lab.wait()
        lab.stdout.close()
        lab.stderr.close()

    def namespaces(self, lab):
        names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
        return [name for name in names if name.startswith(f"ws-{lab.pid}-")]

    def processes(self, inodes):
        """Processes that are in one of these network namespaces."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/ns/net"):
            try:
                if os.readlink(entry) in inodes:
                    found.append(entry)
            except OSError:
                pass
        return found

    def inodes(self, lab):
        state = json.loads((STATES / f"{lab.pid}.json").read_text())
        return {f"net:[{inode}]" for inode in state["namespaces"].values()}, pathlib.Path(state["folder"])

    def assert_nothing_is_left(self, lab, inodes, folder):
        self.assertEqual(self.namespaces(lab), [])
        # The kernel gives the numbers of namespaces that are gone to new ones, of another lab perhaps.
        others = {f"net:[{path.stat().st_ino}]" for path in pathlib.Path("/run/netns").iterdir()}
        self.assertEqual(self.processes(inodes - others), [])
        self.assertFalse(folder.exists())
        self.assertFalse((STATES / f"{lab.pid}.json").exists())
        self.assertEqual(root_links(), self.links)

    def test_a_quick_run_has_both_classes_and_every_attack_and_leaves_nothing(self):
        lab = self.start("--duration", "40")
        inodes, folder = self.inodes(lab)
        # While it runs, none of its interfaces is here, and its router knows no way to the world.
        self.assertEqual(root_links(), self.links)
        router = f"ws-{lab.pid}-router"
        way = subprocess.run(["ip", "-n", router, "route", "get", "192.0.2.1"], capture_output=True, check=False)
        self.assertNotEqual(way.returncode, 0)
        _, errors = lab.communicate(timeout=120)
        self.assertEqual(lab.returncode, 0, errors)
        self.assert_nothing_is_left(lab, inodes, folder)
        self.assert_labels_fit(json.loads((self.output / "lab.json").read_text()))

    def assert_labels_fit(self, facts):
        flows = self.folder / "flows.csv"
        result = run("extract", self.output / "quick-1.pcap", "-o", flows, "--features", "stats8", "--checkpoints",
                     "end", "--labels", self.output / "quick-1.tsv")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(flows, encoding="ascii") as file:
            rows = list(csv.DictReader(file))
        n_of = collections.Counter(row["label"] for row in rows)
        self.assertEqual(facts["dropped_by_capture"], 0)
        self.assertGreater(n_of["benign"], 200)
        ran = {attack["family"] for attack in facts["attacks"]}
        self.assertGreaterEqual(len(ran), 8, facts["skipped"])
        # Each family that ran has flows, and no label comes from nowhere.
        self.assertEqual(set(n_of), ran | {"benign"}, n_of)
        attackers = {address for attack in facts["attacks"] for address in attack["addresses"]}
        clients = {address for activity in facts["benign"] for address in activity["addresses"]}
        for row in rows:
            ends = {row["src"], row["dst"]}
            if row["label"] == "benign":
                # Hosts that were taken over have both.
                self.assertFalse(ends & (attackers - clients), row)
            elif not ends & attackers:
                # From drawn addresses, and none of them is a client's.
                self.assertTrue(row["label"].startswith("flood-"), row)
                self.assertFalse(ends & clients, row)

    def test_an_interrupted_run_leaves_nothing(self):
        lab = self.start("--duration", "60")
        inodes, folder = self.inodes(lab)
        time.sleep(5)
        self.assertGreater(len(self.processes(inodes)), 5)
        cleaned = subprocess.run([LAB, "clean"], capture_output=True, text=True, check=True)
        self.assertIn(f"process {lab.pid} is running: left alone", cleaned.stdout)
        lab.send_signal(signal.SIGINT)
        self.assertEqual(lab.wait(30), 130)
        self.assert_nothing_is_left(lab, inodes, folder)
        self.assertEqual(list(self.output.iterdir()), [])

    def test_a_run_that_was_interrupted_while_it_is_built_leaves_nothing(self):
        for delay_s in (0.1, 0.3, 0.6, 1.5):
            lab = subprocess.Popen([LAB, "run", "quick", "-o", self.output], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
            self.addCleanup(self.end, lab)
            time.sleep(delay_s)
            lab.send_signal(signal.SIGTERM if delay_s > 0.5 else signal.SIGINT)
            lab.wait(30)
            self.assertEqual(self.namespaces(lab), [], delay_s)
            self.assertFalse((STATES / f"{lab.pid}.json").exists())

    def test_clean_deletes_what_a_killed_run_has_left(self):
        lab = self.start("--duration", "60")
        inodes, folder = self.inodes(lab)
        lab.kill()
        lab.wait()
        self.assertGreater(len(self.namespaces(lab)), 0)
        subprocess.run([LAB, "clean"], capture_output=True, check=True)
        self.assert_nothing_is_left(lab, inodes, folder)

    def test_bad_usage_is_told(self):
        for arguments, word in ((["run", "nowhere", "-o", "x"], "nowhere"), (["run", "quick"], "--output"),
                                (["run", "quick", "-o", "x", "--duration", "nan"], "--duration"),
                                (["run", "quick", "-o", "x", "--duration", "1e9"], "--duration")):
            result = subprocess.run([LAB, *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(word, result.stderr)


if __name__ == "__main__":
    unittest.main()

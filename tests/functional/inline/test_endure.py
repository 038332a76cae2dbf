# SPDX-License-Identifier: BSD-3-Clause
"""Reload, lost interfaces and readers that stand still cost no packet of those that can go on."""
import json
import signal
import time

from inline_case import RIGHT, Inline, needs, print_figures

OTHER_RIGHT = "10.80.0.2"


class Enduring(Inline):
    @needs("nginx", "curl")
    def test_a_swap_under_load_loses_nothing_and_a_bad_model_changes_nothing(self):
        self.wire("w")
        # So little is under way that no queue of the kernel's ever overflows: what is lost is lost by the program.
        self.at("left", "sysctl", "-qw", "net.ipv4.tcp_rmem=4096 65536 131072")
        # One calls no flow an attack; the other those of long packets, which nobody else here has new ones of.
        one, other = self.model(bias=-1e6, name="one.onnx"), self.model(name="other.onnx")
        policy = "[policy attack]\naction = drop\ncount-only = yes\n"
        self.start(self.write_config(policy, one))
        sink = self.sink()
        url, sha256 = self.serve_file(20_000_000)
        sender = self.background("left", "send", RIGHT, 9000, 4, 1000, 200, 0.0005)
        self.wait_for_packets("wl", 100)
        curl = self.start_curl(url, "--limit-rate", "6M")
        self.wait_for_packets("wr", 100)
        # All of these flows have had their last verdict.
        n_flows = 0
        for i in range(6):
            self.write_config(policy, (other, one)[i % 2])
            self.swap(i + 1)
            n_flows += self.assert_judged(i % 2 == 0)
        (self.folder / "bad.onnx").write_bytes(b"not a model")
        self.write_config(policy, self.folder / "bad.onnx")
        self.program.send_signal(signal.SIGHUP)
        self.wait_for("nothing is changed")
        n_flows += self.assert_judged(False)
        self.assertIsNone(curl.poll(), "the connection was over before the last swap")
        self.assertEqual(sender.wait(60), 0)
        self.finish_curl(curl, sha256)
        self.assertEqual(self.count(sink), {flow: 1000 + n_flows for flow in range(4)})
        report = self.stop()
        self.assertEqual(report["reloads"], 6)
        self.assertEqual([port["count_only"] for port in report["ports"].values()], [3 * 4, 0])
        for port in report["ports"].values():
            self.assertEqual(port["forwarded"], port["received"])

    def wait_for_packets(self, port, n):
        end = time.monotonic() + 20
        while self.report()["ports"][port]["received"] < n:
            self.assertLess(time.monotonic(), end)

    def assert_judged(self, is_attack):
        """Sends a long packet in each of four new flows, which the model in force must judge so; returns how many each."""
        before = self.report()["ports"]["wl"]["count_only"]
        self.send(4, 1, 600)
        end = time.monotonic() + 10
        while (n := self.report()["ports"]["wl"]["count_only"] - before) != 4 and is_attack:
            self.assertLess(time.monotonic(), end, f"{n} of 4 flows are attacks")
        self.assertEqual(n, 4 if is_attack else 0)
        return 1

    def two_wires(self):
        """With something that answers behind both."""
        self.wire("w")
        self.wire("x", subnet=80)
        self.start(self.write_config(wires=("w", "x")))
        for address in (RIGHT, OTHER_RIGHT):
            self.peer("right", "echo", address, 53)

    def test_an_interface_that_is_deleted_under_traffic_stops_its_pair_alone(self):
        self.two_wires()
        other = self.background("left", "ping", OTHER_RIGHT, 53, 3000, 60)
        sender = self.background("left", "send", RIGHT, 53, 4, 1000, 200, 0.0005)
        time.sleep(0.3)
        self.at("right", "ip", "link", "delete", "w")
        self.wait_for("is gone")
        self.assertEqual(json.loads(other.communicate(timeout=60)[0])[0]["lost"], 0)
        self.assertEqual(self.ask("left", "ping", OTHER_RIGHT, 53, 300, 60)[0]["lost"], 0)
        sender.wait(60)
        report = self.stop()
        self.assertTrue(report["ports"]["wr"]["is_gone"])
        self.assertGreater(report["ports"]["wl"]["dropped_port_gone"], 0)
        self.assertFalse(report["ports"]["wl"]["is_gone"])
        for name in ("xl", "xr"):
            self.assertEqual(report["ports"][name]["forwarded"], report["ports"][name]["received"])

    def test_a_link_that_goes_down_and_up_under_traffic_is_told_of_and_used_again(self):
        self.two_wires()
        sender = self.background("left", "send", RIGHT, 53, 4, 1000, 200, 0.0002)
        time.sleep(0.1)
        self.at("middle", "ip", "link", "set", "wr", "down")
        self.wait_for("port wr: link is down")
        sender.wait(60)
        # Who has not heard of its neighbour for long would ask for it instead of sending.
        mac = json.loads(self.at("right", "ip", "-j", "link", "show", "w"))[0]["address"]
        self.at("left", "ip", "neighbour", "replace", RIGHT, "lladdr", mac, "nud", "permanent", "dev", "w")
        before = self.report()["ports"]["wl"]
        self.send(4, 100, 60)
        self.wait_for_packets("wl", before["received"] + 400)
        # The kernel takes what af_packet sends there and loses it: it must not even be tried.
        after = self.report()["ports"]["wl"]
        self.assertEqual(after["forwarded"], before["forwarded"])
        self.assertEqual(after["device_tx_errors"], before["device_tx_errors"])
        self.assertGreaterEqual(after["dropped_link_down"], before["dropped_link_down"] + 400)
        self.assertEqual(self.ask("left", "ping", OTHER_RIGHT, 53, 300, 60)[0]["lost"], 0)
        self.at("middle", "ip", "link", "set", "wr", "up")
        self.wait_for("port wr: link is up", 20, 2)
        self.ask("left", "ping", RIGHT, 53, 3, 60)
        self.assertEqual(self.ask("left", "ping", RIGHT, 53, 100, 60)[0]["lost"], 0)
        self.stop()

    def times(self):
        """In words, those of 500 round trips, of which each came back."""
        way = self.ask("left", "ping", RIGHT, 53, 500, 60)[0]
        self.assertEqual(way["lost"], 0)
        times = way["times"]
        return ", ".join(f"p{100 * share:g} {times[int(share * len(times))]:.0f} us" for share in (0.5, 0.99))

    def test_a_reader_of_records_that_stands_still_slows_nothing(self):
        self.wire("w")
        fifo, reader = self.stopped_reader()
        self.peer("right", "echo", RIGHT, 53)
        # A table that is far too small makes a record of nearly every packet.
        self.start(self.write_config(f"[records flows]\npath = {fifo}\nqueue = 64\n", flows=1024))
        before = self.times()
        reader.send_signal(signal.SIGSTOP)
        self.ask("left", "scatter", RIGHT, 10000, 25000)
        after = self.times()
        report = self.report()
        self.assertGreater(report["sinks"]["flows"]["dropped_full"], 0)
        for port in report["ports"].values():
            self.assertEqual(port["forwarded"], port["received"])
        reader.send_signal(signal.SIGCONT)
        report = self.stop()
        # Nearly all that came were scattered packets, of a flow each; what the kernel lost of them is another matter.
        self.assertGreater(report["flows"]["ended"], report["ports"]["wl"]["received"] - 1100)
        print_figures(f"round trips with a reader that reads: {before}; with one that stands still: {after}")

    def test_a_reader_of_records_that_never_goes_on_does_not_hold_up_the_end(self):
        self.wire("w")
        fifo, reader = self.stopped_reader()
        self.start(self.write_config(f"[records flows]\npath = {fifo}\n"))
        reader.send_signal(signal.SIGSTOP)
        self.ask("left", "scatter", RIGHT, 10000, 15000)
        report = self.stop(code=1)
        self.assertIn("nobody takes them any more", self.said())
        self.assertGreater(report["flows"]["ended"], report["ports"]["wl"]["received"] - 100)

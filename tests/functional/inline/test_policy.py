# SPDX-License-Identifier: BSD-3-Clause
"""What the policy says is done to the flows that it is for, and to no others: seen from who sends and who receives."""
import json

from inline_case import RIGHT, Inline, needs


class Policy(Inline):
    @needs("nginx", "curl")
    def test_flows_of_a_dropped_class_are_dropped_and_no_others(self):
        self.wire("w")
        self.start(self.write_config("[policy attack]\naction = drop\n", self.model()))
        url, sha256 = self.serve_file(5_000_000)
        curl = self.start_curl(url, "--limit-rate", "4M")
        self.peer("right", "echo", RIGHT, 53)
        sink = self.sink()
        # Known at once: no packet passes. Known at the fourth packet: three pass. Never known: all pass.
        n_sent = self.send(3, 10, 600)
        self.assertEqual(self.ask("left", "ping", RIGHT, 53, 50, 60)[0]["lost"], 0)
        self.ping(RIGHT)
        self.assertEqual(self.count(sink), {})
        sink = self.sink()
        n_sent += self.send(4, 10, 200)
        n_passed = self.assert_counts(sink, {flow: 3 for flow in range(4)})
        # As fast as it goes, so that many packets of a flow come together.
        sink = self.sink()
        n_sent += self.send(4, 10, 200, gap=0)
        n_passed += self.assert_counts(sink, {flow: 3 for flow in range(4)})
        sink = self.sink()
        n_sent += self.send(5, 10, 100)
        n_passed += self.assert_counts(sink, {flow: 10 for flow in range(5)})
        self.finish_curl(curl, sha256)
        report = self.stop()
        self.assertEqual(report["ports"]["wl"]["dropped_by_policy"], n_sent - n_passed)
        self.assertEqual(report["ports"]["wr"]["dropped_by_policy"], 0)
        self.assertEqual(report["flows"]["classes"]["attack"], 3 + 4 + 4)
        for port in report["ports"].values():
            self.assertEqual(port["received"], port["forwarded"] + port["dropped_by_policy"])

    def assert_counts(self, sink, expected):
        self.assertEqual(self.count(sink), expected)
        return sum(expected.values())

    def test_a_threshold_spares_flows_below_it_and_count_only_spares_all(self):
        self.wire("w")
        model = self.model({"payload_bytes": 0.01}, -5.0, checkpoints="1")
        self.start(self.write_config("[policy attack]\naction = drop\nthreshold = 0.9\n", model))
        sink = self.sink()
        self.send(1, 5, 600)  # logit 1: a score of 0.73
        self.assertEqual(self.count(sink), {0: 5})
        sink = self.sink()
        self.send(1, 5, 800)  # logit 3: 0.95
        self.assertEqual(self.count(sink), {})
        self.write_config("[policy attack]\naction = drop\ncount-only = yes\n", model)
        self.swap()
        sink = self.sink()
        self.send(1, 5, 800)
        self.assertEqual(self.count(sink), {0: 5})
        report = self.stop()
        self.assertEqual(report["ports"]["wl"]["dropped_by_policy"], 5)
        self.assertEqual(report["ports"]["wl"]["count_only"], 5)

    def test_flows_without_a_verdict_are_held_where_the_policy_fails_closed(self):
        self.wire("w")
        self.start(self.write_config("[policy]\nbefore-verdict = hold-drop\n", self.model(checkpoints="4")))
        sink = self.sink()
        self.send(2, 10, 60, gap=0)
        self.assertEqual(self.count(sink), {0: 7, 1: 7})
        report = self.stop()
        self.assertGreaterEqual(report["ports"]["wl"]["dropped_before_verdict"], 6)

    def test_flows_are_marked_and_their_checksums_stay_right(self):
        self.wire("w")
        self.start(self.write_config("[policy attack]\naction = mark DSCP 46\n", self.model()))
        catcher = self.peer("right", "dscp", RIGHT, 9000)
        self.send(1, 1, 600)
        self.assertEqual(json.loads(catcher.communicate(timeout=10)[0]), [46])
        report = self.stop()
        self.assertEqual(report["ports"]["wl"]["marked"], 1)

    def test_flows_are_mirrored_to_a_third_port(self):
        self.wire("w")
        self.wire("tap", subnet=80)
        self.start(self.write_config("[port tap]\ndevice = tapr\n[policy attack]\naction = mirror tap\n", self.model()))
        watchers = [self.peer("right", "catch", interface, 9000, n) for interface, n in (("w", 35), ("tap", 21))]
        self.send(3, 5, 60)
        self.send(2, 10, 600)
        passed, copied = [json.loads(watcher.communicate(timeout=30)[0]) for watcher in watchers]
        # Neither more nor less than the packets of the two attacks, byte by byte as the other side has them.
        attacks = [data for data in passed if len(data) // 2 == 14 + 20 + 8 + 600]
        self.assertEqual((len(passed), len(attacks)), (35, 20))
        self.assertEqual([bytes.fromhex(data[-1200:])[4:] for data in attacks], [b"x" * 596] * 20)
        self.assertEqual(len(set(attacks)), 20)
        self.assertEqual(copied, attacks)
        report = self.stop()
        self.assertEqual((report["ports"]["wl"]["mirrored"], report["ports"]["wl"]["mirror_lost"]), (20, 0))

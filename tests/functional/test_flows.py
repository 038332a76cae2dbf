# SPDX-License-Identifier: BSD-3-Clause
"""wirescore classify --records: which packets are a flow, when it ends, and what is said of it."""
import gzip
import json
import random
import struct
import unittest

from captures import (DATA, MIX, TestCase, ethernet, frame, ipv4, ipv6, run, tcp, udp, write_pcap, write_timed_pcap)

START = 1_600_000_000.0
A, B = "10.0.0.1", "10.0.0.2"


def conversation(start=START, client=A, server=B, port=40000, gap=0.001):
    """A whole TCP conversation: 10 packets, 100 bytes there, 1000 back."""
    packets = [
        (client, server, port, 80, "S", b""),
        (server, client, 80, port, "SA", b""),
        (client, server, port, 80, "A", b""),
        (client, server, port, 80, "PA", b"x" * 100),
        (server, client, 80, port, "A", b"y" * 500),
        (server, client, 80, port, "PA", b"y" * 500),
        (client, server, port, 80, "A", b""),
        (client, server, port, 80, "FA", b""),
        (server, client, 80, port, "FA", b""),
        (client, server, port, 80, "A", b""),
    ]
    return [(start + i * gap, ethernet(ipv4(src, dst, 6, tcp(sport, dport, flags, data))))
            for i, (src, dst, sport, dport, flags, data) in enumerate(packets)]


def random_capture(path, seed, n_packets=3000):
    """Packets of many flows, of all kinds, with gaps of all sizes."""
    draw = random.Random(seed)
    now, packets = START, []
    for _ in range(n_packets):
        now += draw.choice([0, 0, 0.0001, 0.01, 0.3, 0.9, 1.5]) if draw.random() < 0.995 else 70
        client, server = f"10.0.0.{draw.randrange(1, 9)}", f"10.0.1.{draw.randrange(1, 5)}"
        port, payload = draw.randrange(1024, 1034), bytes(draw.randrange(0, 200))
        there = draw.random() < 0.5
        src, dst = (client, server) if there else (server, client)
        ports = (port, 443) if there else (443, port)
        kind = draw.randrange(10)
        if kind < 5:
            packet = ipv4(src, dst, 6, tcp(*ports, draw.choice(["S", "SA", "A", "PA", "FA", "R"]), payload))
        elif kind < 7:
            packet = ipv4(src, dst, 17, udp(*ports, payload))
        elif kind == 7:
            packet = ipv4(src, dst, 1, b"\x08\0\0\0\0\0\0\0" + payload)
        elif kind == 8:
            packet = ipv6("2001:db8::" + client[-1], "2001:db8::1" + server[-1], 17, udp(*ports, payload))
        else:
            ident = draw.randrange(40)
            first = draw.random() < 0.5
            packet = ipv4(src, dst, 17, udp(*ports, b"z" * 24) if first else b"z" * 32, ident, 0x2000 if first else 4)
        vlan = draw.choice([None, None, None, 5])
        packets.append((now, ethernet(packet, vlan) if draw.random() < 0.97 else frame(0x0806, b"\0" * 28)))
    return write_timed_pcap(path, packets)

VERDICT = ("class", "score", "logit", "verdict_packet", "verdict_at")


def without_verdict(record):
    """The line of a record without what depends on the context, of which each worker sees a share."""
    return json.dumps({key: value for key, value in record.items() if key not in VERDICT})


class FlowTestCase(TestCase):
    def classify(self, *arguments, **options):
        """The summary and the records of a run."""
        path = self.folder / "records.ndjson"
        result = run("classify", "--json", "--quiet", "--records", path, *arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        summary = json.loads(result.stdout)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual(summary["records"], {"written": len(records), "dropped": 0})
        self.assertEqual(summary["flows"]["total"], len(records))
        self.assertEqual(sum(summary["flows"]["by_reason"].values()), len(records))
        self.assertEqual(summary["packets"], summary["flows"]["packets"] + summary["flows"]["packets_without"])
        self.assertEqual(summary["flows"]["packets"], sum(r["packets_fwd"] + r["packets_bwd"] for r in records))
        return summary, records

    def capture(self, packets, **options):
        return write_timed_pcap(self.folder / "capture.pcap", packets, **options)


class TestRecords(FlowTestCase):
    def test_a_conversation_is_one_flow_of_its_initiator(self):
        _, records = self.classify(self.capture(conversation()), "--flow-model", "none")
        self.assertEqual(len(records), 1)
        record = records[0]
        self.assertRegex(record.pop("flow_id"), "^[0-9a-f]{16}$")
        self.assertEqual(record, {
            "src": A, "dst": B, "src_port": 40000, "dst_port": 80, "protocol": 6, "vlan": None,
            "start": START, "end": START + 0.009, "slice": 0, "reason": "fin",
            "packets_fwd": 6, "packets_bwd": 4, "bytes_fwd": 6 * 40 + 100, "bytes_bwd": 4 * 40 + 1000,
            "payload_fwd": 100, "payload_bwd": 1000, "tcp_flags_fwd": "FSPA", "tcp_flags_bwd": "FSPA",
            "class": None, "score": None, "logit": None, "verdict_packet": None, "verdict_at": None})

    def test_an_answer_without_its_question_has_the_asker_as_initiator(self):
        _, records = self.classify(self.capture(conversation()[1:]))
        self.assertEqual([(r["src"], r["packets_fwd"], r["packets_bwd"]) for r in records], [(A, 5, 4)])

    def test_silence_ends_a_flow(self):
        question = lambda t: (t, ethernet(ipv4(A, B, 17, udp(5000, 53, b"q"))))
        _, records = self.classify(self.capture([question(START), question(START + 60), question(START + 121)]))
        self.assertEqual([(r["reason"], r["packets_fwd"], r["end"]) for r in records],
                         [("idle", 2, START + 60), ("end", 1, START + 121)])
        self.assertNotEqual(records[0]["flow_id"], records[1]["flow_id"])
        _, records = self.classify(self.capture([question(START), question(START + 60), question(START + 121)]),
                                   "--idle-timeout", "59.9")
        self.assertEqual([r["reason"] for r in records], ["idle", "idle", "end"])

    def test_a_long_flow_is_cut_into_slices_that_keep_its_id(self):
        packets = [(START + i * 30, ethernet(ipv4(*((A, B) if i % 2 == 0 else (B, A)), 17,
                                                 udp(*((5000, 53) if i % 2 == 0 else (53, 5000)), b"q"))))
                   for i in range(150)]
        _, records = self.classify(self.capture(packets))
        self.assertEqual([(r["slice"], r["reason"]) for r in records], [(0, "active"), (1, "active"), (2, "end")])
        self.assertEqual(len({r["flow_id"] for r in records}), 1)
        self.assertEqual({(r["src"], r["src_port"]) for r in records}, {(A, 5000)})
        self.assertEqual(records[1]["start"], START + 1800)
        self.assertEqual(sum(r["packets_fwd"] for r in records), 75)
        _, records = self.classify(self.capture(packets), "--active-timeout", "600")
        self.assertEqual([r["slice"] for r in records], list(range(8)))

    def test_a_reset_flow_lingers_and_then_ends(self):
        packets = conversation()[:4] + [(START + 0.01, ethernet(ipv4(B, A, 6, tcp(80, 40000, "R"))))]
        late = [(START + 0.5, ethernet(ipv4(A, B, 6, tcp(40000, 80, "A")))),
                (START + 3, ethernet(ipv4(A, B, 6, tcp(40000, 80, "A"))))]
        _, records = self.classify(self.capture(packets + late))
        self.assertEqual([(r["reason"], r["packets_fwd"], r["packets_bwd"]) for r in records],
                         [("rst", 4, 2), ("end", 1, 0)])

    def test_a_new_syn_ends_a_closed_flow_at_once(self):
        again = conversation(start=START + 0.1)
        _, records = self.classify(self.capture(conversation() + again))
        self.assertEqual([(r["reason"], r["packets_fwd"]) for r in records], [("fin", 6), ("fin", 6)])
        self.assertNotEqual(records[0]["flow_id"], records[1]["flow_id"])

    def test_fragments_join_the_flow_of_their_datagram(self):
        whole = udp(4000, 53, b"x" * 56)
        first = ipv4(A, B, 17, whole[:32], 7, 0x2000)
        rest = ipv4(A, B, 17, whole[32:], 7, 4)
        stray = ipv4(A, B, 17, b"y" * 40, 8, 4)
        summary, records = self.classify(self.capture([(START, ethernet(first)), (START + 0.1, ethernet(rest)),
                                                       (START + 0.2, ethernet(stray))]))
        self.assertEqual(sorted((r["src_port"], r["packets_fwd"], r["bytes_fwd"], r["payload_fwd"])
                                for r in records), [(0, 1, 60, 40), (4000, 2, 52 + 52, 24 + 32)])
        self.assertEqual((summary["flows"]["fragments_joined"], summary["flows"]["fragments_alone"]), (1, 1))

    def test_a_tunnel_is_looked_through_unless_asked_not_to(self):
        inner = ethernet(ipv4("192.168.0.1", "192.168.0.2", 6, tcp(1000, 2000, "S")))
        vxlan = lambda vni: ethernet(ipv4(A, B, 17, udp(3333, 4789, struct.pack(">II", 8 << 24, vni << 8) + inner)))
        capture = self.capture([(START, vxlan(7)), (START + 1, vxlan(8))])
        _, records = self.classify(capture)
        self.assertEqual(sorted((r["src"], r["dst_port"], r["tunnel_id"]) for r in records),
                         [("192.168.0.1", 2000, 7), ("192.168.0.1", 2000, 8)])
        _, records = self.classify(capture, "--scope", "none")
        self.assertEqual([(r["src"], r["packets_fwd"]) for r in records], [("192.168.0.1", 2)])
        _, records = self.classify(capture, "--tunnels", "outer")
        self.assertEqual([(r["src"], r["dst_port"], r["packets_fwd"]) for r in records], [(A, 4789, 2)])

    def test_fragments_of_a_tunnel_join_the_flow_inside(self):
        inner = ethernet(ipv4("192.168.0.1", "192.168.0.2", 6, tcp(1000, 2000, "PA", b"x" * 1000)))
        whole = udp(3333, 4789, struct.pack(">II", 8 << 24, 7 << 8) + inner)
        first = ethernet(ipv4(A, B, 17, whole[:600], 9, 0x2000))
        rest = ethernet(ipv4(A, B, 17, whole[600:], 9, 600 // 8))
        summary, records = self.classify(self.capture([(START, first), (START, rest)]))
        self.assertEqual([(r["src"], r["packets_fwd"], r["tunnel_id"]) for r in records], [("192.168.0.1", 2, 7)])
        self.assertEqual((summary["flows"]["fragments_joined"], summary["length_lies"]), (1, 0))
        _, records = self.classify(self.capture([(START, first), (START, rest)]), "--tunnels", "outer")
        self.assertEqual([(r["src"], r["dst_port"], r["packets_fwd"]) for r in records], [(A, 4789, 2)])

    def test_fragments_stay_in_their_tunnel(self):
        whole = udp(1000, 2000, b"x" * 48)
        inner = lambda first: ethernet(ipv4("192.168.0.1", "192.168.0.2", 17, whole[:32] if first else whole[32:], 9,
                                            0x2000 if first else 4))
        vxlan = lambda vni, first: ethernet(ipv4(A, B, 17, udp(3333, 4789, struct.pack(">II", 8 << 24, vni << 8)
                                                               + inner(first))))
        _, records = self.classify(self.capture([(START, vxlan(vni, first)) for first in (True, False)
                                                 for vni in (100, 200)]))
        self.assertEqual([(r["packets_fwd"], r["bytes_fwd"]) for r in records], [(2, 52 + 44)] * 2)

    def test_a_late_packet_costs_no_conversation_its_place(self):
        talk = [packet for port in range(30) for packet in conversation(START + 20 + port / 100, port=40000 + port)[:5]]
        talk.sort(key=lambda packet: packet[0])
        flood = [(START + 8, ethernet(ipv4("10.9.0.1", B, 6, tcp(1024 + i, 80, "S")))) for i in range(80)]
        _, records = self.classify(self.capture(talk + flood), "--flows", "64", "--idle-timeout", "10", "--hash-seed", "1")
        evicted = [r for r in records if r["reason"] == "evicted"]
        self.assertEqual([r for r in evicted if r["packets_bwd"]], [])
        self.assertGreater(len(evicted), 30)

    def test_vlans_are_networks_of_their_own_unless_asked_not_to(self):
        packet = ipv4(A, B, 17, udp(1, 2, b"x"))
        capture = self.capture([(START, ethernet(packet, 5)), (START, ethernet(packet, 6)), (START, ethernet(packet))])
        _, records = self.classify(capture)
        self.assertEqual(sorted((r["vlan"] or 0) for r in records), [0, 5, 6])
        _, records = self.classify(capture, "--scope", "none")
        self.assertEqual([(r["vlan"], r["packets_fwd"]) for r in records], [(None, 3)])

    def test_one_direction_at_a_time(self):
        _, records = self.classify(self.capture(conversation()), "--direction", "one")
        self.assertEqual(sorted((r["src"], r["packets_fwd"], r["packets_bwd"]) for r in records), [(A, 6, 0), (B, 4, 0)])

    def test_padding_is_no_payload(self):
        _, records = self.classify(self.capture([(START, ethernet(ipv4(A, B, 17, udp(1, 2, b"abc"))))]))
        self.assertEqual((records[0]["bytes_fwd"], records[0]["payload_fwd"]), (31, 3))

    def test_other_links_have_flows_too(self):
        sll = struct.pack(">HHHQH", 0, 1, 6, 0, 0x0800) + ipv4(A, B, 17, udp(1, 2, b"abc"))
        summary, records = self.classify(self.capture([(START, sll)], link_type=113))
        self.assertEqual([(r["src"], r["payload_fwd"]) for r in records], [(A, 3)])
        self.assertEqual(summary["ip"], 1)

    def test_records_say_which_of_several_captures(self):
        one = write_timed_pcap(self.folder / "one.pcap", conversation())
        two = write_timed_pcap(self.folder / "two.pcap", conversation(port=50000))
        for workers in (1, 2):
            _, records = self.classify(one, two, "--workers", workers)
            self.assertEqual([(r["capture"], r["src_port"]) for r in records],
                             [(str(one), 40000), (str(two), 50000)])

    def test_a_full_table_evicts_and_says_so(self):
        packets = [(START + i * 0.0001, ethernet(ipv4(A, B, 17, udp(1024 + i, 53, b"q")))) for i in range(1000)]
        summary, records = self.classify(self.capture(packets), "--flows", "64")
        reasons = summary["flows"]["by_reason"]
        self.assertEqual((reasons["evicted"], reasons["end"]), (936, 64))
        self.assertEqual(summary["flows"]["peak"], 64)
        self.assertEqual(len({r["src_port"] for r in records}), 1000)

    def test_a_table_is_no_larger_than_packets_can_need(self):
        many = [(START + i, ethernet(ipv4(A, B, 17, udp(1024 + i, 53)))) for i in range(200)]
        for flows, expected in ((100, 100), (1000000, 400)):
            summary, _ = self.classify(self.capture(many), "--flows", str(flows))
            self.assertEqual(summary["flows"]["table_flows"], expected)
        summary, _ = self.classify(self.capture(many[:3]))
        self.assertEqual(summary["flows"]["table_flows"], 64)

    def test_flows_can_be_left_out(self):
        result = run("classify", "--json", "--flows", "0", MIX)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIsNone(json.loads(result.stdout)["flows"])
        self.assertIsNone(json.loads(result.stdout)["records"])

    def test_records_on_stdout_leave_stderr_to_the_summary(self):
        result = run("classify", "--quiet", "--records", "-", self.capture(conversation()))
        self.assertEqual(result.returncode, 0)
        self.assertEqual(json.loads(result.stdout)["reason"], "fin")
        self.assertIn("flows", result.stderr)

    def test_a_full_disk_is_told_and_does_not_end_the_run(self):
        result = run("classify", "--quiet", "--json", "--records", "/dev/full", self.capture(conversation()))
        self.assert_complains(result, 1, "/dev/full", "1 of 1 lines", "No space left")
        self.assertEqual(json.loads(result.stdout)["records"], {"written": 0, "dropped": 1})

    def test_a_capture_is_never_overwritten(self):
        capture = self.capture(conversation())
        before = capture.read_bytes()
        self.assert_complains(run("classify", "--records", capture, capture), 1, "is a file that is read")
        self.assertEqual(capture.read_bytes(), before)

    def test_bad_usage_is_refused(self):
        for arguments in (["--flows", "63"], ["--flows", "0", "--records", "x"], ["--tunnels", "both"],
                          ["--scope", "x"], ["--direction", "two"], ["--idle-timeout", "0"], ["--linger", "-1"],
                          ["--active-timeout", "nan"], ["--hash-seed", "-"], ["--records-format", "xml"],
                          ["--records", "-", "--packets", "-"]):
            result = run("classify", *arguments, MIX)
            self.assertEqual(result.returncode, 2, (arguments, result.stderr))


class TestSameRecords(FlowTestCase):
    """Workers, bursts and seeds change nothing but the order, and what a model says."""

    def assert_same(self, capture):
        _, expected = self.classify(capture, "--hash-seed", "1")
        whole = sorted(json.dumps(record) for record in expected)
        expected = sorted(map(without_verdict, expected))
        for arguments in (["--burst", "1"], ["--burst", "7"], ["--burst", "64"],
                          ["--burst", "32", "--hash-seed", "1"], ["--hash-seed", "2"], ["--workers", "2"], ["--workers", "4", "--burst", "3"]):
            _, records = self.classify(capture, *arguments)
            if arguments == ["--burst", "32", "--hash-seed", "1"]:
                self.assertEqual(sorted(json.dumps(record) for record in records), whole, arguments)
            self.assertEqual(sorted(map(without_verdict, records)), expected, arguments)

    def test_random_packets(self):
        for seed in range(3):
            self.assert_same(random_capture(self.folder / "random.pcap", seed))

    def test_subseconds_that_are_none(self):
        capture = random_capture(self.folder / "random.pcap", 4, 400)
        data = bytearray(capture.read_bytes())
        offset = 24
        for i in range(400):
            if i in (0, 7, 8, 100):
                data[offset : offset + 8] = struct.pack("<iI", 0, 0xFFFFFFFF)
            offset += 16 + struct.unpack_from("<I", data, offset + 8)[0]
        capture.write_bytes(data)
        self.assert_same(capture)

    def test_joined_files_and_broken_clocks(self):
        draw = random.Random(5)
        packets, now = [], START
        for i in range(6000):
            now += draw.choice([0, 0.001, 0.2])
            if i % 1500 == 1499:
                now -= draw.choice([2, 100, 3000])
            when = now if draw.random() < 0.99 else now + draw.choice([-1000000, -5, -0.5, 86400, 900000000])
            there = draw.random() < 0.5
            port = draw.randrange(1024, 1200)
            src, dst, ports = (A, B, (port, 80)) if there else (B, A, (80, port))
            packet = ipv4(src, dst, 6, tcp(*ports, draw.choice(["S", "A", "PA", "FA", "R"]), b"x" * draw.randrange(9)))
            packets.append((when, ethernet(packet)))
        self.assert_same(self.capture(packets))

    def test_a_clock_that_is_set_back_ends_all_flows(self):
        question = lambda t: (t, ethernet(ipv4(A, B, 17, udp(5000, 53, b"q"))))
        summary, records = self.classify(self.capture([question(START + t) for t in (0, 40, 80, 0, 1)]))
        self.assertEqual([(r["packets_fwd"], r["end"] - r["start"]) for r in records], [(3, 80), (2, 1)])
        self.assertEqual((summary["time_breaks"], summary["times_replaced"]), (1, 0))
        summary, records = self.classify(self.capture([question(START + t) for t in (0, 1, 99999, 2, 3)]))
        self.assertEqual((summary["time_breaks"], summary["times_replaced"]), (0, 1))
        self.assertEqual([(r["packets_fwd"], r["end"] - r["start"]) for r in records], [(5, 3)])

    def test_real_captures(self):
        names = ["benign/cesnet_mixed.pcap", "benign/ndpi_1kxun.pcap", "attack/zeek_ftp_bruteforce.pcap",
                 "attack/stopddos_amp.dns.RRSIG.fragmented.pcap", "benign/ndpi_skype-conference-call.pcap"]
        if not DATA.is_dir():
            self.skipTest(f"no captures in {DATA}")
        for name in names:
            with self.subTest(name):
                self.assert_same(DATA / name)

    def test_packet_records_stay_in_order(self):
        capture = random_capture(self.folder / "random.pcap", 9)
        path = self.folder / "packets.ndjson"
        texts = []
        for workers in (1, 2, 4):
            result = run("classify", "--quiet", "--packets", path, "--workers", workers, capture)
            self.assertEqual(result.returncode, 0, result.stderr)
            texts.append(path.read_text())
        self.assertEqual([json.loads(line)["n"] for line in texts[0].splitlines()], list(range(1, 3001)))
        self.assertEqual(texts[1:], texts[:1] * 2)


class TestJoy(FlowTestCase):
    def joy(self, capture, name="flows.json.gz"):
        path = self.folder / name
        result = run("classify", "--quiet", "--records", path, "--records-format", "joy", capture)
        self.assertEqual(result.returncode, 0, result.stderr)
        text = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
        lines = [json.loads(line) for line in text.splitlines()]
        return lines[0], lines[1:]

    def test_a_conversation_in_joys_words(self):
        head, flows = self.joy(self.capture(conversation()))
        self.assertEqual(head["end-config"], 1)
        flow = flows[0]
        self.assertEqual({key: flow[key] for key in ("sa", "da", "pr", "sp", "dp", "bytes_out", "num_pkts_out",
                                                     "bytes_in", "num_pkts_in", "time_start", "time_end")},
                         {"sa": A, "da": B, "pr": 6, "sp": 40000, "dp": 80, "bytes_out": 100, "num_pkts_out": 6,
                          "bytes_in": 1000, "num_pkts_in": 4, "time_start": START, "time_end": START + 0.009})
        self.assertEqual(flow["packets"], [{"b": 100, "dir": ">", "ipt": 3}, {"b": 500, "dir": "<", "ipt": 1},
                                           {"b": 500, "dir": "<", "ipt": 1}])
        self.assertEqual(flow["ip"]["out"]["ttl"], 64)
        self.assertEqual(len(flow["ip"]["out"]["id"]), 6)
        self.assertEqual(len(flow["ip"]["in"]["id"]), 4)

    def test_the_first_packets_with_payload_are_listed(self):
        # Handshake and silence; then 40 questions, each with two answers: 128 packets are looked at.
        packets = [(there, 0) for there in (True, False, True)] + [(True, 0)] * 20
        packets += [(there, 10 + i) for i in range(40) for there in (True, False, False)]
        head, flows = self.joy(self.capture([
            (START + i * 0.001, ethernet(ipv4(*((A, B) if there else (B, A)), 6,
                                              tcp(*((40000, 80) if there else (80, 40000)), "A", b"x" * size), i)))
            for i, (there, size) in enumerate(packets)]))
        self.assertEqual(head["num_pkts"], 50)
        expected = [(there, size, i) for i, (there, size) in enumerate(packets[:128]) if size]
        self.assertEqual(len([1 for there, _, _ in expected if not there]), 70)
        backward = [i for there, _, i in expected if not there]
        expected = [(there, size, i) for there, size, i in expected if there or i in backward[:50]]
        self.assertEqual([(p["dir"], p["b"]) for p in flows[0]["packets"]],
                         [(">" if there else "<", size) for there, size, _ in expected])
        self.assertEqual(sum(p["ipt"] for p in flows[0]["packets"]), expected[-1][2])
        for side, there in (("out", True), ("in", False)):
            self.assertEqual(flows[0]["ip"][side]["id"],
                             [i for i, packet in enumerate(packets[:128]) if packet[0] == there][:50])
        self.assertEqual((flows[0]["num_pkts_out"], flows[0]["num_pkts_in"]), (62, 81))

    def test_the_samples_have_the_same_form(self):
        samples = sorted((DATA / "joy").glob("*.json.gz"))
        if not samples:
            self.skipTest(f"no samples in {DATA / 'joy'}")
        _, flows = self.joy(self.capture(conversation()))
        for sample in samples:
            lines = [json.loads(line) for line in gzip.decompress(sample.read_bytes()).splitlines() if line.strip()]
            self.assertIn("end-config", lines[0])
            for flow in lines[1:]:
                if "sa" not in flow:
                    continue
                for key in ("sa", "da", "pr", "sp", "dp", "bytes_out", "num_pkts_out", "time_start", "time_end",
                            "packets", "ip"):
                    self.assertIs(type(flows[0][key]), type(flow[key]), key)
                self.assertEqual(set(flows[0]["packets"][0]), set(flow["packets"][0]))

    def test_joy_without_compression(self):
        _, flows = self.joy(self.capture(conversation()), "flows.json")
        self.assertEqual(len(flows), 1)


if __name__ == "__main__":
    unittest.main()

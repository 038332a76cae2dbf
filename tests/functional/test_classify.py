# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore classify`: what it counts, what it writes, what it refuses."""
import concurrent.futures
import json
import os
import signal
import struct
import subprocess
import time
import unittest

from captures import DATA, MIX, ROOT, TestCase, UNICAST, WIRESCORE, frame, is_ip, is_ipv4, read_pcap, run, write_pcap
from test_man import sections

IPV4 = frame(0x0800, b"\x45" + bytes(19))
ARP = frame(0x0806, bytes.fromhex("0001080006040001"))


def classify(*arguments, code=0):
    result = run("classify", "--json", *arguments)
    if result.returncode != code:
        raise AssertionError(f"exit {result.returncode}: {result.stderr}")
    return json.loads(result.stdout)


def classify_packets(*arguments, code=0):
    """The NDJSON of every packet, as text and parsed."""
    result = run("classify", "--packets", "-", *arguments)
    if result.returncode != code:
        raise AssertionError(f"exit {result.returncode}: {result.stderr}")
    return result.stdout, [json.loads(line) for line in result.stdout.splitlines()]


class Summary(TestCase):
    def assert_conserved(self, counts):
        self.assertEqual(counts["packets"], counts["ip"] + counts["non_ip"] + sum(counts["dropped"].values()))

    def test_the_bundled_capture_is_classified_without_an_error(self):
        summary = classify(MIX)
        frames = read_pcap(MIX)
        self.assertEqual(summary["packets"], len(frames))
        self.assertEqual(summary["ip"], sum(map(is_ip, frames)))
        self.assertEqual(sum(summary["ethertypes"].values()), len(frames))
        self.assert_conserved(summary)
        self.assert_conserved(summary["captures"][0])
        for key in ("bytes", "seconds", "packets_per_second", "cycles_per_packet"):
            self.assertGreater(summary[key], 0, key)
        self.assertEqual(summary["models"]["packet"]["inputs"], 22)
        self.assertTrue(summary["complete"])

    def test_the_cycles_of_timed_stages_are_those_of_the_work_and_not_of_waiting_for_a_slow_reader(self):
        capture = write_pcap(self.folder / "many.pcap", [IPV4, ARP] * 30000)
        self.assertIsNone(classify(MIX, "--burst", 64)["cycles_by_timed_stage"])
        with open(self.folder / "summary", "w+", encoding="utf-8") as said:
            with subprocess.Popen([WIRESCORE, "classify", "--json", "--quiet", "--packets", "-", capture],
                                  stdout=subprocess.PIPE, stderr=said) as program:
                while program.stdout.read(1 << 16):
                    time.sleep(0.03)
            said.seek(0)
            summary = json.load(said)
        self.assertEqual(program.returncode, 0)
        stages, all_bursts = summary["cycles_by_timed_stage"], summary["cycles_by_stage"]
        self.assertEqual([name for name, cycles in stages.items() if cycles > 0], ["rx", "parse", "score", "lookup", "action"])
        self.assertEqual(stages["share"], 0)
        # Most of the time the reader was waited for, in nearly every burst behind the first.
        self.assertGreater(all_bursts["wait"], 10 * summary["cycles_per_packet"])
        self.assertLess(sum(stages.values()), all_bursts["wait"] / 4)
        told = sections()["SUMMARY AS JSON"]
        for name in ("cycles_by_timed_stage", "cycles_by_stage", *stages, *all_bursts):
            self.assertIn(name, told)

    def test_the_table_names_what_the_json_names(self):
        result = run("classify", MIX)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        summary = classify(MIX)
        for word in ("packets", "ip", "non-ip", "dropped", "0x0800", "IPv4", "kernel", "cycles", "packets/s"):
            self.assertIn(word, result.stdout)
        self.assertRegex(result.stdout, rf"packets +{summary['packets']} ")

    def test_an_empty_capture_gives_zeros(self):
        summary = classify(write_pcap(self.folder / "empty.pcap", []))
        self.assertEqual((summary["packets"], summary["ip"], summary["cycles_per_packet"]), (0, 0, 0))

    def test_ethertypes_are_those_of_bytes_12_and_13(self):
        capture = write_pcap(
            self.folder / "types.pcap",
            [IPV4, ARP, frame(0x8100, b"\0\1\x08\0"), frame(0x0026), UNICAST + b"\x08", frame(0xFFFF)],
        )
        self.assertEqual(
            classify(capture)["ethertypes"],
            {"0x0800": 1, "0x0806": 1, "0x8100": 1, "802.3": 1, "none": 1, "0xffff": 1},
        )

    def test_without_a_model_the_parser_decides_and_scores_are_null(self):
        frames = read_pcap(MIX)
        summary = classify("--packet-model", "none", MIX)
        self.assertEqual((summary["kernel"], summary["models"]["packet"]), (None, None))
        self.assert_conserved(summary)
        _, packets = classify_packets("--packet-model", "none", MIX)
        self.assertEqual(len(packets), len(frames))
        self.assertEqual({packet["score"] for packet in packets}, {None})

    def test_other_link_types_need_the_model_to_be_left_out(self):
        capture = write_pcap(self.folder / "raw.pcap", [b"\x45" + bytes(19), b"\x60" + bytes(39)], link_type=101)
        summary = classify("--packet-model", "none", capture)
        self.assertEqual((summary["ip"], summary["ethertypes"]), (2, {"0x0800": 1, "0x86dd": 1}))

    def test_a_model_of_an_ethertype_names_its_own_classes(self):
        model = self.folder / "arp.onnx"
        trained = run("train", "packet", "--label", "ethertype:0x0806", "--bytes", 14, "--epochs", 1, "-o", model, MIX)
        self.assertEqual(trained.returncode, 0, trained.stderr)
        summary = classify("--packet-model", model, MIX)
        self.assertEqual(set(summary["classes"]), {"0x0806", "other"})
        self.assertEqual(summary["packets"], sum(summary["classes"].values()))
        self.assertNotIn("ip", summary)


class Packets(TestCase):
    def test_every_packet_has_its_line_in_capture_order(self):
        frames = [IPV4, ARP, IPV4[:14], frame(0x86DD, size=1514), UNICAST[:10]]
        capture = write_pcap(self.folder / "a.pcap", frames)
        _, packets = classify_packets(capture)
        self.assertEqual([packet["n"] for packet in packets], [1, 2, 3, 4, 5])
        self.assertEqual([packet["class"] for packet in packets], ["ip", "non-ip", "ip", "ip", "non-ip"])
        self.assertEqual([packet["len"] for packet in packets], [len(data) for data in frames])
        self.assertEqual(
            [packet["ethertype"] for packet in packets], ["0x0800", "0x0806", "0x0800", "0x86dd", "none"]
        )
        self.assertEqual([round(packet["ts"] * 1000) for packet in packets], [1_600_000_000_000 + i for i in range(5)])
        for packet in packets:
            self.assertEqual(list(packet), ["n", "ts", "len", "ethertype", "class", "score", "flow_id"])
            self.assertEqual(packet["score"] >= 0.5, packet["class"] == "ip")

    def test_a_dash_is_stdout_and_the_summary_goes_to_stderr(self):
        result = run("classify", "--packets", "-", "--json", MIX)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(json.loads(result.stderr)["packets"], len(result.stdout.splitlines()))

    def test_a_file_gets_the_same_lines(self):
        text, _ = classify_packets(MIX)
        self.assertEqual(run("classify", "--packets", self.folder / "p.ndjson", MIX).returncode, 0)
        self.assertEqual((self.folder / "p.ndjson").read_text(), text)

    def test_burst_workers_and_kernel_change_nothing(self):
        text, _ = classify_packets(MIX)
        kernels = [k["name"] for k in json.loads(run("kernels", "--json").stdout)["kernels"] if k["supported"]]
        self.assertIn("scalar", kernels)
        for options in [["--burst", n] for n in (1, 3, 17, 64)] + [["--kernel", name] for name in kernels]:
            self.assertEqual(classify_packets(*options, MIX)[0], text, options)

    def test_captures_come_out_in_order_whatever_the_workers(self):
        # More captures than DPDK has ports, of very different lengths, and more records than a ring holds.
        captures = [
            write_pcap(self.folder / f"{i:02}.pcap", [IPV4 if (i + k) % 3 else ARP for k in range(1 + (i % 4) * 9000)])
            for i in range(40)
        ]
        text, packets = classify_packets("--workers", 1, *captures)
        self.assertEqual(len(packets), sum(1 + (i % 4) * 9000 for i in range(40)))
        self.assertEqual(
            [(packet["capture"], packet["n"]) for packet in packets],
            [(str(capture), n + 1) for i, capture in enumerate(captures) for n in range(1 + (i % 4) * 9000)],
        )
        for workers in (2, 4):
            self.assertEqual(classify_packets("--workers", workers, *captures)[0], text)
        summary = classify("--workers", 3, *captures)
        self.assertEqual(summary["packets"], len(packets))
        self.assertEqual([c["file"] for c in summary["captures"]], [str(capture) for capture in captures])

    def test_a_full_disk_loses_lines_but_not_the_summary(self):
        for n_packets in (5, 50_000):
            capture = write_pcap(self.folder / "a.pcap", [IPV4] * n_packets)
            result = run("classify", "--json", "--packets", "/dev/full", capture)
            self.assert_complains(result, 1, "/dev/full", f"{n_packets} of {n_packets} lines", "No space left")
            summary = json.loads(result.stdout)
            self.assertEqual((summary["packets"], summary["complete"]), (n_packets, True))

    def test_a_closed_stdout_is_not_taken_for_the_file(self):
        out = self.folder / "p.ndjson"
        out.write_text("old\n" * 100_000)
        command = f'exec "{WIRESCORE}" classify --packets "{out}" "{MIX}" >&-'
        subprocess.run(["sh", "-c", command], stderr=subprocess.DEVNULL, timeout=60)
        lines = out.read_text().splitlines()
        self.assertEqual([json.loads(line)["n"] for line in lines], list(range(1, len(read_pcap(MIX)) + 1)))

    def test_an_input_is_never_overwritten(self):
        capture = write_pcap(self.folder / "a.pcap", [IPV4] * 5)
        (self.folder / "link").symlink_to(capture)
        model = self.folder / "ip.onnx"
        model.write_bytes((ROOT / "config/models/ip.onnx").read_bytes())
        for output in (capture, self.folder / "link", model):
            before = output.read_bytes()
            result = run("classify", "--packet-model", model, "--packets", output, capture)
            self.assert_complains(result, 1, str(output), "is a file that is read")
            self.assertEqual(output.read_bytes(), before)

    def test_an_older_file_stays_until_there_is_something_to_write(self):
        keep = self.folder / "keep.ndjson"
        keep.write_text("what was there before, and is longer than the one line that comes " * 10)
        self.assertEqual(run("classify", "--packets", keep, MIX, "--", "--bogus").returncode, 1)
        self.assertIn("what was there", keep.read_text())
        self.assertEqual(run("classify", "--packets", keep, write_pcap(self.folder / "a.pcap", [IPV4])).returncode, 0)
        self.assertEqual(json.loads(keep.read_text())["n"], 1)

    def test_every_line_names_its_capture_where_several_were_asked_for(self):
        odd = write_pcap(self.folder / os.fsdecode(b"\xff.pcap"), [ARP])
        result = run("classify", "--packets", "-", odd, MIX, self.folder / "missing.pcap")
        self.assertEqual(result.returncode, 1)
        packets = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(packets[0]["capture"], f"{self.folder}/\ufffd.pcap")
        self.assertEqual({packet["capture"] for packet in packets[1:]}, {str(MIX)})


class Frames(TestCase):
    def test_packets_longer_than_a_buffer_are_classified_by_their_start(self):
        sizes = [2047, 2048, 2049, 9000, 65535, 65536, 70000, 200000]
        frames = [frame(0x0800 if i % 2 else 0x0806, size=size) for i, size in enumerate(sizes)]
        capture = write_pcap(self.folder / "long.pcap", frames * 20)
        for burst in (1, 64):
            _, packets = classify_packets("--burst", burst, capture)
            self.assertEqual([packet["len"] for packet in packets], sizes * 20)
            self.assertEqual([packet["class"] for packet in packets], ["non-ip", "ip"] * 80)
        summary = classify(capture)
        self.assertEqual((summary["bytes"], summary["dropped"]), (sum(sizes) * 20, {"no_mbuf": 0, "not_a_number": 0}))

    def test_snapped_packets_keep_their_length_on_the_wire(self):
        capture = write_pcap(self.folder / "snap.pcap", [frame(0x0800, size=1500), (ARP, 9000), IPV4], snap=40)
        _, packets = classify_packets(capture)
        self.assertEqual([packet["len"] for packet in packets], [1500, 9000, 60])
        self.assertEqual(classify(capture)["bytes"], 1500 + 9000 + 60)

    def test_short_frames_are_padded_or_counted_as_untyped(self):
        capture = write_pcap(self.folder / "runts.pcap", [IPV4[:n] for n in range(0, 30)])
        summary = classify(capture)
        self.assertEqual((summary["untyped"], summary["padded"]), (14, 22 - 14))
        self.assertEqual((summary["ip"], summary["non_ip"]), (16, 14))

    def test_pcap_of_both_byte_orders_and_resolutions_and_pcapng_read_alike(self):
        expected = None
        for nanosecond in (False, True):
            for big_endian in (False, True):
                name = self.folder / f"{nanosecond}{big_endian}.pcap"
                summary = classify(write_pcap(name, [IPV4, ARP], nanosecond=nanosecond, big_endian=big_endian))
                counts = (summary["packets"], summary["ip"], summary["bytes"])
                self.assertEqual(counts, expected or counts)
                expected = counts
                self.assertEqual(summary["captures"][0]["format"], "pcap (ns)" if nanosecond else "pcap")
        self.assertEqual(expected, (2, 1, 120))
        blocks = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        blocks += struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
        for data in (IPV4, ARP):
            blocks += struct.pack("<IIIIIII", 6, 32 + len(data), 0, 0, 5, len(data), len(data)) + data
            blocks += struct.pack("<I", 32 + len(data))
        (self.folder / "a.pcapng").write_bytes(blocks)
        summary = classify(self.folder / "a.pcapng")
        self.assertEqual((summary["packets"], summary["ip"], summary["bytes"]), expected)
        self.assertEqual(summary["captures"][0]["format"], "pcapng")

    def test_frames_that_cannot_be_parsed_are_counted_by_reason(self):
        tag = b"\0\1\x81\0"
        frames = [UNICAST + b"\x08", UNICAST + b"\x81\0\0", UNICAST + b"\x81\0" + tag * 4 + b"\0\1\x08\0", IPV4]
        summary = classify(write_pcap(self.folder / "a.pcap", frames))
        self.assertEqual(
            {name: n for name, n in summary["parse_errors"].items() if n},
            {"cut_link_header": 1, "cut_vlan_tag": 1, "too_many_vlan_tags": 1},
        )
        self.assertEqual((summary["ip"], summary["non_ip"]), (1, 3))
        ppp = write_pcap(self.folder / "ppp.pcap", [b"\xff\3\xc0\x21"], link_type=9)
        summary = classify("--packet-model", "none", ppp)
        self.assertEqual((summary["parse_errors"]["no_ethertype"], summary["ethertypes"]), (1, {"other": 1}))

    def test_a_type_that_is_cut_is_not_completed_by_zeros(self):
        for cut in (UNICAST + b"\x08", UNICAST + b"\x81\0\0\1\x08", UNICAST + b"\x88\xa8\0\1\x81\0\0\1\x08"):
            summary = classify(write_pcap(self.folder / "a.pcap", [cut]))
            self.assertEqual((summary["non_ip"], summary["untyped"]), (1, 1), cut.hex())

    def test_a_time_that_does_not_fit_is_null(self):
        blocks = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        blocks += struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
        blocks += struct.pack("<IIIIIII", 6, 92, 0, 0xFFFFFFFF, 0xFFFFFFFF, 60, 60) + IPV4 + struct.pack("<I", 92)
        (self.folder / "a.pcapng").write_bytes(blocks)
        _, packets = classify_packets(self.folder / "a.pcapng")
        self.assertEqual((packets[0]["ts"], packets[0]["class"]), (None, "ip"))

    def test_any_path_can_be_read(self):
        for name in ("a,b=c.pcap", "with space [1].pcap", "ünïcode.pcap", b"\xff\xfe.pcap".decode(errors="surrogateescape")):
            capture = write_pcap(self.folder / name, [IPV4, ARP])
            self.assertEqual(classify(capture)["packets"], 2, name)
            self.assertEqual(len(classify_packets(capture, MIX)[1]), 2 + len(read_pcap(MIX)))


class BadInput(TestCase):
    def test_a_capture_cut_in_a_packet_gives_what_was_whole(self):
        capture = write_pcap(self.folder / "cut.pcap", [IPV4] * 5 + [ARP] * 5)
        data = capture.read_bytes()
        for lost in (1, 59, 60, 70, 75):
            capture.write_bytes(data[:-lost])
            result = run("classify", "--json", capture)
            self.assert_complains(result, 1, str(capture), "packet 10", f"offset {24 + 9 * 76}")
            summary = json.loads(result.stdout)
            self.assertEqual((summary["packets"], summary["ip"], summary["non_ip"]), (9, 5, 4))
            self.assertFalse(summary["complete"])
            self.assertIn("offset", summary["captures"][0]["error"])
        capture.write_bytes(data[:-76])
        self.assertEqual(classify(capture)["packets"], 9)

    def test_a_bad_capture_does_not_lose_the_good_ones(self):
        result = run("classify", "--json", self.folder / "missing.pcap", MIX)
        self.assert_complains(result, 1, "missing.pcap")
        self.assertEqual(json.loads(result.stdout)["packets"], len(read_pcap(MIX)))

    def test_what_is_not_a_capture_is_refused_in_one_line(self):
        (self.folder / "empty").write_bytes(b"")
        (self.folder / "text").write_bytes(b"hello, this is no capture\n" * 10)
        (self.folder / "gzip").write_bytes(b"\x1f\x8b\x08\0" + bytes(20))
        (self.folder / "header").write_bytes(b"\xd4\xc3\xb2\xa1\2\0")
        os.mkfifo(self.folder / "fifo")
        for name, word in {
            "missing": "No such file",
            ".": "directory",
            "empty": "empty",
            "text": "not a pcap",
            "gzip": "gunzip",
            "header": "truncated",
            "fifo": "not a regular file",
        }.items():
            self.assert_complains(run("classify", self.folder / name), 1, str(self.folder / name), word)

    def test_an_unreadable_capture_is_refused(self):
        capture = write_pcap(self.folder / "secret.pcap", [IPV4])
        capture.chmod(0)
        if os.access(capture, os.R_OK):
            self.skipTest("this user may read everything")
        self.assert_complains(run("classify", capture), 1, "Permission denied")

    def test_a_link_type_that_cannot_be_parsed_is_refused_by_name(self):
        capture = write_pcap(self.folder / "usb.pcap", [bytes(64)], link_type=220)
        self.assert_complains(run("classify", capture), 1, f"{capture}: link type USB_LINUX_MMAPPED cannot be parsed")

    def test_links_without_ethernet_are_judged_by_the_parser(self):
        sll = struct.pack(">HHHQH", 0, 1, 6, 0, 0x0800) + bytes(20)
        summary = classify(write_pcap(self.folder / "sll.pcap", [sll, sll[:-22] + b"\x08\x06" + bytes(28)], link_type=113))
        self.assertEqual((summary["ip"], summary["non_ip"], summary["by_parser"]), (1, 1, 2))

    def test_models_that_cannot_be_used_are_refused(self):
        (self.folder / "empty.onnx").write_bytes(b"")
        (self.folder / "text.onnx").write_text("not a model")
        with open(self.folder / "huge.onnx", "wb") as file:
            file.truncate(2 << 30)
        for name in ("missing.onnx", "empty.onnx", "text.onnx", "huge.onnx", "."):
            result = run("classify", "--packet-model", self.folder / name, MIX, timeout=10)
            self.assert_complains(result, 1, str(self.folder / name))

    def test_bad_usage_exits_with_2(self):
        for arguments in (
            ["classify"],
            ["classify", "--workers", "0", MIX],
            ["classify", "--workers", "x", MIX],
            ["classify", "--burst", "65", MIX],
            ["classify", "--burst", "-1", MIX],
            ["classify", "--no-such-option", MIX],
            ["no-such-command"],
            [],
        ):
            self.assertEqual(run(*arguments).returncode, 2, arguments)

    def test_an_unknown_kernel_is_refused(self):
        self.assert_complains(run("classify", "--kernel", "mmx", MIX), 1, "mmx")

    def test_malformed_captures_end_in_a_summary_or_one_line(self):
        folder = DATA / "malformed"
        if not folder.is_dir():
            self.skipTest(f"{folder} is not here")
        captures = sorted(folder.iterdir())
        self.assertGreater(len(captures), 0)
        runs = [(capture, model) for capture in captures for model in ("none", ROOT / "config/models/ip.onnx")]
        # DPDK takes a tenth of a second to measure its clock: waiting is better done side by side.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = pool.map(lambda r: run("classify", "--packet-model", r[1], r[0], timeout=60), runs)
            for (capture, _), result in zip(runs, results):
                self.assertIn(result.returncode, (0, 1), f"{capture}: {result.stderr}")
                self.assertEqual(len(result.stderr.splitlines()), result.returncode, f"{capture}: {result.stderr}")


class Held:
    """A run that stands still because nobody reads its records; let go by result()."""

    def __init__(self, folder, *arguments):
        self.summary = open(folder / "summary", "w+")
        self.process = subprocess.Popen(
            [WIRESCORE, "classify", "--json", "--packets", "-", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=self.summary,
        )
        self.first = self.process.stdout.read(1)

    def result(self):
        """Exit code, number of lines, complaints and the summary."""
        n_lines = self.process.stdout.read().count(b"\n")
        self.process.stdout.close()
        code = self.process.wait(timeout=60)
        self.summary.seek(0)
        text = self.summary.read()
        self.summary.close()
        at = text.index("{\n")
        return code, n_lines, text[:at], json.loads(text[at:])


class ChangingFiles(TestCase):
    def setUp(self):
        super().setUp()
        self.capture = write_pcap(self.folder / "a.pcap", [IPV4] * 400_000)

    def assert_changed(self, held):
        code, _, complaints, summary = held.result()
        self.assertEqual((code, summary["complete"]), (1, False))
        self.assertIn("was changed while it was read", complaints)
        self.assertEqual(len(complaints.splitlines()), 1)
        self.assertEqual(
            summary["packets"], summary["ip"] + summary["non_ip"] + sum(summary["dropped"].values())
        )

    def test_a_capture_that_is_overwritten_while_it_is_read_is_named(self):
        held = Held(self.folder, self.capture)
        with open(self.capture, "r+b") as file:
            file.seek(20_000_000)
            file.write(b"\xff" * 2_000_000)
        self.assert_changed(held)

    def test_a_capture_that_is_truncated_while_it_is_read_is_named(self):
        held = Held(self.folder, self.capture)
        os.truncate(self.capture, 20_000_000)
        self.assert_changed(held)

    def test_a_capture_that_is_exchanged_before_its_turn_is_refused(self):
        second = write_pcap(self.folder / "b.pcap", [IPV4] * 10)
        held = Held(self.folder, self.capture, second)
        write_pcap(self.folder / "c.pcap", [bytes(16)] * 10, link_type=113)
        os.replace(self.folder / "c.pcap", second)
        code, n_lines, complaints, summary = held.result()
        self.assertEqual((code, summary["packets"], n_lines), (1, 400_000, 400_000))
        self.assertIn(f"{second}: was changed after it was looked at", complaints)

    def test_a_capture_that_is_gone_before_its_turn_is_named(self):
        second = write_pcap(self.folder / "b.pcap", [IPV4] * 10)
        held = Held(self.folder, self.capture, second, MIX)
        second.unlink()
        code, n_lines, complaints, summary = held.result()
        self.assertEqual((code, summary["packets"]), (1, 400_000 + len(read_pcap(MIX))))
        self.assertEqual(n_lines, summary["packets"])
        self.assertIn(f"{second}: cannot be opened again", complaints)


class Environment(TestCase):
    def test_many_workers_and_long_packets_find_memory(self):
        captures = [write_pcap(self.folder / f"{i}.pcap", [frame(0x0800, size=199_000)] * 4) for i in range(8)]
        self.assertEqual(classify("--workers", 8, "--burst", 64, *captures)["packets"], 32)
        self.assertEqual(classify("--workers", 32, *[MIX] * 64)["packets"], 64 * len(read_pcap(MIX)))

    def test_eal_help_is_shown_and_a_secondary_process_refused(self):
        self.assertIn("EAL common options", run("classify", MIX, "--", "--help").stdout)
        self.assert_complains(run("classify", MIX, "--", "--proc-type=secondary", timeout=20), 1, "--proc-type")

    def test_eal_arguments_pass_through(self):
        self.assertEqual(run("classify", MIX, "--", "--no-huge", "--no-shconf", "-m", "256", "--lcores", "(0-1)@0").returncode, 0)
        self.assert_complains(run("classify", MIX, "--", "--no-such-option"), 1, "DPDK", "unrecognized option '--no-such-option'")
        self.assert_complains(run("classify", MIX, "--", "-l", "0"), 1, "lcores")

    def test_root_is_not_needed(self):
        if os.geteuid():
            self.skipTest("not root: every other test shows it")
        if not all(os.stat(folder).st_mode & 0o1 for folder in (*map(str, ROOT.parents), ROOT)):
            self.skipTest("the tree is in a folder that only root enters")
        self.folder.chmod(0o755)
        capture = write_pcap(self.folder / "a.pcap", [IPV4, ARP])
        result = run("classify", "--json", capture, user=65534, group=65534, extra_groups=[], cwd="/")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["packets"], 2)

    def test_two_runs_do_not_disturb_each_other(self):
        runs = [subprocess.Popen([WIRESCORE, "classify", "--json", MIX], stdout=subprocess.PIPE) for _ in range(4)]
        outputs = [process.communicate(timeout=60)[0] for process in runs]
        self.assertEqual([json.loads(output)["packets"] for output in outputs], [len(read_pcap(MIX))] * 4)

    def test_interrupt_ends_with_the_summary_so_far(self):
        captures = [write_pcap(self.folder / f"{i}.pcap", [IPV4] * 200_000) for i in range(3)]
        for workers in (1, 2):
            held = Held(self.folder, "--workers", workers, *captures)
            held.process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            code, n_lines, complaints, summary = held.result()
            self.assertEqual((code, complaints, summary["complete"]), (130, "", False))
            self.assertLess(summary["packets"], 600_000)
            self.assertEqual(summary["packets"], n_lines)
            self.assertEqual(summary["packets"], summary["ip"] + summary["non_ip"])


class RealCaptures(TestCase):
    def test_the_shipped_models_are_right_on_every_real_frame(self):
        captures = sorted((DATA / "ipnonip").glob("*.pcap"))
        if not captures:
            self.skipTest(f"{DATA / 'ipnonip'} is not here")
        n_frames = 0
        for model, rule in (("ip.onnx", is_ip), ("ipv4.onnx", is_ipv4)):
            for capture in captures:
                frames = read_pcap(capture)
                if frames is None:
                    continue
                _, packets = classify_packets("--packet-model", ROOT / "config/models" / model, capture)
                classes = [packet["class"] == "ip" for packet in packets]
                self.assertEqual(classes, [rule(data) for data in frames], f"{model} on {capture}")
                n_frames += len(frames)
        self.assertGreater(n_frames, 60_000)


if __name__ == "__main__":
    unittest.main()

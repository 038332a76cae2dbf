# SPDX-License-Identifier: BSD-3-Clause
"""Where the records of a live run go: several files at once, pipes that nobody reads, disks that are full."""
import contextlib
import csv
import gzip
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.request

from captures import WIRESCORE, TestCase, ethernet, frame, ipv4, udp, write_pcap

VERSION = subprocess.run([WIRESCORE, "--version"], capture_output=True, text=True, check=True).stdout
OUTCOMES = ("delivered", "dropped_full", "dropped_end", "queued")


def packets_of_flows(n_flows, n_packets):
    """Datagrams of so many conversations in turn, each of so many packets, and one frame without any."""
    packets = [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(1 + i % n_flows, 53, b"x" * 18)))
               for i in range(n_flows * n_packets)]
    return packets + [frame(0x0806, b"\0" * 46)]


class RefusingServer:
    """A Redis before 6, which takes no user, and repeats what it does not take."""

    def __enter__(self):
        self.heard = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                with client, contextlib.suppress(OSError):
                    client.settimeout(5)
                    while data := client.recv(4096):
                        self.heard += data
                        client.sendall(b"-ERR unknown command `AUTH`, with args beginning with: `wire` `hunter2`\r\n")

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(20)


class Sinks(TestCase):
    def start(self, packets, records, *options, stdout=subprocess.PIPE):
        """Starts a run that reads the packets; returns when all were received."""
        source = self.folder / "in.pcap"
        write_pcap(source, packets)
        config = self.folder / "run.conf"
        config.write_text("[eal]\nworkers = 1\nidle-sleep = yes\n[models]\npacket = none\nflow = shipped\n[flow]\n"
                          f"flows = 65536\n[metrics]\ninterval = off\n[port a]\ndevice = net_pcap0,rx_pcap={source}\n{records}")
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        self.program = subprocess.Popen([WIRESCORE, "run", "--json", *options, config], stdout=stdout,
                                        stderr=self.log, text=True)
        self.addCleanup(self.kill)
        self.wait_for(lambda report: report["ports"]["a"]["received"] == len(packets))

    def kill(self):
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        if self.program.stdout:
            self.program.stdout.close()

    def said(self):
        return (self.folder / "log").read_text()

    def report(self):
        """What is counted now; the run goes on."""
        def reports():
            return [line for line in self.said().splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")]

        end = time.monotonic() + 20
        while "running with" not in self.said():
            self.assertIsNone(self.program.poll(), self.said())
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        n = len(reports())
        self.program.send_signal(signal.SIGUSR1)
        while len(reports()) == n:
            self.assertIsNone(self.program.poll(), self.said())
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        return json.loads(reports()[-1])

    def wait_for(self, is_so, seconds=30):
        end = time.monotonic() + seconds
        report = self.report()
        while not is_so(report):
            self.assertLess(time.monotonic(), end, report)
            time.sleep(0.1)
            report = self.report()
        return report

    def stop(self, code=0):
        """Ends the run; its last report, in which the counts of every sink add up."""
        self.program.send_signal(signal.SIGTERM)
        self.output = text = self.program.communicate(timeout=60)[0] or ""
        self.assertEqual(self.program.returncode, code, self.said())
        report = json.loads((text if text.startswith('{"seconds"') else self.said()).splitlines()[-1])
        for sink in report["sinks"].values():
            self.assertEqual(sink["accepted"], sum(sink[outcome] for outcome in OUTCOMES), report["sinks"])
            self.assertEqual(sink["queued"], 0)
        return report

    def lines(self, name):
        opened = gzip.open if name.endswith(".gz") else open
        with opened(self.folder / name, "rt", encoding="utf-8", newline="") as file:
            return [json.loads(line) for line in file]


class Several(Sinks):
    def test_two_files_have_all_while_a_pipe_that_nobody_reads_loses_its_own(self):
        os.mkfifo(self.folder / "pipe")
        packets = packets_of_flows(20000, 2)
        self.start(packets, f"[records json]\npath = {self.folder}/flows.ndjson.gz\n"
                            f"[records table]\npath = {self.folder}/flows.csv\nformat = csv\n"
                            f"[records nobody]\npath = {self.folder}/pipe\nrecords = packets\nqueue = 1024\n")
        started = time.monotonic()
        report = self.stop(code=1)
        self.assertLess(time.monotonic() - started, 15)
        self.assertEqual(report["ports"]["a"]["observed"], len(packets))
        self.assertEqual(report["flows"]["records_lost"], 0)
        for name in ("json", "table"):
            self.assertEqual((report["sinks"][name]["delivered"], report["sinks"][name]["error"]), (20000, None))
        nobody = report["sinks"]["nobody"]
        self.assertEqual((nobody["delivered"], nobody["dropped_end"]), (0, 1024))
        self.assertEqual(nobody["accepted"] + report["flows"]["packet_records_lost"], len(packets))
        self.assertIn("pipe: nobody reads it", nobody["error"])
        self.assertEqual(self.said().count("nobody reads it; records wait"), 1)
        told = f"[records nobody] {self.folder}/pipe: is a pipe that nobody reads yet; records wait"
        self.assertLess(self.said().index(told), self.said().index("running with"))
        self.assertIn("[records nobody] nobody takes them any more: 1024 that waited are lost", self.said())
        # The same records, in both forms.
        records = self.lines("flows.ndjson.gz")
        with open(self.folder / "flows.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual((len(records), len({r["flow_id"] for r in records})), (20000, 20000))
        self.assertEqual(list(rows[0]), [*list(records[0])[:7], "tunnel_id", *list(records[0])[7:]])
        for record, row in zip(records, rows, strict=True):
            self.assertEqual(row.pop("tunnel_id"), "")
            self.assertEqual(row, {key: "" if value is None else json.dumps(value).strip('"') if key not in
                                   ("start", "end", "score", "logit") else row[key] for key, value in record.items()})
            for key in ("start", "end", "score", "logit"):
                self.assertEqual(float(row[key]), record[key])

    def test_samples_of_flows_and_packets_are_of_the_same_conversations(self):
        packets = packets_of_flows(4000, 3)
        self.start(packets, f"[records flows]\npath = {self.folder}/flows\none-in = 8\n"
                            f"[records packets]\npath = {self.folder}/packets\nrecords = packets\none-in = 8\n"
                            f"[records all]\npath = {self.folder}/all\nrecords = packets\n")
        self.stop()
        chosen = {record["flow_id"] for record in self.lines("flows")}
        self.assertTrue(400 < len(chosen) < 600, len(chosen))
        self.assertEqual({record["flow_id"] for record in self.lines("packets")} - {None}, chosen)
        self.assertEqual(sum(record["flow_id"] is not None for record in self.lines("packets")), 3 * len(chosen))
        seen = [record["flow_id"] for record in self.lines("all")]
        self.assertEqual((len(seen), len(set(seen[:4000])), seen[-1]), (len(packets), 4000, None))
        self.assertEqual(seen[:4000] * 3, seen[:-1])

    def test_packets_tell_their_port_and_their_worker_which_counts_its_own(self):
        packets = packets_of_flows(200, 5)
        other = self.folder / "other.pcap"
        write_pcap(other, packets[:300])
        self.start(packets, f"[records lines]\npath = {self.folder}/lines\nrecords = packets\n"
                            f"[records table]\npath = {self.folder}/table\nrecords = packets\nformat = csv\n",
                   "--set", "eal.workers=2", "--set", f"port.b.device=net_pcap1,rx_pcap={other}")
        self.wait_for(lambda report: report["ports"]["b"]["received"] == 300)
        report = self.stop()
        self.assertEqual(report["flows"]["packet_records_lost"], 0)
        lines = self.lines("lines")
        self.assertEqual([sum(line["port"] == port for line in lines) for port in "ab"], [len(packets), 300])
        for worker in (0, 1):
            numbers = [line["n"] for line in lines if line["worker"] == worker]
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
            self.assertGreater(len(numbers), 100)
        with open(self.folder / "table", encoding="utf-8", newline="") as file:
            rows = [(row["port"], row["worker"], row["n"], row["flow_id"] or "None") for row in csv.DictReader(file)]
        self.assertEqual(sorted(rows), sorted((line["port"], str(line["worker"]), str(line["n"]), str(line["flow_id"]))
                                              for line in lines))

    def test_each_sink_has_its_own_filter(self):
        self.start(packets_of_flows(500, 4), f"[records attacks]\npath = {self.folder}/attacks\nclasses = attacks\n"
                                             f"[records benign]\npath = {self.folder}/benign\nclasses = benign\n"
                                             f"[records high]\npath = {self.folder}/high\nmin-score = 0.3\n"
                                             f"[records unsure]\npath = {self.folder}/unsure\nuncertain = 0.2\n"
                                             f"[records all]\npath = {self.folder}/all\n",
                   "--set", "models.flow-threshold=0.4")
        self.stop()
        found = {name: self.lines(name) for name in ("attacks", "benign", "high", "unsure", "all")}
        self.assertEqual(found["attacks"], [r for r in found["all"] if r["class"] == "attack"])
        self.assertEqual(found["benign"], [r for r in found["all"] if r["class"] == "benign"])
        self.assertEqual(found["high"], [r for r in found["all"] if r["score"] >= 0.3])
        self.assertEqual(found["unsure"], [r for r in found["all"] if 0.2 <= r["score"] <= 0.6])
        self.assertEqual(len(found["all"]), 500)

    def test_only_attacks_leave_the_worker_where_no_sink_wants_more(self):
        self.start(packets_of_flows(500, 4), f"[records attacks]\npath = {self.folder}/attacks\nclasses = attack\n")
        report = self.stop()
        self.assertEqual(report["sinks"]["attacks"]["accepted"], report["flows"]["classes"]["attack"])

    def test_stdout_has_records_and_stderr_the_report(self):
        self.start(packets_of_flows(100, 1), "[records out]\npath = -\n")
        report = self.stop()
        self.assertEqual(len([json.loads(line) for line in self.output.splitlines()]), 100)
        self.assertEqual(report["sinks"]["out"]["delivered"], 100)

    def test_a_terminal_that_is_stopped_does_not_keep_a_run_from_its_end(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        # Two writers would tear each other's lines apart.
        result = subprocess.run([WIRESCORE, "run", "--set", "port.a.device=net_null0", "--set", "records.a.path=-",
                                 "--set", "records.b.path=/dev/stdout", os.devnull],
                                stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("/dev/stdout is the file of records a too", result.stderr)
        # Whoever the run becomes may not open the terminal: it was opened before.
        user = "" if os.geteuid() else "[security]\nuser = nobody\n"
        self.start(packets_of_flows(2000, 1), f"{user}[records out]\npath = -\nrecords = packets\n", stdout=theirs)
        self.wait_for(lambda report: report["sinks"]["out"]["failures"] > 0)
        started = time.monotonic()
        report = self.stop(code=1)
        self.assertLess(time.monotonic() - started, 15)
        self.assertIn("its reader takes no more", self.said())
        self.assertGreater(report["sinks"]["out"]["dropped_end"], 0)

    def test_many_flows_that_end_together_find_room(self):
        # More than the queue holds, and all at once: the end waits for the file.
        self.start(packets_of_flows(30000, 1), f"[records all]\npath = {self.folder}/all.gz\nqueue = 1024\n"
                                               f"[records tight]\npath = {self.folder}/tight\nqueue = 64\n")
        report = self.stop()
        self.assertEqual(report["sinks"]["all"]["delivered"], 30000)
        self.assertEqual((len(self.lines("all.gz")), len(self.lines("tight"))), (30000, 30000))


class Troubles(Sinks):
    def mount(self, size):
        """A small disk; None where there is no right to."""
        disk = self.folder / "disk"
        disk.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "wirescore-test", disk],
                                               capture_output=True, check=False).returncode != 0:
            self.skipTest("mounting is not permitted here")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        return disk

    def test_a_disk_that_was_full_has_everything_once_there_is_room(self):
        for name in ("plain.ndjson", "packed.ndjson.gz"):
            with self.subTest(name):
                disk = self.mount("256k") if not (self.folder / "disk").exists() else self.folder / "disk"
                for old in disk.iterdir():
                    old.unlink()
                subprocess.run(["mount", "-o", "remount,size=256k", disk], check=True)
                (disk / "ballast").write_bytes(bytes(120_000))
                packets = packets_of_flows(5000, 3)
                self.start(packets, f"[records all]\npath = {disk}/{name}\nrecords = packets\n"
                                    f"[records other]\npath = {self.folder}/other-{name}\nrecords = packets\n")
                report = self.wait_for(lambda r: r["sinks"]["all"]["failures"] >= 2)
                self.assertIn("No space left on device", report["sinks"]["all"]["error"])
                self.assertGreater(report["sinks"]["all"]["queued"], 0)
                # The other one does not care.
                self.wait_for(lambda r: r["sinks"]["other"]["delivered"] == len(packets))
                # What is there can be read while the disk is full.
                whole = self.lines(f"disk/{name}")
                self.assertEqual([record["n"] for record in whole], list(range(1, len(whole) + 1)))
                self.assertLess(len(whole), len(packets))
                subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
                self.wait_for(lambda r: r["sinks"]["all"]["delivered"] == len(packets))
                self.assertEqual(self.stop()["sinks"]["all"]["error"], None)
                self.assertEqual(self.said().count("No space left on device; records wait"), 1)
                self.assertIn("[records all] all is well again", self.said())
                self.assertEqual([r["n"] for r in self.lines(f"disk/{name}")], list(range(1, len(packets) + 1)))
                self.program.stdout.close()

    def test_a_run_that_was_killed_leaves_whole_lines_to_the_next(self):
        for name in ("plain.ndjson", "packed.ndjson.gz"):
            with self.subTest(name):
                packets = packets_of_flows(1000, 10)
                records = f"[records all]\npath = {self.folder}/{name}\nrecords = packets\n"
                self.start(packets, records)
                delivered = self.report()["sinks"]["all"]["delivered"]
                self.program.kill()
                self.program.wait()
                self.program.stdout.close()
                # As a crash of the machine would leave it.
                with open(self.folder / name, "ab") as file:
                    file.write(b'\x1f\x8b\x08\0\0' if name.endswith(".gz") else b'{"n":')
                self.start(packets, records)
                self.stop()
                self.program.stdout.close()
                numbers = [record["n"] for record in self.lines(name)]
                self.assertGreaterEqual(len(numbers), delivered + len(packets))
                self.assertEqual(numbers[-len(packets):], list(range(1, len(packets) + 1)))
                self.assertIn("that were not whole: cut off", self.said())

    def test_rotated_files_are_whole_and_together_have_all(self):
        self.start(packets_of_flows(10000, 2), f"[records all]\npath = {self.folder}/log.ndjson\nrecords = packets\n"
                                               "rotate-mb = 1\nfsync = yes\n")
        self.stop()
        names = sorted((path.name for path in self.folder.glob("log.ndjson*")), key=lambda name: (len(name), name))
        self.assertGreater(len(names), 2)
        numbers = []
        for name in names:
            self.assertRegex(name, r"^log\.ndjson\.\d{8}T\d{6}Z(\.\d+)?$")
            self.assertLessEqual((self.folder / name).stat().st_size, 1 << 20)
            numbers += [record["n"] for record in self.lines(name)]
        self.assertEqual(sorted(numbers), list(range(1, 20002)))

    def refused(self, records):
        """What a run that does not start says of its records."""
        config = self.folder / "refused.conf"
        config.write_text(f"[eal]\nhugepages = no\n[metrics]\nhttp = none\n[port a]\ndevice = net_null0\n{records}")
        result = subprocess.run([WIRESCORE, "run", config], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((result.returncode, "running with" in result.stderr), (1, False), result.stderr)
        return result.stderr

    @unittest.skipIf(os.geteuid() != 0, "becoming another user needs root")
    def test_files_are_made_and_rotated_by_who_the_run_has_become(self):
        self.folder.chmod(0o755)
        logs, closed = self.folder / "logs", self.folder / "closed"
        for path in (logs, closed):
            path.mkdir()
        os.chown(logs, 65534, 65534)
        rotated = "records = packets\nrotate-seconds = 1\n"
        self.start(packets_of_flows(100, 2), f"[security]\nuser = nobody\n[records open]\npath = {logs}/log\n{rotated}")
        end = time.monotonic() + 10
        while not list(logs.glob("log.2*Z")):
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.1)
        self.stop()
        self.assertEqual({path.stat().st_uid for path in logs.iterdir()}, {65534})
        self.assertEqual(sum(len(self.lines(f"logs/{path.name}")) for path in logs.glob("log.2*Z")), 201)
        # The folder is taken away: the file is kept where it is, and said so.
        self.start(packets_of_flows(100, 2), f"[security]\nuser = nobody\n[records open]\npath = {logs}/kept\n"
                                             "records = packets\nrotate-mb = 1\n")
        self.wait_for(lambda report: report["sinks"]["open"]["delivered"] == 201)
        os.chown(logs, 0, 0)
        self.stop(code=1)
        self.assertIn(f"{logs}/kept: cannot be given its final name: Permission denied", self.said())
        self.assertEqual(len(self.lines("logs/kept")), 201)
        # Where the first file could be begun, and no other: told at the start.
        (closed / "log").touch()
        os.chown(closed / "log", 65534, 65534)
        said = self.refused(f"[security]\nuser = nobody\n[records closed]\npath = {closed}/log\nrotate-seconds = 1\n")
        self.assertIn(f"[records closed] path: {closed}: user nobody may not write there: Permission denied; make it that "
                      f"user's with chown nobody {closed}\n", said)
        self.assertEqual((closed / "log").read_text(), "")

    @unittest.skipIf(os.geteuid() != 0, "becoming another user needs root")
    def test_whoever_has_the_folder_cannot_lead_a_run_to_files_of_others(self):
        self.folder.chmod(0o755)
        logs, roots = self.folder / "logs", self.folder / "roots"
        for path in (logs, roots):
            path.mkdir()
        os.chown(logs, 65534, 65534)
        texts = {"damaged": b"\0\0\0\0", "torn": b'{"flow_id":"1"}\n{"flow', "empty": b""}
        for name, text in texts.items():
            (roots / name).write_bytes(text)
            (roots / name).chmod(0o644)
            (logs / name).symlink_to(roots / name)
        (logs / "new").symlink_to(roots / "new")
        for name in (*texts, "new"):
            for rotates in ("", "rotate-seconds = 1\n"):
                with self.subTest(name, rotates=rotates):
                    said = self.refused(f"[security]\nuser = nobody\n[records r]\npath = {logs}/{name}\n{rotates}")
                    self.assertIn("[records r]", said)
        self.assertEqual({path.name: path.read_bytes() for path in roots.iterdir()}, texts)
        self.assertEqual({path.stat().st_uid for path in roots.iterdir()}, {0})

    def test_two_runs_do_not_write_one_file(self):
        records = f"[records all]\npath = {self.folder}/all\n"
        self.start(packets_of_flows(10, 1), records)
        config = self.folder / "run.conf"
        result = subprocess.run([WIRESCORE, "run", config], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"[records all] {self.folder}/all: another process or section writes it", result.stderr)
        self.stop()

    def test_a_reload_says_which_records_need_a_restart(self):
        self.start(packets_of_flows(10, 1), f"[records all]\npath = {self.folder}/all\n[records gone]\npath = {self.folder}/gone\n")
        config = self.folder / "run.conf"
        text = config.read_text().replace("[records gone]", "[records new]").replace("/all\n", "/other\n")
        config.write_text(text)
        self.program.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20
        while "reload: models" not in self.said():
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.05)
        for line in ("[records all] path: differs from what runs; restart to take it",
                     "[records new]: does not run; restart to take it"):
            self.assertIn(line, self.said())
        report = self.stop()
        self.assertEqual((set(report["sinks"]), len(self.lines("all"))), ({"all", "gone"}, 10))
        self.assertFalse((self.folder / "other").exists())

    def test_passwords_are_in_no_output(self):
        if "built without redis" in VERSION:
            self.skipTest("built without redis")
        secret = self.folder / "secret"
        secret.write_text("hunter2\n")
        secret.chmod(0o600)
        with RefusingServer() as server:
            self.start(packets_of_flows(100, 1), f"[records r]\nto = redis\nserver = 127.0.0.1:{server.port}\nuser = wire\n"
                                                 f"password-file = {secret}\nrecords = packets\n",
                       "--set", "metrics.http=127.0.0.1:0")
            report = self.wait_for(lambda report: report["sinks"]["r"]["error"])
            # It was sent, and nobody else has it.
            self.assertIn(b"hunter2", server.heard)
            shown = {"report": json.dumps(report), "command": pathlib.Path(f"/proc/{self.program.pid}/cmdline").read_text()}
            if address := re.search(r"http: (http://\S+)", self.said()):
                for path in ("metrics", "stats.json"):
                    with urllib.request.urlopen(f"{address[1].rstrip('/')}/{path}", timeout=20) as answer:
                        shown[path] = answer.read().decode()
            config = self.folder / "run.conf"
            shown["check"] = subprocess.run([WIRESCORE, "check", "--json", config], capture_output=True, text=True,
                                            timeout=60, check=True).stdout
            self.stop(code=1)
        shown |= {"log": self.said(), "output": self.output}
        self.assertIn("does not take user and password", shown["log"])
        for name, text in shown.items():
            self.assertNotIn("hunter2", text, name)


if __name__ == "__main__":
    unittest.main()

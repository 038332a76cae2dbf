# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore check`: every mistake of a config by file, line, section and key, and what would run."""
import json
import os
import re
import socket
import unittest

from captures import ROOT, TestCase, run

CONFIGS = ROOT / "config"
MODELS = CONFIGS / "models"
PORT = "[port a]\ndevice = net_null0\n"
PAIR = PORT + "[port b]\ndevice = net_null1\n[pair p]\nports = a, b\n"


def listed_keys():
    return json.loads(run("check", "--keys", "--json").stdout)


def words_of(text):
    return " ".join(text.split())


def config_lines(path):
    """(section, key, value, is a default behind a #, comment above) of every setting of a file."""
    section, comment = None, []
    for line in path.read_text().splitlines():
        heading = re.match(r"#?\[(.+)\]$", line)
        setting = re.match(r"(#?)([a-z-]+) = (.+)$", line)
        if heading:
            section, comment = heading[1], []
        elif setting:
            yield section, setting[2], setting[3], bool(setting[1]), words_of(" ".join(comment))
            comment = []
        elif line.startswith("# "):
            comment.append(line[2:])
        elif not line:
            comment = []


class Check(TestCase):
    def write(self, text, name="test.conf"):
        path = self.folder / name
        path.write_text(text)
        return path

    def mistakes(self, text, *options):
        """The mistakes of a config that must have some, without the name of the file."""
        path = self.write(text)
        result = run("check", path, *options)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        *lines, last = result.stderr.splitlines()
        self.assertEqual(last, f"wirescore: {path}: {len(lines)} mistake{'' if len(lines) == 1 else 's'}")
        return [line.removeprefix(str(path)) for line in lines]

    def assert_mistake(self, text, begins, has, *options):
        lines = self.mistakes(text, *options)
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith(begins), lines)
        self.assertIn(has, lines[0])

    def runs(self, text, *options):
        result = run("check", "--json", self.write(text), *options)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        printed = json.loads(result.stdout)
        self.assertEqual((printed["valid"], printed["mistakes"]), (True, []))
        return printed["runs"]


class Mistakes(Check):
    def test_all_are_told_of_at_once(self):
        lines = self.mistakes("[port a]\nqueuez = 1\nmtu = 5\nmtu\n[zebra]\n[models]\nflow = no.onnx\n")
        self.assertEqual([line.split(": ")[0:2] for line in lines],
                         [[":1", "[port a] device"], [":2", "[port a] queuez"], [":3", "[port a] mtu"],
                          [":4", "[port a]"], [":5", "[zebra]"], [":7", "[models] flow"]])

    def test_models_that_do_not_fit(self):
        self.write("no model", "bad.onnx")
        for key, file, has in (("packet", MODELS / "attack.onnx", "a flow model"), ("flow", MODELS / "ip.onnx", "packet"),
                               ("flow", "bad.onnx", "bad.onnx"), ("packet", "gone.onnx", "No such file"),
                               ("packet", "/", "/: "), ("kernel", "scalr", "do you mean scalar?"),
                               ("kernel", "zebra", "'wirescore kernels' lists them")):
            self.assert_mistake(f"{PORT}[models]\n{key} = {file}\n", f":4: [models] {key}: ", has)

    def test_a_kernel_that_this_cpu_lacks(self):
        kernels = json.loads(run("kernels", "--json").stdout)["kernels"]
        lacks = [kernel["name"] for kernel in kernels if not kernel["supported"]]
        if not lacks:
            self.skipTest("this CPU has every kernel")
        self.assert_mistake(f"{PORT}[models]\nkernel = {lacks[0]}\n", ":4: [models] kernel: ", "this CPU")

    def test_classes_that_the_model_does_not_have(self):
        self.assert_mistake(f"{PAIR}[policy attakk]\naction = drop\n", ":7: [policy attakk]: ", "do you mean attack?")
        self.assert_mistake(f"{PAIR}[policy attack]\nthreshold = 0.01\n", ":8: [policy attack] threshold: ", "below")
        self.assert_mistake(f"{PAIR}[policy bogus]\naction = drop\n", ":7: [policy bogus]: ", "it has benign and attack")
        self.assert_mistake(f"{PAIR}[policy attack]\nthreshold = 1\n", ":8: [policy attack] threshold: ", "never done")
        self.assert_mistake(f"{PAIR}[policy benign]\nthreshold = 0.9\n", ":8: [policy benign] threshold: ", "leave it out")
        self.runs(f"{PAIR}[policy attack]\nthreshold = 0.01\n[models]\nflow-threshold = 0.005\n")

    def test_what_this_machine_does_not_have_unless_it_is_for_another(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / "sock"))
        for text, begins, has in (
                ("[eal]\ncores = 1000\n" + PORT, ":2: [eal] cores: ", "no core 1000"),
                ("[eal]\nmain-core = 1000\n" + PORT, ":2: [eal] main-core: ", "no core 1000"),
                ("[eal]\nmemory-mb = 1048576\n" + PORT, ":2: [eal] memory-mb: ", "this machine has"),
                ("[port a]\ndevice = ffff:ff:1f.7\n", ":2: [port a] device: ", "no PCI device ffff:ff:1f.7"),
                ("[eal]\nallow = ffff:ff:1f.7\n" + PORT, ":2: [eal] allow: ", "no PCI device"),
                ("[port a]\ndevice = wsnone9\n", ":2: [port a] device: ", "no interface 'wsnone9'"),
                ("[port a]\ndevice = net_af_packet0,iface=wsnone9\n", ":2: [port a] device: ", "no interface 'wsnone9'"),
                ("[port a]\ndevice = net_af_xdp0,iface=wsnone9\n", ":2: [port a] device: ", "no interface"),
                ("[port a]\ndevice = net_tap0,iface=x,remote=wsnone9\n", ":2: [port a] device: ", "no interface"),
                ("[port a]\ndevice = net_pcap0,rx_pcap=gone.pcap\n", ":2: [port a] device: ", "gone.pcap: cannot be read"),
                ("[port a]\ndevice = net_pcap0,tx_pcap=gone/x.pcap\n", ":2: [port a] device: ", "gone; make it"),
                (PORT + "[security]\nuser = ws-no-one\n", ":4: [security] user: ", "no user 'ws-no-one'"),
                (PORT + "[security]\nuser = 0\ngroup = ws-no-one\n", ":5: [security] group: ", "no group 'ws-no-one'"),
                (PORT + "[security]\nuser = 64873\n", ":4: [security] user: ", "set group too"),
                (PORT + "[records r]\npath = gone/x\n", ":4: [records r] path: ", "gone; make it"),
                (PORT + "[records r]\npath = .\n", ":4: [records r] path: ", "is a folder"),
                (PORT + "[records r]\npath = sock\n", ":4: [records r] path: ", "is a socket"),
                (PORT + "[records r]\npath = /proc/version\n", ":4: [records r] path: ", "")):
            with self.subTest(text=text):
                if "/proc" not in text or os.geteuid() != 0:
                    self.assert_mistake(text, begins, has)
                self.runs(text, "--other-machine")

    def test_flows_that_are_held_and_scored_at_their_end_would_never_pass(self):
        hold = f"{PAIR}[policy]\nbefore-verdict = hold-drop\n[flow]\ncheckpoints = "
        self.assert_mistake(f"{hold}end\n", ":8: [policy] before-verdict: ", "no flow would ever pass")
        for checkpoints, first in (("1,4,end", None), ("4,2", 2), ("64", 64)):
            result = run("check", self.write(hold + checkpoints + "\n"))
            self.assertEqual(result.returncode, 0)
            lines = result.stderr.splitlines()
            self.assertEqual(len(lines), 1 if first else 0, lines)
            if first:
                self.assertIn(f":8: [policy] before-verdict: warning: flows are scored at packet {first} at first", lines[0])
        printed = json.loads(run("check", "--json", self.write(hold + "2\n")).stdout)
        self.assertEqual((printed["valid"], [row["key"] for row in printed["warnings"]]), (True, ["before-verdict"]))
        self.assertEqual(json.loads(run("check", "--json", self.write(hold + "1\n")).stdout)["warnings"], [])

    def test_a_kernel_interface_that_dpdk_cannot_have_by_its_pci_address(self):
        for device in sorted(os.listdir("/sys/bus/pci/devices") if os.path.isdir("/sys/bus/pci/devices") else []):
            driver = f"/sys/bus/pci/devices/{device}/driver"
            with open(f"/sys/bus/pci/devices/{device}/class", encoding="ascii") as file:
                is_network = file.read().startswith("0x02")
            if is_network and os.path.basename(os.path.realpath(driver)) in ("virtio-pci", "e1000", "ixgbe", "ena"):
                self.assert_mistake(f"[port a]\ndevice = {device}\n", ":2: [port a] device: ", "dpdk-devbind.py -b")
                return
        self.skipTest("there is no such PCI device here")

    def test_outputs_that_are_read(self):
        for path in ("test.conf", MODELS / "attack.onnx"):
            self.assert_mistake(f"{PORT}[records r]\npath = {path}\n", ":4: [records r] path: ", "is a file that is read")
        (self.folder / "one").write_text("")
        (self.folder / "other").symlink_to("one")
        os.mkfifo(self.folder / "pipe")
        (self.folder / "same").symlink_to("pipe")
        for one, other in (("one", "other"), ("pipe", "same"), ("-", "/dev/stdout")):
            self.assert_mistake(f"{PORT}[records r]\npath = {one}\n[records s]\npath = {other}\n", ":6: [records s] path: ",
                                "is the file of records r too")

    def test_sinks_that_this_build_does_not_have(self):
        version = run("--version").stdout
        absent = re.findall(r"^built without (\w+) \((\S+)\)$", version, re.M)
        built = re.findall(r"[ ,](file|redis|rabbitmq|kafka|ipfix)\b", version.splitlines()[1])
        kinds = {"file", "redis", "rabbitmq", "kafka", "ipfix"}
        self.assertEqual(set(built) | {name for name, _ in absent} - {"zstd", "tls", "http"}, kinds)
        for kind in sorted(kinds - {"file"}):
            text = f"{PORT}[records r]\nto = {kind}\nserver = 127.0.0.1:1\n"
            self.runs(text, "--other-machine")
            if kind in built:
                self.runs(text)
            else:
                self.assert_mistake(text, ":4: [records r] to: ", f"this build has no {kind}; install {dict(absent)[kind]}")

    def test_passwords_that_are_not_there(self):
        (self.folder / "empty").write_text("\n")
        for key, value, has in (("file", "gone", "gone: cannot be read: No such file"),
                                ("file", ".", "cannot be read: Is a directory"), ("file", "empty", "first line is no password"),
                                ("env", "WS_NO_SUCH", "no WS_NO_SUCH; export it")):
            text = f"{PORT}[records r]\nto = redis\nserver = h:1\npassword-{key} = {value}\n"
            self.assertRegex("\n".join(self.mistakes(text)), rf"(?m)^:6: \[records r\] password-{key}: .*{has}")
            self.runs(text, "--other-machine")

    def test_classes_of_records_are_those_of_the_models(self):
        for text, has in (("classes = benign, attak\npath = x\n", "'attak'; do you mean attack?"),
                          ("records = packets\nclasses = attacks\npath = x\n", "the model of packets has no class 'attacks'")):
            lines = self.mistakes(f"{PORT}[records r]\n{text}")
            self.assertIn("[records r] classes: ", lines[0])
            self.assertIn(has, lines[0])
        for words in ("all", "attacks", "attack , benign", "benign"):
            self.runs(f"{PORT}[records r]\nclasses = {words}\npath = x\n")
        self.runs(f"{PORT}[records r]\nrecords = packets\nclasses = ip\npath = x\n")

    def test_passwords_are_not_told_and_a_file_that_everyone_may_read_is(self):
        secret = self.folder / "secret"
        secret.write_text("hunter2\n")
        secret.chmod(0o644)
        for key in ("server = redis://user:hunter2@h:1", "server = h:1\nproperties = ssl.key.password=x hunter2"):
            path = self.write(f"{PORT}[records r]\nto = kafka\n{key}\n")
            for options in ([], ["--json"]):
                result = run("check", *options, "--other-machine", path)
                self.assertEqual(result.returncode, 1)
                self.assertNotIn("hunter2", result.stdout + result.stderr)
        path = self.write(f"{PORT}[records r]\nto = redis\nserver = h:1\npassword-file = secret\n")
        for options in ([], ["--json"]):
            result = run("check", *options, "--other-machine", path)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotIn("hunter2", result.stdout + result.stderr)
        self.assertIn(f"warning  everyone may read {secret}; run chmod o-rwx", run("check", "--other-machine", path).stdout)
        secret.chmod(0o600)
        self.assertNotIn("warning", run("check", "--other-machine", path).stdout)

    def test_files_that_are_no_configs(self):
        for path, has in ((self.folder / "gone.conf", "No such file or directory"), (self.folder, "Is a directory"),
                          ("/dev/zero", "is larger than 256 KiB")):
            result = run("check", path)
            self.assertEqual((result.returncode, result.stdout, len(result.stderr.splitlines())), (1, "", 2))
            self.assertIn(f"{path}: ", result.stderr)
            self.assertIn(has, result.stderr)
        (self.folder / "binary.conf").write_bytes(bytes(range(256)) * 100)
        self.assertEqual(run("check", self.folder / "binary.conf").returncode, 1)

    def test_they_are_told_of_as_json(self):
        path = self.write("[port a]\nmtu = \"\xe9\"\n")
        result = run("check", "--json", path)
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        printed = json.loads(result.stdout)
        self.assertEqual((printed["config"], printed["valid"], printed["runs"]), (str(path), False, None))
        self.assertEqual([(row["line"], row["section"], row["key"], row["override"]) for row in printed["mistakes"]],
                         [(1, "port a", "device", False), (2, "port a", "mtu", False)])
        self.assertIn("from 68 to 65521", printed["mistakes"][1]["mistake"])


class Runs(Check):
    def test_what_would_run(self):
        path = self.write(PAIR + "[policy attack]\naction = drop\nthreshold = 0.9\n[records found]\n"
                          "path = x.ndjson\nclasses = attack\nuncertain = 0.1\none-in = 4\n")
        result = run("check", path)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["port", "device", "role", "queues", "rx/tx", "mtu", "rss", "peer"])
        self.assertEqual(lines[1].split(), ["a", "net_null0", "inline", "auto", "auto", "auto", "auto", "b"])
        result = run("check", path, "--set", "security.user=root", "--set", "security.group=daemon")
        self.assertIn("user     root, group daemon", result.stdout.splitlines())
        for line in ("workers  1, on whatever core is free",
                     f"records  found: flows as ndjson to file {path.parent}/x.ndjson; of attack; within 0.1 of the threshold; "
                     "of one in 4 conversations",
                     "attack                   drop from score 0.9"):
            self.assertIn(line, lines)
        self.assertFalse((self.folder / "x.ndjson").exists())

    def test_it_is_told_as_json(self):
        runs = self.runs(f"[eal]\ncores = 0\n{PAIR}[models]\npacket = none\n[policy]\nnon-ip = drop\n")
        self.assertEqual([(port["name"], port["role"], port["peer"]) for port in runs["ports"]],
                         [("a", "inline", "b"), ("b", "inline", "a")])
        self.assertEqual((runs["cores"], runs["workers"], runs["models"]["packet"]), ([0], 1, None))
        self.assertEqual(runs["policy"], {"before_verdict": "forward", "non_ip": "drop", "classes": []})

    def test_interfaces_that_are_there_are_found(self):
        for device in ("lo", "net_af_packet0,iface=lo", "net_tap0,iface=x,remote=lo"):
            self.assertEqual(self.runs(f"[port a]\ndevice = {device}\n")["ports"][0]["device"], device)

    def test_the_command_line_wins_over_the_file_and_that_over_the_default(self):
        text = PORT + "mtu = 1500\n"
        self.assertEqual(self.runs(PORT)["ports"][0]["mtu"], None)
        self.assertEqual(self.runs(text)["ports"][0]["mtu"], 1500)
        self.assertEqual(self.runs(text, "--set", "port.a.mtu=9000")["ports"][0]["mtu"], 9000)
        self.assertEqual(len(self.runs(text, "--set", "port.b.device=net_null1")["ports"]), 2)
        result = run("check", self.write(text), "--set", "port.a.mtu=9", "--set", "flow.flws=1")
        self.assertEqual([line.split(": ")[:2] for line in result.stderr.splitlines()[:2]],
                         [["--set", "[port a] mtu"], ["--set", "[flow] flws"]])

    def test_paths_are_relative_to_the_file_and_on_the_command_line_to_the_user(self):
        (self.folder / "models").symlink_to(MODELS)
        text = PORT + "[models]\nflow = models/attack.onnx\n"
        self.assertEqual(self.runs(text)["models"]["flow"], str(self.folder / "models/attack.onnx"))
        result = run("check", self.write(text), "--set", "models.packet=models/ip.onnx", cwd=CONFIGS)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_bad_usage_ends_with_2(self):
        path = self.write(PORT)
        for arguments, has in (([], "no config"), ([path, path], "no further argument"), (["--keys", path], "no argument"),
                               (["--set", "x", path], "SECTION.KEY=VALUE"), (["--no"], "--no")):
            result = run("check", *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertIn(has, result.stderr)


class Documented(Check):
    def test_the_config_has_every_key_with_its_meaning_and_default(self):
        told = {}
        for section, key, value, is_default, comment in config_lines(CONFIGS / "wirescore.conf"):
            told.setdefault((section.split()[0], " " in section, key), (value, is_default, comment))
        for row in listed_keys():
            kind, *own = row["section"].strip("[]").split()
            with self.subTest(section=row["section"], key=row["key"]):
                value, is_default, comment = told.pop((kind, bool(own), row["key"]))
                self.assertEqual(comment, words_of(f"{row['help']}. Values: {row['values']}."))
                if is_default:
                    self.assertEqual(value, row["default"])
        self.assertEqual(told, {})

    def test_the_man_page_has_every_key_with_its_meaning_and_default(self):
        page = (ROOT / "app/wirescore.1").read_text().split(".SH CONFIG\n")[1].split(".SH ")[0]
        page = words_of(re.sub(r"\\f[A-Z]|\\&", "", page).replace("\\-", "-"))
        for row in listed_keys():
            self.assertIn(f".B {row['section']} ", page)
            default = f'" = {row["default"]}"' if row["default"] else '" = " (must " be set)"'
            self.assertIn(words_of(f".BR {row['key']} {default} {row['help']}. Values: {row['values']}. "), page + " ")

    def test_the_table_and_the_json_list_the_same_keys(self):
        printed = run("check", "--keys").stdout
        self.assertEqual(re.findall(r"^  ([a-z-]+) = ", printed, re.M), [row["key"] for row in listed_keys()])

    def test_the_config_and_the_examples_have_no_mistake(self):
        examples = sorted((CONFIGS / "examples").glob("*.conf"))
        fleet = CONFIGS / "fleet/sensor.conf"
        self.assertEqual([path.name for path in examples], ["brokers.conf", "inline.conf", "lab.conf", "pcap.conf",
                                                          "records.conf", "tap.conf"])
        for path in [CONFIGS / "wirescore.conf", fleet, *examples]:
            result = run("check", "--other-machine", path)
            self.assertEqual((result.returncode, result.stderr), (0, ""), path)
        for name in ("wirescore.conf", "examples/tap.conf", "examples/pcap.conf"):
            self.assertEqual(run("check", CONFIGS / name).returncode, 0, name)

    def test_the_lab_says_which_interfaces_are_absent(self):
        if {"wsleft", "wsright"} & {name for _, name in socket.if_nameindex()}:
            self.skipTest("the lab's interfaces are there")
        result = run("check", CONFIGS / "examples/lab.conf")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(re.findall(r"no interface '(\w+)'", result.stderr), ["wsleft", "wsright"])


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""What a live run tells by HTTP, and to Prometheus, which is asked what it has understood. Servers are on loopback, in
folders of their own, and ended by pid. See test_page.py for browsers, test_http_abuse.py for those who mean no good."""
import collections
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse
import urllib.request

from captures import ROOT, WIRESCORE, ethernet, frame, ipv4, run, tcp, udp
from sink_servers import free_port
from test_live_control import Live
from test_man import sections

sys.path.insert(0, str(ROOT / "app/control"))
import counter_lists  # pylint: disable=wrong-import-position

VERSION = subprocess.run([WIRESCORE, "--version"], capture_output=True, text=True, check=True).stdout
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def dashboard_expressions():
    """What the dashboard asks Prometheus for."""
    dashboard = json.loads((ROOT / "config/grafana/wirescore.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())] + [
        annotation["expr"] for annotation in dashboard["annotations"]["list"]]


def sample_names(text):
    return set(re.findall(r"^(wirescore_\w+)", text, re.M))


def parse(text):
    """The samples of a scrape: {(name, labels): value}."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r'([a-z_0-9]+)(?:\{(.*)\})? (\S+)', line).groups()
        pairs = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")))
        if (name, pairs) in found:
            raise AssertionError(f"{name} {pairs} is there twice")
        found[name, pairs] = float(value)
    return found


@contextlib.contextmanager
def stopped(thread):
    """Holds one thread of a child, as a debugger does."""
    libc, attach, detach, of_all_kinds = ctypes.CDLL(None, use_errno=True), 16, 17, 0x40000000
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    if libc.ptrace(attach, thread, 0, 0):
        raise unittest.SkipTest(f"no thread can be held here: {os.strerror(ctypes.get_errno())}")
    os.waitpid(thread, of_all_kinds)
    try:
        yield
    finally:
        libc.ptrace(detach, thread, 0, 0)


@unittest.skipIf("built without http" in VERSION, "built without http")
class Http(Live):
    def serve(self, packets=None, text="", address="127.0.0.1:0", settings=(), **options):
        """Starts a run; returns its program."""
        program = self.start(self.write_config(self.capture(packets), text, options.pop("flow_model", "none"),
                                               **options), "--set", f"metrics.http={address}", *settings)
        found = re.search(r"http: http://(\S+):(\d+)/", self.said(program))
        self.port = int(found[2]) if found else None
        return program

    def get(self, path="/", method="GET", port=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def stats(self, query=""):
        return json.loads(self.get("/stats.json" + query)[2])

    def metrics(self, accept=None):
        return self.get("/metrics", **({"Accept": accept} if accept else {}))[2].decode()

    def wait_until(self, is_true, seconds=30):
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, KeyError, IndexError):
                if is_true():
                    return
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def packets(self):
        packets = [ethernet(ipv4("10.0.0.1", f"10.0.1.{i % 5}", 6, tcp(1000 + i % 7, 80, "A", b"x" * i)))
                   for i in range(60)]
        return packets + [ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(9, 53)))[:20]] * 3 + [frame(0x0806, bytes(46))] * 7


class Server(Http):
    def test_each_path_is_answered_and_nothing_else_is(self):
        self.serve()
        for path, kind in (("/", "text/html; charset=utf-8"), ("/metrics", PLAIN), ("/stats.json", "application/json"),
                           ("/healthz", "text/plain; charset=utf-8"), ("/readyz", "text/plain; charset=utf-8")):
            with self.subTest(path=path):
                status, headers, body = self.get(path)
                self.assertEqual((status, headers["Content-Type"], headers["Connection"]), (200, kind, "close"))
                self.assertEqual(int(headers["Content-Length"]), len(body))
                status, headers, body = self.get(path, "HEAD")
                self.assertEqual((status, headers["Content-Type"], body), (200, kind, b""))
                self.assertGreater(int(headers["Content-Length"]), 0)
                for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "ZEBRA"):
                    status, headers, _ = self.get(path, method)
                    self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), method)
        for path in ("/metrics/", "//", "/../etc/passwd", "/%2e%2e/etc/passwd", "/stats", "/index.html", "/favicon.ico"):
            self.assertEqual(self.get(path)[0], 404, path)
        for query in ("?top=0", "?top=101", "?top=x", "?top=", "?top=-1", "?by=bytes", "?top=3&by=size", "?top=3&by="):
            self.assertEqual(self.get("/stats.json" + query)[0], 400, query)
        self.stop()

    def test_an_upload_is_refused_before_it_is_read(self):
        self.serve()
        for request in (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
                client.sendall(request)
                text = b""
                with contextlib.suppress(ConnectionResetError):
                    while some := client.recv(65536):
                        text += some
                self.assertRegex(text, rb"^HTTP/1.1 (405|200) ")
        self.stop()

    def test_a_page_of_elsewhere_cannot_ask_by_a_name_of_its_own(self):
        self.serve()
        for host, status in (("evil.example", 403), (f"evil.example:{self.port}", 403), ("127.0.0.1.evil.example", 403),
                             ("localhost", 200), (f"LOCALHOST:{self.port}", 200), ("127.0.0.1", 200), ("[::1]:80", 200)):
            self.assertEqual(self.get("/stats.json", Host=host)[0], status, host)
        headers = self.get("/stats.json")[1]
        self.assertEqual(headers["Cross-Origin-Resource-Policy"], "same-origin")
        self.assertNotIn("Access-Control-Allow-Origin", headers)
        policy = self.get("/")[1]["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.stop()

    def test_a_port_that_is_taken_or_no_ones_own_is_told_of_once_and_the_run_goes_on(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for address, has in ((f"127.0.0.1:{taken.getsockname()[1]}", "Address already in use"),
                                 ("192.0.2.1:9477", "Cannot assign requested address"),
                                 ("no-such-host.invalid:9477", "")):
                program = self.serve(address=address)
                lines = [line for line in self.said(program).splitlines() if "http" in line]
                self.assertEqual(len(lines), 1, lines)
                self.assertRegex(lines[0], rf"\[metrics\] http: {re.escape(address)}: .*{has}.*; the run goes on without$")
                self.stop(program)
        program = self.serve(address="none")
        self.assertNotIn("http", self.said(program))
        self.stop(program)

    def test_that_others_can_reach_it_is_warned_of(self):
        program = self.serve(address="0.0.0.0:0")
        warnings = [line for line in self.said(program).splitlines() if "open to other machines" in line]
        self.assertEqual(len(warnings), 1)
        self.assertEqual(self.get("/healthz", Host="sensor.example")[0], 200)
        self.stop(program)

    def test_addresses_that_are_none_are_mistakes_of_the_config(self):
        for address in ("9477", "localhost", "127.0.0.1:", ":9477", "127.0.0.1:65536", "::1:9477", "[::1]", "[]:1",
                        "a b:1", "http://127.0.0.1:9477", "127.0.0.1:9477/", "x" * 300 + ":1"):
            path = self.write_config("net_null0", f"[metrics]\nhttp = {address}\n")
            result = run("check", str(path))
            self.assertEqual(result.returncode, 1, address)
            self.assertIn("[metrics] http: ", result.stderr + result.stdout)

    def test_ready_is_not_said_while_the_run_ends_and_it_is_alive_until_then(self):
        if re.search("built without redis", VERSION):
            self.skipTest("built without redis")
        dead = free_port()
        program = self.serve(text=f"[records r]\nto = redis\nserver = 127.0.0.1:{dead}\n", active_timeout=0.05)
        self.assertEqual(self.get("/readyz")[::2], (200, b"packets pass\n"))
        time.sleep(0.3)
        program.send_signal(signal.SIGTERM)
        seen = {}
        with contextlib.suppress(OSError, http.client.HTTPException):
            while program.poll() is None:
                for path in ("/readyz", "/healthz", "/metrics"):
                    status, _, body = self.get(path)
                    seen.setdefault(path, []).append((status, body[:13]))
                time.sleep(0.05)
        self.assertEqual(seen["/readyz"][-1], (503, b"the run ends\n"))
        self.assertEqual(seen["/metrics"][-1], (503, b"the run ends\n"))
        self.assertEqual(set(seen["/healthz"]), {(200, b"alive\n")})
        self.end(program, code=1)

    def test_a_run_whose_ports_have_no_link_is_alive_and_not_ready(self):
        device = f"net_memif0,role=server,socket={self.folder}/memif,socket-abstract=no"
        program = self.start(self.write_config(device), "--set", "metrics.http=127.0.0.1:0")
        self.port = int(re.search(r"http://\S+:(\d+)/", self.said(program))[1])
        self.assertEqual(self.get("/readyz")[::2], (503, b"no port has a link\n"))
        self.assertEqual(self.get("/healthz")[::2], (200, b"alive\n"))
        self.assertIn('wirescore_port_up{port="a"} 0\n', self.metrics())
        self.stop(program)

    def test_a_run_whose_worker_stands_still_is_alive_and_not_ready(self):
        program = self.serve()
        worker, = [int(task.name) for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir()
                   if "worker" in (task / "comm").read_text()]
        with stopped(worker):
            self.wait_until(lambda: self.get("/readyz")[::2] == (503, b"a worker stands still\n"), 15)
            self.assertEqual(self.get("/healthz")[0], 200)
        self.wait_until(lambda: self.get("/readyz")[::2] == (200, b"packets pass\n"), 15)
        self.stop(program)

    def test_reloads_while_many_ask_take_nothing_from_what_was_counted(self):
        program = self.serve(self.packets(), flow_model=self.model(), active_timeout=0.05)
        ends, failed, counts = threading.Event(), [], collections.Counter()

        def ask(path):
            before = {}
            while not ends.is_set():
                status, _, body = self.get(path)
                now = {key: value for key, value in parse(body.decode()).items() if key[0].endswith("_total")} \
                    if path == "/metrics" else {}
                failed.extend([status] * (status != 200) + [key for key in before if now[key] < before[key]])
                before = now
                counts[path] += 1
        clients = [threading.Thread(target=ask, args=(path,)) for path in ("/metrics", "/stats.json?top=50", "/stats.json")]
        for client in clients:
            client.start()
        n_reloads, end = 0, time.monotonic() + 2.5
        while time.monotonic() < end:
            self.model(bias=-float(n_reloads % 8))
            self.assertIn("models and policy are taken over", self.reload(program))
            n_reloads += 1
        ends.set()
        for client in clients:
            client.join(30)
        self.assertEqual(failed, [])
        self.assertGreater(min(counts.values()), 1)
        # An answer may be 0.2 s old.
        self.wait_until(lambda: parse(self.metrics())["wirescore_reloads_total", ()] == n_reloads)
        self.stop(program)

    def test_a_run_ends_at_once_though_clients_wait_and_hang(self):
        program = self.serve()
        hanging = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(8)]
        for client in hanging:
            client.sendall(b"GET /stats.json?top=100 HTTP/1.1\r\nHost: localhost\r\n" + b"\r\n" * (client.fileno() % 2))
        start = time.monotonic()
        self.stop(program)
        self.assertLess(time.monotonic() - start, 10)
        for client in hanging:
            client.close()

    def test_largest_flows_come_by_the_order_that_is_asked_for(self):
        self.serve(self.packets(), flow_model=self.model())
        time.sleep(0.5)
        for order, key in (("packets", lambda f: f["packets_fwd"] + f["packets_bwd"]),
                           ("bytes", lambda f: f["bytes_fwd"] + f["bytes_bwd"])):
            flows = self.stats(f"?top=5&by={order}")["top_flows"]
            self.assertEqual(len(flows), 5)
            self.assertEqual(flows, sorted(flows, key=key, reverse=True))
        self.assertEqual(len(self.stats("?top=2")["top_flows"]), 2)
        self.assertNotIn("top_flows", self.stats())
        self.stop()

    def test_rights_are_given_up_with_it(self):
        if os.geteuid() != 0:
            self.skipTest("becoming another user needs root")
        program = self.serve(text="[security]\nuser = 65534\n")
        self.assertEqual(self.get("/readyz")[0], 200)
        for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir():
            status = (task / "status").read_text()
            self.assertRegex(status, r"Uid:\t65534\t65534\t65534\t65534\n")
            self.assertRegex(status, r"CapEff:\t0+\n")
        self.stop()


class Metrics(Http):
    def scrape(self, **options):
        """A run that has seen something of everything, twice: as text and as OpenMetrics."""
        model = self.model(classes=r'be"ni\gn,attack', bias=-1e6)
        secret = self.folder / "secret"
        secret.write_text("hush-hush\n")
        spool = f"[records spool]\npath = {self.folder}/spool.ndjson\n"
        if "built without redis" not in VERSION:
            spool += f"[records far]\nto = redis\nserver = 127.0.0.1:{free_port()}\npassword-file = {secret}\n"
        settings = ("--set", f"models.packet={ROOT}/config/models/ip.onnx", "--set", "metrics.drift-interval=0.3")
        self.serve(self.packets(), f"{spool}[port other]\ndevice = net_ring0\n", flow_model=model, active_timeout=0.1,
                   settings=settings, **options)
        end = time.monotonic() + 20
        while not sum(self.stats()["flows"]["classes"].values()) or "drift_psi{" not in self.metrics():
            self.assertLess(time.monotonic(), end)
        return self.metrics(), self.metrics("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")

    def test_both_forms_say_the_same_and_are_well_formed(self):
        plain, openmetrics = self.scrape()
        self.assertEqual(self.get("/metrics", Accept="application/openmetrics-text")[1]["Content-Type"], OPENMETRICS)
        self.assertEqual(self.get("/metrics", Accept="*/*")[1]["Content-Type"], PLAIN)
        self.assertTrue(openmetrics.endswith("\n# EOF\n"))
        self.assertEqual(openmetrics.count("# EOF"), 1)
        self.assertNotIn("# UNIT", plain)
        self.assertNotIn("# EOF", plain)
        self.assertEqual(set(parse(plain)), set(parse(openmetrics)))
        self.assertIn(r'class="be\"ni\\gn"', plain)
        for family, unit in re.findall(r"^# UNIT (\S+) (\S+)$", openmetrics, re.M):
            self.assertTrue(family.endswith("_" + unit), family)
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", openmetrics, re.M):
            self.assertIn(f"# HELP {name} ", openmetrics)
            self.assertTrue(any(line.startswith(name) for line in openmetrics.splitlines()) or kind == "counter", name)
        self.programs[-1].kill()

    def test_histograms_grow_and_end_with_their_count(self):
        samples = parse(self.scrape()[0])
        names = {name[:-7] for name, _ in samples if name.endswith("_bucket")}
        self.assertGreaterEqual(len(names), 5)
        for name in names:
            buckets = [(dict(labels)["le"], value) for (n, labels), value in samples.items() if n == f"{name}_bucket"]
            self.assertEqual(buckets[-1][0], "+Inf")
            self.assertEqual(buckets, sorted(buckets, key=lambda pair: float(pair[0])))
            self.assertEqual([v for _, v in buckets], sorted(v for _, v in buckets))
            self.assertEqual(buckets[-1][1], samples[f"{name}_count", ()])
        self.assertGreater(samples["wirescore_verdict_seconds_sum", ()], 0)
        self.programs[-1].kill()

    def test_labels_are_few_and_tell_no_address_no_path_and_no_secret(self):
        for text in (*self.scrape(), json.dumps(self.stats())):
            for told in (str(self.folder), "hush", "10.0.", "/tmp", ".ndjson", "127.0.0.1"):
                self.assertNotIn(told, text)
        samples = parse(self.metrics())
        self.assertLess(len(samples), 600)
        allowed = {"port", "outcome", "event", "cause", "reason", "class", "ethertype", "stage", "le", "worker", "sink",
                   "records", "version", "dpdk", "task", "model", "kernel", "input"}
        self.assertLessEqual({name for _, labels in samples for name, _ in labels}, allowed)
        self.programs[-1].kill()

    def test_promtool_finds_nothing_to_complain_of(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed (prometheus)")
        result = subprocess.run(["promtool", "check", "metrics"], input=self.scrape()[0], capture_output=True, text=True,
                                check=False)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))
        self.programs[-1].kill()

    def test_the_man_page_has_every_family_and_no_other(self):
        told = set(re.findall(r"^\.B (wirescore_\w+)", (ROOT / "app/wirescore.1").read_text(), re.M))
        plain, _ = self.scrape()
        self.assertEqual(told, {name for name in re.findall(r"^# TYPE (\S+)", plain, re.M)})
        self.assertIn("/readyz", sections()["METRICS"])
        told = re.sub(r"\s+", " ", sections()["METRICS"])
        for name, says in re.findall(r"^# HELP (\S+) (.*)$", plain, re.M):
            self.assertIn(says, told, name)
        self.programs[-1].kill()

    def test_every_counter_of_the_lists_is_in_metrics_reports_and_docs(self):
        samples = parse(self.scrape()[0])
        report, listed = self.stats(), counter_lists.counters()
        self.assertGreater(len(listed), 60)
        families = {("PARSE", "wirescore_parse_error_packets_total", "reason"), ("DROP", "wirescore_unclassified_packets_total", "cause"),
                    ("FLOW_END", "wirescore_ended_flows_total", "reason"), ("STAGE", "wirescore_stage_seconds_total", "stage")}
        for kind, family, label in families:
            self.assertEqual([dict(labels)[label] for name, labels in samples if name == family],
                             [name for k, name, _, _ in listed if k == kind])
        places = {"COUNTER": report["classifier"], "CLASS": report["classifier"], "PARSE": report["classifier"],
                  "DROP": report["classifier"], "FLOW_COUNTER": report["flows"], "GAUGE": report["flows"],
                  "FLOW_END": report["flows"]["reasons"], "STAGE": report["cycles_per_packet"],
                  "OUTCOME": report["ports"]["a"], "EVENT": report["ports"]["a"]}
        for kind, name, unit, _ in listed:
            if kind in ("COUNTER", "FLOW_COUNTER", "GAUGE"):
                self.assertIn((counter_lists.family(kind, name, unit), ()), samples)
            if kind != "CYCLES":
                self.assertIn(name, places[kind])
        self.assertEqual((ROOT / "docs/counters.md").read_text(), counter_lists.page(),
                         "run: python3 app/control/counter_lists.py > docs/counters.md")
        self.programs[-1].kill()

    def test_dashboard_and_alerts_ask_for_metrics_that_are_there(self):
        names = sample_names(self.scrape()[0])
        expressions = dashboard_expressions()
        expressions += re.findall(r"^ +expr: (.*)$", (ROOT / "config/prometheus/alerts.yml").read_text(), re.M)
        self.assertGreater(len(expressions), 20)
        for expression in expressions:
            asked = set(re.findall(r"\bwirescore_\w+", expression))
            self.assertTrue(asked or "up{" in expression, expression)
            self.assertLessEqual(asked, names, expression)
        self.programs[-1].kill()

    def test_alert_rules_are_valid(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed (prometheus)")
        for command, file in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
            result = subprocess.run(["promtool", "check", command, file], capture_output=True, text=True,
                                    cwd=ROOT / "config/prometheus", check=False)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_each_alert_fires_for_what_it_is_of_and_for_nothing_else(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed (prometheus)")
        rules = ROOT / "config/prometheus/alerts.yml"
        text = (ROOT / "tests/functional/alerts_test.yml").read_text()
        self.assertEqual(set(re.findall(r"- alert: (\w+)", rules.read_text())), set(re.findall(r"alertname: (\w+)", text)))
        (self.folder / "test.yml").write_text(text.replace("RULES", str(rules)))
        result = subprocess.run(["promtool", "test", "rules", "test.yml"], capture_output=True, text=True, cwd=self.folder,
                                check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class Prometheus(Http):
    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def watch(self):
        """Starts a Prometheus that scrapes the run every second, by the example's job."""
        self.prometheus = free_port()
        config = (ROOT / "config/prometheus/prometheus.yml").read_text().replace("127.0.0.1:9477", f"127.0.0.1:{self.port}")
        config = re.sub(r"(scrape|evaluation)_interval: \w+", r"\1_interval: 1s", config)
        shutil.copy(ROOT / "config/prometheus/alerts.yml", self.folder)
        (self.folder / "prometheus.yml").write_text(re.sub(r"scrape_timeout: \w+", "scrape_timeout: 1s", config))
        program = subprocess.Popen(["prometheus", f"--config.file={self.folder}/prometheus.yml", "--log.level=warn",
                                    f"--storage.tsdb.path={self.folder}/tsdb", "--storage.tsdb.retention.size=64MB",
                                    f"--web.listen-address=127.0.0.1:{self.prometheus}"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end():
            program.kill()
            program.wait()
        self.addCleanup(end)

    def test_it_scrapes_a_run_and_has_the_same_counters(self):
        path = self.folder / "in.pcap"
        self.capture(self.packets())
        self.start(self.write_config(f"net_pcap0,rx_pcap={path}", flow_model=self.model()),
                   "--set", "metrics.http=127.0.0.1:0")
        self.port = int(re.search(r"http://\S+:(\d+)/", self.said())[1])
        self.watch()
        self.wait_until(lambda: self.ask("query", query="wirescore_packets_total")["result"][0]["value"][1] == "70")
        target, = self.ask("targets")["activeTargets"]
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        report = self.stats()
        values = {}
        for row in self.ask("query", query='{__name__=~"wirescore_.+"}')["result"]:
            labels = {k: v for k, v in row["metric"].items() if k not in ("__name__", "instance", "job")}
            values[row["metric"]["__name__"], tuple(sorted(labels.items()))] = float(row["value"][1])
        port = report["ports"]["a"]
        self.assertEqual(values["wirescore_port_received_packets_total", (("port", "a"),)], port["received"])
        self.assertEqual(values["wirescore_port_received_bytes_total", (("port", "a"),)], port["received_bytes"])
        for (name, labels), value in values.items():
            if name == "wirescore_port_outcome_packets_total":
                self.assertEqual(value, port[dict(labels)["outcome"]])
            if name == "wirescore_parse_error_packets_total":
                self.assertEqual(value, report["classifier"][dict(labels)["reason"]])
        self.assertEqual(values["wirescore_classified_packets_total", (("class", "ip"),)], report["classifier"]["positive"])
        self.assertEqual(values["wirescore_open_flows", ()], report["flows"]["open"])
        self.assertEqual(values["wirescore_verdict_seconds_count", ()], 70)
        self.assertEqual(values["wirescore_build_info", (("dpdk", values_of(values, "dpdk")), ("version", report["version"]))], 1)
        self.assertLessEqual(set(parse(self.metrics())), set(values))
        for expression in dashboard_expressions():
            for name, value in (("$__rate_interval", "1m"), ("$instance", ".*")):
                expression = expression.replace(name, value)
            self.assertIn("result", self.ask("query", query=expression), expression)
        # An absent run is what the first alert is of.
        self.stop()
        self.wait_until(lambda: "WirescoreDown" in [alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]])


def values_of(values, label):
    return next(dict(labels)[label] for _, labels in values if label in dict(labels))


if __name__ == "__main__":
    unittest.main()

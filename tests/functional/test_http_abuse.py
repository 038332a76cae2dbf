# SPDX-License-Identifier: BSD-3-Clause
"""What those who mean no good can do to the HTTP server of a live run, and that packets do not notice."""
import contextlib
import http.client
import os
import pathlib
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
import unittest
import unittest.mock

from test_http import Http
from test_live_control import is_sanitized

# Of http.c.
MAX_CONNECTIONS, LIFE_S = 64, 10
# By which memory may grow; a sanitizer keeps what is freed for a while, and something around all that is allocated.
MAX_KILOBYTES = 262144 if is_sanitized() else 32768

ABUSE = r"""
import os, random, resource, select, socket, sys, time
os.nice(19)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
port, kind, seconds, count = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
random.seed(7)
texts = {"garbage": lambda: os.urandom(3000), "headers": lambda: b"GET / HTTP/1.1\r\nX: " + b"y" * 200000,
         "lines": lambda: b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 50000, "path": lambda: b"GET /" + b"z" * 100000,
         "flood": lambda: b"GET /stats.json?top=100 HTTP/1.1\r\nHost: localhost\r\n\r\n", "slow": lambda: b"GET / HT", "idle": lambda: b""}
end, held = time.monotonic() + seconds, []
n = 0
while time.monotonic() < end and (n < count or kind in ("garbage", "headers", "lines", "path", "flood")):
    client = socket.socket()
    client.setblocking(False)
    try:
        client.bind(("127.0.%d.%d" % (n // 200 % 100, 2 + n % 200), 0))
        client.connect_ex(("127.0.0.1", port))
    except OSError:
        break
    n += 1
    held.append(client)
    if kind in ("idle", "slow"):
        continue
    select.select([], [client], [], 0.05)
    try:
        client.send(texts[kind]())
    except OSError:
        pass
    if len(held) > 100:
        held.pop(0).close()
print(n, flush=True)
while time.monotonic() < end:
    for client in held if kind == "slow" else ():
        try:
            client.send(b"x")
        except OSError:
            pass
    time.sleep(0.5)
"""


class Abuse(Http):
    def setUp(self):
        super().setUp()
        options = os.environ.get("ASAN_OPTIONS", "")
        patch = unittest.mock.patch.dict(os.environ, ASAN_OPTIONS=f"{options}:quarantine_size_mb=16".strip(":"))
        patch.start()
        self.addCleanup(patch.stop)

    def abuse(self, kind, seconds, count=10000):
        program = subprocess.Popen([sys.executable, "-c", ABUSE, str(self.port), kind, str(seconds), str(count)],
                                   stdout=subprocess.PIPE, text=True)

        def end():
            program.kill()
            program.wait()
            program.stdout.close()
        self.addCleanup(end)
        return program, end

    def size(self, program):
        """Descriptors, and kilobytes in memory."""
        status = pathlib.Path(f"/proc/{program.pid}/status").read_text()
        return (len(os.listdir(f"/proc/{program.pid}/fd")), int(re.search(r"VmRSS:\s+(\d+)", status)[1]),
                int(re.search(r"Threads:\s+(\d+)", status)[1]))

    def cpu_seconds(self, program):
        """Of the thread that answers."""
        thread, = [task for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir()
                   if "MHD" in (task / "comm").read_text()]
        return int((thread / "schedstat").read_text().split()[0]) / 1e9

    def wait_for_health(self, seconds):
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.get("/healthz")[0] == 200:
                    return
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def test_10000_connections_cost_64_at_most_and_end(self):
        program = self.serve()
        before = self.size(program)
        attacker, end = self.abuse("idle", 60, 10000)
        opened = int(attacker.stdout.readline())
        self.assertGreaterEqual(opened, min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 50))
        time.sleep(0.5)
        fds, kilobytes, threads = self.size(program)
        self.assertGreater(fds, before[0] + 10)
        self.assertLessEqual(fds, before[0] + MAX_CONNECTIONS + 2)
        self.assertEqual(threads, before[2])
        self.assertLess(kilobytes - before[1], MAX_KILOBYTES)
        end()
        self.wait_for_health(30)
        self.assertIn("packets pass", self.get("/readyz")[2].decode())
        self.stop()

    def test_who_sends_a_byte_now_and_then_is_cut_off(self):
        self.serve()
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nX: ")
            start = time.monotonic()
            client.settimeout(1)
            while time.monotonic() - start < LIFE_S + 10:
                try:
                    client.sendall(b"y")
                    if client.recv(100) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            self.assertLess(time.monotonic() - start, LIFE_S + 5)
            self.assertGreater(time.monotonic() - start, LIFE_S / 2)
        self.stop()

    def test_requests_of_all_kinds_leave_packets_alone(self):
        # The worker has a CPU of its own where there are two: the control core, HTTP and who abuses it have another.
        cpus = sorted(os.sched_getaffinity(0))
        settings = [f"eal.main-core={cpus[0]}", f"eal.cores={cpus[-1]}"] if len(cpus) > 1 else []
        program = self.serve(settings=[word for setting in settings for word in ("--set", setting)])
        worker, = [task for task in pathlib.Path(f"/proc/{program.pid}/task").iterdir()
                   if "worker" in (task / "comm").read_text()]

        def now():
            """Packets, seconds, and nanoseconds that the worker had a CPU."""
            report = self.dump()
            return [report["classifier"]["packets"], report["seconds"],
                    int((worker / "schedstat").read_text().split()[0]) / 1e9]

        def pace():
            """Packets a second, and a second of the worker's CPU time."""
            before = now()
            time.sleep(0.25)
            packets, seconds, cpu = (a - b for a, b in zip(now(), before))
            return packets / seconds, packets / cpu
        before, ratios = self.size(program), []
        for kind in ("garbage", "headers", "lines", "path", "flood", "slow"):
            attacker, end = self.abuse(kind, 30, 500)
            time.sleep(0.3)
            # It is stopped and goes on, so that what else this machine does is the same with and without.
            for _ in range(3):
                abused = pace()
                attacker.send_signal(signal.SIGSTOP)
                quiet = pace()
                attacker.send_signal(signal.SIGCONT)
                ratios.append([a / b for a, b in zip(abused, quiet)])
            fds, kilobytes, _ = self.size(program)
            end()
            self.assertLessEqual(fds, before[0] + MAX_CONNECTIONS + 2, kind)
            self.assertLess(kilobytes - before[1], MAX_KILOBYTES, kind)
            self.wait_for_health(30)
        by_clock, by_cpu = (statistics.median(column) for column in zip(*ratios))
        print(f"with abuse over without, median of {len(ratios)}: {by_clock:.3f} packets a second, {by_cpu:.3f} a second of "
              "the worker's CPU time", file=sys.stderr)
        # The aim is 0.98. By the clock clients take CPUs from the worker where there are two for all of them, and as long as
        # it has one, caches.
        self.assertGreater(by_clock, 0.5)
        self.assertGreater(by_cpu, 0.95)
        self.assertEqual(self.get("/healthz")[0], 200)
        self.stop()

    def test_where_descriptors_run_out_clients_wait_and_packets_pass(self):
        program = self.serve()
        has = self.size(program)[0]
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (has + 8, has + 8))
        held = [socket.create_connection(("127.0.0.1", self.port), timeout=20) for _ in range(30)]
        before = self.dump()["classifier"]["packets"]
        ticks = self.cpu_seconds(program)
        time.sleep(1)
        self.assertLessEqual(self.size(program)[0], has + 8)
        self.assertGreater(self.dump()["classifier"]["packets"], before)
        # Nor does the server ask again and again for what it cannot have.
        self.assertLess(self.cpu_seconds(program) - ticks, 0.5)
        for client in held:
            client.close()
        self.wait_for_health(30)
        self.stop(program)


if __name__ == "__main__":
    unittest.main()

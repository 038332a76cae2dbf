# SPDX-License-Identifier: BSD-3-Clause
"""Servers for the tests of sinks: real ones on loopback, in folders of their own and ended by pid, and such as no sink
should meet. Also what speaks to them, so that tests need no packages beside the servers'."""
import base64
import concurrent.futures
import hashlib
import json
import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import threading
import time

from captures import ROOT, TestCase

DRIVE_SINK = os.environ.get("DRIVE_SINK", str(ROOT / "build/tests/functional/drive_sink"))
RABBITMQ_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
# What a call of drive_sink may take: it is compiled with 1.5 s of patience, where the program has 5; a busy machine adds
# to it.
PATIENCE_MS = 1500 + 500


def free_port(family=socket.AF_INET):
    with socket.socket(family) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()[1]


def kinds():
    """Kinds of sinks that drive_sink was built with."""
    return {kind for kind in ("redis", "rabbitmq", "kafka", "ipfix")
            if subprocess.run([DRIVE_SINK, kind], capture_output=True, check=False).returncode != 77}


def why_no_tls():
    """What is missing for TLS; None where it is all there."""
    if shutil.which("openssl") is None:
        return "openssl is not installed"
    said = subprocess.run([DRIVE_SINK, min(kinds() & {"redis", "rabbitmq"}, default="none"), "--server",
                           "tls://127.0.0.1:1", "--topic", "none", "--count", "0"], capture_output=True, text=True,
                          check=False)
    return "built without TLS" if "this build has no TLS" in said.stderr else None


def certificate(folder, name="sink"):
    """A certificate for localhost and 127.0.0.1, signed by itself, and its key."""
    paths = pathlib.Path(folder, f"{name}.crt"), pathlib.Path(folder, f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-out", paths[0], "-keyout", paths[1], "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return paths


class Drive:
    """A run of drive_sink in the background."""

    def __init__(self, test, kind, *arguments, password=None, trusted=None):
        environment = {k: v for k, v in os.environ.items() if k not in ("DRIVE_SINK_PASSWORD", "SSL_CERT_FILE")}
        if password is not None:
            environment["DRIVE_SINK_PASSWORD"] = password
        if trusted is not None:
            environment["SSL_CERT_FILE"] = str(trusted)
        self.test = test
        self.process = subprocess.Popen([DRIVE_SINK, kind, *map(str, arguments)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=environment)
        test.addCleanup(self.kill)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def end(self, seconds=120):
        """What it counted. Whatever came, it kept to the time that a sink has, and sanitizers are content."""
        out, error = self.process.communicate(timeout=seconds)
        self.test.assertIn(self.process.returncode, (0, 1), error)
        self.test.assertEqual(error, "")
        report = json.loads(out)
        self.test.assertEqual(self.process.returncode == 0, report["delivered"] == report["offered"])
        self.test.assertLessEqual(report["longest_ms"], PATIENCE_MS)
        for line in report["errors"]:
            self.test.assertTrue(line.isprintable() and line, line)
        return report


class SinkTest(TestCase):
    """Tests of one kind of sink, by drive_sink."""
    kind = None

    def drive(self, server, *arguments, topic="flows", **environment):
        address = getattr(server, "address", server)
        return Drive(self, self.kind, "--server", address, "--topic", topic, *arguments, **environment)

    def delivered(self, server, *arguments, **keywords):
        """A run in which all goes well."""
        report = self.drive(server, *arguments, **keywords).end()
        self.assertEqual(report["delivered"], report["offered"], report)
        self.assertEqual(report["failures"], 0, report)
        return report

    def refused(self, server, pattern, *arguments, **keywords):
        """A run in which nothing is taken, for a reason that is told."""
        report = self.drive(server, "--count", 5, "--give-up", 0, *arguments, **keywords).end()
        self.assertEqual(report["delivered"], 0, report)
        self.assertRegex(report["last_error"], pattern)
        return report

    def at_once(self, cases, check):
        """check(case) of each name's case, several at a time, since they wait more than they compute."""
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            results = {name: pool.submit(check, case) for name, case in dict(cases).items()}
        for name, result in results.items():
            with self.subTest(name):
                result.result()


class Server:
    """A process that listens."""

    def __init__(self, test_case, folder):
        self.folder = pathlib.Path(folder)
        self.process = None
        self.at_end(test_case, self.kill)

    @staticmethod
    def at_end(test_case, clean):
        """Of a test, or of a class of them."""
        (test_case.addClassCleanup if isinstance(test_case, type) else test_case.addCleanup)(clean)

    def command(self):
        raise NotImplementedError

    def is_up(self):
        raise NotImplementedError

    def start(self, *arguments, seconds=60):
        with open(self.folder / "server.log", "a") as log:
            self.process = subprocess.Popen([*map(str, self.command()), *map(str, arguments)], stdout=log,
                                            stderr=log, cwd=self.folder, env=self.environment())
        end = time.monotonic() + seconds
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.02)
        return self

    @staticmethod
    def environment():
        return dict(os.environ)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def restart(self):
        self.kill()
        return self.start()


class RedisServer(Server):
    """Writes each command to disk before it is answered."""

    def __init__(self, test_case, folder, *options):
        super().__init__(test_case, folder)
        self.port = free_port()
        self.path = str(self.folder / "redis.socket")
        self.options = options
        self.address = f"127.0.0.1:{self.port}"

    def command(self):
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "-::1", "--dir", self.folder,
                "--unixsocket", self.path, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                *self.options]

    def is_up(self):
        try:
            return self.do("PING") == "PONG"
        except (OSError, RuntimeError) as error:
            return "NOAUTH" in str(error)

    def do(self, *words, password=None):
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection, connection.makefile("rb") as file:
            if password:
                connection.sendall(resp("AUTH", password))
                resp_read(file)
            connection.sendall(resp(*words))
            return resp_read(file)

    def stream(self, key, number="bytes_fwd"):
        """Numbers of the records of a stream, in its order."""
        entries = self.do("XRANGE", key, "-", "+")
        for _, fields in entries:
            assert fields[0] == "record" and len(fields) == 2, fields
        return [json.loads(fields[1])[number] for _, fields in entries]

    def list(self, key):
        return [json.loads(text)["bytes_fwd"] for text in self.do("LRANGE", key, "0", "-1")]


def resp(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def resp_read(file):
    line = file.readline().rstrip(b"\r\n").decode()
    if not line:
        raise OSError("closed")
    kind, rest = line[0], line[1:]
    if kind == "-":
        raise RuntimeError(rest)
    if kind == "$":
        return None if rest == "-1" else file.read(int(rest) + 2)[:-2].decode()
    if kind == "*":
        return [resp_read(file) for _ in range(int(rest))]
    return int(rest) if kind == ":" else rest


class RabbitServer(Server):
    """A node of its own, with its own epmd and cookie; nothing of the machine's is read or written. The user `wire` has
    a virtual host `taps`; guest has the other one."""
    PASSWORD = "a long password"

    def __init__(self, test_case, folder, *settings):
        super().__init__(test_case, folder)
        self.port, self.dist_port, self.epmd_port = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "definitions.json").write_text(json.dumps(self.definitions()))
        (self.folder / "rabbitmq.conf").write_text("\n".join(
            (f"load_definitions = {self.folder}/definitions.json", "disk_free_limit.absolute = 1MB", *settings, "")))
        self.epmd = subprocess.Popen(["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.at_end(test_case, self.epmd.wait)
        self.at_end(test_case, self.epmd.kill)

    @classmethod
    def definitions(cls):
        def user(name, password):
            salt = b"salt"
            digest = hashlib.sha256(salt + password.encode()).digest()
            return {"name": name, "password_hash": base64.b64encode(salt + digest).decode(), "tags": "",
                    "hashing_algorithm": "rabbit_password_hashing_sha256"}

        def may(name, host):
            return {"user": name, "vhost": host, "configure": ".*", "write": ".*", "read": ".*"}
        return {"users": [user("guest", "guest"), user("wire", cls.PASSWORD)],
                "vhosts": [{"name": "/"}, {"name": "taps"}],
                "permissions": [may("guest", "/"), may("wire", "taps")]}

    def environment(self):
        at = self.folder
        return {**os.environ, "HOME": str(at), "RABBITMQ_NODENAME": "wirescore@localhost", "LANG": "C.UTF-8",
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port),
                "RABBITMQ_DIST_PORT": str(self.dist_port), "ERL_EPMD_PORT": str(self.epmd_port),
                "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_MNESIA_BASE": str(at / "mnesia"),
                "RABBITMQ_LOG_BASE": str(at / "log"), "RABBITMQ_LOGS": str(at / "rabbit.log"),
                "RABBITMQ_PID_FILE": str(at / "pid"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "plugins"),
                "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq"), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                "ERL_CRASH_DUMP": str(at / "crash"),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}"}

    def command(self):
        return [RABBITMQ_SERVER]

    def is_up(self):
        try:
            with Amqp(self.port):
                return True
        except (OSError, RuntimeError, struct.error):
            return False

    def broker(self):
        """The pid of the Erlang machine, which the script runs as its child."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def signal(self, number):
        os.kill(self.broker(), number)

    def kill(self):
        if self.process and self.process.poll() is None:
            try:
                self.signal(9)
            except (IndexError, OSError):
                self.process.kill()
        if self.process:
            self.process.wait()

    def control(self, *words):
        subprocess.run(["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", *words], check=True, capture_output=True,
                       env=self.environment(), cwd=self.folder, timeout=60)


class Amqp:
    """As much of AMQP 0-9-1 as declares queues and empties them."""

    def __init__(self, port, user="guest", password="guest", host="/"):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.file = self.socket.makefile("rb")
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.method(10, 10)
        response = f"\0{user}\0{password}".encode()
        self.send(0, 10, 11, struct.pack(">I", 0) + self.short("PLAIN") + struct.pack(">I", len(response)) + response
                  + self.short("en_US"))
        self.method(10, 30)
        self.send(0, 10, 31, struct.pack(">HIH", 1, 131072, 0))
        self.send(0, 10, 40, self.short(host) + b"\0\0")
        self.method(10, 41)
        self.send(1, 20, 10, b"\0")
        self.method(20, 11)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    @staticmethod
    def short(text):
        return bytes([len(text)]) + text.encode()

    @classmethod
    def table(cls, **entries):
        text = b"".join(cls.short(k) + (b"I" + struct.pack(">i", v) if isinstance(v, int) else
                                        b"S" + struct.pack(">I", len(v)) + v.encode()) for k, v in entries.items())
        return struct.pack(">I", len(text)) + text

    def send(self, channel, kind, method, arguments):
        payload = struct.pack(">HH", kind, method) + arguments
        self.socket.sendall(struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce")

    def frame(self):
        kind, _, size = struct.unpack(">BHI", self.file.read(7))
        payload = self.file.read(size)
        assert self.file.read(1) == b"\xce"
        return kind, payload

    def method(self, kind, method):
        while True:
            frame, payload = self.frame()
            if frame == 8:
                continue
            got = struct.unpack_from(">HH", payload)
            if frame != 1 or got != (kind, method):
                raise RuntimeError(f"{frame} {got}: {payload!r}")
            return payload[4:]

    def declare(self, queue, **arguments):
        """A durable queue. Returns how many messages are in it."""
        arguments = {"x-" + k.replace("_", "-"): v for k, v in arguments.items()}
        self.send(1, 50, 10, b"\0\0" + self.short(queue) + b"\x02" + self.table(**arguments))
        payload = self.method(50, 11)
        return struct.unpack_from(">I", payload, 1 + payload[0])[0]

    def declare_exchange(self, exchange, kind):
        self.send(1, 40, 10, b"\0\0" + self.short(exchange) + self.short(kind) + b"\x02" + self.table())
        self.method(40, 11)

    def bind(self, queue, exchange, key):
        names = self.short(queue) + self.short(exchange) + self.short(key)
        self.send(1, 50, 20, b"\0\0" + names + b"\0" + self.table())
        self.method(50, 21)

    def take_all(self, queue):
        """Empties a queue. Returns (properties, body) of each message, in its order."""
        n = self.declare_passive(queue)
        self.send(1, 60, 20, b"\0\0" + self.short(queue) + self.short("all") + b"\x02" + self.table())
        self.method(60, 21)
        return [self.message() for _ in range(n)]

    def declare_passive(self, queue):
        self.send(1, 50, 10, b"\0\0" + self.short(queue) + b"\x01" + self.table())
        payload = self.method(50, 11)
        return struct.unpack_from(">I", payload, 1 + payload[0])[0]

    def message(self):
        self.method(60, 60)
        kind, head = self.frame()
        assert kind == 2
        size, flags = struct.unpack_from(">QH", head, 4)
        names = ("content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id",
                 "reply_to", "expiration", "message_id", "timestamp", "type", "user_id", "app_id")
        properties, at = {}, 14
        for i, name in enumerate(names):
            if not flags & 1 << (15 - i):
                continue
            if name in ("delivery_mode", "priority"):
                properties[name], at = head[at], at + 1
            else:
                properties[name], at = head[at + 1:at + 1 + head[at]].decode(), at + 1 + head[at]
        body = b""
        while len(body) < size:
            kind, part = self.frame()
            assert kind == 3
            body += part
        return properties, body


class Listener:
    """A server made of a function, which gets each connection in a thread."""

    def __init__(self, test, talk, backlog=16):
        self.talk, self.ends, self.n_connections = talk, threading.Event(), 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.socket.settimeout(0.1)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        test.addCleanup(self.end)

    def run(self):
        while not self.ends.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                continue
            self.n_connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.settimeout(0.5)
        with connection:
            try:
                self.talk(self, connection)
            except (OSError, ValueError):
                pass

    def end(self):
        self.ends.set()
        self.thread.join()
        self.socket.close()


def flooder(prefix, chunk):
    """Sends the prefix, then the chunk without end."""
    def talk(listener, connection):
        connection.sendall(prefix)
        while not listener.ends.is_set():
            connection.sendall(chunk)
    return talk


def saying(answer, seconds=0.2):
    """Answers whatever comes with this, again and again."""
    def talk(listener, connection):
        while not listener.ends.is_set():
            if not connection.recv(65536):
                return
            connection.sendall(answer)
            time.sleep(seconds)
    return talk


def silence(listener, connection):
    """Takes everything, and never answers."""
    while not listener.ends.is_set():
        try:
            if not connection.recv(65536):
                return
        except TimeoutError:
            pass


def dribble(listener, connection):
    """Says something, a byte at a time, and never comes to an end."""
    while not listener.ends.is_set():
        connection.sendall(b"+")
        time.sleep(0.05)


def slow_way(port):
    """Leads to a server on this machine, at little more than a megabyte a second."""
    def back(there, here):
        try:
            while data := there.recv(65536):
                here.sendall(data)
        except OSError:
            pass

    def talk(_, connection):
        connection.settimeout(10)
        with socket.create_connection(("127.0.0.1", port), 10) as server:
            threading.Thread(target=back, args=(server, connection), daemon=True).start()
            while data := connection.recv(65536):
                server.sendall(data)
                time.sleep(0.05)
    return talk


def reset(_, connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def black_hole(test):
    """The address of a port whose connections are never completed."""
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    test.addCleanup(server.close)
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(server.getsockname())
        test.addCleanup(filler.close)
    return "127.0.0.1:%d" % server.getsockname()[1]


def noises(seed=1, n=24):
    """Random bytes, some of which begin as an answer would."""
    draw = random.Random(seed)
    heads = (b"", b"+", b"-", b"$", b"*", b":", b"\x01\x00\x00", b"\x01\0\0\0\0\0\x10\0\x0a\0\x0a", b"AMQP\0\0\x09\x01")
    return [draw.choice(heads) + draw.randbytes(draw.choice((1, 7, 60, 5000))) for _ in range(n)]


def is_installed(*programs):
    return all(shutil.which(program) or os.access(program, os.X_OK) for program in programs)

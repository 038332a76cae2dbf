# SPDX-License-Identifier: BSD-3-Clause
"""
Servers and clients of the lab for which Debian has no fitting program. Each runs inside a namespace, started by
services.py and clients.py. Usage: actors.py NAME KEY=VALUE...
"""
import imaplib
import random
import selectors
import smtplib
import socket
import socketserver
import struct
import threading
import time

from arguments import comma_list, run_by_name

NTP_EPOCH_S = 2208988800


def connect(source, target, port, timeout_s=3.0):
    return socket.create_connection((target, int(port)), timeout_s, (source, 0))


def ticks(period_s, duration_s, rng, spread=0.05):
    """Waits from tick to tick, with a little spread, until the time is up."""
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        yield
        time.sleep(max(0.0, period_s * rng.gauss(1, spread)))


def serve_tcp(binds, port, handler):
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request, client_address):
            """Clients of a lab hang up at any time."""

    servers = [Server((bind, port), handler) for bind in comma_list(binds)]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


class ModbusHandler(socketserver.BaseRequestHandler):
    """Answers function 3 (read registers) and 16 (write registers), and the rest with an exception."""

    def handle(self):
        self.request.settimeout(300)
        while header := self.request.recv(7, socket.MSG_WAITALL):
            transaction, _, length, unit = struct.unpack(">HHHB", header)
            body = self.request.recv(length - 1, socket.MSG_WAITALL)
            if body[0] == 3:
                count = struct.unpack(">H", body[3:5])[0]
                reply = struct.pack(">BB", 3, 2 * count) + random.randbytes(2 * count)
            elif body[0] == 16:
                reply = body[:5]
            else:
                reply = bytes([body[0] | 0x80, 1])
            self.request.sendall(struct.pack(">HHHB", transaction, 0, len(reply) + 1, unit) + reply)


def modbus_server(binds, port=502):
    serve_tcp(binds, port, ModbusHandler)


def modbus_poller(source, servers, period_s, duration_s, keep=1, count=10, seed=0):
    """Reads registers of many controllers in turn, on connections that stay (keep) or on one for each poll."""
    rng = random.Random(seed)
    links = {}
    for number, _ in enumerate(ticks(period_s, duration_s, rng)):
        for server in comma_list(servers):
            try:
                link = links.get(server) or connect(source, server, 502)
                links[server] = link
                body = struct.pack(">BHH", 3, rng.randrange(100), count)
                link.sendall(struct.pack(">HHHB", number & 0xFFFF, 0, len(body) + 1, 1) + body)
                link.recv(260)
                if not keep:
                    links.pop(server).close()
            except OSError:
                links.pop(server, None)


class TelnetHandler(socketserver.BaseRequestHandler):
    """A device's login prompt: options, three tries, and out; lab/lab gets a shell that echoes."""

    def line(self):
        data = b""
        while not data.endswith(b"\n") and len(data) < 200:
            part = self.request.recv(64)
            if not part:
                raise ConnectionError
            data += part
        return data.strip()

    def handle(self):
        self.request.settimeout(60)
        self.request.sendall(b"\xff\xfd\x18\xff\xfd\x20\xff\xfb\x01\xff\xfb\x03\r\ncamera-3 ")
        for _ in range(3):
            self.request.sendall(b"login: ")
            name = self.line()
            self.request.sendall(b"Password: ")
            if name.endswith(b"lab") and self.line().endswith(b"lab"):
                return self.shell()
            time.sleep(0.5)
            self.request.sendall(b"\r\nLogin incorrect\r\n")
        return None

    def shell(self):
        self.request.sendall(b"\r\n$ ")
        while command := self.line():
            if command == b"exit":
                break
            self.request.sendall(command + b"\r\n" + random.randbytes(200).hex().encode() + b"\r\n$ ")


def telnet_server(binds, port=23):
    serve_tcp(binds, port, TelnetHandler)


def telnet_session(source, server, n_commands=5, seed=0):
    """An operator on a device: logs in, types commands with pauses, leaves."""
    rng = random.Random(seed)
    with connect(source, server, 23) as link:
        for line in ["lab", "lab"] + [f"show port {i}" for i in range(n_commands)] + ["exit"]:
            link.recv(2000)
            time.sleep(rng.uniform(0.3, 2))
            link.sendall(line.encode() + b"\r\n")


class SmtpHandler(socketserver.StreamRequestHandler):
    """Takes mail and forgets it."""

    timeout = 60

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 mail.lab ESMTP")
        while command := self.rfile.readline(1000):
            verb = command[:4].upper()
            if verb == b"EHLO":
                self.say("250-mail.lab\r\n250-SIZE 20000000\r\n250 8BITMIME")
            elif verb == b"DATA":
                self.say("354 go on")
                while self.rfile.readline(2000) not in (b".\r\n", b""):
                    pass
                self.say("250 taken")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


def smtp_server(binds, port=25):
    serve_tcp(binds, port, SmtpHandler)


def send_mail(source, server, size_bytes=4000, port=25):
    text = "\r\n".join("x" * 70 for _ in range(size_bytes // 72))
    with smtplib.SMTP(server, port, local_hostname="client.lab", timeout=20, source_address=(source, 0)) as link:
        link.sendmail("a@lab", ["b@lab"], f"Subject: report\r\n\r\n{text}\r\n")


class BoundImap(imaplib.IMAP4):
    """IMAP from an address of our choice."""

    def __init__(self, source, server):
        self.source = source
        super().__init__(server, 143, 20)

    def _create_socket(self, timeout):
        return connect(self.source, self.host, self.port, timeout)


def fetch_mail(source, server, duration_s=0, seed=0):
    """Looks into the mailbox once, or again and again on one connection, as a mail program does."""
    rng = random.Random(seed)
    link = BoundImap(source, server)
    link.login("lab", "lab")
    if rng.random() < 0.5:
        link.append("INBOX", "", None, b"Subject: note\r\n\r\n" + b"y" * rng.randrange(500, 20000) + b"\r\n")
    for _ in ticks(10, max(duration_s, 1), rng):
        _, (n_mails,) = link.select("INBOX")
        link.search(None, "ALL")
        if int(n_mails):
            link.fetch(f"1:{min(5, int(n_mails))}", "(BODY.PEEK[])")
        if not duration_s:
            break
    link.logout()


def dns_query(name, kind=1, identifier=1):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", identifier, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def resolver(source, servers, per_second, duration_s, seed=0, one_port=0):
    """A busy resolver: many names, an own port for each question (or always the same one), replies read later."""
    rng = random.Random(seed)
    servers = comma_list(servers)
    waiting = selectors.DefaultSelector()
    for number, _ in enumerate(ticks(1 / per_second, duration_s, rng, 0.5)):
        if not one_port or number == 0:
            link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            link.bind((source, 0))
            waiting.register(link, selectors.EVENT_READ)
        name = f"{rng.choice(['www', 'mail', 'cdn', 'api', 'img'])}{rng.randrange(5000)}.lab"
        query = dns_query(name, rng.choice([1, 1, 1, 28, 15, 16, 12]), number & 0xFFFF)
        link.sendto(query, (rng.choice(servers), 53))
        for key, _ in waiting.select(0):
            key.fileobj.recv(4096)
            if not one_port:
                waiting.unregister(key.fileobj)
                key.fileobj.close()


def ntp_client(source, servers, period_s, duration_s, seed=0):
    rng = random.Random(seed)
    for _ in ticks(period_s, duration_s, rng):
        for server in comma_list(servers):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
                link.bind((source, 0))
                link.settimeout(1)
                now = int((time.time() + NTP_EPOCH_S) * 2**32) & (2**64 - 1)
                link.sendto(struct.pack(">B39xQ", 0x23, now), (server, 123))
                try:
                    link.recv(200)
                except OSError:
                    pass


def health_check(source, targets, period_s, duration_s, page="", seed=0):
    """
    Opens a connection to each address:port and closes it, as balancers and monitors do; some ports refuse. With a
    page, it is asked for and read first.
    """
    rng = random.Random(seed)
    for _ in ticks(period_s, duration_s, rng):
        for target in comma_list(targets):
            address, port = target.split(":")
            try:
                with connect(source, address, port, 1.5) as link:
                    if page:
                        link.sendall(f"GET /{page} HTTP/1.0\r\n\r\n".encode())
                        while link.recv(65536):
                            pass
            except OSError:
                pass


def redis_client(source, server, period_s, duration_s, n_commands=3, seed=0):
    """A web application without a pool: a short connection for each request."""
    rng = random.Random(seed)
    for _ in ticks(period_s, duration_s, rng, 0.4):
        try:
            with connect(source, server, 6379) as link:
                for _ in range(n_commands):
                    key = f"k{rng.randrange(200)}"
                    link.sendall(f"SET {key} {'v' * rng.randrange(1, 900)}\r\nGET {key}\r\n".encode())
                    link.recv(2000)
        except OSError:
            pass


def postgres_message(kind, body):
    return kind + struct.pack(">I", len(body) + 4) + body


def postgres_client(source, server, period_s, duration_s, seed=0):
    """A short session for each question: start, SELECT, end (protocol 3.0, trusted user)."""
    rng = random.Random(seed)
    for _ in ticks(period_s, duration_s, rng, 0.4):
        try:
            with connect(source, server, 5432) as link:
                link.sendall(postgres_message(b"", struct.pack(">I", 196608) + b"user\0lab\0database\0postgres\0\0"))
                link.recv(4000)
                query = f"SELECT repeat('x', {rng.randrange(10, 3000)})"
                link.sendall(postgres_message(b"Q", query.encode() + b"\0"))
                link.recv(8000)
                link.sendall(postgres_message(b"X", b""))
        except OSError:
            pass


def udp_source(source, target, port, per_second, duration_s, size_bytes=100, seed=0):
    """One-way messages at a fixed pace: phasor measurements, syslog, flow export, sensors. Nothing answers."""
    rng = random.Random(seed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind((source, 0))
        for _ in ticks(1 / per_second, duration_s, rng, 0.01):
            link.sendto(rng.randbytes(max(8, int(rng.gauss(size_bytes, size_bytes / 20)))), (target, port))


def udp_sink(bind, ports):
    """Takes what udp_source sends."""
    waiting = selectors.DefaultSelector()
    for port in comma_list(str(ports)):
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.bind((bind, int(port)))
        waiting.register(link, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            key.fileobj.recv(65535)


def peers_server(binds, port):
    """The other side of peer_to_peer, at many addresses."""
    waiting = selectors.DefaultSelector()
    for bind in comma_list(binds):
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.bind((bind, port))
        waiting.register(link, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            try:
                data, sender = key.fileobj.recvfrom(2000)
                key.fileobj.sendto(data * 3, sender)
            except OSError:
                pass


def peer_to_peer(source, peers, port, per_second, duration_s, seed=0):
    """A node that asks many peers from one port; some of them are gone, some refuse."""
    rng = random.Random(seed)
    peers = comma_list(peers)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind((source, port))
        link.setblocking(False)
        for _ in ticks(1 / per_second, duration_s, rng, 0.6):
            try:
                link.sendto(rng.randbytes(rng.randrange(60, 400)), (rng.choice(peers), port))
                while link.recv(4000):
                    pass
            except OSError:
                pass


if __name__ == "__main__":
    run_by_name(globals())

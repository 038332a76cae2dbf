#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads what a fleet of sensors writes to Redis: a stream each. Each record goes to one of several workers, the same
for all records of a flow, in their order; sums by class are kept by sensor, and a sensor that is silent is told of.

    consumer.py --redis 127.0.0.1:6379 --folder FOLDER east west

reads the streams wirescore:east and wirescore:west. FOLDER has a file of records for each worker, and state.json: the
sums, and up to where they go. Both are saved together, so that whoever restarts, after a crash too, loses nothing and
counts nothing twice. Needs Python 3.9 or newer and nothing else; see README.md."""
import argparse
import collections
import fcntl
import json
import os
import pathlib
import queue
import signal
import socket
import sys
import threading
import time

ROUND = 1000    # entries of a stream that are read at a time
RECENT = 1024   # lines that a sink may repeat: it sends again no more than its last batch, which has up to 512
POLL_S = 0.1
LAST_SLICE = 65535  # which all later ones are too
MOST_FLOWS = 100000  # whose order a worker looks at
CONNECT_S, MOST_RETRY_S = 2, 30  # a server that is away keeps the others from their turn for little of the time


def say(text):
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), text, flush=True)


class RedisError(RuntimeError):
    """What the server answered instead."""


class Redis:
    """A connection to the server that has the key, which in a cluster another one tells (MOVED)."""

    def __init__(self, address, password):
        self.password, self.file, self.host = password, None, "localhost"
        self.connect(address)

    def connect(self, address):
        if self.file:
            self.file.close()
        if address.startswith("/"):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(CONNECT_S)
            connection.connect(address)
        else:
            host, _, port = address.rpartition(":")
            self.host = host.strip("[]") or self.host  # none: that of the node that says so
            connection = socket.create_connection((self.host, int(port)), CONNECT_S)
        connection.settimeout(5)
        self.file = connection.makefile("rwb")
        connection.close()  # once the file is
        if self.password:
            self.exchange("AUTH", self.password)

    def ask(self, *words):
        try:
            return self.exchange(*words)
        except RedisError as error:
            if not str(error).startswith("MOVED "):
                raise
            self.connect(str(error).split()[2])
            return self.exchange(*words)

    def exchange(self, *words):
        words = [str(word).encode() for word in words]
        self.file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        self.file.flush()
        answer = self.answer()
        if isinstance(answer, RedisError):
            raise answer
        return answer

    def answer(self):
        """Bytes are left as they are: a record may have anything in it."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("the connection broke")
        kind, rest = line[:1], line[1:-2].decode(errors="replace")
        if kind == b"-":
            return RedisError(rest)
        if kind == b"+":
            return rest
        if kind not in (b"$", b"*", b":") or not rest.lstrip("-").isdecimal():
            raise OSError("it answers what Redis would not")
        if kind == b"$":
            return None if rest == "-1" else self.bulk(int(rest))
        if kind == b"*":
            return None if rest == "-1" else [self.answer() for _ in range(int(rest))]
        return int(rest)

    def bulk(self, n_bytes):
        data = self.file.read(n_bytes + 2)
        if len(data) != n_bytes + 2 or not data.endswith(b"\r\n"):
            raise OSError("the connection broke")
        return data[:-2]


class Worker(threading.Thread):
    """Has every record of its flows, in the order in which the sensor made them: what looks at conversations goes here.
    This one appends them to its file, counts classes, and sees that the order holds."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.file = open(path, "ab")
        self.records = queue.Queue()
        self.slices = {}  # of flows that go on: the last one's number and end
        self.sums = collections.defaultdict(collections.Counter)
        self.error = None
        self.start()

    def run(self):
        while True:
            try:
                self.handle(*self.records.get())
            except OSError as error:
                self.error = error
            self.records.task_done()

    def handle(self, sensor, line, record):
        sums = self.sums[sensor]
        try:
            is_in_order = "slice" not in record or self.is_in_order((sensor, record["flow_id"]), record)
        except (KeyError, TypeError):
            sums["unreadable"] += 1
            return
        self.file.write(line + b"\n")
        sums["records"] += 1
        sums[f"class {record.get('class')}"] += 1
        if not is_in_order:
            sums["out of order"] += 1

    def is_in_order(self, flow, record):
        """Slices of a flow are numbered, and begin behind the end of the one before. Forgets flows that are over."""
        number, end = self.slices.pop(flow, (-1, 0))
        if record["reason"] == "active":
            self.slices[flow] = record["slice"], record["end"]
        if len(self.slices) > MOST_FLOWS:
            del self.slices[next(iter(self.slices))]
        return end <= record["start"] and (number < record["slice"] or number == LAST_SLICE)

    def finish(self):
        """Waits until all records are handled, and their lines on the disk. Returns the sums since the last time."""
        self.records.join()
        if self.error:
            raise self.error
        self.file.flush()
        os.fsync(self.file.fileno())
        sums, self.sums = self.sums, collections.defaultdict(collections.Counter)
        return sums


class Sensor:
    """A stream, how far it has been read, and whether anything comes. It has a connection of its own: in a cluster the
    streams are on several servers, and one that is away holds up no other."""

    def __init__(self, name, key, saved):
        self.name, self.key, self.redis = name, key, None
        self.is_away, self.retry_at, self.retry_s = False, 0, 1
        self.position = saved.get("position", "0-0")
        self.run = saved.get("run")             # of its heartbeats: since when
        self.seen = saved.get("seen", 0)        # records of this run
        self.unsure = saved.get("unsure", 0)    # of these, behind the last heartbeat: may be the next run's
        self.dropped = saved.get("dropped", 0)  # of this run, before they were delivered
        self.sums = collections.Counter(saved.get("sums", {}))
        self.recent = None
        self.newest, self.heard, self.listens_since, self.is_missing = None, None, 0, False

    def save(self):
        return {"position": self.position, "run": self.run, "seen": self.seen, "unsure": self.unsure,
                "dropped": self.dropped, "sums": self.sums}

    def connect(self, address, password):
        redis = Redis(address, password)
        if self.recent is None:
            entries = redis.ask("XREVRANGE", self.key, self.position, "-", "COUNT", 2 * RECENT)
            self.recent = {}
            for _, fields in reversed(entries):
                self.is_repeated(fields[1])
        else:
            redis.ask("XLEN", self.key)
        say(f"sensor {self.name}: " + ("the broker is back" if self.is_away else f"reading {self.key}"))
        self.redis, self.is_away, self.retry_s = redis, False, 1
        self.listens_since = time.monotonic()
        self.heard = self.heard or self.listens_since

    def disconnect(self, error):
        """Tries again later, and less and less often."""
        if not self.is_away:
            say(f"sensor {self.name}: the broker: {error}; trying again")
        self.redis, self.is_away = None, True
        self.retry_at, self.retry_s = time.monotonic() + self.retry_s, min(2 * self.retry_s, MOST_RETRY_S)

    def is_repeated(self, line):
        """A sink that lost its connection sends its last batch again, to the byte."""
        if line in self.recent:
            return True
        self.recent[line] = None
        if len(self.recent) > RECENT:
            del self.recent[next(iter(self.recent))]
        return False

    def read(self):
        """The next records, each once: (number of its flow, line, record)."""
        streams = self.redis.ask("XREAD", "COUNT", ROUND, "STREAMS", self.key, self.position)
        for position, fields in streams[0][1] if streams else ():
            self.position = position.decode()
            if self.is_repeated(fields[1]):
                self.sums["duplicates"] += 1
                continue
            try:
                record = json.loads(fields[1])
                if "heartbeat" in record:
                    self.beat(**record["heartbeat"])
                    continue
                flow = int(record["flow_id"] or "0", 16)
            except (ValueError, KeyError, TypeError, RecursionError):
                self.sums["unreadable"] += 1
                continue
            self.seen += 1
            self.unsure += 1
            yield flow, fields[1], record

    def beat(self, since, delivered, dropped, last, **_):
        """It says how many records it has delivered before, and how many it had to drop."""
        if {type(delivered), type(dropped)} != {int}:
            raise TypeError("no heartbeat")
        if since != self.run:
            say(f"sensor {self.name} began a run")
            # The first heartbeat counts none. Of a run whose first ones are lost, records can have come since.
            self.seen = delivered if self.run is None else min(self.unsure, delivered)
            self.run, self.dropped = since, 0
        self.unsure = 0
        if delivered > self.seen:
            lost = delivered - self.seen
            say(f"sensor {self.name}: {lost} records were lost on the way: does its stream keep enough?")
            self.sums["lost"] += lost
        if dropped > self.dropped:
            say(f"sensor {self.name} had to drop {dropped - self.dropped} records: its queue was full")
            self.sums["dropped"] += dropped - self.dropped
        self.seen, self.dropped = max(self.seen, delivered), max(self.dropped, dropped)
        if last:
            say(f"sensor {self.name} has ended its run")

    def listen(self, patience):
        """Looks at the newest entry, however far behind the reader is."""
        entries = self.redis.ask("XREVRANGE", self.key, "+", "-", "COUNT", 1)
        newest, fields = entries[0] if entries else (b"0-0", (b"record", b"{}"))
        now = time.monotonic()
        silence = now - self.heard
        has_ended = b'"heartbeat":' in fields[1] and b'"last":true' in fields[1]
        if newest != self.newest:
            if self.is_missing:
                say(f"sensor {self.name} is back after {silence:.1f} s")
            self.newest, self.heard, self.is_missing = newest, now, False
        elif now - max(self.heard, self.listens_since) > patience and not self.is_missing and not has_ended:
            # While nobody listened nobody was silent.
            say(f"sensor {self.name} is missing: nothing came for {silence:.1f} s")
            self.is_missing = True


class Consumer:
    def __init__(self, arguments):
        self.arguments, self.folder = arguments, pathlib.Path(arguments.folder)
        self.ends = threading.Event()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.folder / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.saved = self.load()
        self.sensors = [Sensor(name, arguments.prefix + name, self.saved["sensors"].get(name, {}))
                        for name in arguments.sensors]
        self.files = [f"worker-{i}.ndjson" for i in range(arguments.workers)]
        self.workers = []
        if not (self.folder / "state.json").exists():
            self.save()  # what files have from now on is its to count
        for path in self.folder.glob("worker-*.ndjson"):  # also of workers that are no more
            self.cut(path, self.saved["sizes"].get(path.name, 0))
        self.workers = [Worker(self.folder / name) for name in self.files]

    def load(self):
        state = self.folder / "state.json"
        if state.exists():
            return json.loads(state.read_text())
        for path in self.folder.glob("worker-*.ndjson"):
            if path.stat().st_size:
                sys.exit(f"consumer.py: {path} has records, but there is no state.json that counts them; put it back, or "
                         "name another folder")
        return {"sensors": {}, "sizes": {}}

    @staticmethod
    def cut(path, size):
        """What was not counted comes again."""
        if path.stat().st_size > size:
            os.truncate(path, size)

    def each(self, do):
        """Does something with each stream that can be reached."""
        for sensor in self.sensors:
            try:
                if sensor.redis:
                    do(sensor)
                elif time.monotonic() >= sensor.retry_at:
                    sensor.connect(self.arguments.redis, os.environ.get("REDIS_PASSWORD"))
            except (OSError, RedisError) as error:
                sensor.disconnect(error)

    def read(self, sensor):
        for flow, *record in sensor.read():
            self.workers[flow % len(self.workers)].records.put((sensor.name, *record))

    def round(self):
        """Reads some of each stream, and saves what became of it. Returns whether anything was there."""
        before = [sensor.position for sensor in self.sensors]
        self.each(self.read)
        has_read = before != [sensor.position for sensor in self.sensors]
        if has_read:
            self.finish()
        return has_read

    def finish(self):
        try:
            for worker in self.workers:
                sums = worker.finish()
                for sensor in self.sensors:
                    sensor.sums.update(sums[sensor.name])
            self.save()
        except OSError as error:
            sys.exit(f"consumer.py: {self.folder}: {error}; make room and start it again, nothing is lost")

    def save(self):
        sizes = {name: worker.file.tell() for name, worker in zip(self.files, self.workers)}
        self.saved = {"sensors": {**self.saved["sensors"], **{s.name: s.save() for s in self.sensors}},
                      "sizes": {**self.saved["sizes"], **sizes}}
        with open(self.folder / "state.new", "w") as file:
            json.dump(self.saved, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.folder / "state.new", self.folder / "state.json")

    def consume(self):
        listen_at = 0
        while not self.ends.is_set():
            is_idle = not self.round()
            if time.monotonic() >= listen_at:
                listen_at = time.monotonic() + self.arguments.missing_after / 5
                self.each(lambda sensor: sensor.listen(self.arguments.missing_after))
            if is_idle:
                self.ends.wait(POLL_S)

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.ends.set())
        self.consume()
        for sensor in self.sensors:
            sums = ", ".join(f"{what} {n}" for what, n in sorted(sensor.sums.items()) if n)
            say(f"sensor {sensor.name}: {sums or 'nothing'}")


def main():
    sys.stdout.reconfigure(errors="backslashreplace")  # names of classes come from anywhere
    parser = argparse.ArgumentParser(description="Reads the records of a fleet of sensors from Redis.")
    parser.add_argument("--redis", default="127.0.0.1:6379", metavar="ADDRESS",
                        help="HOST:PORT, or the path of a socket; the password is in $REDIS_PASSWORD")
    parser.add_argument("--folder", required=True, help="where records and sums go")
    parser.add_argument("--prefix", default="wirescore:", help="of the keys of streams (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=4, metavar="N")
    parser.add_argument("--missing-after", type=float, default=5, metavar="SECONDS",
                        help="of silence: some heartbeats (default: %(default)s)")
    parser.add_argument("sensors", nargs="+", metavar="SENSOR")
    arguments = parser.parse_args()
    if arguments.workers < 1 or arguments.missing_after <= 0:
        parser.error("--workers and --missing-after must be more than 0")
    if not arguments.redis.startswith("/") and not arguments.redis.rpartition(":")[2].isdecimal():
        parser.error(f"--redis {arguments.redis}: write it as HOST:PORT, or as the path of a socket from / on")
    try:
        Consumer(arguments).run()
    except BlockingIOError:
        sys.exit(f"consumer.py: {arguments.folder} is another consumer's; end that one, or name another folder")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""
Captures at the router: one tcpdump an interface, of what comes in there, so that each packet is seen once; then the
files are merged by time into one. Used by lab.py.
"""
import heapq
import signal
import struct
import time

from .processes import Child, LabError, inside

SNAP_BYTES = 200
MAX_PACKETS = 4_000_000
MAGIC = 0xA1B2C3D4
HEADER = struct.Struct("<IHHiIII")
RECORD = struct.Struct("<IIII")


class Capture:
    """The running tcpdumps of a router's interfaces."""

    def __init__(self, network, interfaces, folder):
        self.files = {name: folder / f"capture-{name}.pcap" for name in interfaces}
        self.children = {
            name: Child(inside(network.router, [
                "tcpdump", "-i", name, "-p", "-n", "-Q", "in", "-s", SNAP_BYTES, "-B", "16384", "-c", MAX_PACKETS,
                "-Z", "root", "-w", path]), folder / f"capture-{name}.log")
            for name, path in self.files.items()}

    def wait_until_ready(self, patience_s=5.0):
        """tcpdump writes the head of the file when it is listening."""
        deadline = time.time() + patience_s
        for name, child in self.children.items():
            while not (self.files[name].exists() and "listening on" in child.log_path.read_text()):
                if not child.is_running() or time.time() > deadline:
                    raise LabError(f"tcpdump on {name} does not start: {child.last_line()}")
                time.sleep(0.05)

    def stop(self):
        """Ends the captures and returns how many packets the kernel has dropped."""
        for name, child in self.children.items():
            if not child.is_running():
                raise LabError(f"tcpdump on {name} ended too early ({child.last_line()}); try a shorter --duration")
            child.signal(signal.SIGINT)
        n_dropped = 0
        for child in self.children.values():
            child.stop(10)
            lines = child.log_path.read_text().splitlines()
            n_dropped += sum(int(line.split()[0]) for line in lines if "dropped by kernel" in line)
        return n_dropped


def records(path, interface):
    """(time in us, interface, record) of each packet of a capture."""
    with open(path, "rb") as file:
        head = file.read(HEADER.size)
        if len(head) < HEADER.size or HEADER.unpack(head)[0] != MAGIC:
            raise LabError(f"{path}: not a capture that tcpdump wrote here")
        while len(record := file.read(RECORD.size)) == RECORD.size:
            seconds, microseconds, size, _ = RECORD.unpack(record)
            data = file.read(size)
            if len(data) < size:
                return
            yield seconds * 1_000_000 + microseconds, interface, record + data


def merge(files, output, without=(), from_time=0):
    """
    Writes one capture, in order of time, and returns its packets. Without an interface, what comes from behind it is
    missing, as where a tap sees one direction only. from_time: seconds since the epoch; what is earlier is left out.
    """
    n_packets = 0
    chosen = [records(path, name) for name, path in files.items() if name not in without]
    with open(output, "wb") as file:
        file.write(HEADER.pack(MAGIC, 2, 4, 0, 0, SNAP_BYTES, 1))
        for time_us, _, record in heapq.merge(*chosen, key=lambda item: item[0]):
            if time_us >= from_time * 1_000_000:
                file.write(record)
                n_packets += 1
    return n_packets

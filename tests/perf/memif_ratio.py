# SPDX-License-Identifier: BSD-3-Clause
"""What `wirescore run` lets through between two memif ports beside DPDK's testpmd, which only forwards, between the
same ports: in turn, so that the ratios hold on a noisy machine. Started by `meson test --benchmark`."""
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TESTPMD = "dpdk-testpmd"
ROUNDS = 5
LOAD = {"packets": 1e9, "seconds": 1, "flows": 1000, "size": 60, "window": 512}
WAYS = {
    "testpmd": None,
    "no flows": ("none", "none", 0),
    "flows": ("none", "none", 65536),
    "shipped": ("shipped", "shipped", 65536),
}


def devices(folder):
    return [f"net_memif{i},role=server,id=0,socket={folder}/memif{i},socket-abstract=no" for i in (0, 1)]


def testpmd_command(folder):
    cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    return [TESTPMD, f"--lcores=0@({cpus}),1@({cpus})", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
            "--no-shconf", *(f"--vdev={device}" for device in devices(folder)), "--", "--forward-mode=io",
            "--auto-start", "--total-num-mbufs=16384"]


def run_command(folder, packet_model, flow_model, n_flows):
    config = folder / "run.conf"
    config.write_text(
        f"[eal]\nworkers = 1\n[models]\npacket = {packet_model}\nflow = {flow_model}\n[flow]\nflows = {n_flows}\n"
        "[metrics]\ninterval = off\nhttp = none\n" +
        "".join(f"[port p{i}]\ndevice = {device}\n" for i, device in enumerate(devices(folder))) +
        "[pair p]\nports = p0, p1\n")
    return [os.environ["WIRESCORE"], "run", "--json", config]


def wait_for(folder, program):
    """Until somebody listens at both sockets."""
    end = time.monotonic() + 30
    while not all((folder / f"memif{i}").exists() for i in (0, 1)):
        if program.poll() is not None or time.monotonic() > end:
            sys.exit(f"{program.args[0]} does not start")
        time.sleep(0.05)
    time.sleep(0.5)


def measure(way):
    """Packets a second, of both directions."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        command = testpmd_command(folder) if way is None else run_command(folder, *way)
        # testpmd goes on until its input ends, or a signal.
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(folder, program)
            options = [str(word) for name, value in LOAD.items() for word in (f"--{name}", value)]
            load = subprocess.Popen([os.environ["LOAD_MEMIF"], folder / "memif0", folder / "memif1", *options],
                                    stdout=subprocess.PIPE, text=True)
            ways = json.loads(load.stdout.readline())["load"]
        finally:
            program.send_signal(signal.SIGTERM)
            program.wait(30)
        load.communicate(timeout=30)
    lost = sum(way["sent"] - way["received"] for way in ways)
    if lost:
        print(f"  {lost} packets were lost", file=sys.stderr)
    return sum(way["rate"] for way in ways)


def main():
    names = [name for name in WAYS if name != "testpmd" or shutil.which(TESTPMD)]
    if "testpmd" not in names:
        print(f"{TESTPMD} is not installed (package dpdk-dev): ratios are to a run without flows and models")
    rates = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            rates[name].append(measure(WAYS[name]))
    # What else a machine does only takes away: the best round is the one that was disturbed least.
    print(f"{'':12}{'median':>10}{'best M/s':>10}{'ratio':>8}")
    for name in names:
        print(f"{name:12}{statistics.median(rates[name]) / 1e6:10.2f}{max(rates[name]) / 1e6:10.2f}"
              f"{max(rates[name]) / max(rates[names[0]]):8.2f}")


main()

# SPDX-License-Identifier: BSD-3-Clause
"""The command line of tools/lab."""
import argparse
import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from . import packages
from .attacks import ATTACKS
from .lab import SERVICES_BEGIN_S, Lab
from .network import clean
from .processes import LabError
from .scenarios import SCENARIOS

NEEDED_PROGRAMS = ["ip", "nft", "ethtool", "sysctl", "nsenter", "tcpdump", "openssl", "ssh-keygen", "setpriv"]
# Servers and network tools live in folders that a user's PATH may not have.
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
MAX_DURATION_S = 3600


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="tools/lab", description="Real servers, clients and attack tools in network namespaces without a way "
        "out; writes captures and their labels. Needs root.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a scenario and write its capture, labels and lab.json")
    run.add_argument("scenario", choices=SCENARIOS)
    run.add_argument("--seed", type=int, default=1, help="draws delays, moments, paces and targets (default 1)")
    run.add_argument("--duration", type=float, help="seconds of the timeline (default: the scenario's)")
    run.add_argument("--quick", action="store_true",
                     help="the scenario in 40 s; attacks take 12 s and send about 4000 packets at most")
    run.add_argument("--variants", action="store_true",
                     help="also the same traffic without what the servers send, and from the middle of its flows on")
    run.add_argument("-o", "--output", required=True, type=pathlib.Path, metavar="DIR")
    commands.add_parser("list", help="list scenarios and attacks")
    commands.add_parser("clean", help="delete what labs that were killed have left")
    listing = commands.add_parser("packages", help="print the Debian packages that the lab uses, or install them")
    listing.add_argument("--required", action="store_true", help="only those without which nothing runs")
    listing.add_argument("--optional", action="store_true", help="only those of single servers and tools")
    listing.add_argument("--install", action="store_true", help="install all of them")
    arguments = parser.parse_args()
    if arguments.command == "run" and arguments.duration is not None:
        if not 5 <= arguments.duration <= MAX_DURATION_S:
            parser.error(f"--duration {arguments.duration:g}: give 5 to {MAX_DURATION_S} seconds")
    return arguments


def list_scenarios():
    for name, scenario in SCENARIOS.items():
        print(f"{name:12}{scenario.duration_s:g} s: {scenario.text}")
        print(f"{'':12}attacks: {' '.join(scenario.attacks)}")
    print("\nattack              family              tool")
    for name, attack in ATTACKS.items():
        print(f"{name:20}{attack.family:20}{attack.program}")


def list_packages(arguments):
    if arguments.install:
        script = pathlib.Path(__file__).resolve().parents[1] / "install-packages"
        return subprocess.run([script, "lab"], check=False).returncode
    if not arguments.optional:
        print(*packages.REQUIRED, sep="\n")
    if not arguments.required:
        print(*packages.OPTIONAL, sep="\n")
    return 0


def check_machine():
    if os.geteuid() != 0:
        raise LabError("network namespaces need root: run it as root")
    missing = [program for program in NEEDED_PROGRAMS if shutil.which(program) is None]
    if missing:
        raise LabError(f"not installed: {', '.join(missing)}; run tools/install-packages lab")


def interrupted(number, _frame):
    raise KeyboardInterrupt(number)


def run(arguments):
    check_machine()
    scenario = SCENARIOS[arguments.scenario]
    if arguments.quick:
        scenario.length_s, scenario.max_packets = 12, min(scenario.max_packets, 4000)
    duration_s = arguments.duration or (40 if arguments.quick else scenario.duration_s)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    arguments.output.mkdir(parents=True, exist_ok=True)
    os.nice(5)
    lab = Lab(arguments.scenario, scenario, arguments.seed, duration_s)
    atexit.register(lab.end)
    try:
        lab.build()
        lab.start_services()
        time.sleep(SERVICES_BEGIN_S)
        lab.drop_dead_services()
        lab.plan()
        lab.network.check()
        print(f"tools/lab: {arguments.scenario}, seed {arguments.seed}: {len(lab.activities)} activities, "
              f"{duration_s:g} s", flush=True)
        facts = lab.write(arguments.output, lab.record(), arguments.variants)
    finally:
        # A second interrupt must not stop the clearing up.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        atexit.unregister(lab.end)
        lab.end()
    for name, n_packets in facts["packets"].items():
        print(f"tools/lab: {arguments.output / name}.pcap: {n_packets} packets, {len(facts['attacks'])} attacks")


def main():
    arguments = parse_arguments()
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:{SYSTEM_FOLDERS}"
    try:
        if arguments.command == "list":
            list_scenarios()
        elif arguments.command == "packages":
            return list_packages(arguments)
        elif arguments.command == "clean":
            check_machine()
            print(*(clean() or ["nothing to clean"]), sep="\n")
        else:
            run(arguments)
    except KeyboardInterrupt:
        print("tools/lab: interrupted; everything is cleared up", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (LabError, OSError) as error:
        text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else error
        print(f"tools/lab: {text}", file=sys.stderr)
        return EXIT_FAILED
    return 0

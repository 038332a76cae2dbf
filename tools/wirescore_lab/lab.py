# SPDX-License-Identifier: BSD-3-Clause
"""A run of the lab: one timeline of benign activities and attacks, and what is written of it. Used by main.py."""
import collections
import heapq
import json
import random
import shutil
import time
from dataclasses import dataclass, field

from . import labels
from .attacks import ATTACKS, Intruder
from .capture import Capture, merge
from .clients import ACTIVITIES, Client
from .packages import versions
from .processes import Child, LabError, inside
from .topology import N_DARK, N_REFLECTORS, SUBNETS, Topology

SERVICES_BEGIN_S = 2.5
# From the timeline's end on, clients and tools are given no more time, and late packets this much.
DRAIN_S = 1.5
TICK_S = 0.02
MAX_CHILDREN = 200
# The variant of a capture that begins in the middle of its flows leaves out this share of the timeline.
LATE_SHARE = 0.3


@dataclass
class Activity:
    """What one client or attacker does: its events on the timeline, and what became of them."""

    name: str
    host: object
    address: str
    events: list
    family: str = ""
    tool: str = ""
    tuples: list = field(default_factory=list)
    offset_s: float = 0.0
    start: float = 0.0
    end: float = 0.0
    n_started: int = 0
    n_failed: int = 0
    last_failure: str = ""

    def addresses(self):
        """An attacker has all of its host's, a client one."""
        return self.host.addresses if self.family else [self.address]

    def report(self):
        facts = {"name": self.name, "addresses": self.addresses(), "start": round(self.start, 6),
                 "end": round(self.end, 6), "commands": self.n_started, "failed": self.n_failed}
        if self.family:
            facts.update(family=self.family, tool=self.tool)
        if self.last_failure:
            facts["last_failure"] = self.last_failure
        return facts


class Lab(Topology):
    """Made, used and ended by main.py; end() must be called whatever happens."""

    def __init__(self, name, scenario, seed, duration_s):
        super().__init__(scenario, random.Random(seed))
        self.name = name
        self.seed = seed
        self.duration_s = duration_s
        self.activities = []
        self.running = []
        self.capture = None
        self.begin = 0.0

    def plan(self):
        """Draws every activity. Each has a generator of its own, so that one left out changes little else."""
        for group, name, n_clients in self.scenario.clients:
            for number in range(n_clients):
                self.plan_client(group, name, number)
        n_before = collections.Counter()
        for name in self.scenario.attacks:
            self.plan_attack(name, n_before[name])
            n_before[name] += 1

    def missing(self, services, programs, host):
        for service in services:
            if not self.reachable(service, host):
                return f"there is no {service} for it"
        for program in programs:
            if program != "python3" and shutil.which(program) is None:
                return f"{program} is not installed"
        return None

    def plan_client(self, group, name, number):
        kind = ACTIVITIES[name]
        rng = random.Random(f"{self.seed} {group} {name} {number}")
        hosts = self.hosts.get(group)
        if not hosts:
            return
        host = rng.choice(hosts)
        reason = self.missing(kind.services, kind.programs, host)
        if reason:
            if number == 0:
                self.skip(name, reason)
            return
        # The last addresses of devices are silent by a firewall.
        client = Client(self, host, rng.choice(host.addresses[:-N_DARK] or host.addresses), self.duration_s, rng)
        self.activities.append(Activity(name, host, client.address, kind.events(client)))

    def plan_cover(self, host, name, avoid):
        """What the owner of a host that was taken over does, with other servers than the attack uses."""
        rng = random.Random(f"{self.seed} {name} cover")
        for activity in ("browse", "lookups"):
            kind = ACTIVITIES[activity]
            client = Client(self, host, host.address, self.duration_s, rng, avoid)
            if not self.missing(kind.services, kind.programs, host) and all(map(client.places, kind.services)):
                self.activities.append(Activity(activity, host, host.address, kind.events(client)))

    def plan_attack(self, name, number):
        attack = ATTACKS[name]
        rng = random.Random(f"{self.seed} {name} {number}")
        length_s = min(self.scenario.length_s, 0.6 * self.duration_s)
        place = rng.choice(["internet", "internet", "office"]) if attack.place == "any" else attack.place
        host = self.add_intruder(place, N_REFLECTORS if name.startswith("amplification") else 1)
        reason = self.missing(attack.services, (attack.program,), host)
        if reason:
            self.skip(name, reason)
            return
        intruder = Intruder(self, host, rng, self.scenario.max_packets, length_s)
        try:
            events, tuples = attack.build(intruder)
        except LabError as error:
            self.skip(name, str(error))
            return
        if attack.is_hidden:
            self.plan_cover(host, f"{name} {number}", frozenset(match.dst for match in tuples))
        self.activities.append(Activity(
            name, host, host.address, events, attack.family, attack.program, tuples,
            rng.uniform(0.05 * self.duration_s, max(0.05 * self.duration_s, self.duration_s - length_s))))

    def run(self):
        """Starts what is due until the time is over, then ends what is left."""
        queue = [(activity.offset_s + event.at_s, number, activity, event)
                 for number, (activity, event) in enumerate(
                     (activity, event) for activity in self.activities for event in activity.events)]
        heapq.heapify(queue)
        self.begin = time.time()
        while (now := time.time() - self.begin) < self.duration_s:
            while queue and queue[0][0] <= now and len(self.running) < MAX_CHILDREN:
                _, number, activity, event = heapq.heappop(queue)
                self.start(number, activity, event)
            self.reap()
            time.sleep(TICK_S)
        for activity, child in self.running:
            child.signal(15)
        time.sleep(DRAIN_S)
        for activity, child in self.running:
            child.timed_out = True
            child.stop(0.1)
        self.reap()

    def start(self, number, activity, event):
        log = self.folder / f"command-{number}.log"
        child = Child(inside(activity.host.namespace, event.command), log, event.limit_s)
        activity.start = activity.start or child.start
        activity.n_started += 1
        self.running.append((activity, child))

    def reap(self):
        still = []
        for activity, child in self.running:
            if child.is_running():
                still.append((activity, child))
                continue
            activity.end = max(activity.end, child.end)
            if child.process.returncode and not child.timed_out:
                activity.n_failed += 1
                activity.last_failure = f"exit {child.process.returncode}: {child.last_line()}"
            child.log_path.unlink()
        self.running = still

    def record(self):
        """The run with its captures on; to be called after plan()."""
        self.capture = Capture(self.network, [name for name, *_ in SUBNETS], self.folder)
        self.capture.wait_until_ready()
        self.run()
        return self.capture.stop()

    def write(self, output, n_dropped, with_variants):
        """Writes captures, labels and lab.json. A capture is there whole or not at all."""
        attacks = [activity for activity in self.activities if activity.family and activity.n_started]
        scenario = f"{self.name}-{self.seed}"
        outputs = {scenario: ((), 0)}
        if with_variants:
            outputs[f"{scenario}-one-way"] = (("servers",), 0)
            outputs[f"{scenario}-late"] = ((), self.begin + self.duration_s * LATE_SHARE)
        counts = {}
        for name, (without, from_time) in outputs.items():
            part = output / f".{name}.part"
            try:
                counts[name] = merge(self.capture.files, part, without, from_time)
                part.rename(output / f"{name}.pcap")
            finally:
                part.unlink(missing_ok=True)
            labels.write(output / f"{name}.tsv", attacks, self.networks, self.name)
        facts = {
            "scenario": self.name, "seed": self.seed, "duration_s": self.duration_s, "packets": counts,
            "dropped_by_capture": n_dropped, "delay": "netem" if self.network.has_netem else "relay",
            "skipped": self.skipped, "versions": versions(), "attacks": [attack.report() for attack in attacks],
            "benign": [activity.report() for activity in self.activities if not activity.family]}
        (output / "lab.json").write_text(json.dumps(facts, indent=1) + "\n")
        return facts

    def end(self):
        """Ends every process and namespace of this run."""
        for _, child in self.running:
            child.signal(9)
        for children in self.children.values():
            for child in children:
                child.signal(9)
        self.network.delete()


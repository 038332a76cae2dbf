# SPDX-License-Identifier: BSD-3-Clause
"""Judges models on real captures as they are, and the table of models that were trained without a source."""
import collections
import json
import math
import subprocess

from wirescore_training import composition, tables

# A flow of a capture: its highest log-odds, and whether the model's own threshold calls it an attack.
Flow = collections.namedtuple("Flow", "capture logit is_attack")


def score_captures(programs, model, captures):
    """The flows of captures (as sources.Real), scored by a model."""
    by_path = {str(capture.path): capture for capture in captures}
    if not by_path:
        return []
    command = [programs.wirescore, "classify", "-q", "--packet-model", "none", "--flow-model", str(model),
               "--hash-seed", "1", "--records", "-", *by_path]
    flows = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            record = json.loads(line)
            capture = by_path[record["capture"]] if len(by_path) > 1 else captures[0]
            logit = record["logit"] if record["logit"] is not None else -math.inf
            flows.append(Flow(capture, logit, record["class"] not in (None, tables.BENIGN)))
    tables.check_exit("classify", process.returncode, [], flows)
    return flows


def threshold_at(flows, share):
    """The lowest logit with at most that share of the flows at or above it."""
    logits = sorted((flow.logit for flow in flows), reverse=True)
    n_allowed = int(share * len(logits))
    # One that as many flows have as are too many is out, too.
    return math.nextafter(logits[n_allowed], math.inf) if n_allowed < len(logits) else -math.inf


class Judgement:
    """The table: a line for each capture of the sources that were left out, then one for each family."""

    def __init__(self):
        self.found = collections.defaultdict(lambda: [0] * (len(composition.STATED_FPRS) + 2))  # by family, as counts_of
        self.too_many = []  # benign captures with more false positives than may be

    def add(self, programs, model, source, real):
        """Judges a model that was trained without a source, and prints."""
        others = [c for c in real if c.family == tables.BENIGN and c.source != source]
        left_out = [c for c in real if c.family and c.source == source]
        flows = score_captures(programs, model, others + left_out)
        of_others = [flow for flow in flows if flow.capture.source != source]
        thresholds = [threshold_at(of_others, share) for share in composition.STATED_FPRS]
        by_capture = collections.defaultdict(list)
        for flow in flows:
            if flow.capture.source == source:
                by_capture[flow.capture].append(flow)
        print(f"\nwithout {source}: log-odds from which on so many of the others' benign flows are")
        print_line("", "", [f"{threshold:.2f}" for threshold in thresholds] + ["0"])
        print_line("found of", "flows", STATED)
        for capture, found in sorted(by_capture.items(), key=lambda item: (item[0].family, item[0].path)):
            self.add_capture(capture, found, thresholds)

    def add_capture(self, capture, flows, thresholds):
        """Counts its flows; prints the line of an attack, or of a benign capture with many flows."""
        n_own = sum(flow.is_attack for flow in flows)
        counts = [len(flows), *(sum(flow.logit >= threshold for flow in flows) for threshold in thresholds), n_own]
        self.found[capture.family] = [sum(pair) for pair in zip(self.found[capture.family], counts)]
        if capture.family != tables.BENIGN or len(flows) >= composition.MIN_CAPTURE_FLOWS:
            print_shares(capture.family, counts, capture.path.name)
        if (capture.family == tables.BENIGN and len(flows) >= composition.MIN_CAPTURE_FLOWS
                and n_own > composition.MAX_CAPTURE_FPR * len(flows)):
            self.too_many.append(capture.path.name)

    def print_sums(self):
        print("\nall sources that were left out; of benign flows: called attacks")
        print_line("found of", "flows", STATED)
        for family, counts in sorted(self.found.items()):
            print_shares(family, counts)
        print(f"  more than {composition.MAX_CAPTURE_FPR:.0%} of the benign flows at the model's own threshold: "
              f"{', '.join(self.too_many) or 'in no capture'}")


# What the columns are: shares of benign flows that are called attacks as well, or what the model calls one itself.
STATED = [f"{share:.1%}" for share in composition.STATED_FPRS] + ["own"]


def print_line(what, flows, cells, name=""):
    print(f"  {what:22} {flows:>6}  " + "  ".join(f"{cell:>6}" for cell in cells) + (f"  {name}" if name else ""), flush=True)


def print_shares(family, counts, name=""):
    print_line(family, counts[0], [f"{n / counts[0]:.4f}" for n in counts[1:]], name)

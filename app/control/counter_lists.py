# SPDX-License-Identifier: BSD-3-Clause
"""What lib/stats/counters.def and app/dataplane/outcomes.def list: for page_header.py, for tests and, run by itself, as
docs/counters.md: python3 app/control/counter_lists.py > docs/counters.md"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = {"PARSE": "packets", "DROP": "packets", "CLASS": "packets", "FLOW_END": "flows", "STAGE": "cycles",
         "CYCLES": "cycles", "OUTCOME": "packets", "EVENT": "packets"}
# Parts of the page: heading, what it lists, where that is in a report, and by which family Prometheus has it; NAME is
# the counter's.
PARTS = (
    ("Packets", ("COUNTER",), "`classifier.NAME`", None),
    ("Packets by class", ("CLASS",), "`classifier.NAME`, and by the model's names `classifier.classes`",
     "`wirescore_classified_packets_total{class}`"),
    ("Packets whose headers the parser gave up", ("PARSE",), "`classifier.NAME`",
     '`wirescore_parse_error_packets_total{reason="NAME"}`'),
    ("Packets that ended without a class", ("DROP",), "`classifier.NAME`", '`wirescore_unclassified_packets_total{cause="NAME"}`'),
    ("Flows", ("FLOW_COUNTER", "GAUGE"), "`flows.NAME`", None),
    ("Flows by how they ended", ("FLOW_END",), "`flows.reasons.NAME`", '`wirescore_ended_flows_total{reason="NAME"}`'),
    ("Cycles by stage, of one burst in 61", ("STAGE",),
     "`cycles_per_packet.NAME`, over `timed_packets` of all workers: their sum is the cost of a packet;\n"
     "of one worker, those of rx and share are over `timed_received`",
     '`wirescore_stage_seconds_total{stage="NAME"}`, as time'),
    ("Cycles of all bursts", ("CYCLES",), None, None),
    ("Outcomes of a port's packets: each has one", ("OUTCOME",), "`ports.PORT.NAME`",
     '`wirescore_port_outcome_packets_total{port,outcome="NAME"}`'),
    ("What else was done with a port's packets", ("EVENT",), "`ports.PORT.NAME`",
     '`wirescore_port_event_packets_total{port,event="NAME"}`; bytes are `wirescore_port_received_bytes_total` and '
     '`wirescore_port_forwarded_bytes_total`'),
)


def counters():
    """(kind, name, unit, help) of each, in the order of the files."""
    found = []
    for file in ("lib/stats/counters.def", "app/dataplane/outcomes.def"):
        text = (ROOT / file).read_text(encoding="utf-8")
        for kind, name, unit, says in re.findall(r'^([A-Z_]+)\((\w+), (?:"(\w+)", )?"(.*)"\)$', text, re.M):
            found.append((kind, name, unit or ("bytes" if name.endswith("_bytes") else UNITS[kind]), says))
    return found


def family(kind, name, unit):
    """As live_metrics.c names what stands for itself."""
    words = name if unit == "times" or name.endswith(unit) else f"{name}_{unit}"
    return f"wirescore_{words}" + ("" if kind == "GAUGE" else "_total")


def page():
    lines = ["# What is counted", "",
             "Made from [counters.def](../lib/stats/counters.def) and [outcomes.def](../app/dataplane/outcomes.def) by",
             "`python3 app/control/counter_lists.py > docs/counters.md`; a test compares. A report is what `wirescore run`",
             "prints at its end and on SIGUSR1 (`--json`), what `/stats.json` answers, and what `/wirescore/stats` tells at",
             "the telemetry socket. `packets` = `negative` + `positive` + what ended without a class, always; what a port",
             "received = the sum of its outcomes, always. Families that have no counter of their own here (models, ports'",
             "devices, scores, times, bursts, workers, sinks) are in the man page, METRICS."]
    for heading, kinds, report, metric in PARTS:
        has_families = bool(report and not metric)
        lines += ["", f"## {heading}", ""]
        lines += [f"In a report: {report}." if report else "Of captures: in the summary of `classify`, but for busy_cycles: of"
                  " ports, by worker, as `worker_busy_ms`."]
        lines += [f"For Prometheus: {metric}."] if metric else []
        lines += ["", "| name | unit | meaning |" + " family |" * has_families, "|---|---|---|" + "---|" * has_families]
        lines += [f"| {name} | {unit} | {says} |" + f" {family(kind, name, unit)} |" * has_families
                  for kind, name, unit, says in counters() if kind in kinds]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")

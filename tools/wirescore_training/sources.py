# SPDX-License-Identifier: BSD-3-Clause
"""The real captures of $WIRESCORE_DATA, by its MANIFEST.tsv, and those of the lab."""
import collections
import fnmatch
import pathlib

from wirescore_training import composition

# family: "benign", that of an attack, or None where it is not learnt from.
Real = collections.namedtuple("Real", "path source family n_flows")


def real_captures(folder):
    """The benign and attack captures of a data folder; none where there is no manifest."""
    manifest = pathlib.Path(folder) / "MANIFEST.tsv"
    if not manifest.exists():
        return []
    captures = []
    with open(manifest, encoding="utf-8", errors="replace") as file:
        names = next(file).rstrip("\n").split("\t")
        columns = {name: names.index(name) for name in ("file", "source_repo", "flows_ipv4")}
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if len(fields) < len(names) - 3:
                continue
            path = pathlib.Path(folder) / fields[columns["file"]]
            kind = pathlib.PurePath(fields[columns["file"]]).parts[0]
            if kind not in ("benign", "attack") or not path.exists():
                continue
            flows = fields[columns["flows_ipv4"]]
            family = "benign" if kind == "benign" else composition.family_of(path.name)
            captures.append(Real(path, fields[columns["source_repo"]], family, int(flows) if flows.isdigit() else 0))
    return captures


def sources_to_leave_out(captures):
    """Those with attacks that are learnt from, and the largest of the benign ones."""
    attack, benign = set(), collections.Counter()
    for capture in captures:
        if capture.family == "benign":
            benign[capture.source] += capture.n_flows
        elif capture.family:
            attack.add(capture.source)
    largest = [source for source, _ in benign.most_common() if source not in attack]
    return sorted(attack) + largest[: composition.N_BENIGN_LEFT_OUT]


def lab_captures(folder):
    """(capture, whether it is held out) of each labelled capture below a folder of tools/lab."""
    if not folder:
        return []
    found = sorted(path for path in pathlib.Path(folder).rglob("*.pcap") if path.with_suffix(".tsv").exists())
    held_out = composition.LAB_VALIDATION
    return [(path, any(fnmatch.fnmatchcase(path.parent.name, pattern) for pattern in held_out)) for path in found]

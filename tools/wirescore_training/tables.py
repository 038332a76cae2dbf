# SPDX-License-Identifier: BSD-3-Clause
"""Makes the tables that the attack model learns from: rows of generated, lab and mixed real captures, thinned out."""
import collections
import concurrent.futures
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import zlib

from wirescore_training import composition

BENIGN = "benign"


# A table: its name, which make_.. of Tables makes it from what, and how many flows stay.
Recipe = collections.namedtuple("Recipe", "name how arguments limit")


class TrainingError(Exception):
    """Ends the run; its text is one line."""


class Programs:
    """The programs that do the work."""

    def __init__(self):
        root = pathlib.Path(__file__).resolve().parents[2]
        self.wirescore = os.environ.get("WIRESCORE", str(root / "build/app/wirescore"))
        self.mix = str(root / "tools/mix-captures")


def run(command, **options):
    """Runs it to its end; where it fails, what it said last becomes the error."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace",
                            check=False, **options)
    if result.returncode:
        said = result.stderr.strip().splitlines() or ["said nothing"]
        raise TrainingError(f"{pathlib.Path(command[0]).name} {command[1]}: {said[-1]}")
    return result


def check_exit(name, code, said, may_be_damaged):
    """Refuses what a program that failed has written: all, or but for the good part of damaged captures."""
    # 1 is what captures are at fault for; whoever is killed or interrupted leaves off anywhere.
    if code and not (code == 1 and may_be_damaged):
        how = f"was ended by signal {-code}" if code < 0 else f"exit status {code}"
        raise TrainingError(f"{name}: {how}: {said[-1] if said else 'said nothing'}")


class Sample:
    """At most so many flows of each label, drawn by a hash of their id, each with all its rows, in one pass."""

    def __init__(self, limit):
        self.limit = limit
        self.by_label = {}  # {(hash, flow): [(number, line)]}
        self.bounds = {}  # hashes from here on are out

    def add(self, number, flow, label, line):
        key = (zlib.crc32(flow.encode()), flow)
        if key >= self.bounds.get(label, (1 << 32, "")):
            return
        flows = self.by_label.setdefault(label, {})
        flows.setdefault(key, []).append((number, line))
        most = self.most(label)
        if len(flows) > 2 * most + 100:
            self.prune(label, most)

    def most(self, label):
        return self.limit.benign if label == BENIGN else self.limit.attack

    def prune(self, label, most):
        flows = self.by_label[label]
        keys = sorted(flows)
        if len(keys) > most:
            self.bounds[label] = keys[most]
        for key in keys[most:]:
            del flows[key]

    def lines(self):
        """What is left, in its order."""
        for label in self.by_label:
            self.prune(label, self.most(label))
        rows = [row for flows in self.by_label.values() for lines in flows.values() for row in lines]
        return [line for _, line in sorted(rows)]


def write_sample(stream, path, limit):
    """Thins a table out on its way from a stream to a file. Returns how many rows it has."""
    header = stream.readline()
    names = header.rstrip("\n").split(",")
    if "label" not in names:
        return 0
    flow, label, n = names.index("flow_id"), names.index("label"), names.index("label") + 1
    capture = names.index("capture") if "capture" in names else None
    sample = Sample(limit)
    for number, line in enumerate(stream):
        fields = line.split(",", n) if '"' not in line else next(csv.reader([line]))
        sample.add(number, fields[flow] + (fields[capture] if capture is not None else ""), fields[label], line)
    lines = sample.lines()
    with open(path, "w", encoding="utf-8") as file:
        file.write(header)
        file.writelines(lines)
    return len(lines)


class Tables:
    """Tables below a folder. One that is there from a run before, of the same making, is used again."""

    def __init__(self, folder, programs, n_jobs=2):
        self.folder, self.programs, self.n_jobs = pathlib.Path(folder), programs, n_jobs
        self.folder.mkdir(parents=True, exist_ok=True)

    def make(self, recipes):
        """Makes those that are not there, several at a time. Returns the paths of all that have rows."""
        with concurrent.futures.ProcessPoolExecutor(self.n_jobs) as pool:
            paths = list(pool.map(self.make_one, recipes))
        return [path for path in paths if path.stat().st_size]

    def make_one(self, recipe):
        path = self.folder / f"{recipe.name}-{zlib.crc32(repr(recipe).encode()):08x}.csv"
        if not path.exists():
            part = path.with_suffix(".part")
            getattr(self, "make_" + recipe.how)(part, recipe.limit, *recipe.arguments)
            part.rename(path)
        return path

    def make_generated(self, path, limit, scenario, seed, duration_s, max_packets):
        capture = path.with_suffix(".pcap")
        run([self.programs.wirescore, "generate", "flows", "-q", "--scenario", scenario, "--seed", seed, "-o", capture,
             "--duration", duration_s, "--packets", max_packets])
        self.extract_and_remove(path, limit, capture)

    def make_mixed(self, path, limit, seed, captures):
        capture, listed = path.with_suffix(".pcap"), path.with_suffix(".list")
        listed.write_text("".join(f"{family}\t{one}\n" for family, one in captures), encoding="utf-8")
        run([self.programs.mix, "--seed", seed, *composition.MIX_OPTIONS, "--list", listed, "-o", capture])
        listed.unlink()
        self.extract_and_remove(path, limit, capture)

    def make_labelled(self, path, limit, capture):
        self.extract(path, limit, ["--labels", pathlib.Path(capture).with_suffix(".tsv"), capture])

    def make_benign(self, path, limit, captures):
        self.extract(path, limit, ["--label", BENIGN, *captures], may_be_damaged=True)

    def extract_and_remove(self, path, limit, capture):
        self.make_labelled(path, limit, capture)
        capture.unlink()
        capture.with_suffix(".tsv").unlink()

    def extract(self, path, limit, what, may_be_damaged=False):
        command = [self.programs.wirescore, "extract", "-q", "--features", composition.FEATURES, "--checkpoints",
                   composition.CHECKPOINTS, "--hash-seed", "1", "-o", "-", *what]
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=errors, text=True,
                                  errors="replace") as process:
                n_rows = write_sample(process.stdout, path, limit)
            errors.seek(0)
            said = errors.read().strip().splitlines()
        check_exit("extract", process.returncode, said, may_be_damaged and n_rows)
        if process.returncode:
            print(*(f"train-attack: {path.stem}: {line}" for line in said), sep="\n", file=sys.stderr, flush=True)


# ---- Recipes ----


def generated_recipes(generated, first_seed):
    for place, one in enumerate(generated):
        for i in range(one.captures):
            seed = first_seed + composition.SEEDS_APART * place + i
            arguments = (one.scenario, seed, one.duration_s, one.max_packets)
            yield Recipe(f"generated-{one.scenario}-{seed}", "generated", arguments, one.limit)


def lab_recipes(captures):
    for path in captures:
        yield Recipe(f"lab-{path.stem}", "labelled", (str(path),), composition.LAB_LIMIT)


def mix_recipes(captures):
    """Of captures as sources.Real."""
    named = tuple((capture.family, str(capture.path)) for capture in captures if capture.family)
    for seed in composition.MIX_SEEDS if named else ():
        yield Recipe(f"mix-{seed}", "mixed", (seed, named), composition.MIX_LIMIT)


def benign_recipes(captures):
    paths = tuple(str(capture.path) for capture in captures)
    if paths:
        yield Recipe("benign", "benign", (paths,), composition.VALIDATION_REAL_LIMIT)

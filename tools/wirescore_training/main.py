# SPDX-License-Identifier: BSD-3-Clause
"""The command line of tools/train-attack, and the order of its steps."""
import argparse
import os
import pathlib
import sys
import tempfile

from wirescore_training import judging, sources, tables, training

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="train-attack",
        description="Trains the model that tells attacks from benign flows, on generated traffic, captures of "
        "tools/lab below $WIRESCORE_LAB, and the real captures of $WIRESCORE_DATA (default ../shared/data), mixed on "
        "one timeline. A model that does not keep to the bounds on what was held out is not written. "
        "wirescore_training/composition.py says how much of what there is.")
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=ROOT / "config/models",
                        help="where attack.onnx goes (default config/models)")
    parser.add_argument("--leave-out", metavar="SOURCE",
                        help="train without the captures of a source, judge on them, and write attack-without.onnx")
    parser.add_argument("--leave-one-out", action="store_true",
                        help="do so for each source of attacks and the largest benign ones, and write no model")
    parser.add_argument("--work", type=pathlib.Path, metavar="FOLDER",
                        help="keep tables there, and use again those of a run before, unless they would be made "
                        "otherwise now (after a change of the programs or of files under the same name: delete them)")
    return parser.parse_args(arguments)


def say(text):
    print(f"train-attack: {text}", file=sys.stderr, flush=True)


class Session:
    def __init__(self, options, work):
        self.options, self.work, self.programs = options, work, tables.Programs()
        self.maker = tables.Tables(work / "tables", self.programs)
        self.real = sources.real_captures(os.environ.get("WIRESCORE_DATA", ROOT.parent / "shared/data"))
        self.lab = sources.lab_captures(os.environ.get("WIRESCORE_LAB"))
        if not self.real:
            say("no real captures: $WIRESCORE_DATA has no MANIFEST.tsv")
        if not self.lab:
            say("no captures of tools/lab: $WIRESCORE_LAB names no folder that has some")

    def train(self, left_out=None):
        """Returns the model's path and the data that it was made of."""
        data = training.make_data(self.maker, self.real, self.lab, left_out)
        say(f"{len(data.training)} tables to learn from, {len(data.validation)} held out"
            + (f", nothing of {left_out}" if left_out else ""))
        model = self.work / "attack.onnx"
        say(training.train(self.programs, data, model))
        return model, data

    def ship(self):
        model, data = self.train()
        lacks = training.check(self.programs, data, model)
        for lack in lacks:
            say(f"the model {lack}; attack.onnx is left in place")
        if lacks:
            return 1
        self.write(model, "attack.onnx")
        return 0

    def write(self, model, name):
        self.options.folder.mkdir(parents=True, exist_ok=True)
        part = self.options.folder / f".{name}.part"
        part.write_bytes(model.read_bytes())
        part.rename(self.options.folder / name)

    def leave_out(self, names):
        known = {capture.source for capture in self.real}
        for name in names:
            if name not in known:
                raise tables.TrainingError(f"there is no source {name}: MANIFEST.tsv has {', '.join(sorted(known))}")
        judgement = judging.Judgement()
        for name in names:
            model, _ = self.train(name)
            judgement.add(self.programs, model, name, self.real)
        judgement.print_sums()
        if self.options.leave_out:
            self.write(model, "attack-without.onnx")
        return 0

    def run(self):
        if self.options.leave_one_out:
            return self.leave_out(sources.sources_to_leave_out(self.real))
        return self.leave_out([self.options.leave_out]) if self.options.leave_out else self.ship()


def main(arguments):
    options = parse(arguments)
    try:
        if options.work:
            return Session(options, options.work).run()
        with tempfile.TemporaryDirectory(prefix="train-attack-") as work:
            return Session(options, pathlib.Path(work)).run()
    except (tables.TrainingError, OSError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130

# SPDX-License-Identifier: BSD-3-Clause
"""Trains the attack model on the tables, and looks at it before it is written."""
import collections
import shutil

from wirescore_training import composition, tables
from wirescore_training.judging import score_captures
from wirescore_training.tables import run

# What a model is trained and checked on: paths of tables, and the real captures that were held out.
Data = collections.namedtuple("Data", "training validation held_out")


def make_data(maker, real, lab, left_out=None):
    """All tables, without what comes from one source."""
    real = [capture for capture in real if capture.source != left_out]
    held_out = [capture for capture in real
                if capture.source in composition.VALIDATION_SOURCES and capture.family == tables.BENIGN]
    mixed = [capture for capture in real if capture not in held_out]
    training = [
        *tables.generated_recipes(composition.GENERATED, composition.FIRST_SEED),
        *tables.lab_recipes(path for path, is_held_out in lab if not is_held_out),
        *tables.mix_recipes(mixed),
    ]
    validation = [
        *tables.generated_recipes(composition.VALIDATION_GENERATED, composition.FIRST_VALIDATION_SEED),
        *tables.lab_recipes(path for path, is_held_out in lab if is_held_out),
        *tables.benign_recipes(held_out),
    ]
    return Data(maker.make(training), maker.make(validation), held_out)


def joined(paths, folder, suffix=""):
    """Tables put together by the kind of what they are made of: the model names a few sources then, not thousands."""
    headers = {}
    for path in paths:
        kind = folder / (path.name.split("-")[0] + suffix + ".csv")
        with open(path, "rb") as table, open(kind, "ab" if kind in headers else "wb") as file:
            header = table.readline()
            if headers.setdefault(kind, header) != header:
                raise tables.TrainingError(f"{path} has other columns than the tables before; delete them all")
            if not file.tell():
                file.write(header)
            shutil.copyfileobj(table, file)
    return list(headers)


def train(programs, data, model):
    """Trains, beside the model's file. Returns its last words, on the threshold."""
    held_out = joined(data.validation, model.parent, "-held-out")
    result = run([programs.wirescore, "train", "flows", *composition.TRAIN_OPTIONS,
                  *("--ignore-label", ",".join(composition.IGNORED_LABELS)),
                  *(word for path in held_out for word in ("--held-out", path)),
                  "-o", model, *joined(data.training, model.parent)])
    log = model.with_suffix(".log")
    log.write_text(result.stderr + result.stdout, encoding="utf-8")
    return result.stdout.strip().splitlines()[-1]


def facts_of(programs, model):
    """What stands in the model about its training."""
    shown = run([programs.wirescore, "model", "show", model]).stdout
    facts = (line.split(None, 1) for line in shown.splitlines())
    return {words[0]: words[1].strip() for words in facts if len(words) == 2}


def check(programs, data, model):
    """What the model lacks, a line each; none where it may be shipped."""
    facts = facts_of(programs, model)
    recall, fpr = float(facts["threshold_recall"]), float(facts["threshold_fpr"])
    lacks = []
    if recall < composition.MIN_RECALL:
        lacks.append(f"finds {recall:.4f} of the attacks that were held out, not {composition.MIN_RECALL}")
    if fpr > composition.MAX_FPR:
        lacks.append(f"calls {fpr:.4f} of the held out benign flows attacks, more than {composition.MAX_FPR}")
    flows = score_captures(programs, model, data.held_out)
    n_false = sum(flow.is_attack for flow in flows)
    if n_false > composition.MAX_REAL_FPR * len(flows):
        lacks.append(f"calls {n_false} of {len(flows)} flows of real benign captures attacks, more than "
                     f"{composition.MAX_REAL_FPR:.0%}")
    return lacks

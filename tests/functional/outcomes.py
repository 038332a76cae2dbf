# SPDX-License-Identifier: BSD-3-Clause
"""What may become of a packet that a live run has received, as app/dataplane/outcomes.def has it."""
import pathlib
import re

OUTCOMES = re.findall(r"^OUTCOME\((\w+),", (pathlib.Path(__file__).resolve().parents[2] /
                                           "app/dataplane/outcomes.def").read_text(), re.MULTILINE)

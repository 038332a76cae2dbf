# SPDX-License-Identifier: BSD-3-Clause
"""The man page has what --help tells of: every command, and every option of each."""
import re
import unittest

from captures import ROOT, run

# Commands, and the section of the man page that tells of their options; what several have in common is told of once.
COMMANDS = {
    "classify": ["classify", "FLOWS"],
    "run": ["run"],
    "top": ["top"],
    "extract": ["extract", "classify", "FLOWS"],
    "features": ["features"],
    "lint": ["lint", "LABELLED FLOWS", "FLOWS"],
    "train packet": ["train packet", "train"],
    "train flows": ["train flows", "train", "LABELLED FLOWS", "FLOWS"],
    "eval": ["eval", "LABELLED FLOWS", "FLOWS"],
    "model show": ["model"],
    "model score": ["model"],
    "generate packets": ["generate packets"],
    "generate flows": ["generate flows"],
    "check": ["check"],
    "kernels": ["kernels"],
    "bench kernels": ["bench"],
    "bench capture": ["bench"],
    "bench flows": ["bench"],
}


def sections():
    """The text of each section and subsection by its name, without roff's commands."""
    texts, name = {}, None
    for line in (ROOT / "app/wirescore.1").read_text().splitlines():
        if line.startswith((".SH ", ".SS ")):
            name = line[4:].strip('" ')
            texts[name] = ""
        elif name:
            texts[name] += re.sub(r"\\f[A-Z]", "", line).replace("\\-", "-").replace('"', "") + "\n"
    return texts


class TestMan(unittest.TestCase):
    def test_every_option_that_help_tells_of_is_in_the_man_page(self):
        texts = sections()
        for command, names in COMMANDS.items():
            help_text = run(*command.split(), "--help").stdout
            told = "\n".join(texts[name] for name in names)
            options = set(re.findall(r"^ +(?:-\w, )?(--[a-z][a-z-]+)", help_text, re.M)) - {"--help"}
            for option in sorted(options):
                with self.subTest(command=command, option=option):
                    self.assertRegex(told, re.escape(option) + r"(?![a-z-])")

    def test_every_command_is_in_the_synopsis(self):
        synopsis = sections()["SYNOPSIS"]
        for command in COMMANDS:
            self.assertIn(f"wirescore {command}\n", synopsis)
        listed = re.findall(r"^  ([a-z]+) ", run("--help").stdout, re.M)
        self.assertEqual({command.split()[0] for command in COMMANDS}, set(listed))

    def test_every_key_of_records_and_summary_is_in_the_man_page(self):
        texts = sections()
        for key in ("class", "score", "logit", "verdict_packet", "verdict_at"):
            self.assertRegex(texts["FLOWS"], rf"\b{key}\b")
        for key in ("by_class", "unscored", "attacks_known_at_packet", "attackers", "targets", "attackers_total", "targets_total"):
            self.assertRegex(texts["SUMMARY AS JSON"], rf"\b{key}\b")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""`wirescore features`: the list of flow features, as a table and as JSON, and what it refuses."""
import json
import pathlib
import re
import subprocess
import unittest

from captures import WIRESCORE, TestCase, run

PRESETS = ("stream", "stats8", "cic", "attack", "all")
CIC_PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "cic.md"
KEYS = {"name", "label", "unit", "type", "part", "listed", "formula", "source"}


def listed(*names):
    return json.loads(run("features", "--json", *names).stdout)


def lines_of(result):
    """The rows of the table; what stands behind it."""
    features, rest = result.stdout.split("\n\n", 1)
    return features.splitlines(), rest


class Features(TestCase):
    def test_without_names_all_are_listed(self):
        everything = listed()
        self.assertEqual(everything, listed("all"))
        self.assertEqual(set(everything), {"features", "schema", "presets"})
        self.assertEqual([preset["name"] for preset in everything["presets"]], list(PRESETS))
        for feature in everything["features"]:
            self.assertEqual(set(feature), KEYS)
            self.assertEqual(feature["name"], feature["label"])
            self.assertIn(feature["type"], ("count", "real"))
            self.assertIn(feature["part"], ("flow", "series", "history", "context"))
            self.assertTrue(feature["formula"])
        names = [feature["name"] for feature in everything["features"]]
        self.assertEqual(len(names), len(set(names)))
        for stem in ("size", "direction", "gap", "tcp_flags"):
            self.assertTrue({f"{stem}{k}" for k in range(1, 33)} <= set(names))

    def test_the_table_and_the_json_say_the_same(self):
        for names in ((), ("stats8",), ("cic",), ("duration", "size3")):
            printed = listed(*names)
            (header, *rows), rest = lines_of(run("features", *names))
            labelled = any(feature["name"] != feature["label"] for feature in printed["features"])
            self.assertEqual(header.split(), ["label"] * labelled + ["name", "unit", "type", "part", "formula",
                                                                     "[source]"])
            self.assertEqual(len(rows), len(printed["features"]))
            for row, feature in zip(rows, printed["features"]):
                words = [feature["name"], feature["unit"] or "-", feature["type"], feature["part"],
                         feature["formula"] + (f" [{feature['source']}]" if feature["source"] else "")]
                self.assertEqual(re.split("  +", row), [feature["label"]] * labelled + words)
            self.assertIn(f"{len(rows)} features, schema {printed['schema']}\n", rest)
            for preset in printed["presets"]:
                self.assertRegex(rest, f"(?m)^{preset['name']} +{preset['features']}  {re.escape(preset['help'])}$")

    def test_presets_are_as_long_as_they_say(self):
        for preset in listed()["presets"]:
            self.assertEqual(len(listed(preset["name"])["features"]), preset["features"])

    def test_stats8_is_of_ip_lengths(self):
        self.assertEqual([feature["name"] for feature in listed("stats8")["features"]],
                         ["duration", "packets", "size_max", "size_min", "size_mean", "size_std", "gap_max", "gap_std"])

    def test_counts_that_end_say_where(self):
        for feature in listed()["features"]:
            if re.fullmatch("((fwd|bwd)_)?(fin|syn|rst|urg|ece|cwr)_packets", feature["name"]):
                self.assertIn("at most 65535", feature["formula"], feature["name"])

    def test_cic_has_the_labels_of_cicflowmeter(self):
        labels = [feature["label"] for feature in listed("cic")["features"]]
        self.assertEqual((len(labels), labels[0], labels[-1]), (81, "Flow Duration", "Total TCP Flow Time"))
        self.assertEqual(labels[5:9], [f"Fwd Packet Length {what}" for what in ("Max", "Min", "Mean", "Std")])

    def test_the_page_on_cic_lists_its_columns(self):
        rows = re.findall(r"(?m)^\| (.+?) \| `(\w+)` \|", CIC_PAGE.read_text(encoding="utf-8"))
        self.assertEqual(rows, [(feature["label"], feature["name"]) for feature in listed("cic")["features"]])

    def test_names_may_be_arguments_or_joined_by_commas(self):
        expected = ["gap_std", "packets", "layer4_bytes", "duration", "size2"]
        for names in (["gap_std", "stream", "size2"], ["gap_std,stream,size2"], ["gap_std,stream", "size2"]):
            self.assertEqual([feature["name"] for feature in listed(*names)["features"]], expected)

    def test_the_schema_is_of_names_and_order(self):
        schemas = [listed(*names)["schema"] for names in (["bytes"], ["packets"], ["bytes", "packets"],
                                                           ["packets", "bytes"], ["stats8"], ["all"])]
        self.assertEqual(len(set(schemas)), len(schemas))
        self.assertEqual(listed("bytes")["schema"], schemas[0])

    def test_bad_usage_ends_with_2(self):
        for arguments, says in ((["--no"], "--no"), (["-x"], "'x'"), (["bogus"], "'bogus'"), ([""], "''"),
                                (["bytes,"], "''"), (["size33"], "'size33'"), (["bytes", "bytes"], "'bytes'"),
                                (["stream,stats8"], "'duration'"), (["--json=x"], "json")):
            result = run("features", *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertIn(says, result.stderr)
            self.assertIn("Try 'wirescore features --help'.", result.stderr)

    def test_help_explains_the_words(self):
        result = run("features", "--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for word in ("fwd_", "bwd_", "payload", "--json"):
            self.assertIn(word, result.stdout)

    def test_output_that_cannot_be_written_ends_with_1(self):
        for arguments in ([], ["--json"], ["-h"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                result = subprocess.run([WIRESCORE, "features", *arguments], stdout=full, stderr=subprocess.PIPE,
                                        text=True, check=False)
            self.assertEqual(result.returncode, 1, arguments)
            self.assertIn("stdout: cannot write", result.stderr)


if __name__ == "__main__":
    unittest.main()

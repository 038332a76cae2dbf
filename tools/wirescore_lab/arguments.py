# SPDX-License-Identifier: BSD-3-Clause
"""Runs one function of a script by name, with key=value arguments. Used by actors.py and intruders.py."""
import sys


def comma_list(text):
    return [part for part in text.split(",") if part]


def run_by_name(functions):
    """The script's first argument names the function; ints and floats are told from text by their look."""
    name, *pairs = sys.argv[1:]
    arguments = {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        for kind in (int, float, str):
            try:
                arguments[key] = kind(text)
                break
            except ValueError:
                pass
    functions[name](**arguments)

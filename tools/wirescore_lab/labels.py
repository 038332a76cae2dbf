# SPDX-License-Identifier: BSD-3-Clause
"""
The labels of a capture: rules by time and tuple, in the format of app/flow_labels.h; the first that matches wins.

Attackers have addresses of their own, so that a rule with such an address is exact. A flood from drawn addresses is
known by its target, port and time, after rules that keep the lab's own networks benign. The last rule is: benign.
"""
from dataclasses import dataclass

COLUMNS = ["start", "end", "src", "dst", "src_port", "dst_port", "protocol", "directed", "label", "class", "family",
           "scenario", "tool"]
# Clocks of the capture and of the lab are one; a command starts before its first packet.
LEAD_S = 0.5
# A peer's late answers may begin a new flow when the old one has timed out.
TAIL_S = 120
SPOOFED_TAIL_S = 5


@dataclass
class Tuple:
    """What a rule matches; "" is anything."""

    src: str = ""
    dst: str = ""
    src_port: str = ""
    dst_port: str = ""
    protocol: str = ""
    directed: int = 0
    is_spoofed: bool = False


def row(match, start, end, label, scenario="", tool=""):
    is_attack = label != "benign"
    return [f"{start:.6f}" if start else "", f"{end:.6f}" if end else "", match.src, match.dst, match.src_port,
            match.dst_port, match.protocol, str(match.directed), label, "attack" if is_attack else "benign",
            label if is_attack else "", scenario, tool]


def rules_of(attack, networks, scenario):
    """The rules of one attack that ran, from its first packet on."""
    rules = []
    for match in attack.tuples:
        end = attack.end + (SPOOFED_TAIL_S if match.is_spoofed else TAIL_S)
        start = attack.start - LEAD_S
        if match.is_spoofed:
            # The target is at one end or the other: a late answer begins a flow of its own.
            for network in networks:
                known = Tuple(network, match.dst, "", match.dst_port, match.protocol)
                rules.append(row(known, start, end, "benign", scenario))
        rules.append(row(match, start, end, attack.family, scenario, attack.tool))
    return rules


def write(path, attacks, networks, scenario):
    """attacks: those that ran, with .start, .end, .family, .tool and .tuples. Exact ones come first."""
    ordered = sorted(attacks, key=lambda attack: any(match.is_spoofed for match in attack.tuples))
    rules = [rule for attack in ordered for rule in rules_of(attack, networks, scenario)]
    rules.append(row(Tuple(), 0, 0, "benign", scenario))
    with open(path, "w", encoding="ascii") as file:
        for columns in [COLUMNS] + rules:
            file.write("\t".join(columns) + "\n")
    return len(rules)

# SPDX-License-Identifier: BSD-3-Clause
"""The flows of real captures against tshark's conversations: the same ones, with the same packets and bytes.

`-z conv` counts every IP, TCP, UDP and SCTP header of a frame to its conversation, but rounds bytes, and those are
of frames. Fields of the same run tell each header's own length; they are added up to conversations, which must be
the ones of `-z conv`, and then to what the flows must be. The two are the same but for the captures in
conversations.tsv, which tells why each of them differs. There the flows must be what the reasons make of the fields:

  fragments  fragments behind a datagram's first count to its conversation
  tunnels    one header counts: the innermost, or the outermost with --tunnels outer
  unopened   likewise, but the outermost in either case
  lengths    a packet has no more bytes than its Ethernet frame

All captures of normal traffic and of attacks are compared, and those few of other folders that the table names.
"""
import collections
import concurrent.futures
import csv
import functools
import ipaddress
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from captures import DATA, TestCase, run

TABLE = pathlib.Path(__file__).with_name("conversations.tsv")
DIFFERENCES = {"fragments", "tunnels", "unopened", "lengths"}

# The longest timeout there is; a conversation of tshark has none.
LONGEST_SECONDS = 2147
LONGEST = ("--scope", "none", "--idle-timeout", LONGEST_SECONDS, "--active-timeout", LONGEST_SECONDS)
# Whatever cuts flows or sets them apart, they add up to the same.
RUNS = {
    "outer": ("--tunnels", "outer", *LONGEST),
    "inner": LONGEST,
    "by default": ("--workers", 2),
    "one direction": ("--direction", "one", "--linger", "0.001"),
}

TITLES = {"IPv4": "ip", "IPv6": "ipv6", "TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
TRANSPORTS = {"tcp": 6, "udp": 17, "sctp": 132}
TRANSPORT_NAMES = {number: name for name, number in TRANSPORTS.items()}
# No packet waits for another one: each is looked at by itself.
PREFERENCES = ("ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE")
FIELDS = ("frame.protocols", "frame.len", "ip.src", "ip.dst", "ip.proto", "ip.len", "ip.id", "ip.frag_offset",
          "ip.flags.mf", "ipv6.src", "ipv6.dst", "ipv6.plen", "tcp.srcport", "tcp.dstport", "udp.srcport",
          "udp.dstport", "sctp.srcport", "sctp.dstport", "ah.next_header")
ROW = re.compile(r"(\S+) +<-> (\S+) +(\d+) [\d., ]*\w+ +(\d+) [\d., ]*\w+ +\d+ ")


@functools.lru_cache(100_000)
def packed(address):
    """The bytes of an address."""
    return ipaddress.ip_address(address).packed


class Header:
    """An IP header in a frame, with the ports of what follows it."""

    def __init__(self, family, src, dst, n_bytes, frame_bytes):
        self.family, self.src, self.dst = family, packed(src), packed(dst)
        self.bytes, self.frame_bytes = int(n_bytes), int(frame_bytes)
        self.protocol = None  # of IPv4, behind AH
        self.datagram = None  # of a fragment: what tells datagrams apart
        self.is_first = False
        self.transport = None  # (name, source port, destination port)


class Conversations(dict):
    """
    {(kind, endpoint, endpoint): [packets, bytes, packets the other way, bytes]}. A packet counts to the
    conversations of its addresses (ip, ipv6), of its addresses and protocol (a number, IPv4 only), and of its ports.
    """

    def add(self, kind, src, dst, packets, n_bytes):
        counts = self.setdefault((kind, min(src, dst), max(src, dst)), [0, 0, 0, 0])
        way = 2 if src > dst else 0
        counts[way] += packets
        counts[way + 1] += n_bytes

    def add_packets(self, family, protocol, transport, src, dst, packets, n_bytes):
        self.add(family, (src, 0), (dst, 0), packets, n_bytes)
        if protocol is not None:
            self.add(protocol, (src, 0), (dst, 0), packets, n_bytes)
        if transport:
            name, src_port, dst_port = transport
            self.add(name, (src, src_port), (dst, dst_port), packets, n_bytes)

    def packets(self):
        """{conversation: packets each way} of what -z conv has; between an endpoint and itself there is one way."""
        return {key: (counts[0], counts[2]) if key[1] != key[2] else counts[0] + counts[2]
                for key, counts in self.items() if key[0] in TITLES.values()}


class Tshark:
    """A run over a capture: what -z conv says, and the headers of every frame."""

    def __init__(self, path, folder):
        command = ["tshark", "-n", "-r", str(path), "-T", "fields"]
        for option, values in (("-e", FIELDS), ("-o", PREFERENCES), ("-z", (f"conv,{x}" for x in TITLES.values()))):
            for value in values:
                command += [option, value]
        # The user's own settings would change what is dissected.
        environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder),
                       "WIRESHARK_CONFIG_DIR": str(folder), "LC_ALL": "C"}
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300,
                                env=environment)
        if result.returncode:
            raise RuntimeError(f"tshark: {result.stderr}")
        self.tables, self.frames = Conversations(), []
        kind = None
        for line in result.stdout.splitlines():
            if line.count("\t") == len(FIELDS) - 1:
                self.frames.append(frame_headers(dict(zip(FIELDS, line.split("\t")))))
            elif line.endswith(" Conversations"):
                kind = TITLES[line.split()[0]]
            elif match := ROW.match(line):
                a, b = (self.endpoint(text, kind in TRANSPORTS) for text in match.group(1, 2))
                self.tables.add(kind, b, a, int(match[3]), 0)
                self.tables.add(kind, a, b, int(match[4]), 0)

    @staticmethod
    def endpoint(text, has_port):
        address, _, port = text.rpartition(":") if has_port else (text, "", 0)
        return packed(address.strip("[]")), int(port)

    def conversations(self, differences, is_inner):
        """What the flows must be. Without differences: every header counts, as in -z conv."""
        result, datagrams = Conversations(), {}
        for headers in self.frames:
            if "unopened" in differences or ("tunnels" in differences and not is_inner):
                headers = headers[:1]
            elif "tunnels" in differences:
                headers = headers[-1:]
            for header in headers:
                n_bytes, transport = header.bytes, header.transport
                if "lengths" in differences:
                    n_bytes = min(n_bytes, header.frame_bytes - 14)
                if "fragments" in differences and header.datagram:
                    if header.is_first:
                        datagrams[header.datagram] = transport
                    else:
                        transport = datagrams.get(header.datagram)
                result.add_packets(header.family, header.protocol, transport, header.src, header.dst, 1, n_bytes)
        return result


def frame_headers(row):
    """The IP headers of a frame, outermost first, but for those that an ICMP error quotes."""
    values = {name: iter(text.split(",")) for name, text in row.items()}

    def take(name):
        return next(values[name])

    headers = []
    for word in row["frame.protocols"].split(":"):
        if word in ("icmp", "icmpv6"):
            break
        if word == "ip":
            header = Header("ip", take("ip.src"), take("ip.dst"), take("ip.len"), row["frame.len"])
            header.protocol = int(take("ip.proto"))
            ident, offset, more = take("ip.id"), int(take("ip.frag_offset")), take("ip.flags.mf") in ("1", "True")
            if offset or more:
                header.datagram = (header.src, header.dst, header.protocol, ident)
                header.is_first = offset == 0
            headers.append(header)
        elif word == "ipv6":
            headers.append(Header("ipv6", take("ipv6.src"), take("ipv6.dst"), 40 + int(take("ipv6.plen")),
                                  row["frame.len"]))
        elif word == "ah" and headers[-1].protocol is not None:
            headers[-1].protocol = int(take("ah.next_header"))
        elif word in TRANSPORTS:
            headers[-1].transport = (word, int(take(f"{word}.srcport")), int(take(f"{word}.dstport")))
    return headers


def flow_conversations(records):
    """Flows as conversations. Flows of fragments alone have ports of 0, which no real packet here has twice."""
    result = Conversations()
    for record in records:
        ends = [packed(record[name]) for name in ("src", "dst")]
        ports = [record["src_port"], record["dst_port"]]
        name = TRANSPORT_NAMES.get(record["protocol"]) if any(ports) else None
        for way, (i, j) in (("fwd", (0, 1)), ("bwd", (1, 0))):
            # A flow has both directions; one without packets is no more than an entry of zeros.
            result.add_packets("ip" if len(ends[0]) == 4 else "ipv6",
                               record["protocol"] if len(ends[0]) == 4 else None,
                               (name, ports[i], ports[j]) if name else None, ends[i], ends[j],
                               record[f"packets_{way}"], record[f"bytes_{way}"])
    return result


def first_differences(ours, theirs):
    """The first few of what differs between two dicts, as text."""
    keys = sorted((key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)), key=str)
    return "; ".join(f"{show(key)}: ours {ours.get(key)}, tshark's {theirs.get(key)}" for key in keys[:5])


def show(key):
    kind, *ends = key
    return f"{kind} " + " - ".join(f"{ipaddress.ip_address(address)}:{port}" for address, port in ends)


def compare(name, differences, flows, folder):
    """What is wrong with the flows of a capture: lines of text."""
    try:
        tshark = Tshark(DATA / name, folder)
    except (OSError, RuntimeError, ValueError, StopIteration, subprocess.TimeoutExpired) as error:
        return [f"tshark could not be understood: {error!r}"]
    problems = []

    def expect(what, ours, theirs):
        if ours != theirs:
            problems.append(f"{what}: {first_differences(ours, theirs)}")

    @functools.cache
    def expected(differences, is_inner):
        return tshark.conversations(differences, is_inner)

    tables = tshark.tables.packets()
    expect("headers are not the conversations of -z conv", expected(frozenset(), True).packets(), tables)
    needed = frozenset()
    for view, ours in flows.items():
        is_inner = view != "outer"
        expect(view, ours, expected(differences, is_inner))
        if not differences - {"lengths"}:
            expect(f"{view}, -z conv", ours.packets(), tables)
        needed |= {x for x in differences if ours != expected(differences - {x}, is_inner)}
    if needed != differences:
        problems.append(f"is equal without {differences - needed}: conversations.tsv is out of date")
    return problems


def read_table():
    with open(TABLE, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {row["capture"]: frozenset(row["differs"].split(",")) for row in rows}


class TestConversations(TestCase):
    def setUp(self):
        super().setUp()
        self.captures = sorted(str(path.relative_to(DATA)) for folder in ("benign", "attack")
                               for path in (DATA / folder).glob("*"))
        if not self.captures:
            self.skipTest(f"no captures in {DATA}")
        self.table = read_table()
        self.captures += sorted(name for name in self.table.keys() - set(self.captures) if (DATA / name).exists())

    def flows(self, *options):
        """The records of every capture."""
        path = self.folder / "records.ndjson"
        result = run("classify", "--quiet", "--json", "--packet-model", "none", "--records", path, *options,
                     *(DATA / name for name in self.captures))
        self.assertEqual(result.returncode, 0, result.stderr)
        records = {name: [] for name in self.captures}
        with open(path) as file:
            for line in file:
                record = json.loads(line)
                records[str(pathlib.Path(record["capture"]).relative_to(DATA))].append(record)
        summary = json.loads(result.stdout)
        self.assertEqual(summary["flows"]["by_reason"]["evicted"], 0)
        self.joined = {str(pathlib.Path(capture["file"]).relative_to(DATA))
                       for capture in summary["captures"] if capture["time_breaks"]}
        return records

    def test_flows_are_the_conversations_of_tshark(self):
        if not shutil.which("tshark"):
            self.skipTest("no tshark")
        self.assertEqual(self.table.keys() - set(self.captures), set(), "there are no such captures")
        self.assertLessEqual(set().union(*self.table.values()), DIFFERENCES)
        runs = {view: self.flows(*options) for view, options in RUNS.items()}

        def check(name):
            flows = {view: flow_conversations(records[name]) for view, records in runs.items()}
            return compare(name, self.table.get(name, frozenset()), flows, self.folder)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, problems in zip(self.captures, pool.map(check, self.captures)):
                with self.subTest(name):
                    self.assertEqual(problems, [])

    def test_flows_are_cut_for_their_reasons_only(self):
        n_cuts = collections.Counter()
        n_captures = 0
        for name, records in self.flows(*RUNS["inner"]).items():
            if name in self.joined:  # all flows end where a capture's time goes back
                continue
            n_captures += 1
            flows = collections.defaultdict(list)
            for record in records:
                ends = sorted([(record["src"], record["src_port"]), (record["dst"], record["dst_port"])])
                flows[record["protocol"], *ends].append(record)
            for key, slices in flows.items():
                slices.sort(key=lambda record: record["start"])
                for before, after in zip(slices, slices[1:]):
                    reason = before["reason"]
                    n_cuts[reason] += 1
                    with self.subTest(name, flow=key, reason=reason):
                        if reason == "idle":
                            self.assertGreater(after["start"] - before["end"], LONGEST_SECONDS)
                        elif reason == "active":
                            self.assertEqual((after["flow_id"], after["slice"]),
                                             (before["flow_id"], before["slice"] + 1))
                            self.assertGreaterEqual(after["start"] - before["start"], LONGEST_SECONDS)
                        elif reason == "fin":
                            self.assertIn("F", before["tcp_flags_fwd"])
                            self.assertIn("F", before["tcp_flags_bwd"])
                        else:
                            self.assertEqual(reason, "rst")
                            self.assertIn("R", before["tcp_flags_fwd"] + before["tcp_flags_bwd"])
        self.assertGreater(n_captures, 0.9 * len(self.captures))
        self.assertEqual(set(n_cuts), {"idle", "active", "fin", "rst"}, "nothing was tried")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: BSD-3-Clause
"""The time that the program adds to a packet's way, beside a wire without it. Told, not judged: machines are shared."""
from inline_case import RIGHT, Inline, print_figures


class Latency(Inline):
    def test_latency_added_is_told(self):
        self.wire("w")
        self.tool("ip", "link", "add", "direct", "netns", self.names["left"], "type", "veth", "peer", "name", "direct",
                  "netns", self.names["right"])
        for end, host in (("left", 1), ("right", 2)):
            self.at(end, "ip", "address", "add", f"10.79.0.{host}/24", "dev", "direct")
            self.at(end, "ip", "link", "set", "direct", "up")
        self.start(self.write_config(flow_model="shipped"))
        self.peer("right", "echo", "10.79.0.2", 53)
        self.peer("right", "echo", RIGHT, 53)
        self.ask("left", "ping", f"10.79.0.2,{RIGHT}", 53, 200, 100)
        ways = self.ask("left", "ping", f"10.79.0.2,{RIGHT}", 53, 3000, 100)
        self.assertEqual([way["lost"] for way in ways], [0, 0])
        report = self.stop()
        lines = []
        for share in (0.5, 0.99, 0.999):
            direct, inline = (way["times"][int(share * len(way["times"]))] for way in ways)
            lines.append(f"p{100 * share:g} of a round trip: {direct:.0f} us direct, {inline:.0f} us inline, "
                         f"{(inline - direct) / 2:.0f} us added one way")
        print_figures("\n".join(lines) + f"; us in the worker: {report['latency_us']}")

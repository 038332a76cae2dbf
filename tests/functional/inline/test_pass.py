# SPDX-License-Identifier: BSD-3-Clause
"""What is no business of the policy's passes between real clients and servers as it came."""
import json
import os
import signal
import subprocess

from inline_case import LEFT, LEFT_6, RIGHT, RIGHT_6, Inline, needs, print_figures

NAMES = {f"host{i}.wire.test": f"192.0.2.{i}" for i in range(1, 101)}


class Passing(Inline):
    def assert_all_forwarded(self, report):
        for name, port in report["ports"].items():
            self.assertEqual(port["received"], port["forwarded"], name)

    def test_echo_requests_datagrams_and_tagged_frames_pass(self):
        self.wire("w")
        self.start(self.write_config())
        self.ping(RIGHT)
        self.ping(RIGHT_6, "-6")
        self.at("right", "ping", "-c", 3, "-i", 0.1, "-W", 5, LEFT)
        self.at("right", "ping", "-6", "-c", 3, "-i", 0.1, "-W", 5, LEFT_6)
        catcher = self.peer("right", "catch_tagged", "w", 7, 100)
        self.ask("left", "send_tagged", "w", 7, 100)
        self.assertEqual(json.loads(catcher.communicate(timeout=10)[0]), [90, 10])
        for address in (RIGHT, RIGHT_6):
            self.peer("right", "echo", address, 53)
            self.assertEqual(self.ask("left", "ping", address, 53, 200, 60)[0]["lost"], 0)
        report = self.stop()
        self.assertGreaterEqual(report["ports"]["wl"]["forwarded"], 510)
        self.assert_all_forwarded(report)

    @needs("nginx", "curl")
    def test_100_mb_by_http_arrive_as_they_were_sent(self):
        self.wire("w")
        self.start(self.write_config(flow_model="shipped"))
        seconds = self.fetch_file(100_000_000)
        report = self.stop(end=signal.SIGINT)
        self.assertGreater(report["ports"]["wr"]["forwarded_bytes"], 100_000_000)
        print_figures(f"100 MB by HTTP in {seconds:.2f} s, {800 / seconds:.0f} Mbit/s; "
                      f"{report['ports']['wr']['received']} packets one way, "
                      f"overloaded {report['classifier']['times_overloaded']} times")

    @needs("nginx", "curl")
    def test_http_over_ipv6_passes(self):
        self.wire("w")
        self.start(self.write_config(flow_model="shipped"))
        self.ping(RIGHT_6, "-6")
        self.fetch_file(10_000_000, RIGHT_6)
        self.assertGreater(self.stop()["ports"]["wr"]["forwarded_bytes"], 10_000_000)

    @needs("iperf3")
    def test_iperf3_measures_tcp_both_ways_and_udp(self):
        self.wire("w")
        self.start(self.write_config(flow_model="shipped"))
        ends = {}
        for name, options in (("TCP", []), ("TCP back", ["--reverse"]), ("UDP", ["--udp", "--bitrate", "20M"])):
            server = self.serve(RIGHT, 5201, "iperf3", "--server", "--one-off", "--bind", RIGHT)
            text = self.at("left", "timeout", 60, "iperf3", "--client", RIGHT, "--bind", LEFT, "--time", 2, "--json",
                           *options)
            server.wait(30)
            ends[name] = json.loads(text)["end"]
        self.stop()
        for name in ("TCP", "TCP back"):
            self.assertGreater(ends[name]["sum_received"]["bytes"], 0)
        self.assertGreater(ends["UDP"]["sum"]["packets"], 0)
        print_figures("iperf3: " + ", ".join(
            f"{name} {ends[name]['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s" for name in ("TCP", "TCP back"))
            + f", UDP {ends['UDP']['sum']['bits_per_second'] / 1e6:.0f} Mbit/s with "
            f"{ends['UDP']['sum']['lost_packets']} of {ends['UDP']['sum']['packets']} lost, "
            f"jitter {ends['UDP']['sum']['jitter_ms']:.3f} ms")

    @needs("dnsmasq", "dig")
    def test_names_are_answered_over_udp_tcp_and_ipv6(self):
        self.wire("w")
        config = self.folder / "dnsmasq.conf"
        config.write_text("".join(f"host-record={name},{address},2001:db8::{address.rsplit('.', 1)[1]}\n"
                                  for name, address in NAMES.items()) +
                          f"txt-record=long.wire.test,{','.join(c * 250 for c in 'abc')}\n"
                          f"listen-address={RIGHT},{RIGHT_6}\nbind-interfaces\nno-resolv\nno-hosts\nlocal=/test/\n"
                          "user=root\npid-file=\nlog-facility=-\n")
        self.serve(RIGHT, 53, "dnsmasq", "--keep-in-foreground", f"--conf-file={config}")
        questions = self.folder / "questions"
        questions.write_text("".join(f"{name} A\n" for name in NAMES))
        self.start(self.write_config(flow_model="shipped"))
        for options in (f"@{RIGHT}",), (f"@{RIGHT_6}",), (f"@{RIGHT}", "+tcp"):
            answers = self.at("left", "dig", *options, "+short", "+time=5", "+tries=1", "-f", questions)
            self.assertEqual(answers.split(), list(NAMES.values()))
        self.assertEqual(self.at("left", "dig", f"@{RIGHT}", "+short", "host7.wire.test", "AAAA").strip(),
                         "2001:db8::7")
        # Too long for a datagram of old: asked again by TCP.
        long = self.at("left", "dig", f"@{RIGHT}", "+noedns", "+short", "long.wire.test", "TXT")
        self.assertEqual(long.replace('"', "").replace(" ", "").strip(), "".join(c * 250 for c in "abc"))
        self.assert_all_forwarded(self.stop())

    def add_vlan(self, end, link, vlan):
        """The kernel's own where it has any, else one in user space."""
        command = ["ip", "-n", self.names[end], "link", "add", "link", link, "name", f"{link}.{vlan}", "type", "vlan",
                   "id", str(vlan)]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("this kernel has neither 802.1Q nor tap devices")
        self.peer(end, "tag", link, vlan)

    @needs("nginx", "curl")
    def test_a_tagged_network_passes(self):
        self.wire("w")
        for end, host in (("left", 1), ("right", 2)):
            self.add_vlan(end, "w", 7)
            self.at(end, "ip", "address", "add", f"10.7.0.{host}/24", "dev", "w.7")
            self.at(end, "ip", "link", "set", "w.7", "up")
        records = self.folder / "records"
        self.start(self.write_config(f"[records flows]\npath = {records}\n", flow_model="shipped"))
        self.ping("10.7.0.2")
        self.ping("10.7.0.2", "-M", "do", "-s", 1472)
        self.fetch_file(5_000_000, "10.7.0.2")
        self.stop()
        flows = [json.loads(line) for line in records.read_text().splitlines()]
        self.assertIn(("10.7.0.1", "10.7.0.2", 7), {(flow["src"], flow["dst"], flow["vlan"]) for flow in flows})

    @needs("nginx", "curl")
    def test_jumbo_frames_pass_whole(self):
        self.wire("w", mtu=9000)
        self.start(self.write_config())
        self.ping(RIGHT, "-M", "do", "-s", 8972)
        self.ping(RIGHT_6, "-6", "-M", "do", "-s", 8952)
        self.fetch_file(20_000_000)
        report = self.stop()["ports"]["wr"]
        # Most of them are long ones.
        self.assertGreater(report["forwarded_bytes"] / report["forwarded"], 4000)

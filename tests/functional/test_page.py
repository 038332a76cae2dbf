# SPDX-License-Identifier: BSD-3-Clause
"""The page of a live run, in a browser without a window."""
import time
import unittest
import urllib.parse

from browser import Browser, find_browser
from test_http import Http


@unittest.skipUnless(find_browser(), "chromium is not installed")
class Page(Http):
    def text(self, browser, name):
        return browser.value(f"document.getElementById({name!r}).innerText")

    def wait_for_page(self, browser):
        end = time.monotonic() + 30
        while self.text(browser, "state") != "live":
            self.assertLess(time.monotonic(), end, browser.complaints)
            browser.wait(0.2)

    def test_it_shows_what_happens_and_asks_nobody_else(self):
        program = self.serve(self.packets(), f"[records spool]\npath = {self.folder}/spool\n", active_timeout=0.2,
                             flow_model=self.model(classes="<b>benign</b>,<img src=x onerror=alert(1)>"))
        with Browser(self.folder) as browser:
            for width, height in ((1280, 900), (390, 844)):
                with self.subTest(width=width):
                    browser.size(width, height)
                    browser.open(f"http://127.0.0.1:{self.port}/")
                    browser.wait(1)
                    self.wait_for_page(browser)
                    before = self.text(browser, "tiles")
                    browser.wait(2.2)
                    self.assertNotEqual(self.text(browser, "tiles"), before)
                    self.assertNotIn("NaN", browser.value("document.body.innerText"))
                    self.assertNotIn("undefined", browser.value("document.body.innerText"))
                    self.assertLessEqual(browser.value("document.documentElement.scrollWidth"), width)
                    self.assertIn("<b>benign</b>", self.text(browser, "flow-classes"))
                    self.assertIn("cut ipv4 header", self.text(browser, "drops"))
                    self.assertRegex(self.text(browser, "drops"), r"^cause\s+a second\s+count\s+cut ipv4 header\s+\S+ k?\s*[\d,]+$")
                    self.assertEqual(browser.value("document.querySelector('#drops td').title"),
                                     "packets end inside an IPv4 header")
                    self.assertRegex(self.text(browser, "ethertypes"), r"IPv4[\s\S]+ARP")
                    self.assertRegex(self.text(browser, "bars"), r"flows by score[\s\S]+polls by packets")
                    self.assertRegex(self.text(browser, "workers"), r"0\s+\d+%")
                    self.assertRegex(self.text(browser, "latency"), r"to its verdict\s+[\d.]+ [µm]s")
                    # What a flow is judged is seen without moving the table.
                    self.assertLessEqual(browser.value("document.querySelector('#flows td:nth-child(3)')"
                                                       ".getBoundingClientRect().right"), width)
                    self.assertIn("10.0.0.1:100", self.text(browser, "flows"))
                    self.assertIn("spool", self.text(browser, "sinks"))
                    self.assertIn("model.onnx", self.text(browser, "models"))
                    self.assertRegex(self.text(browser, "ports"), r"a\s+up")
                    self.assertTrue(browser.value("document.querySelector('#packets-chart .line') !== null"))
            self.assertEqual(browser.complaints, [])
            self.assertEqual({urllib.parse.urlsplit(url).netloc for url in browser.requests}, {f"127.0.0.1:{self.port}"})
            self.stop(program)
            end = time.monotonic() + 20
            while self.text(browser, "state") == "live":
                self.assertLess(time.monotonic(), end)
                browser.wait(0.2)
            # Old numbers do not look like new ones.
            self.assertEqual(browser.value("document.body.className"), "stale")

    def test_it_does_with_what_is_there(self):
        self.serve(self.packets())
        with Browser(self.folder) as browser:
            browser.open(f"http://127.0.0.1:{self.port}/")
            browser.wait(1)
            self.wait_for_page(browser)
            for report in ("{}", '{"seconds":1}', '{"ports":{"x":{}},"classifier":{},"flows":{},"sinks":{"s":{}},"models":{}}',
                           '{"seconds":2,"ports":{},"top_flows":[{}],"flows":{"classes":{}},"models":{"packet":null,"flow":{}}}'):
                browser.value(f"fetch = async () => new Response({report!r})")
                browser.wait(1.4)
                self.assertEqual(self.text(browser, "state"), "live", report)
                for word in ("NaN", "undefined", "null", "[object"):
                    self.assertNotIn(word, browser.value("document.body.innerText"), report)
            self.assertEqual(browser.complaints, [])
        self.stop()


if __name__ == "__main__":
    unittest.main()

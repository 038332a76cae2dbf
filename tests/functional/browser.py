# SPDX-License-Identifier: BSD-3-Clause
"""Chromium without a window, driven by its own protocol over a pair of pipes: what a page asks for, says and shows."""
import base64
import json
import os
import select
import shutil
import subprocess
import time


def find_browser():
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page. Use as a context."""

    def __init__(self, folder, dark=False):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self.fds = [ours_in, ours_out]
        self.reads, self.writes = ours_in, ours_out
        # The protocol is spoken at descriptors 3 and 4.
        words = ["sh", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "sh", find_browser(), "--headless=new",
                 "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                 "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
                 f"--user-data-dir={folder}/browser", *(["--blink-settings=preferredColorScheme=0"] if dark else []),
                 "about:blank"]
        self.program = subprocess.Popen(words, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={**os.environ, "HOME": str(folder)})
        os.close(theirs_in)
        os.close(theirs_out)
        self.pending, self.n, self.session = b"", 0, None
        self.requests, self.complaints = [], []
        pages = [t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self.session = self.ask("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Page"):
            self.ask(f"{domain}.enable")
        if dark:
            self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.kill()
        self.program.wait()
        for fd in self.fds:
            os.close(fd)

    def hear(self, message):
        """Keeps what tells of requests and of errors."""
        method, values = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(values["exceptionDetails"].get("exception", {}).get("description"))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append([argument.get("value") for argument in values["args"]])
        elif method == "Log.entryAdded":
            self.complaints.append(values["entry"]["text"])

    def receive(self, seconds):
        """The next message, or None."""
        end = time.monotonic() + seconds
        while b"\0" not in self.pending:
            if not select.select([self.reads], [], [], max(0, end - time.monotonic()))[0]:
                return None
            some = os.read(self.reads, 1 << 20)
            if not some:
                raise EOFError("the browser has ended")
            self.pending += some
        text, self.pending = self.pending.split(b"\0", 1)
        message = json.loads(text)
        self.hear(message)
        return message

    def ask(self, method, **values):
        self.n += 1
        message = {"id": self.n, "method": method, "params": values}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writes, data):]
        end = time.monotonic() + 60
        while time.monotonic() < end:
            answer = self.receive(1)
            if answer and answer.get("id") == self.n:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
        raise TimeoutError(method)

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.receive(end - time.monotonic())

    def size(self, width, height):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                 mobile=width < 600)

    def open(self, url):
        self.ask("Page.navigate", url=url)

    def value(self, expression):
        """What an expression is in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, path):
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

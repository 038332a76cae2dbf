# SPDX-License-Identifier: BSD-3-Clause
"""The lab's child processes: started in a namespace, bounded in time, ended by process group. Used by every part."""
import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
LOG_LIMIT_BYTES = 4 << 20
LIBC = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """One line for the user: what is wrong, and how to mend it."""


def die_with_parent():
    """A lab that is killed takes its children with it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def environment(folder):
    """No proxies, no settings of the user's: the same on every machine."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"}


def run_tool(arguments, text=None):
    """Runs a short command to its end and returns what it prints."""
    arguments = [str(part) for part in arguments]
    result = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
        raise LabError(f"{' '.join(arguments)}: {reason[-1]}")
    return result.stdout


def inside(namespace, arguments):
    """The command line that runs another one in a namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"] + [str(part) for part in arguments]


class Child:
    """A process of the lab and what became of it."""

    def __init__(self, arguments, log_path, limit_s=None):
        self.log_path = log_path
        self.start = time.time()
        self.end = None
        self.deadline = None if limit_s is None else self.start + limit_s
        self.timed_out = False
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                cwd=log_path.parent, preexec_fn=die_with_parent, env=environment(log_path.parent))

    def is_running(self):
        """Also ends a child whose time is up, or that writes too much."""
        if self.end is not None:
            return False
        if self.has_exited():
            self.finish()
        elif self.deadline is not None and time.time() > self.deadline:
            self.timed_out = True
            self.stop()
        elif self.log_path.stat().st_size > LOG_LIMIT_BYTES:
            self.stop()
        return self.end is None

    def has_exited(self):
        """Looks without taking note of it: until finish() the number stays that of this child, and of no other."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def stop(self, patience_s=1.0):
        """SIGTERM to the process group, SIGKILL to what is left of it after that time."""
        self.signal(signal.SIGTERM)
        deadline = time.time() + patience_s
        while self.end is None and not self.has_exited() and time.time() < deadline:
            time.sleep(0.01)
        self.finish()

    def finish(self):
        """Ends what is left of the process group."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.end = self.end or time.time()

    def signal(self, number):
        if self.end is None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass

    def last_line(self):
        """What it said last, for lab.json."""
        with open(self.log_path, "rb") as log:
            log.seek(max(0, self.log_path.stat().st_size - 500))
            lines = log.read().decode("utf-8", "replace").replace("\r", "\n").strip().splitlines()
        return lines[-1].strip()[:160] if lines else ""


def kill_all_in(inodes, patience_s=5.0):
    """Ends what servers and tools have left in the lab's namespaces; nothing else lives there."""
    wanted = {f"net:[{inode}]" for inode in inodes}
    deadline = time.time() + patience_s
    while pids := [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and kill_if_in(int(entry), wanted)]:
        if time.time() > deadline:
            raise LabError(f"processes do not end: {pids}")
        time.sleep(0.05)


def kill_if_in(pid, wanted):
    """Whether a process is in one of these network namespaces; then it is ended, and no other that has its number."""
    if pid == os.getpid():
        return False
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if os.readlink(f"/proc/{pid}/ns/net") not in wanted:
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def start_ticks(pid):
    """When a process began, in clock ticks since boot; None where there is none. Tells a pid from its next owner."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rsplit(")", 1)[1].split()[19])
    except OSError:
        return None

# SPDX-License-Identifier: BSD-3-Clause
"""Whether this machine lets a test make network namespaces."""
import os
import subprocess


def why_not_permitted():
    """Why it does not; None where it does."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    probe = f"ws-{os.getpid()}-probe"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode != 0:
        return "network namespaces are not permitted here"
    subprocess.run(["ip", "netns", "delete", probe], check=True)
    return None

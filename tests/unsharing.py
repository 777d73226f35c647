"""Commands in a part of the machine of their own, by Linux's unshare."""

import shutil
import subprocess

import pytest


def unshared(what: str) -> list[str]:
    """What to put before a command so that it has `what` for itself, net or mount.

    The test is skipped where that can't be had.
    """
    words = ["unshare", "--map-root-user", f"--{what}"]
    if not shutil.which("unshare") or subprocess.run([*words, "true"]).returncode:
        pytest.skip("needs Linux's unshare, and the right to use it")
    return words

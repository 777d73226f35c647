"""What a run ran with: the code, the packages, and the machine."""

import hashlib
import importlib.metadata
import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from scnlib.paths import REPOSITORY

PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "h5py", "nibabel", "MedPy", "pandas")
UNTOLD = "unknown"  # a package's version
OTHER_TREE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # of git's variables, in a hook say


def this_process(device: torch.device, bf16: bool) -> dict[str, Any]:
    """What a record says of this process, as one of `Record.processes`."""
    return {
        "before": 0,
        "code_version": code_version(),
        "hardware": hardware(device),
        "dtype": "bfloat16" if bf16 else "float32",
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }


def of_processes(processes: Sequence[dict[str, Any]], iterations: int) -> dict[str, Any]:
    """What a record of so many iterations says of all its processes, and of the last one."""
    trained = [part for part in processes if part["before"] < iterations]
    last = (trained or processes)[-1]  # one that came later has only tested
    codes = dict.fromkeys(process["code_version"] for process in processes)
    told = {name: last[name] for name in ("versions", "hardware", "dtype", "threads")}
    return {"code_version": " then ".join(codes), "processes": processes, **told}


def changes(processes: Sequence[dict[str, Any]]) -> list[str]:
    """Notes on what was another thing in one process than in the next."""
    told: dict[str, dict[str, None]] = {}
    for part in processes:
        facts = {name: str(part[name]) for name in ("hardware", "dtype", "threads")}
        facts |= part.get("versions") or {}  # old processes tell of fewer packages, or of none
        for name, value in facts.items():
            if value != UNTOLD:
                told.setdefault(name, {})[value] = None
    changed = {name: " then ".join(values) for name, values in told.items() if len(values) > 1}
    return [f"{name} changed on the way: {values}" for name, values in changed.items()]


def code_version() -> str:
    """The commit that ran, with the sum of the package's sources if it differs from it.

    Their sum alone where the study is no repository of its own: without git, or unpacked inside
    another repository, whose commit would say nothing of it.
    """
    with suppress(OSError, subprocess.CalledProcessError):
        top = _git("rev-parse", "--show-toplevel")
        if Path(top).resolve() == REPOSITORY:  # else the study lies inside another repository
            changed = _git("status", "--porcelain", "--untracked-files=normal", "scnlib")
            head = _git("rev-parse", "HEAD")
            return f"{head}+changed:{_sources_sum()[:12]}" if changed else head
    return f"sha256:{_sources_sum()}"


def _sources_sum() -> str:
    sources = sorted((REPOSITORY / "scnlib").rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _git(*words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in OTHER_TREE}
    command = ["git", "-C", str(REPOSITORY), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a number."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return UNTOLD  # a folder on the path, not installed


def hardware(device: torch.device) -> str:
    """The device in words: the GPU's name, or the processor's, its instructions and threads.

    Processors of one name differ by half in speed with the instructions that torch finds there.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with suppress(OSError):  # not Linux: the platform's word has to do
        models = re.findall("(?m)^model name.*?:(.*)", Path("/proc/cpuinfo").read_text())
        name = models[0].strip() if models else name
    amx = "+AMX" if torch.cpu._is_amx_tile_supported() else ""
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{name}, {capability}{amx}, {torch.get_num_threads()} threads"


def bf16_supported(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 faster than in float32 (AMX or AVX512-BF16; GPU)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def peak_memory_mb(device: torch.device) -> float:
    """Largest memory in use so far, in MB: the GPU's allocations, or the whole process's."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux getrusage also counts what the process that started this one held at that moment.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return round(int(found[1]) / 2**10, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KB, on macOS bytes
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)

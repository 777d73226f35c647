"""What a run ran on, and its weights as a small file."""

import platform
import resource
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from scnlib.config import Run
from scnlib.methods.base import Method


def describe(device: torch.device) -> str:
    """The device in words: the GPU's name, or the processor's, its instructions and threads.

    Processors of one name differ by half in speed with the instructions that torch finds there.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            models = [line for line in file if line.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    except OSError:
        pass  # not Linux: the platform's word has to do
    amx = "+AMX" if torch.cpu._is_amx_tile_supported() else ""
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{name}, {capability}{amx}, {torch.get_num_threads()} threads"


def peak_memory_mb(device: torch.device) -> float:
    """Largest memory in use so far, in MB: the GPU's allocations, or the whole process's."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KB, on macOS bytes
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def save_weights(path: Path, method: Method, run: Run) -> None:
    """Save a method's weights in half precision with the run that made them (safetensors)."""
    weights = {
        name: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in method.state_dict().items()
    }
    save_file(weights, path, metadata={"run": run.to_json(), "classes": str(method.classes)})


def load_weights(path: Path) -> tuple[Run, int, dict[str, Tensor]]:
    """Read `save_weights`' file: the run, the number of classes K, and float32 weights.

    Raises `ValueError` naming the file if it is missing or not such a file.
    """
    if not path.exists():
        raise ValueError(f"{path}: no weights there; train SCN with seed 0 on this data set first")
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file ({error}); fetch it again") from error
    weights = {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
    try:
        return Run.from_json(about["run"]), int(about["classes"]), weights
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: does not say which run made it; use weights of this study"
        ) from error

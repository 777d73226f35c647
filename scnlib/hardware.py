"""What a run ran on."""

import platform
import resource
import sys

import torch


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

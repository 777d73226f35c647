"""The benchmarks, in one go: python -m study.speed [--rounds 5] [--only NAME] [--out DIR]

Runs tests/benchmarks by pytest-benchmark and writes DIR/MACHINE.json (results/benchmarks by
default), and beside it pictures of the steps and of how SCN's grows. There is a row for each
benchmark: the least and the median seconds of its rounds, and what it tells beside. The least is
what the machine can do; where other programs share it, only that one means something, and `load`
says how many did as it began. Steps are one of 12 slices.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from scnlib import provenance
from scnlib.files import replace_text
from scnlib.paths import REPOSITORY, RESULTS, to_path
from study.commands import described
from study.report.display import save_figure
from study.speed.figure import draw_growth, draw_steps

BENCHMARKS = REPOSITORY / "tests" / "benchmarks"
PLAIN_STEP = BENCHMARKS / "bench_plain.py"


def machine(device: torch.device) -> str:
    """The machine's name as a file's name, such as "amd-epyc-avx2-2-threads"."""
    return re.sub(r"[^a-z0-9]+", "-", provenance.hardware(device).lower()).strip("-")


def benchmark_files() -> list[Path]:
    """The plain step's file first: later ones change how the process keeps its memory."""
    return sorted(BENCHMARKS.glob("bench_*.py"), key=lambda path: (path != PLAIN_STEP, path))


def rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each benchmark of pytest-benchmark's report."""
    return [
        {
            "name": one["name"].removeprefix("bench_"),
            "least_s": round(one["stats"]["min"], 4),
            "median_s": round(one["stats"]["median"], 4),
            "rounds": one["stats"]["rounds"],
            **one["extra_info"],
        }
        for one in report["benchmarks"]
    ]


def main(words: list[str] | None = None) -> int:
    """Run the benchmarks and write the file; pytest's exit code."""
    parser = described("python -m study.speed", __doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="pytest's -k")
    parser.add_argument("--out", type=to_path, default=RESULTS / "benchmarks")
    options = parser.parse_args(words)
    if options.only and options.out == RESULTS / "benchmarks":
        parser.error("--only leaves rows out of the committed file: give --out another folder, too")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    load = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-q", *map(str, benchmark_files())]
        command += ["-o", "python_functions=bench_*", "-k", options.only]
        command += [f"--rounds={options.rounds}", f"--benchmark-json={report}"]
        code = subprocess.run(command, cwd=REPOSITORY).returncode
        if code or not report.exists():  # a file that is there has more rows than this would
            return code or 1
        found = rows(json.loads(report.read_text()))
    content = {
        "machine": provenance.hardware(device),
        "bf16": provenance.bf16_supported(device),
        "load": load,
        "code_version": provenance.code_version(),
        "versions": provenance.versions(),
        "benchmarks": found,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    place = options.out / f"{machine(device)}.json"
    replace_text(place, json.dumps(content, indent=1) + "\n")
    if any(row["name"].startswith("step[") for row in found):
        save_figure(draw_steps(content), place.with_suffix(".png"))
    if any(row["name"].startswith("growth[") for row in found):
        save_figure(draw_growth(content), place.with_name(f"{place.stem}-growth.png"))
    print(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())

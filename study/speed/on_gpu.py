"""All that a borrowed GPU is for, in one go and without a network: profile, benchmark, training.

At home, pack what the machine lacks, in pieces that pass where transfers are small:

    python -m study.speed.on_gpu pack --data DIR --to CARRIED [--dataset acdc] [--piece-mb 15]
    pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
        --platform manylinux2014_x86_64 --dest CARRIED/wheels \
        pydantic pydantic-core typing-inspection annotated-types typing-extensions nibabel
        # each with == and its version in requirements.lock
    mkdir -p CARRIED/medpy-folder && cp -r SITE-PACKAGES/medpy CARRIED/medpy-folder

The pieces hold the training and validation volumes alone: what is tested stays at home. Where a
transfer takes 64 MiB, one piece goes with each beside the repository's 41: have all of them in one
folder there before `run`. If 8 files come back, that is two runs, the benchmark and the profile.
There (Python 3.12 with torch, numpy, scipy, h5py, pandas, scikit-image, safetensors and triton; git
is not needed), in this repository's folder:

    python3 -m pip install --no-index --no-deps --target /tmp/site CARRIED/wheels/*.whl
    PYTHONPATH=/tmp/site:CARRIED/medpy-folder python3 -m study.speed.on_gpu run --device cuda \
        --pieces CARRIED --work /tmp/scn --out OUT --seconds 540 [--runs scn:0 pce:0]

The archive names the sum of the whole data set at home, which goes into the record. The command
unpacks into WORK/data (once) and trains the runs one after the other, each in
WORK/runs/METHOD-SEED. Every minute, and at the end, it copies the checkpoint to OUT, in pieces
METHOD-SEED.pt.00, .01 and so on that pass where files are limited to 16 MiB. What is left of the
seconds goes to OUT/benchmark.json and OUT/profile.json, a row after the other: trouble in a run or
a row is written down and keeps nothing else from running. The same command goes on where WORK is
still there; on a fresh machine give what came back as `--resume OUT`.

Back home, where the test volumes are, each finished checkpoint is tested once and becomes a record:

    python -m study.speed.on_gpu finish --data DIR --out RESULTS OUT/scn-0.pt
"""

import json
import logging
import sys
import time
from argparse import Namespace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from scnlib import checkpoint, provenance
from scnlib.commandline import Parser
from scnlib.config import Run, differences
from scnlib.data import fingerprint, load_split
from scnlib.files import replace_bytes, replace_text
from scnlib.methods import get_method
from scnlib.paths import REPOSITORY, RESULTS, run_folder, to_path
from scnlib.step import STEPS
from scnlib.training import Training
from study.commands import described, exit_code
from study.experiments import make_run
from study.speed.carried import DATA, divide, joined, pack, pieces_of, unpack
from study.speed.gpu_tables import (
    RESERVE,
    benchmark,
    benchmark_table,
    profile,
    profile_table,
    report,
)

COPY_SECONDS = 60.0
START = 60.0  # seconds that reading the data and the first step may take
KEPT_BYTES = 15 * 2**20  # of a piece of a checkpoint

log = logging.getLogger(__name__)


# --- on the machine -----------------------------------------------------------------------------


def run(options: Namespace) -> None:
    """Training until the seconds are over or it is finished, then benchmark and profile.

    Raises ValueError for a run that can't be made, FileNotFoundError for a folder to resume from
    that holds none of them, before any of these costs time; at the end ValueError naming the runs
    that failed.
    """
    runs = {text: wanted(options, text) for text in options.runs}
    earlier = [options.resume / _kept(text) for text in runs] if options.resume else []
    if earlier and not any(map(pieces_of, earlier)):
        raise FileNotFoundError(
            f"{options.resume}: no checkpoint of {', '.join(runs)}: it was not carried over"
        )
    end = time.monotonic() + options.seconds
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    needed = bool(runs) and options.dataset != "phantom"
    data = unpack(options.pieces, options.work) if needed else None
    failed = []
    for text, run in runs.items():
        try:
            train_in_budget(run, text, options, data, device, end)
        except Exception as error:  # what is left of the time is for the others
            failed.append(f"{text} ({type(error).__name__}: {error})")
            log.exception(text)
    parts = {
        "benchmark": (benchmark_table(device), partial(benchmark, options, device)),
        "profile": (profile_table(device), partial(profile, options, device)),
    }
    for name, (table, measure) in parts.items():
        if name not in options.skip:
            report(options.out / f"{name}.json", table, measure, end)
    if failed:
        raise ValueError(f"not finished: {'; '.join(failed)}")


def _kept(text: str) -> str:
    """The name in OUT of a run's checkpoint."""
    return f"{text.replace(':', '-')}.pt"


def wanted(options: Namespace, text: str) -> Run:
    """The run that "METHOD:SEED" stands for; ValueError for another text, method or option."""
    method, _, seed = text.partition(":")
    if not seed.isdigit():
        raise ValueError(f"{text!r}: write a run as METHOD:SEED, as in scn:0")
    get_method(method)
    return make_run(options.dataset, method, int(seed), options.profile, **dict(options.set))


def train_in_budget(
    run: Run, name: str, options: Namespace, data: Path | None, device: torch.device, end: float
) -> None:
    """Go on with a run until it is finished or the time is over; its checkpoint goes to OUT."""
    kept = _kept(name)
    folder = options.work / "runs" / kept.removesuffix(".pt")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / checkpoint.CHECKPOINT

    def keep() -> None:
        divide(path.read_bytes(), options.out / kept, KEPT_BYTES)

    if not path.exists() and options.resume and pieces_of(options.resume / kept):
        path.write_bytes(joined(options.resume / kept))
        keep()
    if time.monotonic() > end - START:
        return
    training = _begun(run, folder, data, device, options.step)
    state, copied = training.state, time.monotonic()
    first = state.iteration
    try:
        # Nothing is saved between rows: a row would be of fewer steps, and its loss not looked at.
        while state.iteration < run.profile.iterations and not (
            training.at_row and time.monotonic() > end - RESERVE
        ):
            training.advance()
            if time.monotonic() - copied > COPY_SECONDS and training.at_row:
                training.save()
                keep()
                copied = time.monotonic()
        if state.iteration > first:
            training.save()
    finally:
        if path.exists():
            keep()
    _tell(training, first, options.out / f"{kept}.json")
    log.info("%s: %d of %d iterations", name, state.iteration, run.profile.iterations)


def _begun(run: Run, folder: Path, data: Path | None, device: torch.device, step: str) -> Training:
    """The run, begun or gone on with, on the volumes that were carried; without data, drawn."""
    cases = [load_split(run.dataset, data, split) for split in ("train", "val")]
    training = Training(run, folder, data, device, (cases[0], cases[1]), step)
    training.state.data = (
        json.loads((data / DATA).read_text()) if data else fingerprint(run.dataset, None)
    )
    training.resume()
    return training


def _tell(training: Training, first: int, path: Path) -> None:
    """Write how far a run is, which was at iteration `first` when it began here."""
    state, of = training.state, training.run.profile.iterations
    told = {"iteration": state.iteration, "of": of, "step": training.step.kind}
    told |= {"seconds": round(state.seconds, 1), "from": first, "curve": state.curve[-200:]}
    told |= {"validation": state.validation, "memory": provenance.peak_memory_mb(training.device)}
    replace_text(path, json.dumps(told, indent=1) + "\n")


# --- back home ----------------------------------------------------------------------------------


def finish(options: Namespace) -> None:
    """Test the best weights of finished checkpoints and write their records.

    Raises ValueError for a checkpoint of a run that is not finished, or that departs from its
    profile (--set) where the study's own results are to take it.
    """
    for name in options.checkpoints:
        with TemporaryDirectory() as beside:
            path = Path(beside) / name.name
            path.write_bytes(content := joined(name))
            run, state, _ = checkpoint.contents(path)
        done = state.iteration
        if done < run.profile.iterations:
            raise ValueError(
                f"{name}: {done} of {run.profile.iterations} iterations: go on with it (--resume)"
            )
        which = (run.dataset, run.method, run.seed, run.profile.name, run.variant)
        if options.out.resolve() == RESULTS.resolve() and differences(run, make_run(*which)):
            raise ValueError(
                f"{name}: departs from profile {run.profile.name} (--set): give another --out"
            )
        folder = run_folder(
            options.out, run.profile.name, run.dataset, run.method, run.seed, run.variant
        )
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "record.json").exists():
            raise ValueError(f"{folder}: holds a record already; give another --out, or delete it")
        replace_bytes(folder / checkpoint.CHECKPOINT, content)
        training = Training(run, folder, options.data, torch.device("cpu"), step="eager")
        training.resume()
        record = training.finish()
        dice = record.summary.get("dice", {}).get("mean")
        print(f"{folder}: " + ("not tested" if dice is None else f"mean Dice {dice:.4f}"))


# --- the command --------------------------------------------------------------------------------


def parse(words: list[str]) -> Namespace:
    """The options; wrong usage ends the program with one line."""
    parser = described("python -m study.speed.on_gpu", __doc__)
    commands = parser.add_subparsers(required=True, parser_class=_SubParser)
    packing = commands.add_parser("pack")
    packing.add_argument("--data", type=to_path, required=True)
    packing.add_argument("--to", type=to_path, required=True)
    packing.add_argument("--dataset", default="acdc")
    packing.add_argument("--piece-mb", type=float, default=15)
    packing.set_defaults(action=pack)
    there = commands.add_parser("run")
    there.add_argument("--pieces", type=to_path, default=REPOSITORY)
    there.add_argument("--work", type=to_path, required=True, help="kept from slice to slice")
    there.add_argument("--out", type=to_path, required=True, help="what goes back")
    there.add_argument("--resume", type=to_path, help="an earlier --out, on a fresh machine")
    there.add_argument("--seconds", type=float, default=540)
    there.add_argument("--dataset", default="acdc")
    there.add_argument("--profile", default="paper")
    there.add_argument("--runs", nargs="*", default=["scn:0"], help="METHOD:SEED, in this order")
    there.add_argument("--skip", nargs="*", default=[], choices=["profile", "benchmark"])
    there.add_argument("--step", default="auto", choices=STEPS)
    there.add_argument("--device", choices=["cpu", "cuda"])
    there.add_argument("--size", type=int, default=256, help="of the benchmark's images")
    there.add_argument("--batch", type=int, default=24, help="of the benchmark")
    there.add_argument(
        "--set", nargs="*", default=[], type=_pair, metavar="NAME=VALUE", help="of the profile"
    )
    there.set_defaults(action=run)
    home = commands.add_parser("finish")
    home.add_argument("checkpoints", type=to_path, nargs="+")
    home.add_argument("--data", type=to_path)
    home.add_argument("--out", type=to_path, required=True)
    home.set_defaults(action=finish)
    return parser.parse_args(words)


class _SubParser(Parser):
    """A command's own parser."""

    def __init__(self, prog: str, **_: Any) -> None:
        super().__init__(prog, "")


def _pair(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON; a word that is none stands for itself."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main(words: list[str] | None = None) -> int:
    """Run the command; 1 after one line for what can't be done."""
    options = parse(sys.argv[1:] if words is None else words)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    return exit_code(lambda: options.action(options))


if __name__ == "__main__":
    sys.exit(main())

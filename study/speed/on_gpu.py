"""All that a borrowed GPU is for, in one go and without a network: profile, benchmark, training.

At home, pack what the machine lacks, in pieces that pass where transfers are small:

    python -m study.speed.on_gpu pack --data DIR --to CARRIED [--dataset acdc] [--piece-mb 28]
    pip download --only-binary=:all: --python-version 3.12 --dest CARRIED/wheels \
        pydantic pydantic-core typing-inspection annotated-types nibabel
    cp -r SITE-PACKAGES/medpy CARRIED/medpy-folder/

The pieces hold the training and validation volumes alone: what is tested stays at home. There
(Python 3.12 with torch, numpy, scipy, h5py, pandas, scikit-image, safetensors and triton; git is
not needed), in this repository's folder:

    pip install --no-index --no-deps CARRIED/wheels/*.whl
    PYTHONPATH=CARRIED/medpy-folder python -m study.speed.on_gpu run --pieces CARRIED \
        --work /tmp/scn --out OUT --seconds 540 [--runs scn:0 pce:0] [--skip benchmark]

The archive names the sum of the whole data set at home, which goes into the record. The command
unpacks into WORK/data (once), writes OUT/profile.json and OUT/benchmark.json, and trains the
runs one after the other for what is left of the seconds, each in WORK/runs/METHOD-SEED. Every
minute, and at the end, it copies the checkpoint to OUT/METHOD-SEED.pt: whenever the machine is
taken away, at most a minute is lost. The same command goes on where WORK is still there; on a
fresh machine give what came back as `--resume OUT`. Trouble in the profile or the benchmark is
written to its file and does not keep the training from starting.

Back home, where the test volumes are, each finished checkpoint is tested once and becomes a record:

    python -m study.speed.on_gpu finish --data DIR --out RESULTS OUT/scn-0.pt
"""

import json
import logging
import shutil
import sys
import tarfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from scnlib import checkpoint, provenance
from scnlib.commandline import Parser
from scnlib.config import Run
from scnlib.data import fingerprint, load_split
from scnlib.files import replace_bytes, replace_text
from scnlib.methods import get_method
from scnlib.paths import REPOSITORY, run_folder
from scnlib.step import STEPS
from scnlib.training import Training
from study.commands import exit_code
from study.experiments import make_run
from study.speed.steps import PLAIN, WAYS, kernels, method_step, plain_step, timed

PIECE = "data.tar.xz."  # and a number
DATA = "fingerprint.json"  # of the whole data set, which only home has
COPY_SECONDS = 60.0
RESERVE = 15.0  # seconds kept for the last copy

log = logging.getLogger(__name__)


# --- packing, and unpacking there ---------------------------------------------------------------


def pack(options: Namespace) -> None:
    """Write the volumes to train and validate on as pieces of a tar.xz.

    Raises as `load_split` for missing or bad volumes, before anything is written.
    """
    splits = [load_split(options.dataset, options.data, split) for split in ("train", "val")]
    sources = sorted({Path(case.source) for cases in splits for case in cases})
    options.to.mkdir(parents=True, exist_ok=True)
    for old in options.to.glob(f"{PIECE}*"):
        old.unlink()
    told, whole = options.to / DATA, options.to / "data.tar.xz"
    told.write_text(json.dumps(fingerprint(options.dataset, options.data)))
    with tarfile.open(whole, "w:xz", preset=6) as archive:
        for path in dict.fromkeys(path for source in sources for path in _files(source)):
            archive.add(path, path.relative_to(options.data))
        archive.add(told, DATA)
    size = int(options.piece_mb * 2**20)
    with whole.open("rb") as file:
        for number, piece in enumerate(iter(lambda: file.read(size), b"")):
            (options.to / f"{PIECE}{number:02}").write_bytes(piece)
    told.unlink()
    whole.unlink()


def _files(source: Path) -> list[Path]:
    """A volume's file; of NIfTI the split's whole folder, as masks are files of their own."""
    if source.suffix == ".h5":
        return [source]
    split = source.parents[1]
    found = [path for path in split.rglob("*") if path.is_file()]
    return sorted(found) + list(split.parent.glob("dataset.toml"))


def unpack(pieces: Path, work: Path) -> Path:
    """The data's folder in `work`, unpacked from the pieces unless it is there.

    Raises FileNotFoundError where there are no pieces.
    """
    data = work / "data"
    if data.exists():
        return data
    found = sorted(pieces.glob(f"{PIECE}*"))
    if not found:
        raise FileNotFoundError(
            f"{pieces}: no {PIECE}00 here; make it with pack, and carry it over"
        )
    whole, beside = work / "data.tar.xz", work / "unpacking"
    shutil.rmtree(beside, ignore_errors=True)
    with whole.open("wb") as file:
        for piece in found:
            file.write(piece.read_bytes())
    with tarfile.open(whole) as archive:
        # Python 3.11 knows the filter from 3.11.4 on; the archive is of our own making.
        safe: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(beside, **safe)
    whole.unlink()
    beside.rename(data)  # last: what is cut off here is unpacked again
    return data


# --- on the machine -----------------------------------------------------------------------------


def run(options: Namespace) -> None:
    """Profile, benchmark, and training until the seconds are over.

    Raises ValueError for a run that can't be made before any of these costs time.
    """
    runs = {text: wanted(options, text) for text in options.runs}
    end = time.monotonic() + options.seconds
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    data = None if options.dataset == "phantom" else unpack(options.pieces, options.work)
    parts: dict[str, Callable[[], Any]] = {
        "profile": lambda: profile(options, device),
        "benchmark": lambda: list(benchmark(options, device)),
    }
    for name, part in parts.items():
        if name not in options.skip:
            _report(options.out / f"{name}.json", part, device)
    for text, run in runs.items():
        train_in_budget(run, text, options, data, device, end)


def wanted(options: Namespace, text: str) -> Run:
    """The run that "METHOD:SEED" stands for; ValueError for another text, method or option."""
    method, _, seed = text.partition(":")
    if not seed.isdigit():
        raise ValueError(f"{text!r}: write a run as METHOD:SEED, as in scn:0")
    get_method(method)
    return make_run(options.dataset, method, int(seed), options.profile, **dict(options.set))


def _report(path: Path, part: Callable[[], Any], device: torch.device) -> None:
    """Write what the part gives, or its trouble, with the machine's name."""
    began = time.monotonic()
    content: dict[str, Any] = {
        "machine": provenance.hardware(device),
        "versions": provenance.versions(),
    }
    try:
        content["result"] = part()
    except Exception as error:  # the training has to start whatever happened here
        content["trouble"] = f"{type(error).__name__}: {error}"
        log.exception("%s", path.name)
    content["seconds"] = round(time.monotonic() - began, 1)
    replace_text(path, json.dumps(content, indent=1) + "\n")
    log.info("%s: %s s", path.name, content["seconds"])


def profile(options: Namespace, device: torch.device) -> dict[str, Any]:
    """SCN's kernels by time, eager and as a compiled graph."""
    result = {}
    for way in ("eager", "compiled graph") if device.type == "cuda" else ("eager",):
        step = method_step("scn", options.size, options.batch, device, way)
        for _ in range(5):
            step()
        rows = kernels(step, device)
        total = round(sum(float(row["ms"]) for row in rows), 3)
        result[way] = {"ms": total, "kernels": rows[:60]}
    return result


def benchmark(options: Namespace, device: torch.device) -> Iterator[dict[str, Any]]:
    """Rows of the table: a step's milliseconds of each method in each way, with its memory."""
    on_gpu = device.type == "cuda"
    table = [("scn", way) for way in WAYS[::-1]] + [("pce", way) for way in WAYS[::-1]]
    table = [(PLAIN, "eager"), *table] if on_gpu else [(m, "eager") for m in (PLAIN, "pce", "scn")]
    for name, way in table:
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        began = time.monotonic()
        if name == PLAIN:
            step = plain_step(options.size, options.batch, device)
        else:
            step = method_step(name, options.size, options.batch, device, way)
        took = step()
        for _ in range(4 if on_gpu else 0):
            took = step()
        ready = round(time.monotonic() - began, 1)
        times = timed(step, device, repeats=5, inner=20 if on_gpu else 1)
        row = {"method": name, "asked": way, "way": took or "eager", "seconds_to_start": ready}
        row |= times | {"peak_memory_mb": provenance.peak_memory_mb(device)}
        log.info("%s", row)
        yield row


def train_in_budget(
    run: Run, name: str, options: Namespace, data: Path | None, device: torch.device, end: float
) -> None:
    """Go on with a run until it is finished or the time is over; its checkpoint goes to OUT."""
    kept = f"{name.replace(':', '-')}.pt"
    folder = options.work / "runs" / kept.removesuffix(".pt")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / checkpoint.CHECKPOINT
    if not path.exists() and options.resume and (options.resume / kept).exists():
        shutil.copyfile(options.resume / kept, path)
    if time.monotonic() > end - RESERVE:
        return
    cases = [load_split(run.dataset, data, split) for split in ("train", "val")]
    training = Training(run, folder, data, device, (cases[0], cases[1]), options.step)
    training.state.data = (
        json.loads((data / DATA).read_text()) if data else fingerprint(run.dataset, None)
    )
    training.resume()
    state, copied = training.state, time.monotonic()
    first = state.iteration
    while state.iteration < run.profile.iterations and time.monotonic() < end - RESERVE:
        training.advance()
        if time.monotonic() - copied > COPY_SECONDS and training.at_row:
            training.save()
            replace_bytes(options.out / kept, path.read_bytes())
            copied = time.monotonic()
    if state.iteration > first:
        training.save()
    replace_bytes(options.out / kept, path.read_bytes())
    told = {"iteration": state.iteration, "of": run.profile.iterations, "step": training.step.kind}
    told |= {"seconds": round(state.seconds, 1), "from": first, "curve": state.curve[-200:]}
    told |= {"validation": state.validation, "memory": provenance.peak_memory_mb(device)}
    replace_text(options.out / f"{kept}.json", json.dumps(told, indent=1) + "\n")
    log.info("%s: %d of %d iterations", name, state.iteration, run.profile.iterations)


# --- back home ----------------------------------------------------------------------------------


def finish(options: Namespace) -> None:
    """Test the best weights of finished checkpoints and write their records.

    Raises ValueError for a checkpoint of a run that is not finished.
    """
    for path in options.checkpoints:
        run, state, _ = checkpoint.contents(path)
        done = state.iteration
        if done < run.profile.iterations:
            raise ValueError(
                f"{path}: {done} of {run.profile.iterations} iterations: go on with it (--resume)"
            )
        which = (run.profile.name, run.dataset, run.method, run.seed, run.variant)
        folder = run_folder(options.out, *which)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "record.json").exists():
            raise ValueError(f"{folder}: holds a record already; give another --out, or delete it")
        shutil.copyfile(path, folder / checkpoint.CHECKPOINT)
        training = Training(run, folder, options.data, torch.device("cpu"), step="eager")
        training.resume()
        record = training.finish()
        print(f"{folder}: mean Dice {record.summary['dice']['mean']:.4f}")


# --- the command --------------------------------------------------------------------------------


def parse(words: list[str]) -> Namespace:
    """The options; wrong usage ends the program with one line."""
    text = __doc__ or ""
    parser = Parser("python -m study.speed.on_gpu", text.split("\n")[0], text)
    commands = parser.add_subparsers(required=True, parser_class=_SubParser)
    packing = commands.add_parser("pack")
    packing.add_argument("--data", type=Path, required=True)
    packing.add_argument("--to", type=Path, required=True)
    packing.add_argument("--dataset", default="acdc")
    packing.add_argument("--piece-mb", type=float, default=28)
    packing.set_defaults(action=pack)
    there = commands.add_parser("run")
    there.add_argument("--pieces", type=Path, default=REPOSITORY)
    there.add_argument("--work", type=Path, required=True, help="kept from slice to slice")
    there.add_argument("--out", type=Path, required=True, help="what goes back")
    there.add_argument("--resume", type=Path, help="an earlier --out, on a fresh machine")
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
    home.add_argument("checkpoints", type=Path, nargs="+")
    home.add_argument("--data", type=Path)
    home.add_argument("--out", type=Path, required=True)
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

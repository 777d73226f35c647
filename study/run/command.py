"""The study's command line: what is asked, what is left to do, running it, and how it ended.

At the top it imports only what needs nothing installed: `--help` works before the installation.
"""

import argparse
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scnlib.commandline import Parser, hear_ctrl_c, print_any_name
from scnlib.paths import REPOSITORY, to_path

DEMO_METHODS = ["pce", "cale", "scn", "full"]
STEP_KINDS = ["auto", "eager", "compiled", "graph"]  # as in scnlib.step, which loads torch

DESCRIPTION = """\
Reproduction of ScribbleCorrNet: trains, evaluates, and makes the tables and figures by running the
notebooks. Without options: the demo, on procedural hearts, in minutes on a CPU. A training that is
done is not done again, and the same command goes on after a stop; the other notebooks are executed
again where anything has changed."""

EPILOG = """\
examples:
  ./run_all.sh                                    the demo, results in results/demo
  ./run_all.sh --profile cpu                      tables and figures from the committed records
  ./run_all.sh --profile cpu --data ~/data        train what has no record yet, then the tables
  ./run_all.sh --profile cpu --data ~/data --datasets acdc --methods scn --retrain --out again
                                                  train again elsewhere and compare
  ./run_all.sh --test                             check the code"""


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _seeds(text: str) -> list[int]:
    if not all(word.isdecimal() for word in _words(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: seeds are whole numbers from 0 on")
    return [int(word) for word in _words(text)]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options; a wrong one ends the program with one line and code 2."""
    parser = Parser("./run_all.sh", DESCRIPTION, EPILOG)
    _add_what(parser.add_argument)
    _add_how(parser.add_argument)
    return parser.parse_args(arguments)


def _add_what(add: Callable[..., Any]) -> None:
    """The options that say what is trained."""
    add(
        "--profile",
        choices=["demo", "cpu", "night", "paper"],
        default="demo",
        help="demo: 64x64 phantom, minutes; cpu: real data at 128x128; night: at 256x256 as "
        "printed, a tenth of the training, for two fast cores; paper: the printed batch and steps "
        "too, for a GPU (default: demo)",
    )
    add("--data", type=to_path, metavar="DIR", help="folder with ACDC, MSCMR or your own data sets")
    add(
        "--datasets",
        type=_words,
        nargs="+",
        metavar="NAME",
        help="acdc, mscmr, phantom, or a folder in DIR with a dataset.toml (default: phantom for "
        "the demo, else acdc mscmr)",
    )
    add(
        "--methods",
        type=_words,
        nargs="+",
        metavar="NAME",
        help="rows of the tables to train, or 'all' (default: "
        f"{' '.join(DEMO_METHODS)} for the demo, else all)",
    )
    add(
        "--variant",
        default="",
        metavar="NAME",
        help="train with this departure from the protocol instead (study.experiments.VARIANTS; "
        "several: joined by +); it is validated and never tested",
    )
    add("--seeds", type=_seeds, nargs="+", default=[[0]], metavar="N", help="(default: 0)")


def _add_how(add: Callable[..., Any]) -> None:
    """The options that say where and how it is run."""
    add("--jobs", type=int, metavar="N", help="trainings at a time (default: one, or one a GPU)")
    add("--out", type=to_path, metavar="DIR", help="folder for the results (default: results)")
    add(
        "--on",
        default="local",
        metavar="WHERE",
        help="local, slurm, or a folder with a Snakemake profile (default: local)",
    )
    add(
        "--step",
        choices=STEP_KINDS,
        default="auto",
        help="how a training's steps run, the same but for rounding; eager where a compiler or a "
        "GPU's recorded step misbehaves (default: auto, or the variable SCN_STEP)",
    )
    add("--fp32", action="store_true", help="no bfloat16, also where the processor has it")
    add("--dry-run", action="store_true", help="say what would be done")
    add(
        "--retrain",
        action="store_true",
        help="print the differences to the committed results, training in another --out what has "
        "no record there (in the demo: train again)",
    )
    add("--test", action="store_true", help="check the code: ruff, pyright, pytest")
    add("--notebooks", type=Path, default=REPOSITORY / "notebooks", help=argparse.SUPPRESS)


def resolve(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in the defaults and check the options against each other and the disk.

    Raises `ValueError` with one line that says what to change.
    """
    from scnlib.methods import METHODS
    from scnlib.paths import RESULTS, results_root

    demo = options.profile == "demo"
    options.out = results_root(options.out or "")
    options.is_default_out = options.out == RESULTS.resolve()
    options.notebooks = options.notebooks.resolve()
    methods = _flat(options.methods) or (DEMO_METHODS if demo else ["all"])
    options.methods = list(METHODS) if "all" in methods else methods
    options.datasets = _flat(options.datasets) or (["phantom"] if demo else ["acdc", "mscmr"])
    options.seeds = _flat(options.seeds) or [0]
    options.train = demo or options.data is not None
    _check_names(options)
    if options.jobs is not None and options.jobs < 1:
        raise ValueError("--jobs must be 1 or more")
    if options.data is not None:
        options.data = options.data.resolve()
        if not options.data.is_dir():
            raise ValueError(f"--data {options.data}: there is no such folder")
    if options.retrain and not demo and (options.data is None or options.is_default_out):
        raise ValueError("--retrain needs --data DIR, and --out DIR to keep the committed records")
    options.on = _snakemake_profile(options.on)
    return options


def _check_names(options: argparse.Namespace) -> None:
    from scnlib.methods import METHODS
    from study.experiments import changes_of
    from study.places import TAKEN, is_name

    for name in options.methods:
        if name not in METHODS:
            raise ValueError(f"unknown method {name!r}: choose from {', '.join(METHODS)} or all")
    for name in options.datasets:
        if not is_name(name):
            raise ValueError(
                f"data set {name!r}: a name has letters, digits, - and _ only, and is none of "
                f"{', '.join(TAKEN)}"
            )
        if options.profile == "demo" and name != "phantom" and options.data is None:
            raise ValueError(f"data set {name!r} needs --data DIR")
    changes_of(options.variant)


def _flat(groups: list[list] | None) -> list:
    return list(dict.fromkeys(word for group in groups or [] for word in group))


def _snakemake_profile(name: str) -> Path:
    for folder in (REPOSITORY / "study" / "run" / "profiles" / name, Path(name).resolve()):
        if (folder / "config.yaml").is_file():
            return folder
    raise ValueError(f"--on {name}: neither local nor slurm nor a folder with a config.yaml")


def run_tests() -> int:
    """ruff, pyright and pytest in this environment; pytest's closing line comes last."""
    python = [sys.executable, "-m"]
    node = os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    codes = [subprocess.run([*python, "ruff", "check", "--quiet"], cwd=REPOSITORY).returncode]
    pyright = [*python, "pyright", "--pythonpath", sys.executable]
    if subprocess.run(
        [*pyright, "--version"], cwd=REPOSITORY, env=node, capture_output=True
    ).returncode:
        print("skipped pyright: it has no Node.js and cannot fetch one here")
    else:
        codes.append(subprocess.run(pyright, cwd=REPOSITORY, env=node).returncode)
    sys.stdout.flush()
    codes.append(subprocess.run([*python, "pytest", "-q"], cwd=REPOSITORY).returncode)
    return int(any(codes))


def name_the_user() -> None:
    """Give a user id without an account a name and a home folder, which libraries ask for.

    Containers and clusters run such; `docker run --user 12345` is one.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("LOGNAME", f"user{os.getuid()}")
        home = os.environ.get("HOME", "")
        if not home or not os.access(home, os.W_OK):
            os.environ["HOME"] = tempfile.mkdtemp(prefix="home")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks; the exit code says whether all of it worked."""
    print_any_name()
    options = parse(arguments)
    name_the_user()
    if options.test:
        try:
            return run_tests()
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 130
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback while the libraries load
    from study.run.running import again, plan_study, run_study

    hear_ctrl_c()
    # It ends all as Ctrl-C does, kernels too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        runs, jobs = plan_study(resolve(options))
        return 0 if options.dry_run else run_study(options, runs, jobs)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped: {again(options)} goes on where it stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""Which Python runs the study: the active environment if it has all that is needed, else `.venv`.

`run_all.sh` starts this with any Python 3.11 or newer before anything is installed, so it uses the
standard library only. It prints the interpreter's path; what people should read goes to stderr.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from scnlib.paths import REPOSITORY

HASHES = Path("study/run/hashes.txt")  # in the repository
# Import names, the rare ones first: an environment that lacks one is then found out at once.
NEEDS = (
    "snakemake papermill medpy nibabel anywidget safetensors tabulate seaborn pytest hypothesis "
    "ruff pyright nbstripout nbformat ipykernel jupyterlab ipywidgets h5py pydantic psutil tqdm "
    "playwright axe_playwright_python skimage scipy matplotlib pandas numpy torch"
).split()


def works(python: str) -> bool:
    """Whether this interpreter is 3.11 or newer and imports everything that the study needs."""
    check = f"import sys; assert sys.version_info >= (3, 11)\nimport {', '.join(NEEDS)}"
    return _succeeds([python, "-P", "-c", check])


def choose(root: Path = REPOSITORY) -> str:
    """The interpreter to use; makes, repairs or updates `root/.venv` if no other has what it takes.

    Raises `subprocess.CalledProcessError` if `.venv` can't be made or filled.
    """
    own = root / ".venv"
    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if active and Path(active).resolve() != own.resolve():
        others = [str(Path(active) / "bin" / "python")]
    elif active or _is_complete(own):
        others = []
    else:  # a container may have everything in its only Python
        others = [path for name in ("python3", "python") if (path := shutil.which(name))]
    for python in others:
        if works(python):
            return python
    _install(own)
    return str(own / "bin" / "python")


def _install(own: Path) -> None:
    lock = own.parent / "requirements.lock"
    with lock.open() as held:
        with suppress(OSError):  # some file systems have no locks
            fcntl.flock(held, fcntl.LOCK_EX)  # of two first starts at once, the second waits here
        if _is_complete(own):
            return
        _say(f"Installing the packages of {lock.name} into {own} (this time only: a few minutes, ")
        _say("longer where PyTorch brings its CUDA libraries).")
        if not _succeeds([str(own / "bin" / "python"), "-m", "pip", "--version"]):
            _run([sys.executable, "-m", "venv", "--clear", str(own)])
        pip = [str(own / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
        # Each file's sha256 is checked, but for torch (and what a platform adds): it comes from
        # several places, built for other GPUs or none, and so has no one sum.
        hashes = own.parent / HASHES
        _run([*pip, "--quiet", "--no-deps", "--require-hashes", "--requirement", str(hashes)])
        _run([*pip, "--quiet", "--requirement", str(lock)])
        # Written last: without it an interrupted installation is repaired at the next start.
        (own / "complete").write_text(_checksum(lock))


def _is_complete(own: Path) -> bool:
    stamp = own / "complete"
    current = _checksum(own.parent / "requirements.lock")
    return (
        stamp.is_file()
        and stamp.read_text() == current
        and _succeeds([str(own / "bin" / "python"), "-c", ""])
    )


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)  # stdout is for the answer alone


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Print the interpreter to use; 1 after one clear line where none can be had."""
    try:
        print(choose())
    except subprocess.CalledProcessError as error:
        what = (
            "made (see above; on Debian and Ubuntu it needs the package python3-venv, and a folder "
            "that can't be written to an active environment with requirements.lock)"
        )
        if "pip" in error.cmd:
            what = "filled (see pip's message above); the same command goes on where it stopped"
        _say(f"error: {REPOSITORY / '.venv'} could not be {what}")
        return 1
    except KeyboardInterrupt:
        _say("stopped: the same command goes on where it stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

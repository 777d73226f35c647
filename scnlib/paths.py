"""Every path of the study, worked out from this file: it may be started from anywhere."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "results"
WEIGHTS = "weights.safetensors"
SHORT = "short"  # begins the variants of runs that are compared with one another alone


def to_path(text: str | Path) -> Path:
    """A path as the user gives it: ~ is the home folder, but ~a.nii.gz a file if ~a is no user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def results_root(out: str | Path = "") -> Path:
    """The folder that results are written to: `out`, or the repository's own `results`."""
    return to_path(out).resolve() if str(out) else RESULTS


def run_folder(
    out: Path, profile: str, dataset: str, method: str, seed: int, variant: str = ""
) -> Path:
    """Where a run keeps its record: OUT/PROFILE/DATASET/METHOD/seedN.

    A variant (a run that departs from the protocol to measure one choice) stands apart, under
    OUT/PROFILE/variants/VARIANT/DATASET/METHOD/seedN, so that no table can take it for a row; a
    short one under OUT/PROFILE/sensitivity, so that nothing compares it with a whole run.
    """
    kind = "sensitivity" if variant.startswith(SHORT) else "variants"
    base = out / profile / kind / variant if variant else out / profile
    return base / dataset / method / f"seed{seed}"


def weights_file(out: Path, profile: str, dataset: str) -> Path:
    """SCN's seed-0 weights: those that a run left under `out`, else the committed ones."""
    trained = run_folder(out, profile, dataset, "scn", 0) / WEIGHTS
    return trained if trained.exists() else RESULTS / "weights" / f"{dataset}.safetensors"

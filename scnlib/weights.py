"""A run's weights as a small file: saved, read, and as a network that predicts."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from scnlib.config import Run
from scnlib.methods.base import Method
from scnlib.methods.scn import SCN


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


def trained_network(path: Path) -> SCN:
    """SCN with the weights of `path`, set to evaluate; `.run` and `.classes` say what it is.

    Raises `ValueError` naming the file as `load_weights` does, and for another method's weights.
    """
    run, classes, weights = load_weights(path)
    net = SCN(run, classes)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path}: not SCN's weights; use those of a run of scn") from error
    return net.eval()

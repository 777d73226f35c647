"""A run's weights as a small file: saved, read, and as a network that predicts."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from scnlib.config import Run
from scnlib.files import replace_bytes
from scnlib.methods.base import Method
from scnlib.methods.scn import SCN
from scnlib.paths import WEIGHTS

ABOUT = "about"  # the one name in the file's metadata: several come in any order


class TrainedSCN(SCN):
    """SCN as a file of weights has it; `names` are its K classes, background first."""

    names: tuple[str, ...] = ()


def save_weights(path: Path, method: Method, run: Run, names: Sequence[str]) -> None:
    """Save a method's weights with the run that made them and the names of its classes.

    Parameters are in half precision. Buffers, as tau, are few and stay as they are: 0.9998 is 1 in
    half precision. Raises ValueError unless there is a name for each class.
    """
    if len(set(names)) != method.classes or len(names) != method.classes:
        raise ValueError(f"{path}: {method.classes} classes need as many names, not {list(names)}")
    halved = {name for name, _ in method.named_parameters()}
    weights = {
        name: (value.half() if name in halved else value).detach().cpu().contiguous()
        for name, value in method.state_dict().items()
    }
    replace_bytes(path, packed(run, names, weights))


def packed(run: Run, names: Sequence[str], weights: Mapping[str, Tensor]) -> bytes:
    """A safetensors file of these tensors on the CPU, as they are, the same bytes each time."""
    about = {"run": json.loads(run.to_json()), "classes": list(names)}
    about |= {"sha256": sum_of(said_of(about), weights)}
    return save(dict(weights), {ABOUT: json.dumps(about)})


def load_weights(path: Path) -> tuple[Run, tuple[str, ...], dict[str, Tensor]]:
    """Read `save_weights`' file: the run, the names of the classes, and float32 weights.

    Raises `ValueError` naming the file if it is missing or not such a file.
    """
    if not path.exists():
        raise ValueError(f"{path}: {_why_absent(path.parent)}")
    if path.is_dir():
        raise ValueError(f"{path}: a folder; give a file of weights, as {path / WEIGHTS}")
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path}: not a safetensors file ({error}); give a run's {WEIGHTS}, or fetch it again "
            "if this is one"
        ) from error
    try:
        about = json.loads(told[ABOUT])
        run, names = Run.from_json(json.dumps(about["run"])), about["classes"]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path}: does not say which run made it; use weights of this study (earlier ones are "
            "rewritten by python -m study.migrate FOLDER)"
        ) from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path}: does not name its classes; train it again with this version")
    if about.get("sha256") != sum_of(said_of(about), weights):
        raise ValueError(
            f"{path}: changed since it was saved; restore it, or train again by ./run_all.sh --out"
        )
    weights = {k: v.float() if v.dtype == torch.half else v for k, v in weights.items()}
    return run, tuple(names), weights


def _why_absent(folder: Path) -> str:
    if (folder / "record.json").exists():  # training there anew would find it done
        return (
            "the record of this run is there and its weights are not; restore them, or train again "
            "by ./run_all.sh --out"
        )
    return (
        "no weights there; train scn with seed 0 on this data set first, or give the --profile and "
        "--results that it was trained with"
    )


def said_of(about: Mapping[str, Any]) -> str:
    """What a file says of its run and classes, as its sum has it."""
    return json.dumps([about["run"], about["classes"]], sort_keys=True)


def sum_of(said: str, weights: Mapping[str, Tensor]) -> str:
    """sha256 of all that a file holds: a turned bit in it would change predictions unseen."""
    total = hashlib.sha256(f"{said}\n".encode())
    for name in sorted(weights):
        values = weights[name]
        total.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        total.update(values.contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def trained_network(path: Path) -> TrainedSCN:
    """SCN with the weights of `path`, set to evaluate; `.run`, `.classes` and `.names` tell of it.

    Raises `ValueError` naming the file as `load_weights` does, and for another method's weights.
    """
    run, names, weights = load_weights(path)
    net = TrainedSCN(run, len(names))
    net.names = names
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path}: not SCN's weights; use those of a run of scn") from error
    return net.eval()

"""SCN's weights as a small file: half precision, and never read from another kind of file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from scnlib.config import make_run
from scnlib.methods import get_method
from scnlib.weights import load_weights, save_weights


def test_weights_come_back_in_half_precision(tmp_path: Path) -> None:
    run = make_run("phantom", "scn", size=32)
    torch.manual_seed(0)
    method = get_method("scn")(run, 3)
    path = tmp_path / "weights.safetensors"
    save_weights(path, method, run)
    again, classes, weights = load_weights(path)
    assert (again, classes) == (run, 3)
    state = method.state_dict()
    assert weights.keys() == state.keys()
    for name, value in state.items():
        expected = value.half().float() if value.is_floating_point() else value
        assert weights[name].dtype == expected.dtype
        assert torch.equal(weights[name], expected)
    get_method("scn")(again, classes).load_state_dict(weights)
    assert path.stat().st_size < 2.2 * sum(value.numel() for value in state.values())


def test_weights_that_are_missing_or_of_another_kind_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ValueError, match=r"weights\.safetensors: no weights there"):
        load_weights(path)
    for content in (b"", b"not weights at all"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"weights\.safetensors: not a safetensors file"):
            load_weights(path)
    run = make_run("phantom", "scn").to_json()
    for about in ({}, {"run": run}, {"run": "{}", "classes": "4"}, {"run": run, "classes": "all"}):
        save_file({"number": torch.zeros(1)}, path, metadata=about)
        with pytest.raises(ValueError, match=r"weights\.safetensors: does not say which run"):
            load_weights(path)

"""SCN's weights as a small file: half precision, and never read from another kind of file."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from scnlib.methods import get_method
from scnlib.paths import RESULTS
from scnlib.weights import ABOUT, load_weights, save_weights
from study.experiments import make_run


def test_weights_come_back_in_half_precision(tmp_path: Path) -> None:
    run = make_run("phantom", "scn", size=32)
    torch.manual_seed(0)
    method = get_method("scn")(run, 3)
    path = tmp_path / "weights.safetensors"
    names = ("background", "NA", "Höhle")
    save_weights(path, method, run, names)
    again, found, weights = load_weights(path)
    assert (again, found) == (run, names)
    state = method.state_dict()
    halved = {name for name, _ in method.named_parameters()}
    assert weights.keys() == state.keys()
    for name, value in state.items():
        expected = value.half().float() if name in halved else value
        assert weights[name].dtype == expected.dtype
        assert torch.equal(weights[name], expected)
    get_method("scn")(again, 3).load_state_dict(weights)
    assert path.stat().st_size < 2.2 * sum(value.numel() for value in state.values())


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    run = make_run("phantom", "scn", size=32)
    method, path = get_method("scn")(run, 2), tmp_path / "weights.safetensors"
    found = set()
    for _ in range(12):  # by chance, three entries have one order in 12 files once in 6 ** 11
        save_weights(path, method, run, ("background", "Höhle"))
        found.add(path.read_bytes())
    (content,) = found
    assert int.from_bytes(content[:8], "little") % 8 == 0  # the tensors begin at a multiple of 8


def test_weights_that_are_missing_or_of_another_kind_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ValueError, match=r"weights\.safetensors: no weights there"):
        load_weights(path)
    for content in (b"", b"not weights at all"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"weights\.safetensors: not a safetensors file"):
            load_weights(path)
    run = json.loads(make_run("phantom", "scn").to_json())
    for about in (3, {}, {"run": run}, {"run": {}, "classes": ["a", "b"]}, {"run": 3}):
        save_file({"number": torch.zeros(1)}, path, metadata={ABOUT: json.dumps(about)})
        with pytest.raises(ValueError, match=r"weights\.safetensors: does not say which run"):
            load_weights(path)
    save_file({"number": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"weights\.safetensors: does not say which run"):
        load_weights(path)


def test_weights_without_names_of_their_classes_are_refused(tmp_path: Path) -> None:
    path, run = tmp_path / "weights.safetensors", make_run("phantom", "scn", size=32)
    for classes in (4, [1, 2], {}):
        about = {"run": json.loads(run.to_json()), "classes": classes}
        save_file({"a": torch.zeros(1)}, path, metadata={ABOUT: json.dumps(about)})
        with pytest.raises(ValueError, match=r"weights\.safetensors: does not name its classes"):
            load_weights(path)
    with pytest.raises(ValueError, match="3 classes need as many names"):
        save_weights(path, get_method("scn")(run, 3), run, ("background", "LV", "LV"))


def test_tau_keeps_its_last_digits(tmp_path: Path) -> None:
    run = make_run("phantom", "scn", size=32)
    method = get_method("scn")(run, 4)
    state = method.state_dict()
    (name,) = [name for name in state if "tau" in name or "threshold" in name]
    state[name].fill_(0.9998)
    save_weights(tmp_path / "w.safetensors", method, run, ("background", "RV", "MYO", "LV"))
    assert float(load_weights(tmp_path / "w.safetensors")[2][name]) == 0.9998


def test_a_turned_bit_is_found(tmp_path: Path) -> None:
    run = make_run("phantom", "scn", size=32)
    path = tmp_path / "w.safetensors"
    save_weights(path, get_method("scn")(run, 2), run, ("background", "LV"))
    whole = path.read_bytes()
    start = whole.index(b'"seed":0') if b'"seed":0' in whole else whole.index(b"seed")
    for place in (2, start, start + 10, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"w\.safetensors: "):
            load_weights(path)
    for length in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"w\.safetensors: not a safetensors file"):
            load_weights(path)


@pytest.mark.parametrize("dataset", ["acdc", "mscmr", "phantom"])
def test_committed_weights_name_the_structures_of_the_heart(dataset: str) -> None:
    run, names, _ = load_weights(RESULTS / "weights" / f"{dataset}.safetensors")
    assert (run.dataset, names) == (dataset, ("background", "RV", "MYO", "LV"))

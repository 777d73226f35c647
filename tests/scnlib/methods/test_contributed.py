"""The example of CONTRIBUTING.md, how a method is added, does what the page says."""

import re
import sys
from types import ModuleType

import pytest
import torch

from scnlib.methods import PLACES
from scnlib.paths import REPOSITORY
from tests.scnlib.methods.test_methods import all_finite, batch_of, build, now


def test_the_example_of_a_new_method_trains_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (name, place) = re.findall(r'add `"(\w+)": "([\w.]+)"` to `PLACES`', page)[0]
    module = ModuleType(f"scnlib.methods.{place.split('.')[0]}")
    exec(code, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(PLACES, name, place)

    method = build(name).train()
    optimiser = torch.optim.SGD(method.parameters(), lr=0.1)
    before = [parameter.detach().clone() for parameter in method.parameters()]
    total, parts = method.loss(batch_of(), now())
    total.backward()
    optimiser.step()
    assert all_finite([total, *method.parameters()]) and all_finite(
        [*map(torch.as_tensor, parts.values())]
    )
    moved = [
        not torch.equal(old, new) for old, new in zip(before, method.parameters(), strict=True)
    ]
    assert sum(moved) > len(moved) / 2

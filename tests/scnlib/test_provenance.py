"""What a record says of the process that made it."""

import subprocess
import sys

import numpy as np
import pytest

from scnlib.provenance import changes

ALONE = """
import torch
from scnlib.provenance import peak_memory_mb
print(peak_memory_mb(torch.device("cpu")))
"""


GROWN = """
import numpy as np
import torch
from scnlib.provenance import peak_memory_mb
cpu = torch.device("cpu")
before = peak_memory_mb(cpu)
held = np.ones(200 * 2**17)  # 200 MB
assert peak_memory_mb(cpu) >= before + 150
del held
assert peak_memory_mb(cpu) >= before + 150
"""


def test_versions_that_a_process_does_not_tell_are_no_change() -> None:
    alike = {"hardware": "a", "dtype": "float32", "threads": 1}
    told = [{"torch": "1", "scikit-image": "3"}, None, {"torch": "2"}, {"scikit-image": "unknown"}]
    processes = [alike, *(alike | {"versions": versions} for versions in told)]
    assert changes(processes) == ["torch changed on the way: 1 then 2"]


def test_the_peak_of_memory_grows_with_what_was_held_and_stays() -> None:
    subprocess.run([sys.executable, "-c", GROWN], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_peak_of_memory_is_not_that_of_the_process_that_started_it() -> None:
    held = np.ones(2**27)  # 1 GB
    done = subprocess.run([sys.executable, "-c", ALONE], check=True, capture_output=True, text=True)
    assert 50 < float(done.stdout) < 900 < held.nbytes / 2**20

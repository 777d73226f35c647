"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data: SCN_DATA, or a folder "data" in or beside the repository."""
    given = os.environ.get("SCN_DATA")
    places = [Path(given)] if given else [REPOSITORY / "data", REPOSITORY.parent / "data"]
    for place in places:
        if (place / "ACDC").is_dir() and (place / "MSCMR").is_dir():
            return place
    pytest.skip("the real data are not here: set SCN_DATA to the folder with ACDC and MSCMR")

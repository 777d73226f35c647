"""The site of the committed notebooks, built once for all tests that look at it."""

from pathlib import Path

import pytest

from study.site import build as site


@pytest.fixture(scope="session")
def pages(tmp_path_factory) -> dict[str, Path]:
    built = site.build("cpu", tmp_path_factory.mktemp("built") / "site")
    return {page.stem: page for page in built}

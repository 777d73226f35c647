"""How often each benchmark is repeated: `--rounds`, as `python -m study.speed` gives it."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=5)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    return int(str(request.config.getoption("--rounds")))

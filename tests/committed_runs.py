"""The committed runs, read once for all the tests that only look at them."""

from functools import cache

from scnlib.paths import RESULTS
from scnlib.records import Record
from study.collected import Kind, collect


@cache
def committed_runs(profile: str = "cpu", kind: Kind = "protocol") -> list[Record]:
    return collect(RESULTS, profile, kind)

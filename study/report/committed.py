"""What is shown where someone has no runs of their own: the committed records, and said so."""

from collections.abc import Sequence

from scnlib.paths import RESULTS
from scnlib.records import Record
from study.collected import Kind, collect
from study.report.titles import DATASETS

PROFILE = "cpu"  # whose records are committed


def own_or_committed(own: Sequence[Record], profile: str) -> tuple[list[Record], str]:
    """Own records and their profile; the committed ones where none is of the paper's data sets."""
    if any(record.run.dataset in DATASETS.values() for record in own):
        return list(own), profile
    return collect(RESULTS, PROFILE), PROFILE


def own_or_committed_variants(
    own: Sequence[Record], profile: str, kind: Kind = "variants"
) -> tuple[list[Record], str]:
    """The same for runs of another kind: the committed ones where there is none of one's own."""
    if own:
        return list(own), profile
    return collect(RESULTS, PROFILE, kind), PROFILE


def note(profile: str, source: str) -> str:
    """A sentence in Markdown on where the numbers come from; empty where they are one's own."""
    if profile == source:
        return ""
    return (
        f"**Not from here:** profile {profile} has no run on the paper's data sets yet, so what "
        f"follows are the study's committed records of profile {source}."
    )

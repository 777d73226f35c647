"""What is shown where someone has no runs of their own: the committed records, and said so."""

from collections.abc import Sequence

from scnlib.paths import RESULTS
from scnlib.records import Record
from study.collected import Kind, collect
from study.places import COMMITTED
from study.report.titles import DATASETS


def own_or_committed(own: Sequence[Record], profile: str) -> tuple[list[Record], str, bool]:
    """Own records, their profile, and True; or the committed ones, theirs, and False.

    The latter where no own one is of the paper's data sets.
    """
    if any(record.run.dataset in DATASETS.values() for record in own):
        return list(own), profile, True
    return collect(RESULTS, COMMITTED), COMMITTED, False


def own_or_committed_choices(
    own: Sequence[Record], variants: Sequence[Record], profile: str
) -> tuple[list[Record], list[Record], str, bool]:
    """The same of runs by the protocol and of its variants, which are compared with one another:
    both are own, or both committed."""
    found, source, mine = own_or_committed(own if variants else [], profile)
    both = list(variants) if mine else collect(RESULTS, COMMITTED, "variants")
    return found, both, source, mine


def own_or_committed_of_kind(
    own: Sequence[Record], profile: str, kind: Kind
) -> tuple[list[Record], str]:
    """Own runs of a kind that is compared with itself alone; the committed ones where none is."""
    if own:
        return list(own), profile
    return collect(RESULTS, COMMITTED, kind), COMMITTED


def note(profile: str, source: str, own: bool) -> str:
    """A sentence in Markdown on where the numbers come from; empty where they are one's own."""
    if own:
        return ""
    return (
        f"**Not from here:** these results have no such run of profile {profile} on the paper's "
        f"data sets yet, so what follows are the study's committed records of profile {source}."
    )

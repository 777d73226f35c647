"""Whose volume a file is, by its name, and what that says of a set.

A patient in two splits makes every score of the second too good, and patients taken for one make
every test too weak: both are told.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from scnlib.data.cases import first_names, split_name
from scnlib.data.checks import Fault, log, stop
from scnlib.data.volume import stem

Names = dict[Path, tuple[str, str]]  # file -> subject and frame
CROWD = 3  # so many volumes of a set's only subject are no longer believed
HINT = "if the names are read wrongly, give dataset.toml a volume_name"


def identify(images: Iterable[Path], pattern: str = "", fault: Fault = stop) -> Names:
    """Subject and frame of each image, by `split_name`.

    Raises ValueError, or hands it to `fault`, for a name that the pattern does not fit and for two
    files that would be one volume.
    """
    names: Names = {}
    volumes: dict[str, Path] = {}
    for path in images:
        try:
            subject, frame = split_name(stem(path), pattern)
        except ValueError as error:
            fault(ValueError(f"{path}: {error}"))
            continue
        other = volumes.setdefault(f"{subject}_{frame}", path)
        if other is not path:
            alike = f"subject {subject}, frame {frame}, as {other.name} is"
            fault(ValueError(f"{path}: {alike}: rename one"))
        names[path] = subject, frame
    return names


def note_crowd(place: Path, names: Names) -> None:
    """Warn if all of several volumes are taken for one subject's."""
    subjects = {subject for subject, _ in names.values()}
    if len(names) >= CROWD and len(subjects) == 1:
        text = "%s: all %d volumes are taken for subject %s: %s"
        log.warning(text, place, len(names), *subjects, HINT)


def note_shared(folder: Path, names: Names, others: Mapping[str, Names]) -> None:
    """Warn of volumes and of subjects that another split has too."""
    for split, there in others.items():
        files = {stem(path) for path in names} & {stem(path) for path in there}
        if files:
            log.warning("%s: also in the %s split: %s", folder, split, first_names(sorted(files)))
        subjects = {subject for subject, _ in names.values()}
        subjects &= {subject for path, (subject, _) in there.items() if stem(path) not in files}
        if subjects:
            log.warning(
                "%s: subjects that the %s split has too: %s: keep a subject in one split (%s)",
                *(folder, split, first_names(sorted(subjects)), HINT),
            )

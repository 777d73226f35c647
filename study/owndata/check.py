"""Everything that is wrong with an own data set, at once: `python -m study.owndata DIR/NAME`.

The readers stop at the first fault, as training must. This collects what they complain of, file by
file, and adds what only the whole set shows: classes that nobody scribbled, volumes in two splits,
images that lie differently. A line for each: `error` is what training refuses or what spoils its
scores, `warning` what it bears. The exit code is 1 if there is an error.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nibabel.orientations import aff2axcodes, io_orientation

from scnlib.commandline import Parser, print_any_name
from scnlib.data.cases import SPLITS, Layout
from scnlib.data.checks import log
from scnlib.data.folders import BUILT_IN
from scnlib.data.identity import Names, identify, note_crowd
from scnlib.data.layout import parse_layout
from scnlib.data.nifti import split_files
from scnlib.data.volume import stem
from scnlib.paths import to_path
from study.experiments import PROFILES
from study.owndata.inspection import NO_LAYOUT, Faults, Seen, look
from study.places import TAKEN, is_name

WIDER = 1.5  # how many times as wide as others a slice may be


def find_faults(folder: Path, profile: str = "") -> tuple[Faults, list[str]]:
    """All faults of the data set in `folder`, and lines that sum up what is there.

    Its slices have to fill a batch of `profile`; of the smallest one if none is named.
    """
    faults = Faults()
    if not folder.is_dir():
        faults.error(f"{folder}: no such folder: give DIR/NAME")
        return faults, []
    log.addHandler(faults)
    spread, log.propagate = log.propagate, False  # else the lines would be printed twice
    try:
        check_names(folder, faults)
        description = folder / "dataset.toml"
        layout = parse_layout(description, faults.fault)
        if layout is None:
            faults.warning(f"{description}: correct it first; values were not checked without")
        volumes = []
        for split in SPLITS:
            files = split_files(folder, split, layout or NO_LAYOUT, faults.fault)
            volumes += [look(split, found, layout, faults) for found in files]
        pattern = layout.volume_name if layout else ""
        names: Names = {}
        for split in SPLITS:
            here = [seen.path for seen in volumes if seen.split == split]
            identified = identify(here, pattern, faults.fault)
            note_crowd(folder / split, identified)
            names |= identified
        check_scribbles(folder / "train", volumes, layout, faults)
        check_batch(folder / "train", volumes, profile, faults)
        check_splits(volumes, names, faults)
        check_orientation(volumes, faults)
        check_widths(folder, volumes, faults)
        return faults, summarise(folder, volumes, names, layout)
    finally:
        log.removeHandler(faults)
        log.propagate = spread


def check_names(folder: Path, faults: Faults) -> None:
    """The data set's name, and folders that nothing reads."""
    name = folder.name if folder.name not in ("", "..") else folder.resolve().name
    if not is_name(name):
        faults.error(
            f"{folder}: rename it: letters, digits, - and _ only, and none of {', '.join(TAKEN)}"
        )
    if name in BUILT_IN:
        faults.error(f"{folder}: {name} is a built-in data set: rename the folder")
    known = {"train", "val", "test", "TestSet"}
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and p.name not in known):
        faults.warning(f"{path}: not read: the splits are train, val and test")
    if (folder / "test").is_dir() and (folder / "TestSet").is_dir():
        faults.warning(f"{folder / 'test'}: not read beside a TestSet: keep one of them")


def check_scribbles(
    place: Path, volumes: list[Seen], layout: Layout | None, faults: Faults
) -> None:
    """What training needs of the whole training split, which lies in `place`."""
    train = [seen for seen in volumes if seen.split == "train"]
    for kind, other in (("scribble", "mask"), ("mask", "scribble")):
        note = faults.error if kind == "scribble" else faults.warning  # only full needs masks
        for seen in train if any(kind in s.has for s in train) else ():
            if kind not in seen.has and other in seen.has:
                note(
                    f"{seen.path}: a {other} but no {kind}, which other training volumes have: "
                    "add it, or take those away"
                )
    if train and not any("scribble" in seen.has for seen in train):
        faults.warning(f"{place}: masks without scribbles: add these, or train only full")
    drawn = [seen for seen in train if seen.scribbled is not None]
    counts = [seen.scribbled for seen in train if seen.scribbled is not None]
    if bare := sum(seen.bare for seen in drawn):
        faults.warning(
            f"{place}: {bare} of {sum(seen.slices for seen in drawn)} slices have no stroke of a "
            "structure: where a heart is in them, box and scn_box would learn it as background"
        )
    for k, name in enumerate(layout.classes if layout and counts else ()):
        if not sum(int(pixels[k]) for pixels in counts):
            faults.error(
                f"{place}: {name} is never scribbled in the training set: scribble it, "
                "background too, or take it out of classes"
            )


def check_batch(place: Path, volumes: list[Seen], profile: str, faults: Faults) -> None:
    """Whether the training slices, which lie in `place`, fill a batch of the profile in use."""
    train = [seen for seen in volumes if seen.split == "train"]
    asked = [PROFILES[profile]] if profile else list(PROFILES.values())
    slices = sum(seen.slices for seen in train)
    short = {p.name: p.batch for p in asked if train and slices < p.batch}
    if short:
        note = faults.error if len(short) == len(asked) else faults.warning
        batches = ", ".join(f"{batch} of profile {name}" for name, batch in short.items())
        enough = ", ".join(p.name for p in asked if p.name not in short)
        others = f", or train with one that they fill: {enough}" if enough else ""
        note(f"{place}: {slices} readable slices do not fill a batch ({batches}): add some{others}")


def check_splits(volumes: list[Seen], names: Names, faults: Faults) -> None:
    """A volume or subject in two splits makes scores too good."""
    before: dict[tuple[str, str], Seen] = {}
    for seen in volumes:
        name = stem(seen.path)
        subject, _ = names.get(seen.path, (name, ""))
        keys = ("sum", seen.digest), ("file", name), ("subject", subject)
        twin, namesake, other = (before.setdefault(key, seen) for key in keys)
        if seen.digest and twin is not seen:
            faults.error(f"{seen.path}: the same image as {twin.path}: keep one of them")
        elif namesake is not seen:
            faults.warning(
                f"{seen.path}: also in the {namesake.split} split: keep one of them, or rename it "
                "if it is another subject"
            )
        elif other.split != seen.split:
            faults.warning(
                f"{seen.path}: subject {subject} is in the {other.split} split too: "
                "keep a subject in one split"
            )


def check_orientation(volumes: list[Seen], faults: Faults) -> None:
    """Images that lie otherwise than most of the set, beyond the obliqueness of their planes."""
    known: list[tuple[Seen, np.ndarray]] = []
    for seen in volumes:
        if seen.affine is None:
            continue
        if np.isfinite(seen.affine).all() and np.linalg.det(seen.affine):
            known.append((seen, seen.affine))
        else:
            faults.warning(f"{seen.path}: its affine is no orientation: export it again")
    starts = {aff2axcodes(affine): affine for _, affine in known}
    groups = [[lies_alike(start, affine) for _, affine in known] for start in starts.values()]
    for (seen, affine), alike in zip(known, max(groups, key=sum, default=[]), strict=True):
        if not alike:
            faults.warning(
                f"{seen.path}: its axes ({''.join(map(str, aff2axcodes(affine)))}) lie otherwise "
                "than those of most images: reorient it and its labels"
            )


def check_widths(folder: Path, volumes: list[Seen], faults: Faults) -> None:
    """Slices of unlike width: all are resized to as many pixels, and hearts with them."""
    known = [seen for seen in volumes if np.isfinite(seen.width) and seen.width > 0]
    ends = sorted(known, key=lambda seen: seen.width)
    if ends and ends[-1].width > WIDER * ends[0].width:
        told = [f"{seen.width:.0f} mm wide ({seen.path.name})" for seen in (ends[0], ends[-1])]
        faults.warning(
            f"{folder}: slices are {' to '.join(told)}, and all are resized to as many pixels, so "
            "that hearts differ in size as much: crop or pad to about one field of view"
        )


def lies_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether each axis of two grids points more or less the same way (affines, (4, 4))."""
    turn = io_orientation(np.linalg.inv(one) @ other)
    return bool((turn == [[0, 1], [1, 1], [2, 1]]).all())


def summarise(folder: Path, volumes: list[Seen], names: Names, layout: Layout | None) -> list[str]:
    """What there is and could be read: a line a split, and the scribbled pixels of each class."""
    lines = []
    for split in SPLITS:
        here = [seen for seen in volumes if seen.split == split]
        marks, masks = (sum(kind in s.has for s in here) for kind in ("scribble", "mask"))
        subjects = len({names[seen.path][0] for seen in here if seen.path in names})
        slices = sum(seen.slices for seen in here)
        lines.append(
            f"{split:6}{len(here)} volumes of {subjects} subjects, {slices} slices, "
            f"{marks} scribbles, {masks} masks"
        )
        counts = [seen.scribbled for seen in here if seen.scribbled is not None]
        if layout and counts:
            total = np.sum(counts, axis=0)
            shares = ", ".join(f"{n} {p}" for n, p in zip(layout.classes, total, strict=False))
            lines.append(
                f"      scribbled pixels: {shares}; {1 - total[-1] / total.sum():.2%} labelled"
            )
    return [f"{folder}:", *lines]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what `find_faults` finds; 1 if there is an error, 130 after Ctrl-C."""
    print_any_name()
    parser = Parser("python -m study.owndata", "Report all faults of an own data set.")
    parser.add_argument("folder", type=to_path, metavar="DIR/NAME")
    parser.add_argument("--profile", choices=PROFILES, default="", help="that will train on it")
    options = parser.parse_args(arguments)
    try:
        faults, summary = find_faults(options.folder, options.profile)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except OSError as error:  # of a folder or description, without which nothing can be said
        where = error.filename or options.folder
        print(f"error: {where}: {error.strerror or error}: allow reading it", file=sys.stderr)
        return 1
    for text, kind in faults.lines.items():
        print(f"{kind}: {text}")
    print(*summary, sep="\n")
    print(f"{faults.count('error')} errors, {faults.count('warning')} warnings")
    return int(faults.count("error") > 0)

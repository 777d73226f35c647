"""Which files of a folder are images to segment, and why the others are not.

Told by names and headers alone: what else lies beside images are their masks and scribbles, time
series, this program's own results, and files of other kinds.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from scnlib.data.volume import is_nifti, load_image, stem

SUFFIX = "_scn"  # of the label maps that scnlib.predict writes
WORDS = "gt|seg|segmentation|labels?|masks?|manual|scribbles?|roi"
LABEL = re.compile(rf"(?i)^({WORDS})([_-]|$)|[_-]({WORDS})$")  # the name's first part, or its last

Left = list[tuple[Path, str]]  # a file or folder, and why it is not taken


def find_images(places: Sequence[Path]) -> tuple[list[Path], Left, list[str]]:
    """Files as given and the images of folders, sorted; what is left of the folders, with why; and
    what is wrong with a folder that can't be read or has no image.

    Raises ValueError if there is no image at all.
    """
    images: list[Path] = []
    left: Left = []
    faults: list[str] = []
    for place in places:
        try:
            if not place.is_dir():
                images.append(place)
                continue
            reasons = {path: reason(path) for path in sorted(place.iterdir())}
        except OSError as error:
            faults.append(f"{place}: can't be read ({error.strerror}): allow it or leave it out")
            continue
        taken = [path for path, why in reasons.items() if not why]
        left += [(path, why) for path, why in reasons.items() if why]
        if not taken:
            aside = "; ".join(f"{path.name}: {why}" for path, why in list(reasons.items())[:5])
            faults.append(
                f"{place}: no NIfTI file in this folder to segment"
                f"{f' ({aside})' if aside else ''}; give one with images"
            )
        images += taken
    if not images:
        raise ValueError("; ".join(faults))
    once: dict[Path, Path] = {}  # of one file by two paths, the first
    for path in images:
        once.setdefault(path.resolve(), path)
    return list(once.values()), left, faults


def reason(path: Path) -> str:
    """Why a file of a folder is no image to segment; "" for an image."""
    if path.is_dir():
        return "a folder within: give it by itself"
    if path.name.startswith("."):
        return "hidden"
    if not is_nifti(path):
        return "not NIfTI (.nii, .nii.gz)"
    name = stem(path)
    if name.endswith(SUFFIX):
        return "a result of this program"
    if LABEL.search(name):
        return "labels by its name: give the file itself if it is an image"
    try:
        frames = [n for n in load_image(path).shape[3:] if n > 1]
    except (ValueError, OSError):
        return ""  # what is wrong with it is told when it is read
    return f"a series of {frames[0]} volumes: cut the frames out of it" if frames else ""

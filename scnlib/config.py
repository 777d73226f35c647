"""What a run is: the profile (protocol), SCN's choices, and the run itself, frozen and checked.

An unknown name or a wrong type fails when the object is made, before anything is trained. All
methods share one profile, but for `study.experiments.RECIPES`; `SCNOptions` belongs to SCN and to
what is made from it, and a field of `ComparedOptions` to the method in its name. A field's comment
says where its value comes from; "paper silent" marks a choice of ours.
"""

import json
from dataclasses import fields
from typing import Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

_STRICT = ConfigDict(extra="forbid", strict=True)

Strokes = Literal[
    "all", "half", "quarter", "tenth", "unmarked", "wrong1", "wrong5", "wrong10", "thin"
]
ScribbleRule = Literal["keep", "nearest"]


@dataclass(frozen=True, config=_STRICT)
class Profile:
    """The protocol that every method of a table shares (`study.experiments` has the exceptions).

    Raises `pydantic.ValidationError` (a `ValueError`) for unknown names, wrong types or values out
    of range.
    """

    name: str
    # Images are resized to size x size (paper: 256)
    size: int = Field(default=256, ge=16, multiple_of=16)
    batch: int = Field(default=24, ge=1)  # slices a step (paper: 24)
    iterations: int = Field(default=30_000, ge=1)  # steps of a run (paper: 30,000)
    # Evenly spaced; the best of them is tested (paper silent)
    validations: int = Field(default=20, ge=1)
    optimiser: Literal["adam", "sgd"] = "adam"  # paper: Adam
    lr: float = Field(default=1e-3, gt=0)  # paper: 1e-3
    schedule: Literal["step", "poly"] = "step"  # paper: StepLR
    # Paper silent; chosen on validation Dice of `full`
    lr_factor: float = Field(default=0.1, gt=0, le=1)
    # StepLR's step is iterations / lr_steps, so 80% of the run (paper silent; chosen likewise)
    lr_steps: float = Field(default=1.25, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)  # paper silent
    dropout: Literal["channel", "element"] = "element"  # paper silent; chosen like lr_factor
    # How thin scribbles are resized: see `scnlib.data.resize.resize_scribble`.
    scribble_rule: ScribbleRule = "keep"
    # What a rotation brings in (paper silent): see `scnlib.augment.warp_training`.
    padding: Literal["unlabelled", "background"] = "unlabelled"
    # What is left of the scribbles: all, or less or worse (`scnlib.data.scribble_amount.redrawn`).
    strokes: Strokes = "all"
    bf16: bool = True  # autocast where the processor or GPU computes in bfloat16

    def __post_init__(self) -> None:
        if (self.size, self.batch) == (16, 1):  # one value a channel at the coarsest level
            raise ValueError("size 16 leaves nothing to normalise a batch of 1 by: take more")

    def validates_after(self, iteration: int) -> bool:
        """Whether a validation follows step `iteration` (from 1): `validations` of them, evenly
        spread, the last after the last step; one after each step where there are fewer."""
        count = min(self.validations, self.iterations)
        return iteration * count // self.iterations > (iteration - 1) * count // self.iterations


@dataclass(frozen=True, config=_STRICT)
class SCNOptions:
    """The paper's open choices. Defaults are the study's; alternatives are measured one by one."""

    stride: Literal[4, 8, 16] = 8  # encoder level that f is taken from (paper silent)
    # f_i . f_j / sqrt(D) inside the softmax. Printed outside: then Y_corr sums to 1/sqrt(D), not 1.
    scale_inside: bool = True
    projections: bool = False  # C compares two learned 1x1 convolutions of f (paper silent)
    propagate: Literal["probabilities", "logits"] = "probabilities"  # what C is multiplied with
    detach_propagated: bool = False  # stop the gradient through P (not through C)
    pap_target: Literal["hard", "soft"] = "hard"  # the paper says hard pseudo-labels
    # What PAP is over (paper: N, all pixels); or M after RSR
    pap_pixels: Literal["all", "confident"] = "all"
    # Rows of C drawn for each image; 0 takes all (paper silent)
    rows: int = Field(default=128, ge=0)
    # Of the shape masks (paper silent); None takes CGTM's tau
    mask_threshold: float | None = Field(default=0.5, ge=0, le=1)
    # f2 is not spelled out: rows may be enlarged (bilinear) first
    mask_grid: Literal["cells", "pixels"] = "cells"
    connected: bool = False  # a mask keeps the part that holds its row's own cell (f2, likewise)
    gate: Literal["none", "corrmatch"] = "none"  # when a shape mask may vote (paper: r unused)
    scribbles_confident: bool = True  # scribbled pixels belong to M
    overwrite: bool = False  # a mask may overwrite labels inside M, as printed
    region_mean: Literal["pixels", "mask"] = "pixels"  # what the RSR losses divide by
    tau: float = Field(default=0.85, ge=0, le=1)  # CGTM's initial threshold (paper: 0.85)
    # Of tau's average (paper silent); 1: fixed
    tau_momentum: float = Field(default=0.999, ge=0, le=1)
    temperature: float = Field(default=0.1, gt=0)  # T of CACL (paper silent)
    normalise: bool = True  # L2-normalise CACL's features and means (printed: as they are)
    means_over: Literal["batch", "image"] = "batch"  # whose pixels a mean is of (paper silent)
    detach_means: bool = False  # stop the gradient through the class means
    contrast_mean: Literal["pixels", "classes"] = "pixels"  # the print divides by class
    pce_sum: bool = False  # sum the partial cross-entropy, as printed, in place of its mean
    # Weights of PCE, PAP, RSR, CACL (paper: 1, .3, .25, .1)
    lambda1: float = Field(default=1.0, ge=0)
    lambda2: float = Field(default=0.3, ge=0)
    lambda3: float = Field(default=0.25, ge=0)
    lambda4: float = Field(default=0.1, ge=0)


@dataclass(frozen=True, config=_STRICT)
class ComparedOptions:
    """Compared methods as in their public code, or otherwise: the study's default stands first."""

    # S2L averages predictions from the start and from zero, as there: nothing is sure before the
    # eighth pass. Or from a tenth of the run on, from the first prediction.
    s2l_passes: Literal["throughout", "late"] = "throughout"
    # Pixels that no superpixel claims are background, as there; or unlabelled.
    fddseg_rest: Literal["background", "unlabelled"] = "background"
    # Labels and superpixels are mixed; or, as there in effect, there is no label where they differ.
    fddseg_target: Literal["mixed", "agreed"] = "mixed"
    # The smaller window of a smaller image weighs less; or a boundary costs as much as at 256.
    rloss_weight: Literal["fixed", "compensated"] = "fixed"
    # The original's level set and the regions' length; the level set alone; or, as in its public
    # code, the level set of swapped arguments, with a length that trains nothing (at first) or one
    # that does (later).
    mloss_form: Literal["original", "no length", "swapped", "swapped, with length"] = "original"
    # The consistency's weight grows over the run; or, as there in a run of 30,000 steps, over twice
    # its length (60,000 steps, however long the run).
    ustm_ramp: Literal["run", "twice"] = "run"


# The rows that `SCNOptions` shape; CALE has no CACL, and so none of its options.
OF_SCN = ("scn", "scn_box", "cale")
CACL = ("temperature", "normalise", "detach_means", "means_over", "contrast_mean", "lambda4")
# Methods of this package that no option is of.
WITHOUT_OPTIONS = ("pce", "meloss", "dmpls", "box", "full")


class EarlierError(ValueError):
    """A text was written before an option existed, or in an earlier version of its format."""


@dataclass(frozen=True, config=_STRICT)
class Run:
    """One training: a method on a data set with a seed, under a profile."""

    dataset: str
    method: str
    profile: Profile
    seed: int = Field(default=0, ge=0)
    scn: SCNOptions = SCNOptions()
    compared: ComparedOptions = ComparedOptions()
    variant: str = ""  # name of a departure from the protocol; such a run is never tested

    def to_json(self) -> str:
        """The run as JSON text; `Run.from_json` gives an equal run back."""
        return TypeAdapter(Run).dump_json(self).decode()

    @staticmethod
    def from_json(text: str) -> "Run":
        """Read `to_json`'s text; `ValueError` for unknown names and wrong types.

        A default may be another one by now, so that a text which doesn't say an option is refused
        by `EarlierError`.
        """
        content = json.loads(text)
        parts = {"": Run} | PARTS
        for part, kind in parts.items() if isinstance(content, dict) else ():
            there = content.get(part) if part else content
            if isinstance(there, dict):
                absent = [f.name for f in fields(kind) if f.name not in there]
                if absent:
                    raise EarlierError(f"{part or 'run'} has no {', '.join(absent)}")
        return TypeAdapter(Run).validate_json(text)


PARTS = {"profile": Profile, "scn": SCNOptions, "compared": ComparedOptions}


def idle_fields(run: Run) -> set[str]:
    """The fields, "scn.stride" and the like, with no part in a run's method or schedule.

    A method that isn't of this package may be built on any option.
    """
    row = run.method.removesuffix("_sgd")
    owners = {field.name: field.name.split("_")[0] for field in fields(ComparedOptions)}
    idle = set() if run.profile.schedule == "step" else {"profile.lr_factor", "profile.lr_steps"}
    if row in (*OF_SCN, *WITHOUT_OPTIONS, *owners.values()):
        idle |= {f"compared.{name}" for name, owner in owners.items() if owner != row}
        names = [field.name for field in fields(SCNOptions)] if row not in OF_SCN else []
        idle |= {f"scn.{name}" for name in (CACL if row == "cale" else names)}
    return idle


def differences(found: Run, asked: Run) -> str:
    """The fields in which two runs differ, in words: "profile.lr is 0.01, not 0.001"; or "".

    For whoever finds the record or the checkpoint of another run.
    """
    changed = changed_fields(found, asked).items()
    return ", ".join(f"{name} is {old}, not {new}" for name, (old, new) in changed)


def changed_fields(found: Run, asked: Run) -> dict[str, tuple[Any, Any]]:
    """The fields in which two runs differ, "profile.lr" and the like, with both values.

    What has no part in either (`idle_fields`) is not asked: it may have been another when one of
    the two was written.
    """
    idle = idle_fields(found) & idle_fields(asked)
    old, new = _flat(found), _flat(asked)
    return {
        name: (old[name], new[name]) for name in old if name not in idle and old[name] != new[name]
    }


def _flat(run: Run) -> dict[str, Any]:
    flat = {}
    for name, value in json.loads(run.to_json()).items():
        inner = name in PARTS
        flat |= {f"{name}.{one}": v for one, v in value.items()} if inner else {name: value}
    return flat

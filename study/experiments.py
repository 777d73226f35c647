"""The study's experiments: its profiles, the rows with a recipe of their own, and the variants."""

from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any, get_args

from scnlib.config import CACL, ComparedOptions, Profile, Run, SCNOptions, Strokes, idle_fields
from scnlib.paths import SHORT

PROFILES = {
    # The phantom in minutes on two cores: a demonstration, not evidence.
    "demo": Profile(name="demo", size=64, batch=12, iterations=600),
    # Real data on two cores: 12 to 18 minutes for a run of SCN with bfloat16.
    "cpu": Profile(name="cpu", size=128, batch=12, iterations=3_000),
    # The printed resolution, and with it the printed grid: one to three and a half hours a run on
    # two cores with bfloat16.
    "night": Profile(name="night", batch=12, iterations=6_000),
    # As printed in the paper, for a GPU.
    "paper": Profile(name="paper"),
}

_SGD = {"optimiser": "sgd", "schedule": "poly", "weight_decay": 1e-4, "dropout": "element"}
# Of the methods tried by it on both data sets, those that in the mean of their validation subjects
# do better by the optimiser of their public code than under the shared protocol have a row for it,
# tested like any other.
RECIPES: dict[str, dict[str, Any]] = {
    f"{method}_sgd": _SGD | {"lr": 0.01} for method in ("rloss", "meloss", "dmpls")
}
_SHORT = {"iterations": 600, "validations": 6}
PRINTED_GRID = f"{SHORT}128"
# What does nothing without a term, by the weight that is 0. (L_RSR alone has a gradient to Y_corr.)
IDLE = {
    "lambda2": ("pap_target", "pap_pixels"),
    "lambda3": ("detach_propagated", "region_mean"),
    "lambda4": CACL,
}
# What Y_corr and the shapes come from, what the shapes' votes depend on, and what M does.
MAP = ("stride", "scale_inside", "projections")
VOTES = ("rows", "mask_grid", "connected", "gate", "overwrite")
TRUST = (*VOTES, "mask_threshold", "scribbles_confident", "tau", "tau_momentum")
# Departures from the protocol, each to measure one choice on validation subjects. Several at once
# are written with a plus: "short+stride4+nopap" is compared with "short+stride4".
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    # Minutes on one core, for many choices and seeds. With stride 4, SCN's map has as many cells as
    # at 128 pixels with the default.
    SHORT: {"profile": {"size": 64, **_SHORT}},
    # As short at the printed grid: 32 x 32 cells, on images of half the printed side.
    PRINTED_GRID: {"profile": {"size": 128, **_SHORT}, "scn": {"stride": 4}},
    # StepLR every fifth of the run, with channel-wise dropout: the larger the factor the better,
    "factor03": {"profile": {"lr_factor": 0.3, "lr_steps": 5.0, "dropout": "channel"}},
    "factor07": {"profile": {"lr_factor": 0.7, "lr_steps": 5.0, "dropout": "channel"}},
    "factor085": {"profile": {"lr_factor": 0.85, "lr_steps": 5.0, "dropout": "channel"}},
    # which the protocol carries on to one late step. The kind of dropout, beside `factor07` and
    # beside the protocol itself:
    "elementwise": {"profile": {"lr_factor": 0.7, "lr_steps": 5.0, "dropout": "element"}},
    "channelwise": {"profile": {"dropout": "channel"}},
    # As the benchmark's public code trains PCE: SGD, poly decay, element-wise dropout. For a
    # row of `RECIPES` it changes the rate alone, from 0.01 to 0.03.
    "sgd": {"profile": _SGD | {"lr": 0.03}},
    # Its other methods are trained with this rate there.
    "sgd001": {"profile": _SGD | {"lr": 0.01}},
    "nearest": {"profile": {"scribble_rule": "nearest"}},
    # Labels that nobody drew: the corners that a rotation brings in, labelled as background.
    "background": {"profile": {"padding": "background"}},
    # How much must be drawn, and how well: each other choice of `strokes` by its own name.
    **{how: {"profile": {"strokes": how}} for how in get_args(Strokes) if how != "all"},
    # As a compared method is in its public code, or is not, by that method's own options.
    "late": {"compared": {"s2l_passes": "late"}},
    "restunlabelled": {"compared": {"fddseg_rest": "unlabelled"}},
    "agreed": {"compared": {"fddseg_target": "agreed"}},
    "compensated": {"compared": {"rloss_weight": "compensated"}},
    "nolength": {"compared": {"mloss_form": "no length"}},
    "swapped": {"compared": {"mloss_form": "swapped"}},
    "swappedlength": {"compared": {"mloss_form": "swapped, with length"}},
    "halframp": {"compared": {"ustm_ramp": "twice"}},
    # Does the map's grid hold SCN back (at 128 pixels, stride 4 has the cells that stride 8 has at
    # 256), or PAP's labels, which this grid blurs along the borders?
    "stride4": {"scn": {"stride": 4}},
    "stride16": {"scn": {"stride": 16}},
    "nopap": {"scn": {"lambda2": 0.0}},
    "softpap": {"scn": {"pap_target": "soft"}},
    "confidentpap": {"scn": {"pap_pixels": "confident"}},
    # The other terms and readings: what C compares, f2, RSR's own term, CACL's means.
    "projections": {"scn": {"projections": True}},
    "pixelmasks": {"scn": {"mask_grid": "pixels"}},
    "connected": {"scn": {"connected": True}},
    "norsr": {"scn": {"lambda3": 0.0}},
    "imagemeans": {"scn": {"means_over": "image"}},
    # The rest of what the paper leaves open, for short runs: Eq. 1 and 2,
    "outside": {"scn": {"scale_inside": False}},
    "logits": {"scn": {"propagate": "logits"}},
    "detachedmap": {"scn": {"detach_propagated": True}},
    # which shapes are drawn, and where they may vote (Eq. 4 to 8),
    "allrows": {"scn": {"rows": 0}},
    "masks03": {"scn": {"mask_threshold": 0.3}},
    "masks07": {"scn": {"mask_threshold": 0.7}},
    "taumasks": {"scn": {"mask_threshold": None}},
    # no value of a row lies above its largest: no shape, RSR's term is CGTM's self-training alone
    "noshape": {"scn": {"mask_threshold": 1.0}},
    "gated": {"scn": {"gate": "corrmatch"}},
    "strokesout": {"scn": {"scribbles_confident": False}},
    "overwrite": {"scn": {"overwrite": True}},
    "maskmean": {"scn": {"region_mean": "mask"}},
    # CGTM's threshold (Eq. 12),
    "tau07": {"scn": {"tau": 0.7}},
    "tau095": {"scn": {"tau": 0.95}},
    "momentum099": {"scn": {"tau_momentum": 0.99}},
    "momentum09999": {"scn": {"tau_momentum": 0.9999}},
    "fixedtau": {"scn": {"tau_momentum": 1.0}},
    # CACL (Eq. 13 to 17), and the sum of losses (Eq. 18 and 19).
    "cold": {"scn": {"temperature": 0.07}},
    "warm": {"scn": {"temperature": 0.5}},
    "unnormalised": {"scn": {"normalise": False}},
    "detachedmeans": {"scn": {"detach_means": True}},
    "classmean": {"scn": {"contrast_mean": "classes"}},
    "nocacl": {"scn": {"lambda4": 0.0}},
    "pcesum": {"scn": {"pce_sum": True}},
    # One term alone beside PCE's.
    "onlypap": {"scn": {"lambda3": 0.0, "lambda4": 0.0}},
    "onlyrsr": {"scn": {"lambda2": 0.0, "lambda4": 0.0}},
    "onlycacl": {"scn": {"lambda2": 0.0, "lambda3": 0.0}},
}


def changes_of(variant: str) -> dict[str, dict[str, Any]]:
    """What a variant, or several joined by a plus, changes: part of the run, field, value.

    Raises `ValueError` naming the variants that exist, or the field that two of them set.
    """
    if any(name.startswith(SHORT) for name in variant.split("+")[1:]):
        raise ValueError(f"variant {variant!r}: write {SHORT} first, as in {SHORT}+stride4+nopap")
    changes: dict[str, dict[str, Any]] = {}
    for name in variant.split("+") if variant else []:
        if name not in VARIANTS:
            raise ValueError(f"unknown variant {name!r}: choose from {', '.join(VARIANTS)}")
        for part, values in VARIANTS[name].items():
            if twice := changes.setdefault(part, {}).keys() & values:
                raise ValueError(f"variant {variant!r}: sets {', '.join(sorted(twice))} twice")
            changes[part] |= values
    return changes


def make_run(
    dataset: str,
    method: str,
    seed: int = 0,
    profile: str = "demo",
    variant: str = "",
    **protocol: Any,
) -> Run:
    """A run of a named profile, with a named variant or fields of the profile changed by keyword.

    Where `RECIPES` names the method, its fields of the profile come first.

    Raises `ValueError` naming the profiles or variants that exist, or the field that is wrong; and
    for a variant that changes nothing for a method of this package, as it would be reported as a
    measurement.
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}: choose one of {', '.join(PROFILES)}")
    changes = changes_of(variant)
    recipe = RECIPES.get(method, {})
    run = Run(
        dataset=dataset,
        method=method,
        seed=seed,
        profile=_change(PROFILES[profile], {**recipe, **changes.get("profile", {}), **protocol}),
        scn=_change(SCNOptions(), changes.get("scn", {})),
        compared=_change(ComparedOptions(), changes.get("compared", {})),
        variant=variant,
    )
    if variant:
        before, _, last = variant.rpartition("+")
        without = make_run(dataset, method, seed, profile, before, **protocol)
        _check_effect(run, changes, without, last)
    return run


def _check_effect(run: Run, changes: dict[str, dict[str, Any]], before: Run, last: str) -> None:
    """Refuse, with ValueError, a variant of which something changes nothing for the method.

    `before` is the run without the `last` of the variant's names.
    """
    named = {name for part in changes.values() for name in part}
    no_part = {name.split(".")[1] for name in idle_fields(run)}
    idle = sorted((no_part | _no_effect(run)) & named)
    if not idle and replace(before, variant=run.variant) == run:
        idle = sorted({name for part in changes_of(last).values() for name in part})
    if idle:
        raise ValueError(
            f"variant {run.variant!r} changes nothing for {run.method} by {', '.join(idle)}: "
            "choose another one, other methods or another profile, or name what it acts through "
            "first, as in stride4+allrows"
        )


def _no_effect(run: Run) -> set[str]:
    """The options that nothing follows at the run's size, or beside its other choices."""
    o, size = run.scn, run.profile.size
    contrast = o.lambda4 and run.method != "cale"
    reads_M = o.lambda3 or contrast or (o.lambda2 and o.pap_pixels == "confident")
    reads_Y = o.lambda2 or o.lambda3  # Y_corr
    shapes = reads_M and o.mask_threshold != 1  # no value of a row lies above its largest
    found: list[tuple[Collection[str], bool]] = [
        *(({*options} - {weight}, not getattr(o, weight)) for weight, options in IDLE.items()),
        (["scribble_rule", "strokes"], run.method == "full"),
        (["rows"], not o.rows and (size // o.stride) ** 2 <= SCNOptions().rows),  # drawn anyway
        (["rloss_weight"], size == 256),  # which it is compensated for
        (["scribble_rule"], run.dataset == "phantom" and size >= 64),  # as it is drawn, or larger
        (TRUST, not reads_M),
        (VOTES, not shapes),
        (["propagate"], not reads_Y),
        (MAP, not reads_Y and not shapes),
    ]
    return {name for names, idle in found if idle for name in names}


def without_recipe(method: str) -> str:
    """The row under the shared protocol that a row of `RECIPES` departs from; else the method."""
    return method.removesuffix("_sgd") if method in RECIPES else method


def _change(options: Any, changes: dict[str, Any]) -> Any:
    known = [field.name for field in fields(options)]
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise ValueError(
            f"{type(options).__name__} has no field {', '.join(unknown)}: "
            f"choose from {', '.join(known)}"
        )
    return replace(options, **changes)

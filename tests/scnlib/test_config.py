"""What a run is: wrong settings fail at once, and every method is trained under one protocol."""

import json
import re
from collections.abc import Collection
from dataclasses import FrozenInstanceError, asdict, fields, replace
from itertools import pairwise
from typing import Any

import pytest

from scnlib.config import (
    PARTS,
    ComparedOptions,
    EarlierError,
    Profile,
    Run,
    SCNOptions,
    changed_fields,
    differences,
    idle_fields,
)
from scnlib.data.phantom import SIZE
from scnlib.methods import METHODS, get_method
from scnlib.paths import RESULTS
from scnlib.records import finished
from study.experiments import PROFILES, RECIPES, VARIANTS, make_run, without_recipe
from study.report.titles import TITLES

WRONG_PROFILE: list[dict[str, Any]] = [
    {"sizes": 64},  # no such name
    {"size": "64"},
    {"size": 64.0},
    {"size": 100},  # four poolings halve it
    {"size": 0},
    {"batch": 0},
    {"batch": True},
    {"iterations": 1.5},
    {"iterations": -1},
    {"validations": 0},
    {"optimiser": "rmsprop"},
    {"schedule": "cosine"},
    {"lr": 0.0},
    {"lr": "1e-3"},
    {"lr_factor": 1.5},
    {"lr_steps": 0.0},
    {"weight_decay": -0.1},
    {"dropout": "none"},
    {"scribble_rule": "bilinear"},
    {"bf16": 1},
]
WRONG_OPTIONS: list[dict[str, Any]] = [
    {"lambda5": 1.0},  # no such name
    {"stride": 32},
    {"stride": "8"},
    {"rows": -1},
    {"rows": 1.5},
    {"tau": 1.2},
    {"tau_momentum": -0.1},
    {"temperature": 0.0},
    {"mask_threshold": "half"},
    {"mask_threshold": 1.5},
    {"pap_target": "medium"},
    {"gate": True},
    {"normalise": 1},
    {"lambda1": -1.0},
]
WRONG_RUN: list[dict[str, Any]] = [
    {"seeds": 1},  # no such name
    {"seed": -1},
    {"seed": 1.0},
    {"dataset": 7},
    {"method": None},
    {"profile": "demo"},
    {"variant": None},
]


def suited(variant: str) -> str:
    """A method for which the variant changes something."""
    owners = [name.split("_")[0] for name in VARIANTS.get(variant, {}).get("compared", {})]
    return owners[0] if owners else "scn"


def named(change: dict[str, Any]) -> str:
    return ",".join(f"{name}={value!r}" for name, value in change.items())


@pytest.mark.parametrize("change", WRONG_PROFILE, ids=named)
def test_wrong_profile_is_refused_by_name(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "mine", **change}
    with pytest.raises(ValueError, match=next(iter(change))):
        Profile(**given)
    with pytest.raises(ValueError, match=next(iter(change))):
        make_run("phantom", "scn", **change)


def test_one_value_a_channel_is_refused_before_training() -> None:
    with pytest.raises(ValueError, match="size 16 leaves nothing to normalise a batch of 1 by"):
        Profile(name="mine", size=16, batch=1)


@pytest.mark.parametrize("change", WRONG_OPTIONS, ids=named)
def test_wrong_option_is_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        SCNOptions(**change)


@pytest.mark.parametrize("change", WRONG_RUN, ids=named)
def test_wrong_run_is_refused_by_name(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"dataset": "phantom", "method": "scn", "profile": PROFILES["demo"]}
    with pytest.raises(ValueError, match=next(iter(change))):
        Run(**(given | change))


def test_a_run_cannot_be_changed_afterwards() -> None:
    run = make_run("phantom", "scn")
    for thing, name in ((run, "seed"), (run.profile, "lr"), (run.scn, "tau")):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, 1)


@pytest.mark.parametrize(
    ("profile", "variant"), [*((name, "") for name in PROFILES), *(("cpu", v) for v in VARIANTS)]
)
def test_json_gives_an_equal_run_back(profile: str, variant: str) -> None:
    run = make_run("acdc", suited(variant), 3, profile, variant)
    assert Run.from_json(run.to_json()) == run
    other = replace(run, scn=replace(run.scn, mask_threshold=None, tau=1.0), seed=4)
    assert Run.from_json(other.to_json()) == other != run


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"batch":12', '"batch":"12"'),
        ('"batch":12', '"batch":0'),
        ('"batch":12', '"batches":12'),
        ('"seed":0', '"seed":0,"sead":1'),
        ('"tau":', '"tao":'),
    ],
)
def test_json_with_wrong_names_or_types_is_refused(old: str, new: str) -> None:
    text = make_run("phantom", "scn").to_json()
    assert old in text
    for wrong in (text.replace(old, new), text[:-1]):
        with pytest.raises(ValueError):
            Run.from_json(wrong)


@pytest.mark.parametrize("profile", PROFILES)
def test_all_methods_share_every_value_of_the_protocol(profile: str) -> None:
    runs = [make_run("acdc", method, 1, profile) for method in METHODS if method not in RECIPES]
    assert all(run.profile == PROFILES[profile] == runs[0].profile for run in runs)
    assert all(replace(run, method="scn") == replace(runs[0], method="scn") for run in runs)


@pytest.mark.parametrize("method", RECIPES)
def test_a_recipe_changes_its_own_fields_alone_and_gives_way_to_a_keyword(method: str) -> None:
    recipe = RECIPES[method]
    assert issubclass(get_method(method), get_method(without_recipe(method)))
    assert without_recipe(method) not in RECIPES and without_recipe("scn") == "scn"
    assert make_run("acdc", method).profile == replace(PROFILES["demo"], **recipe)
    assert make_run("acdc", method, lr=0.5).profile.lr == 0.5
    assert recipe["lr"] != 0.5


def test_the_protocol_as_printed() -> None:
    p = PROFILES["paper"]
    assert (p.size, p.batch, p.iterations) == (256, 24, 30_000)
    assert (p.optimiser, p.lr, p.schedule) == ("adam", 1e-3, "step")


def test_profiles_go_by_their_own_name_and_differ_in_size_alone() -> None:
    amount = ("name", "size", "batch", "iterations")
    rest = [
        {name: value for name, value in asdict(profile).items() if name not in amount}
        for profile in PROFILES.values()
    ]
    assert rest[1:] == rest[:-1]
    assert [profile.name for profile in PROFILES.values()] == list(PROFILES)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_changes_only_what_it_names(variant: str) -> None:
    method = suited(variant)
    plain, changed = (make_run("acdc", method, 0, "cpu", name) for name in ("", variant))
    for part in PARTS:
        before, after = asdict(getattr(plain, part)), asdict(getattr(changed, part))
        assert after == before | VARIANTS[variant].get(part, {})
    assert set(VARIANTS[variant]) <= PARTS.keys()
    assert changed.variant == variant
    assert changed != plain
    same = {part: getattr(plain, part) for part in PARTS}
    assert replace(changed, **same, variant="") == plain


def test_variants_joined_by_a_plus_change_what_each_names() -> None:
    both = make_run("acdc", "scn", profile="cpu", variant="short+stride4")
    assert (both.profile.size, both.profile.iterations, both.scn.stride) == (64, 600, 4)
    assert both.variant == "short+stride4"
    parts = ["softpap", "background", "nearest"]
    joined = make_run("acdc", "scn", variant="+".join(parts))
    for part in parts:
        for name, values in VARIANTS[part].items():
            assert asdict(getattr(joined, name)).items() >= values.items()


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("stride4+nothing", "unknown variant 'nothing'"),
        ("stride4+", "unknown variant ''"),
        ("factor03+factor07", "'factor03.factor07': sets dropout, lr_factor, lr_steps twice"),
        ("short+short", "'short.short': write short first"),
        ("nopap+short", "write short first, as in short.stride4.nopap"),
        ("nopap+short128", "'nopap.short128': write short first"),
        ("short128+stride4", "sets stride twice"),
    ],
)
def test_variants_that_cannot_be_joined_are_refused(variant: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_run("acdc", "scn", variant=variant)


@pytest.mark.parametrize(
    ("method", "variant", "idle"),
    [
        ("pce", "nopap", "lambda2"),
        ("full", "nearest", "scribble_rule"),
        ("pce", "short+stride4", "stride"),
        ("pce", "short128", "stride"),
        ("cale", "nocacl", "lambda4"),
        ("cale", "warm", "temperature"),
        ("full", "imagemeans", "means_over"),
        ("scn", "late", "s2l_passes"),
        ("s2l", "swapped", "mloss_form"),
        ("mloss", "halframp", "ustm_ramp"),
        ("dmpls_sgd", "compensated", "rloss_weight"),
        ("dmpls_sgd", "factor03", "lr_factor, lr_steps"),
        ("meloss_sgd", "factor085", "lr_factor, lr_steps"),
        ("rloss_sgd", "short+sgd001", "dropout, lr, optimiser, schedule, weight_decay"),
        ("scn", "nopap+softpap", "pap_target"),
        ("scn", "short+softpap+nopap", "pap_target"),
        ("scn", "nocacl+warm", "temperature"),
        ("scn", "norsr+maskmean", "region_mean"),
        ("scn", "norsr+detachedmap", "detach_propagated"),
    ],
)
def test_a_variant_that_changes_nothing_is_refused(method: str, variant: str, idle: str) -> None:
    match = f"'{re.escape(variant)}' changes nothing for {method} by {idle}:"
    with pytest.raises(ValueError, match=match):
        make_run("acdc", method, variant=variant)


@pytest.mark.parametrize(
    ("profile", "method", "variant", "idle"),
    [
        ("demo", "scn", "allrows", "rows"),  # 64 cells
        ("cpu", "scn", "short+allrows", "rows"),
        ("paper", "rloss", "compensated", "rloss_weight"),
        ("cpu", "scn", "noshape+connected", "connected"),
        ("cpu", "scn", "gated+noshape", "gate"),
        ("cpu", "scn", "noshape+overwrite", "overwrite"),
        ("cpu", "scn_box", "noshape+pixelmasks", "mask_grid"),
        ("cpu", "scn", "noshape+allrows", "rows"),
        ("cpu", "cale", "norsr+noshape", "mask_threshold"),
        ("cpu", "cale", "norsr+tau07", "tau"),
        ("cpu", "cale", "norsr+fixedtau", "tau_momentum"),
        ("cpu", "cale", "strokesout+norsr", "scribbles_confident"),
        ("cpu", "cale", "norsr+gated", "gate"),
        ("cpu", "scn", "norsr+nopap+logits", "propagate"),
        ("cpu", "scn", "norsr+nopap+noshape+stride4", "stride"),
        ("cpu", "scn", "norsr+nopap+nocacl+outside", "scale_inside"),
    ],
)
def test_what_nothing_follows_at_a_size_or_beside_a_choice_is_refused(
    profile: str, method: str, variant: str, idle: str
) -> None:
    match = f"'{re.escape(variant)}' changes nothing for {method} by {idle}:"
    with pytest.raises(ValueError, match=match):
        make_run("acdc", method, 0, profile, variant)


def test_strokes_are_resized_alike_where_the_phantom_is_not_made_smaller() -> None:
    assert make_run("phantom", "scn", variant="nearest", size=SIZE - 16)
    with pytest.raises(ValueError, match="changes nothing for scn by scribble_rule:"):
        make_run("phantom", "scn", variant="nearest", size=SIZE)


def test_a_committed_run_is_what_its_names_say_today() -> None:
    """So that it is taken as it is, and not refused as one of another configuration."""
    whole = [*RESULTS.glob("*/*/*/seed*")]
    varied = [*RESULTS.glob("*/variants/*/*/*/seed*"), *RESULTS.glob("*/sensitivity/*/*/*/seed*")]
    assert len(whole) > 60 and len(varied) > 100
    for folder in [*whole, *varied]:
        profile, *kind, dataset, method, seed = folder.relative_to(RESULTS).parts
        variant = kind[-1] if kind else ""
        run = make_run(dataset, method, int(seed.removeprefix("seed")), profile, variant)
        assert finished(run, folder), folder


OPTIONS = [
    (part, *choice)
    for parts in VARIANTS.values()
    for part, fields in parts.items()
    for choice in fields.items()
    if part != "profile"
]


@pytest.mark.parametrize("method", [*TITLES, "mine"])  # with `WITHOUT_OPTIONS`, all are known
def test_an_option_of_another_method_is_no_difference(method: str) -> None:
    """Its default may have been another one when a record was written. A user's may be anything."""
    run = make_run("phantom", method)
    cacl = {"temperature", "normalise", "detach_means", "means_over", "contrast_mean", "lambda4"}
    for part, name, value in OPTIONS:
        options = getattr(run, part)
        other = replace(run, **{part: replace(options, **{name: value})})
        told = f"{part}.{name} is {value}, not {getattr(options, name)}"
        owners = ("scn", "scn_box", "cale") if part == "scn" else (name.split("_")[0],)
        with_it = method.removesuffix("_sgd") in owners and not (method == "cale" and name in cacl)
        assert differences(other, run) == (told if with_it or method == "mine" else ""), name


def test_a_method_of_ones_own_may_be_built_on_any_option() -> None:
    assert make_run("phantom", "mine", variant="nopap").scn.lambda2 == 0
    assert make_run("phantom", "mine", variant="late").compared.s2l_passes == "late"


def test_what_two_methods_have_of_their_own_is_told() -> None:
    own = make_run("phantom", "fddseg", variant="restunlabelled")
    found = changed_fields(own, make_run("phantom", "s2l"))
    assert found.keys() == {"method", "variant", "compared.fddseg_rest"}


def test_steps_of_a_rate_are_a_difference_where_either_run_has_them() -> None:
    poly = make_run("phantom", "dmpls_sgd")
    assert not changed_fields(make_run("phantom", "dmpls_sgd", lr_factor=0.3), poly)
    stepped = make_run("phantom", "dmpls_sgd", schedule="step", lr_factor=0.3)
    assert differences(stepped, poly) == differences(poly, stepped).replace(
        "poly, not step", "step, not poly"
    ).replace("0.1, not 0.3", "0.3, not 0.1")
    assert "profile.lr_factor is 0.3, not 0.1" in differences(stepped, poly)


@pytest.mark.parametrize("method", ["scn_box", "cale"])
def test_a_choice_of_scn_is_one_of_what_is_built_on_it(method: str) -> None:
    assert make_run("acdc", method, variant="nopap").scn.lambda2 == 0


def test_what_acts_through_another_term_is_no_idle_choice() -> None:
    assert make_run("acdc", "scn", variant="nopap+logits").scn.propagate == "logits"
    assert make_run("acdc", "scn", variant="nopap+detachedmap").scn.detach_propagated
    # M is what CACL reads, and PAP where it is over M.
    assert make_run("acdc", "scn", variant="norsr+nopap+gated").scn.gate == "corrmatch"
    assert make_run("acdc", "scn", variant="norsr+nopap+outside").scn.lambda4
    assert make_run("acdc", "cale", variant="norsr+confidentpap+tau07").scn.tau == 0.7
    assert make_run("acdc", "scn", variant="noshape+strokesout").scn.mask_threshold == 1
    assert make_run("acdc", "scn", variant="stride4+allrows").scn.rows == 0


def test_a_variant_equal_to_what_a_method_has_is_refused(monkeypatch) -> None:
    monkeypatch.setitem(VARIANTS, "same", {"profile": {"dropout": "element", "lr": 1e-3}})
    with pytest.raises(ValueError, match="'same' changes nothing for pce by dropout, lr"):
        make_run("acdc", "pce", variant="same")
    assert make_run("acdc", "dmpls_sgd", variant="same").profile.lr == 1e-3


def test_only_full_learns_without_scribbles() -> None:
    """What `make_run` takes for granted of the rule by which scribbles are resized."""
    assert [name for name in METHODS if get_method(name).needs != "scribble"] == ["full"]


WHOLE = Run("acdc", "scn", Profile("cpu"))


def without(part: str, names: Collection[str]) -> str:
    content = json.loads(WHOLE.to_json())
    content[part] = {k: v for k, v in content[part].items() if k not in names}
    return json.dumps(content)


@pytest.mark.parametrize("method", METHODS)
def test_every_option_is_of_a_method_that_exists(method: str) -> None:
    every = {f"{part}.{field.name}" for part, kind in PARTS.items() for field in fields(kind)}
    assert idle_fields(WHOLE) < every
    assert not set.intersection(*(idle_fields(make_run("acdc", other)) for other in METHODS))
    options = idle_fields(make_run("acdc", method)) - {"profile.lr_factor", "profile.lr_steps"}
    assert options == idle_fields(make_run("acdc", without_recipe(method)))
    with pytest.raises(ValueError, match="s2l_passes"):
        ComparedOptions(s2l_passes="never")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("part", "kind"), PARTS.items())
def test_a_text_says_every_option(part, kind) -> None:
    assert Run.from_json(WHOLE.to_json()) == WHOLE
    for field in fields(kind):
        with pytest.raises(EarlierError, match=f"{part} has no {field.name}"):
            Run.from_json(without(part, {field.name}))


@pytest.mark.parametrize("iterations", [1, 2, 19, 20, 21, 59, 100, 3000])
@pytest.mark.parametrize("validations", [1, 3, 20])
def test_there_are_as_many_validations_as_asked_for(iterations: int, validations: int) -> None:
    profile = Profile("mine", iterations=iterations, validations=validations)
    steps = [i for i in range(1, iterations + 1) if profile.validates_after(i)]
    assert len(steps) == min(validations, iterations) and steps[-1] == iterations
    gaps = {after - before for before, after in pairwise([0, *steps])}
    assert max(gaps) - min(gaps) <= 1


def test_the_profiles_validate_at_whole_stretches() -> None:
    for profile in PROFILES.values():
        steps = [i for i in range(1, profile.iterations + 1) if profile.validates_after(i)]
        stretch = profile.iterations // 20
        assert steps == list(range(stretch, profile.iterations + 1, stretch))


def test_keywords_change_only_what_they_name() -> None:
    run = make_run("phantom", "pce", size=32, batch=4)
    assert asdict(run.profile) == asdict(PROFILES["demo"]) | {"size": 32, "batch": 4}


def test_unknown_names_are_told_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'gpu'.*demo, cpu, night, paper"):
        make_run("phantom", "scn", profile="gpu")
    with pytest.raises(ValueError, match=r"'stride5'.*factor03.*stride4"):
        make_run("phantom", "scn", variant="stride5")
    with pytest.raises(ValueError, match=r"no field sizes.*size, batch, iterations"):
        make_run("phantom", "scn", sizes=64)
    with pytest.raises(ValueError, match=r"'unet'.*pce.*scn.*full"):
        get_method("unet")

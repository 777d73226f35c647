"""What the campaigns of `tests/campaign` found, from results/reliability.json, as sentences."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TYPES = ("float32", "bfloat16")


def reliability_lines(path: Path) -> list[str]:
    """A Markdown line for each campaign that the file has a part of; none without the file."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return [f"- {sentence(found[name])}" for name, sentence in SENTENCES.items() if name in found]


def _damage(part: Mapping[str, Any]) -> str:
    harmless = sum(kind.get("harmless", 0) for kind in part["files"].values())
    return (
        f"Damaged files: of {part['tries']:,}, a bit turned or an end cut off, {part['silent']} "
        f"passed unnoticed, and {harmless} held the same all the same "
        f"({len(part['files'])} kinds of files)."
    )


def _kills(part: Mapping[str, Any]) -> str:
    return (
        f"Killed trainings: {part['runs']} were killed {part['kills']} times, "
        f"{part['in_a_checkpoint']} of them while a checkpoint was written and "
        f"{part['in_a_record']} while a record was, the others at random instants; "
        f"{part['differing']} ended otherwise than one that nobody stopped."
    )


def _troubles(part: Mapping[str, Any]) -> str:
    right = part["tried"] - part["differing"]
    return (
        f"Troubles: {right} of {len(part['troubles'])} come out as they should "
        f"({'; '.join(part['troubles'])}). What should happen, and the tests that make it happen, "
        "are in the file."
    )


def _fuzz(part: Mapping[str, Any]) -> str:
    return (
        f"Strange files: {part['examples']:,} were drawn at random for the readers "
        f"({', '.join(part['kinds'])}; {part['minutes']:.0f} minutes of a processor), and "
        f"{part['differing']} ended otherwise than read or refused in one line; "
        f"{len(part['found_and_mended'])} faults that such files found are mended."
    )


def _scores(part: Mapping[str, Any]) -> str:
    return (
        f"Scores: of {part['pairs']:,} random pairs of masks {part['differing']} have another Dice "
        "or 95HD by medpy on whole volumes or by SimpleITK."
    )


def _mutants(part: Mapping[str, Any]) -> str:
    survived = [row for module in part["modules"].values() for row in module["survived"]]
    explained = sum(bool(row["reason"]) for row in survived)
    some = f"{explained} of " if explained < len(survived) else ""
    return (
        f"Planted faults: tests notice {part['killed']:,} of {part['tested']:,} in the code of "
        f"scores, propagation, losses and statistics; {some}the other {len(survived)} "
        f"change no result (reasons in the file). {part.get('note', '')}".rstrip()
    )


def _determinism(part: Mapping[str, Any]) -> str:
    bytes_ = "other bytes" if part["differing"] else "the same bytes"
    both = all("two_threads_twice_are_equal" in part[n] for n in part if n in TYPES)
    threads = "one thread and on two" if both else "one thread"
    threads_apart, avx_apart = (
        "; ".join(
            f"in {name} {_distance(part[name][key])}" for name in TYPES if key in part.get(name, {})
        )
        for key in ("two_threads_from_one", "without_avx_from_with")
    )
    text = (
        f"One seed twice on one machine gives {bytes_}, on {threads} ({part['run']}). "
        f"Two threads differ from one: {threads_apart}."
    )
    if avx_apart:
        text += f" Arithmetic of a processor without AVX differs: {avx_apart}."
    return text


def _distance(apart: Mapping[str, float]) -> str:
    return (
        f"by {100 * apart['weights']:.2g}% of the largest weight, {100 * apart['voxels']:.2g}% of "
        f"voxels and {apart['dice_points']:.2g} points of Dice"
    )


SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "damage": _damage,
    "kills": _kills,
    "troubles": _troubles,
    "fuzz": _fuzz,
    "scores": _scores,
    "mutants": _mutants,
    "determinism": _determinism,
}

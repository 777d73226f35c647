"""progress.json: how far a run is, for whoever watches it from outside the notebook."""

import json
from pathlib import Path

from scnlib.checkpoint import State
from scnlib.files import replace_text


def write_progress(folder: Path, state: State, iterations: int) -> None:
    """Write progress.json: iterations done and in all, seconds, last validation Dice, time left."""
    folder.mkdir(parents=True, exist_ok=True)
    left = state.seconds / max(state.iteration, 1) * (iterations - state.iteration)
    content = {
        "iteration": state.iteration,
        "iterations": iterations,
        "seconds": round(state.seconds, 1),
        "dice": state.validation[-1]["dice"] if state.validation else None,
        "eta_seconds": round(left, 1),
    }
    replace_text(folder / "progress.json", json.dumps(content))

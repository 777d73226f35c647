"""SCN as a file of weights has it: for notebook 02 and for `python -m scnlib.predict`."""

from pathlib import Path

from scnlib.hardware import load_weights
from scnlib.methods.scn import SCN


def trained_network(path: Path) -> SCN:
    """SCN with the weights of `path`, set to evaluate; `.run` and `.classes` say what it is.

    Raises `ValueError` naming the file as `load_weights` does, and for another method's weights.
    """
    run, classes, weights = load_weights(path)
    net = SCN(run, classes)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path}: not SCN's weights; use those of a run of scn") from error
    return net.eval()

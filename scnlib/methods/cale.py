"""PCE+CALE: SCN without CACL, the middle row of Table 3.

The paper does not say whether its CALE row includes CGTM; we read that it does, as M needs a
threshold.
"""

from scnlib.methods.scn import SCN


class CALE(SCN):
    """PCE with pixel affinity propagation, region shape refinement and CGTM."""

    contrast = False

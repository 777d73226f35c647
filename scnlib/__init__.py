"""ScribbleCorrNet, reproduced: heart segmentation in MRI from scribbles on 1% of the pixels.

Reading order, as the paper goes:

1. `scnlib.unet`          the network, its features f and logits
2. `scnlib.correlation`   the correlation map C and pixel affinity propagation (PAP)
3. `scnlib.propagation`   region shape refinement (RSR) and the confidence-guided threshold (CGTM)
4. `scnlib.losses`        every loss, class-aware contrastive learning (CACL) among them; those of
                           the compared methods in `scnlib.regularisers`
5. `scnlib.methods`       a file for each row of Table 1; `methods/scn.py` is the paper's
6. `scnlib.training`      the one loop (with `scnlib.data.batches`, `scnlib.optimiser` and
                           `scnlib.checkpoint`), and `scnlib.evaluation` for Dice and 95HD
7. `scnlib.records`       what a run leaves, and how it is read back
8. `scnlib.predict`       for own NIfTI files

What this study makes of it (tables, claims, figures, lessons, the check of an own folder) is in
`study`, which this package never imports.

An equation is found by its number: search the package for "Eq. 7".
"""

__version__ = "0.1.0"

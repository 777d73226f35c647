"""ScribbleCorrNet, reproduced: heart segmentation in MRI from scribbles on 1% of the pixels.

Reading order, as the paper goes:

1. `scnlib.unet`          the network, its features f and logits
2. `scnlib.correlation`   the correlation map C and pixel affinity propagation (PAP)
3. `scnlib.propagation`   region shape refinement (RSR) and the confidence-guided threshold (CGTM)
4. `scnlib.losses`        every loss, class-aware contrastive learning (CACL) among them; those of
                           the compared methods in `scnlib.regularisers`
5. `scnlib.methods`       a file for each row of Table 1; `methods/scn.py` is the paper's
6. `scnlib.training`      the one loop (with `scnlib.batches`, `scnlib.optimiser` and
                           `scnlib.checkpoint`), and `scnlib.evaluation` for Dice and 95HD
7. `scnlib.records`, `scnlib.tables`, `scnlib.figures`   what a run leaves, and what is made of it;
                           `scnlib.claims` answers the paper's claims from it
8. `scnlib.check`, `scnlib.predict`   for own NIfTI files
9. `scnlib.widgets`, `scnlib.teaching`   what the notebooks let one play and practise with

An equation is found by its number: search the package for "Eq. 7".
"""

__version__ = "0.1.0"

"""ScribbleCorrNet, reproduced: heart segmentation in MRI from scribbles on few of the pixels.

Reading order, as the paper goes:

1. `scnlib.unet`          the network, its features f and logits
2. `scnlib.correlation`   the correlation map C and pixel affinity propagation (PAP)
3. `scnlib.propagation`   region shape refinement (RSR), of what `scnlib.confidence` trusts by the
                           confidence-guided threshold (CGTM)
4. `scnlib.losses`        the paper's losses, class-aware contrastive learning (CACL) among them
5. `scnlib.methods.scn`   the method as a whole; beside it a file for each other row of Table 1,
                           with its own losses (`scnlib.methods.base` says what a method is)
6. `scnlib.training`      the one loop, with `scnlib.data.batches`, `scnlib.augment`,
                           `scnlib.optimiser` and `scnlib.checkpoint`; `scnlib.step` says how a
                           step runs
7. `scnlib.evaluation`    Dice and 95HD of what `scnlib.inference` predicts

Around it: `scnlib.config` says what a run is (`study.experiments` lists this study's);
`scnlib.kernels` computes by hand what torch computes slowly, and can be left unread;
`scnlib.data` reads; `scnlib.records` keeps what a run leaves; `scnlib.predict` segments other
files. What this study makes of it (tables, claims, figures, lessons, the check of an own folder) is
in `study`, which this package never imports.

An equation is found by its number: search the package for "Eq. 7".
"""

__version__ = "0.1.0"

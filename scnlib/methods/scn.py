"""SCN: PCE with pixel affinity propagation, region shape refinement, CGTM and CACL (the paper)."""

import math

import torch
from torch import Tensor

from scnlib.config import Run
from scnlib.correlation import correlation_map, propagate, to_grid, to_image
from scnlib.losses import (
    contrastive_loss,
    partial_cross_entropy,
    propagation_loss,
    refinement_loss,
)
from scnlib.methods.base import Batch, Losses, Now
from scnlib.methods.pce import PCE
from scnlib.propagation import (
    ConfidenceThreshold,
    Pseudo,
    confident_pixels,
    refine_image,
    shape_masks,
)


class SCN(PCE):
    """ScribbleCorrNet. Its open choices are `run.scn` (`scnlib.config.SCNOptions`).

    Padding that a rotation brought in is in no loss and never in M. It stays among the cells that
    C compares, as the network sees it too, and tau is of the whole batch, padding included.
    """

    title = "SCN"
    contrast = True

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__(run, classes, bf16)
        self.tau = ConfidenceThreshold(run.scn.tau, run.scn.tau_momentum)

    def loss(self, batch: Batch, now: Now) -> tuple[Tensor, Losses]:
        r"""Eq. 18: L = lambda1 L_pce + lambda2 L_PAP + lambda3 L_RSR + lambda4 L_CACL."""
        assert batch.scribble is not None
        o = self.run.scn
        logits, encoder, features = self.net(batch.image)
        P = logits.softmax(dim=1)
        C, Y_corr = self.affinity(encoder, logits, P)
        self.tau.update(P)
        pseudo = self.pseudo_labels(C, P, batch, now.generator)

        reduction = "sum" if o.pce_sum else "mean"
        pce = partial_cross_entropy(logits, batch.scribble, reduction=reduction)
        pap = propagation_loss(logits, Y_corr, valid=batch.valid, target=o.pap_target)
        rsr = refinement_loss(logits, Y_corr, *pseudo, valid=batch.valid, mean=o.region_mean)
        total = o.lambda1 * pce + o.lambda2 * pap + o.lambda3 * rsr
        parts: Losses = {"pce": pce.detach(), "pap": pap.detach(), "rsr": rsr.detach()}
        if self.contrast:
            cacl = contrastive_loss(
                features,
                batch.scribble,
                *pseudo,
                classes=self.classes,
                valid=batch.valid,
                temperature=o.temperature,
                normalise=o.normalise,
                detach_means=o.detach_means,
                mean=o.contrast_mean,
            )
            total = total + o.lambda4 * cacl
            parts["cacl"] = cacl.detach()
        parts["tau"] = self.tau.value
        parts["share_M"] = pseudo.confident.float().mean()
        return total, parts

    def affinity(self, encoder: list[Tensor], logits: Tensor, P: Tensor) -> tuple[Tensor, Tensor]:
        """C (B, N, N) on the grid, and the propagated probabilities at H x W."""
        o = self.run.scn
        f = encoder[int(math.log2(o.stride))]
        C = correlation_map(f, scale_inside=o.scale_inside)
        h, w = f.shape[-2:]
        source = to_grid(P if o.propagate == "probabilities" else logits, (h, w))
        mixed = propagate(C, source.detach() if o.detach_propagated else source)
        mixed = mixed if o.propagate == "probabilities" else mixed.softmax(dim=1)
        H, W = P.shape[-2:]
        return C, to_image(mixed, (H, W))

    @torch.no_grad()
    def pseudo_labels(
        self, C: Tensor, P: Tensor, batch: Batch, generator: torch.Generator
    ) -> Pseudo:
        """Pseudo-labels and M at H x W, refined by the shapes of randomly drawn rows of C."""
        assert batch.scribble is not None
        o = self.run.scn
        tau = self.tau.value
        scribbled = batch.scribble < self.classes
        pseudo = confident_pixels(
            P, tau, batch.scribble, trusted=o.scribbles_confident, valid=batch.valid
        )
        rows = draw_rows(C, o.rows, generator)
        masks = shape_masks(rows, tau if o.mask_threshold is None else o.mask_threshold)
        grid = (P.shape[2] // o.stride, P.shape[3] // o.stride)
        return refine_image(
            pseudo,
            masks,
            grid,
            self.classes,
            fixed=scribbled,
            valid=batch.valid,
            overwrite=o.overwrite,
            gate=tau if o.gate == "corrmatch" else None,
        )


def draw_rows(C: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """`rows` random rows of C (B, N, N) for each image, (B, R, N); all N rows for 0.

    Drawn without replacement from a generator on the CPU, every row as likely as any other, and in
    random order also if all are taken: where masks overlap, the last row wins.
    """
    B, N = C.shape[:2]
    rows = min(rows or N, N)
    picked = torch.rand(B, N, generator=generator).argsort(dim=1)[:, :rows].to(C.device)  # (B, R)
    return C.gather(1, picked[:, :, None].expand(B, rows, N))

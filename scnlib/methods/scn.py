"""SCN: PCE with pixel affinity propagation, region shape refinement, CGTM and CACL (the paper)."""

import math

import torch
from torch import Tensor, nn

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
    connected_parts,
    refine_image,
    shape_masks,
)
from scnlib.unet import CHANNELS


class SCN(PCE):
    """ScribbleCorrNet. Its open choices are `run.scn` (`scnlib.config.SCNOptions`).

    Padding that a rotation brought in is in no loss and never in M. It stays among the cells that
    C compares, as the network sees it too, and tau is of the whole batch, padding included.
    """

    contrast = True

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__(run, classes, bf16)
        self.tau = ConfidenceThreshold(run.scn.tau, run.scn.tau_momentum)
        self.level = int(math.log2(run.scn.stride))  # of the encoder, whose features f are
        D = CHANNELS[self.level]
        if run.scn.projections:
            self.projections = nn.ModuleList(nn.Conv2d(D, D, 1) for _ in range(2))

    def loss(self, batch: Batch, now: Now) -> tuple[Tensor, Losses]:
        r"""Eq. 18: L = lambda1 L_pce + lambda2 L_PAP + lambda3 L_RSR + lambda4 L_CACL."""
        o = self.run.scn
        logits, encoder, features = self.net(batch.image)
        P = logits.softmax(dim=1)
        C, Y_corr = self.affinity(encoder, logits, P)
        self.tau.update(P)
        pseudo = self.pseudo_labels(C, P, batch, now.generator)

        reduction = "sum" if o.pce_sum else "mean"
        pce = partial_cross_entropy(logits, batch.scribble, reduction=reduction)
        asked = batch.valid if o.pap_pixels == "all" else pseudo.confident  # never padding
        pap = propagation_loss(logits, Y_corr, valid=asked, target=o.pap_target)
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
                means_over=o.means_over,
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
        f = encoder[self.level]
        pair = [layer(f.float()) for layer in self.projections] if o.projections else [f]
        C = correlation_map(*pair, scale_inside=o.scale_inside)
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
        o = self.run.scn
        tau = self.tau.value
        scribbled = batch.scribble < self.classes
        pseudo = confident_pixels(
            P, tau, batch.scribble, trusted=o.scribbles_confident, valid=batch.valid
        )
        H, W = P.shape[-2:]
        grid = (H // o.stride, W // o.stride)
        rows, cells = draw_rows(C, o.rows, generator)
        if o.mask_grid == "pixels":
            rows = to_image(rows.unflatten(2, grid), (H, W)).flatten(2)  # (B, R, H W)
            y, x = (o.stride * c + o.stride // 2 for c in (cells // grid[1], cells % grid[1]))
            cells, grid = y * W + x, (H, W)
        masks = shape_masks(rows, tau if o.mask_threshold is None else o.mask_threshold)
        masks = connected_parts(masks, cells, grid) if o.connected else masks
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


def draw_rows(C: Tensor, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """`rows` random rows of C (B, N, N) for each image, (B, R, N), and their cells (B, R) long.

    All N rows for 0. Drawn without replacement from a generator on the CPU, every row as likely as
    any other, and in random order also if all are taken: where masks overlap, the last row wins.
    """
    B, N = C.shape[:2]
    rows = min(rows or N, N)
    picked = torch.rand(B, N, generator=generator).argsort(dim=1)[:, :rows].to(C.device)  # (B, R)
    return C.gather(1, picked[:, :, None].expand(B, rows, N)), picked

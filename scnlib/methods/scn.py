"""SCN: PCE with pixel affinity propagation, region shape refinement, CGTM and CACL (the paper)."""

import math

import torch
from torch import Tensor, nn

from scnlib.confidence import ConfidenceThreshold, Pseudo, confident_pixels
from scnlib.config import Run
from scnlib.correlation import correlation_map, propagate_features, to_grid, to_image
from scnlib.losses import contrastive_loss, partial_cross_entropy, propagation_loss, refinement_loss
from scnlib.methods.base import Batch, Losses, Now
from scnlib.methods.pce import PCE
from scnlib.propagation import connected_parts, refine_image, shape_masks
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

    def draw(self, shape: torch.Size, now: Now) -> dict[str, Tensor]:
        """The cells whose rows of C suggest shapes, anew for each image: "cells" (B, R) long."""
        B, _, H, W = shape
        N = (H // self.run.scn.stride) * (W // self.run.scn.stride)
        return {"cells": draw_cells(B, N, self.run.scn.rows, now.generator)}

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        r"""Eq. 18: L = lambda1 L_pce + lambda2 L_PAP + lambda3 L_RSR + lambda4 L_CACL."""
        o = self.run.scn
        logits, encoder, features = self.net(batch.image)
        log_P = logits.log_softmax(dim=1)
        P = log_P.exp()
        Y_corr = self.propagated(encoder, logits, P)
        confidence, predicted = P.detach().max(dim=1)  # (B, H, W)
        self.tau.follow(confidence, predicted, self.classes)
        rows = self.rows(encoder, drawn["cells"])
        pseudo = self.pseudo_labels(rows, drawn["cells"], confidence, predicted, batch)

        pce = self.stroke_loss(log_P, batch)
        asked = batch.valid if o.pap_pixels == "all" else pseudo.confident  # never padding
        pap = propagation_loss(log_P, Y_corr, valid=asked, target=o.pap_target, normalised=True)
        rsr = refinement_loss(
            log_P, Y_corr, *pseudo, valid=batch.valid, mean=o.region_mean, normalised=True
        )
        total = o.lambda1 * pce + o.lambda2 * pap + o.lambda3 * rsr
        parts: Losses = {"pce": pce.detach(), "pap": pap.detach(), "rsr": rsr.detach()}
        if self.contrast:
            cacl = contrastive_loss(
                features, batch.scribble, *pseudo, classes=self.classes, choices=o
            )
            total = total + o.lambda4 * cacl
            parts["cacl"] = cacl.detach()
        parts["tau"] = self.tau.value_.clone()
        parts["share_M"] = pseudo.confident.float().mean()
        return total, parts

    def stroke_loss(self, log_P: Tensor, batch: Batch) -> Tensor:
        """L_pce, from log-probabilities (B, K, H, W)."""
        reduction = "sum" if self.run.scn.pce_sum else "mean"
        return partial_cross_entropy(log_P, batch.scribble, reduction=reduction, normalised=True)

    def compared(self, encoder: list[Tensor]) -> list[Tensor]:
        """What C compares: the features f (B, D, h, w), or two projections of them."""
        f = encoder[self.level]
        return [layer(f.float()) for layer in self.projections] if self.run.scn.projections else [f]

    def propagated(self, encoder: list[Tensor], logits: Tensor, P: Tensor) -> Tensor:
        """Y_corr, the propagated probabilities, at H x W."""
        o = self.run.scn
        f, *other = self.compared(encoder)
        source = to_grid(P if o.propagate == "probabilities" else logits, (f.shape[2], f.shape[3]))
        source = source.detach() if o.detach_propagated else source
        mixed = propagate_features(f, source, *other, scale_inside=o.scale_inside)
        mixed = mixed if o.propagate == "probabilities" else mixed.softmax(dim=1)
        return to_image(mixed, (P.shape[2], P.shape[3]))

    @torch.no_grad()
    def rows(self, encoder: list[Tensor], cells: Tensor) -> Tensor:
        """The rows of C (B, R, N) that belong to `cells` (B, R)."""
        f, *other = self.compared(encoder)
        return correlation_map(f, *other, rows=cells, scale_inside=self.run.scn.scale_inside)

    @torch.no_grad()
    def pseudo_labels(
        self, rows: Tensor, cells: Tensor, confidence: Tensor, predicted: Tensor, batch: Batch
    ) -> Pseudo:
        """Pseudo-labels and M at H x W, refined by the shapes of rows of C.

        Args:
            rows: (B, R, N), of `cells` (B, R) long.
            confidence, predicted: max P and argmax P, (B, H, W).
        """
        o, tau = self.run.scn, self.tau.value_
        pseudo = confident_pixels(
            confidence,
            predicted,
            tau,
            self.classes,
            batch.scribble,
            trusted=o.scribbles_confident,
            valid=batch.valid,
        )
        H, W = predicted.shape[-2:]
        grid = (H // o.stride, W // o.stride)
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
            free=batch.valid & (batch.scribble == self.classes),
            overwrite=o.overwrite,
            gate=tau if o.gate == "corrmatch" else None,
        )


def draw_cells(images: int, N: int, rows: int, generator: torch.Generator) -> Tensor:
    """`rows` random cells of each image's N, (images, R) long on the CPU; all N for 0.

    Drawn without replacement, every cell as likely as any other, and in random order also if all
    are taken: where masks overlap, the last row wins.
    """
    return torch.rand(images, N, generator=generator).argsort(dim=1)[:, : min(rows or N, N)]

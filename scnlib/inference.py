"""From a network's logits to a label volume on the volume's own grid."""

from collections.abc import Callable

import numpy as np
import torch

from scnlib.correlation import to_image
from scnlib.data.resize import resize_image

Predict = Callable[[torch.Tensor], torch.Tensor]


def label_volume(predict: Predict, image: np.ndarray, size: int, batch: int) -> np.ndarray:
    """Label volume uint8 (n, H, W) of an image float32 (n, H, W) in 0..1, on the image's own grid.

    `predict` maps float32 (b, 1, size, size), b <= batch, to logits (b, K, size, size). Their
    softmax is brought back to H x W bilinearly before the argmax, which follows the border more
    closely than resizing labels. ValueError if the logits have another shape or are not finite.
    """
    height, width = image.shape[1:]
    small = torch.as_tensor(resize_image(image, size))[:, None]
    labels = []
    with torch.inference_mode():
        for slices in small.split(batch):
            logits = predict(slices)
            if logits.ndim != 4 or logits[:, :1].shape != slices.shape:
                raise ValueError(
                    f"logits must be ({len(slices)}, K, {size}, {size}), got {tuple(logits.shape)}"
                )
            if not logits.isfinite().all():
                raise ValueError("the logits are not finite: train again at a lower learning rate")
            probabilities = logits.float().softmax(dim=1)
            fine = to_image(probabilities, (height, width))
            labels.append(fine.max(dim=1).indices.to(torch.uint8).cpu())
    return torch.cat(labels).numpy()

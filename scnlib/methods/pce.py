"""PCE: partial cross-entropy alone (Tang et al. 2018), the baseline of every table."""

from torch import Tensor

from scnlib.config import Run
from scnlib.losses import partial_cross_entropy
from scnlib.methods.base import Batch, Losses, Method
from scnlib.unet import UNet


class PCE(Method):
    """Cross-entropy over the scribbled pixels; all others are never supervised."""

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__(run, classes, bf16)
        self.net = UNet(classes, run.profile.dropout, bf16)

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        loss = partial_cross_entropy(self.net(batch.image).logits, batch.scribble)
        return loss, {"pce": loss.detach()}

    def predict(self, image: Tensor) -> Tensor:
        return self.net(image).logits

"""Full supervision: cross-entropy and soft Dice on whole masks, the bound that the paper omits."""

from torch import Tensor

from scnlib.losses import partial_cross_entropy
from scnlib.methods.base import Batch, Losses
from scnlib.methods.dice import soft_dice
from scnlib.methods.pce import PCE


class Full(PCE):
    """The same network trained on every pixel's true class."""

    needs = "label"

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        logits = self.net(batch.image).logits
        mask = batch.scribble  # labels every pixel but the padding, which has the unlabelled value
        entropy = partial_cross_entropy(logits, mask)
        dice = soft_dice(logits.softmax(dim=1), mask)
        return entropy + dice, {"cross_entropy": entropy.detach(), "dice": dice.detach()}

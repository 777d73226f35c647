"""What a method is: its networks, a loss from a batch, and a prediction."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from scnlib.augment import Batch, upload
from scnlib.config import Run


@dataclass(frozen=True)
class Now:
    """Where the run stands: what a method's ramps and draws depend on."""

    iteration: int  # from 0
    iterations: int
    generator: torch.Generator  # on the CPU, so that draws are the same on every device


Losses = dict[str, Tensor | float]


class Method(nn.Module):
    """A row of the tables. Subclasses build their networks in `__init__` and write `loss`.

    A method knows nothing of files, device names or progress bars. What must survive a restart is
    in its `state_dict` (parameters and buffers). Other hooks do nothing unless overridden.
    """

    needs: ClassVar[Literal["scribble", "label"]] = "scribble"
    memory: ClassVar[tuple[str, ...]] = ()  # state that training needs and prediction does not

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__()
        self.run = run
        self.classes = classes

    def loss(self, batch: Batch, now: Now) -> tuple[Tensor, Losses]:
        """The total to minimise (scalar), and its named parts for the curve, detached.

        Either this is overridden, or `objective` is, with `draw` for what it needs by chance.
        """
        drawn = self.draw(batch.image.shape, now)
        return self.objective(batch, {k: upload(v, batch.image.device) for k, v in drawn.items()})

    def draw(self, shape: torch.Size, now: Now) -> dict[str, Tensor]:
        """A step's random numbers by name, tensors on the CPU drawn from `now.generator`.

        For images of the given shape, (B, 1, H, W): they may not be there yet.
        """
        return {}

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        """`loss` as a function of tensors on the device alone, the drawn ones among them.

        It never waits for the device (no number is read, no shape depends on values), so that a
        step can be compiled or captured as one graph.
        """
        raise NotImplementedError

    def predict(self, image: Tensor) -> Tensor:
        """image (B, 1, H, W) float32 to logits (B, K, H, W) float32, for evaluation."""
        raise NotImplementedError

    def prepare(self, images: Tensor, scribbles: Tensor) -> None:
        """Once before a run, new or resumed: the unaugmented training set, (S, H, W) each.

        images float32 in 0..1, scribbles uint8 with K = unlabelled (masks as in `Batch`).
        """

    def after_step(self, now: Now) -> None:
        """After every optimiser step (an averaged teacher, say)."""

    def every(self, now: Now, images: Tensor) -> None:
        """Before every step, with the unaugmented images (S, H, W); mostly returns at once."""

    # --- the best weights -------------------------------------------------------------------

    def kept(self) -> dict[str, Tensor]:
        """A copy on the CPU of what prediction needs: the state without the `memory`."""
        state = self.state_dict()
        return {k: v.detach().cpu().clone() for k, v in state.items() if not self._is_memory(k)}

    def restore(self, kept: dict[str, Tensor]) -> None:
        """Set the method to a copy that `kept` made; `RuntimeError` if more than `memory` lacks."""
        memory = {k: v for k, v in self.state_dict().items() if self._is_memory(k)}
        self.load_state_dict(memory | kept)

    def _is_memory(self, name: str) -> bool:
        return any(name == part or name.startswith(f"{part}.") for part in self.memory)

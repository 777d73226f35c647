"""What each of two processes does for test_parallel.py, which starts it by torchrun."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from scnlib import training
from scnlib.methods import Now
from scnlib.training import Training
from study.run import parallel
from tests import tiny_runs
from tests.tiny_runs import CPU, tiny, without_dropout


def step(begun: Training, loss, seed: int) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """The loss, the gradients, and the buffers afterwards, of one batch."""
    without_dropout(begun.method)
    begun.data.images = begun.data.images.double()
    begun.method.train()
    begun.method.prepare(begun.data.images, begun.data.scribbles)
    generator = torch.Generator().manual_seed(seed)
    batch, _ = begun.data.draw([], generator)
    total, _ = loss(batch, Now(5, 10, generator))
    total.backward()
    gradients = [w.grad for w in begun.method.parameters() if w.grad is not None]
    return total.detach(), gradients, dict(begun.method.named_buffers())


def compare(method: str, folder: Path) -> None:
    """One process's step against the shared one's; the differences go to a file of each rank."""
    run = tiny(method, size=32, batch=4)
    alone = Training(run, folder, None, CPU)
    expected, theirs, before = step(alone, alone.method.loss, seed=3)
    shared = parallel.SharedTraining(run, folder, None, CPU)
    assert isinstance(shared.step, parallel.SharedStep)
    found, ours, after = step(shared, shared.step.loss, seed=3)
    scale = max(float(g.abs().max()) for g in theirs)
    worst = max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True)) / scale
    buffers = max(float((after[name] - before[name]).abs().max()) for name in before)
    with (folder / f"rank{dist.get_rank()}.txt").open("a") as file:
        file.write(f"{method} {float(abs(found / expected - 1))} {worst} {buffers}\n")


def main() -> None:
    torch.set_num_threads(1)
    # In double precision: in single, a rounding turns the sign of some activation near 0, or the
    # winner of a max-pooling over equal pixels, and the gradients differ in the third digit.
    torch.set_default_dtype(torch.float64)
    single, torch.Tensor.float = torch.Tensor.float, torch.Tensor.double
    torch.nn.functional.dropout2d = lambda x, p, training: x  # each process draws its own
    training.load_split = lambda dataset, root, split: tiny_runs.cases(split)
    dist.init_process_group("gloo")
    folder = Path(sys.argv[1])
    for method in ("pce", "scn", "fddseg"):
        compare(method, folder)
    torch.set_default_dtype(torch.float32)
    torch.Tensor.float = single
    parallel.train_shared(tiny("scn", iterations=4, seed=1), folder / "trained")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()

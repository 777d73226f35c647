r"""One training over several processes, on the GPUs of one machine or of many.

    torchrun --nproc-per-node=2 -m study.run.parallel --method scn --dataset acdc --data DIR \
        --out OUT

The processes share the networks' work, and the loss is one. Each puts its share of the batch's
slices through the networks; what comes out is gathered, so that every process computes the losses
of the whole batch: a mean over scribbled pixels, a class mean and tau are what one process would
have. torch's DistributedDataParallel adds the gradients up. BatchNorm takes its statistics over
all shares. So a step is that of one process up to rounding, but for dropout, whose bits each
process draws for itself; and a run that goes on from a checkpoint draws others.

All processes draw the same batches and validate alike; the first alone writes the checkpoint and
the record, and tests. All must see one OUT: each reads the checkpoint there.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.parallel import DistributedDataParallel

from scnlib.config import Run
from scnlib.files import held
from scnlib.methods import Batch, Method, Now
from scnlib.methods.base import Losses
from scnlib.paths import run_folder, to_path
from scnlib.records import Record, finished
from scnlib.step import EagerStep, Values
from scnlib.training import Training
from study.commands import described, exit_code
from study.experiments import make_run

# --- the networks' work, shared -----------------------------------------------------------------


def share_networks(method: Method) -> None:
    """Let the method's networks compute this process's share in training, and gather the rest."""
    for network in method.children():
        network.register_forward_pre_hook(_take_share)
        network.register_forward_hook(_give_all)
    for module in list(method.modules()):
        for name, layer in list(module.named_children()):
            if type(layer) is nn.BatchNorm2d:
                setattr(module, name, _shared(layer))


def _take_share(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return _map(lambda x: x.chunk(dist.get_world_size())[dist.get_rank()], arguments, module)


def _give_all(module: nn.Module, _: tuple[Any, ...], outputs: Any) -> Any:
    return _map(Gathered.apply, outputs, module)


def _map(action: Callable[[Tensor], Any], values: Any, module: nn.Module) -> Any:
    """The values with the action done to each tensor in them; as they are out of training."""
    if not module.training:
        return values
    if isinstance(values, Tensor):
        return action(values)
    if isinstance(values, list | tuple):
        parts = [_map(action, value, module) for value in values]
        return type(values)(*parts) if hasattr(values, "_fields") else type(values)(parts)
    return values


class Gathered(torch.autograd.Function):
    """The shares of all processes, one after the other, (b, ...) to (processes x b, ...)."""

    @staticmethod
    def forward(ctx: Any, share: Tensor) -> Tensor:
        shares = [torch.empty_like(share).contiguous() for _ in range(dist.get_world_size())]
        dist.all_gather(shares, share.contiguous())
        return torch.cat(shares)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # All processes have the whole loss, and the mean of their gradients is taken in the end.
        n = dist.get_world_size()
        return n * gradients[0].chunk(n)[dist.get_rank()]


class SharedBatchNorm(nn.BatchNorm2d):
    """BatchNorm with the statistics of all processes' shares, on any device.

    torch's own SyncBatchNorm works on GPUs alone. Shares are of one size, so that means are
    averaged; the variance is taken around the common mean.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(b, D, H, W), normalised as in the whole batch."""
        if not self.training:
            return super().forward(input)
        x, n = input.float() if input.dtype == torch.bfloat16 else input, dist.get_world_size()
        mean = all_reduce(x.mean(dim=(0, 2, 3), keepdim=True)) / n
        centred = x - mean
        variance = all_reduce(centred.square().mean(dim=(0, 2, 3), keepdim=True)) / n
        self._remember(mean.detach().flatten(), variance.detach().flatten(), n * x[:, 0].numel())
        weight, bias = (one.view(1, -1, 1, 1) for one in (self.weight, self.bias))
        return (centred * (variance + self.eps).rsqrt() * weight + bias).to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)


def _shared(layer: nn.BatchNorm2d) -> SharedBatchNorm:
    """The same layer, its weights the very same, with shared statistics."""
    made = SharedBatchNorm(layer.num_features)
    made.__dict__.update(layer.__dict__)
    return made


# --- a step, and a run --------------------------------------------------------------------------


class _Loss(nn.Module):
    """A method's loss as the forward pass that DistributedDataParallel watches."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, batch: Batch, now: Now) -> tuple[Tensor, Losses]:
        return self.method.loss(batch, now)


class SharedStep(EagerStep):
    """A step of which each process does its share. Needs a process group.

    Raises ValueError unless the batch can be shared evenly.
    """

    def __init__(self, training: Training) -> None:
        super().__init__(training.method, training.data, training.optimiser)
        n = dist.get_world_size()
        if self.data.batch % n:
            raise ValueError(f"a batch of {self.data.batch} has no equal shares for {n} processes")
        share_networks(self.method)
        self.loss = DistributedDataParallel(_Loss(self.method), broadcast_buffers=False)
        self.kind = f"eager on {n} processes"

    def __call__(self, order: list[int], now: Now) -> tuple[Values, list[int]]:
        batch, rest = self.data.draw(order, now.generator)
        return self.descend(*self.loss(batch, now)), rest


class SharedTraining(Training):
    """A run in progress in one of several processes; the first alone writes what counts."""

    def __init__(self, run: Run, folder: Path, root: Path | None, device: torch.device) -> None:
        super().__init__(run, folder, root, device, step="eager")
        self.step = SharedStep(self)

    def resume(self) -> None:
        """As ever; then each process goes on with dropout of its own."""
        super().resume()
        dist.barrier()  # nobody writes before all have read
        torch.manual_seed(self.run.seed + 1_000_003 * dist.get_rank() + self.state.iteration)

    def save(self) -> None:
        """Write the checkpoint, in the first process."""
        if dist.get_rank() == 0:
            super().save()

    def tell(self) -> None:
        """Write how far the run is, in the first process."""
        if dist.get_rank() == 0:
            super().tell()


def train_shared(run: Run, folder: Path, root: Path | None = None) -> Record | None:
    """`scnlib.training.train` in each process of a group; the record in the first one.

    On the process's GPU (LOCAL_RANK) if there are any. Raises as that one, and as `SharedStep`.
    """
    place = f"cuda:{os.environ['LOCAL_RANK']}" if torch.cuda.is_available() else "cpu"
    if place != "cpu":
        torch.cuda.set_device(place)
    first = dist.get_rank() == 0
    if (done := finished(run, folder)) is None:
        training = SharedTraining(run, folder, root, torch.device(place))
        with held(folder) if first else nullcontext():
            training.resume()
            while training.state.iteration < run.profile.iterations:
                training.advance()
            done = training.finish() if first else None
    dist.barrier()  # the others wait for the test
    return done if first else None


def parse(words: list[str] | None = None) -> Namespace:
    """The options; wrong usage, or a start without torchrun, ends the program with one line."""
    parser = described("study.run.parallel", __doc__)
    parser.add_argument("--dataset", default="phantom")
    parser.add_argument("--method", default="scn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--data", type=to_path, help="the data's folder")
    parser.add_argument("--out", type=to_path, required=True, help="the results' folder")
    options = parser.parse_args(words)
    if "RANK" not in os.environ:
        parser.error("start it by torchrun, which tells each process which one it is")
    return options


def main(words: list[str] | None = None) -> int:
    """Train one run; 1 after one line for what can't be done."""
    options = parse(words)
    which = (options.profile, options.dataset, options.method, options.seed)
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    def action() -> None:
        run = make_run(options.dataset, options.method, options.seed, options.profile)
        train_shared(run, run_folder(options.out, *which), options.data)

    try:
        return exit_code(action)
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())

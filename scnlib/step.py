"""How a step of training runs: eager, compiled, or the whole of it as one CUDA graph.

All kinds draw the same random numbers in the same order, and compute the same step; only dropout's
bits differ. A step that runs otherwise than eager reads nothing but tensors at fixed places on the
device, its `Inbox`: which slices, their affines, the method's own draws, and the learning rate. One
upload fills them. So the losses can be compiled, and a graph replayed:

    eager       each operation is started by Python, one after the other
    compiled    augmentation, network and losses fused by torch.compile
    graph       on a GPU: augmentation, network, losses, their gradients and the optimiser recorded
                once, and started by one call; compiled, too, where a compiler is there (by "auto"
                only where the run is long enough, `PAYS`)

Only methods whose loss is an `objective` (`scnlib.methods.base`) can do without eager. What the
machine refuses (no compiler, no GPU, too little of its memory) is said once, and done in a plainer
way.
"""

import copy
import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from scnlib.allocator import keep_freed_memory
from scnlib.data.batches import TrainingSet
from scnlib.errors import first_line
from scnlib.methods.base import Method, Now

STEPS = ("auto", "eager", "compiled", "graph")
ASKED = "SCN_STEP"  # the environment variable that says what "auto" is
PAYS = 5_000  # iterations from which a compiler's minute is won back
ALIGNED = 16  # bytes: every place in an `Inbox` starts at a multiple of them
WARM = 3  # steps before the recording, in which the libraries set themselves up

log = logging.getLogger(__name__)

Values = tuple[list[str], Tensor]  # names of the loss and its parts, and their values (n,) float64


class EagerStep:
    """A batch, its loss and gradients, and the optimiser's step, one operation after the other."""

    kind = "eager"  # what the record calls it

    def __init__(self, method: Method, data: TrainingSet, optimiser: torch.optim.Optimizer) -> None:
        self.method, self.data, self.optimiser = method, data, optimiser

    def __call__(self, order: list[int], now: Now) -> tuple[Values, list[int]]:
        """One step; its loss and parts, and what is left of the epoch's order."""
        batch, rest = self.data.draw(order, now.generator)
        loss, parts = self.method.loss(batch, now)
        return self.descend(loss, parts), rest

    def descend(self, loss: Tensor, parts: dict[str, Any]) -> Values:
        """One step of the optimiser down the loss; the loss and its parts as one tensor."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        named = {"loss": loss.detach(), **parts}
        numbers = [torch.as_tensor(v, device=loss.device).double() for v in named.values()]
        return list(named), torch.stack(numbers)


class StaticStep(EagerStep):
    """A step on tensors at fixed places: compiled, recorded, or both."""

    def __init__(
        self,
        method: Method,
        data: TrainingSet,
        optimiser: torch.optim.Optimizer,
        *,
        compiler: str | None,
        recorded: bool,
    ) -> None:
        super().__init__(method, data, optimiser)
        self.shape = torch.Size((data.batch, 1, *data.images.shape[1:]))
        self.inbox: Inbox | None = None
        self.compiler, self.recorded = compiler, recorded
        self.loss = self._loss
        if compiler:
            torch.compiler.reset()  # what was compiled for another run is of no use here
            self.loss = torch.compile(self._loss, fullgraph=True, dynamic=False, backend=compiler)
        self.replay: Callable[[], Values] | None = None
        self.taken = 0
        # Steps before a recording have to be on a stream beside the GPU's own.
        on_gpu = recorded and data.device.type == "cuda"
        self.stream = torch.cuda.Stream(data.device) if on_gpu else None

    @property
    def kind(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As `EagerStep.kind`: "eager", "compiled", "graph" or "compiled graph"."""
        words = ["compiled"] * bool(self.compiler) + ["graph"] * self.recorded
        return " ".join(words) or "eager"

    def __call__(self, order: list[int], now: Now) -> tuple[Values, list[int]]:
        index, theta, rest = self.data.pick(order, now.generator)
        rate = torch.tensor(self.optimiser.param_groups[0]["lr"])
        inputs = {"index": index, "theta": theta, "rate": rate}
        inputs |= self.method.draw(self.shape, now)
        if self.inbox is None:
            self.inbox = Inbox(inputs, self.data.device)
        self.inbox.fill(inputs)
        values = self._step(self.inbox.places)
        self.taken += 1
        return values, rest

    def _step(self, places: dict[str, Tensor]) -> Values:
        """The step in the best way that works; a way that does not is said, and left for good."""
        if self.compiler and self.taken == 0:
            with aside(self.stream):  # as the steps before a recording
                values = self._tried("compile a step", lambda: self._whole(places))
            if values is not None:
                return values
            self.compiler, self.loss = None, self._loss
        if self.recorded and self.replay is None and self.taken >= WARM:
            self.replay = self._tried("record a step", lambda: record(lambda: self._whole(places)))
            self.recorded = self.replay is not None
        if self.replay is not None:
            return self.replay()
        with aside(self.stream):
            return self._whole(places)

    def _whole(self, places: dict[str, Tensor]) -> Values:
        loss, parts = self.loss(places)
        if not self.recorded:
            return self.descend(loss, parts)
        with rate_from(places["rate"], self.optimiser):
            return self.descend(loss, parts)

    def _loss(self, places: dict[str, Tensor]) -> tuple[Tensor, dict[str, Any]]:
        return self.method.objective(self.data.augmented(places["index"], places["theta"]), places)

    def _tried(self, what: str, action: Callable[[], Any]) -> Any:
        """The action's result; None, said on the log, if it is refused.

        Nothing has changed then but the random state of a GPU, of which only dropout draws.
        """
        before = copy.deepcopy(self.method.state_dict())
        random = torch.get_rng_state()
        try:
            return action()
        except Exception as error:  # whatever it is: if it is no refusal, it comes again at once
            text = "this machine can't %s (%s): going on in a plainer way"
            log.warning(text, what, first_line(error))
            log.info("what it said:", exc_info=True)
        self.optimiser.zero_grad(set_to_none=True)
        self.method.load_state_dict(before)
        torch.set_rng_state(random)
        return None


class Inbox:
    """Named tensors at fixed places of one buffer on the device, filled by one upload."""

    def __init__(self, like: dict[str, Tensor], device: torch.device) -> None:
        self.like = {name: (value.shape, value.dtype) for name, value in like.items()}
        self.sizes = [-(-value.nbytes // ALIGNED) * ALIGNED for value in like.values()]
        self.buffer = torch.empty(sum(self.sizes), dtype=torch.uint8, device=device)
        self.places = self._views(self.buffer)

    def fill(self, values: dict[str, Tensor]) -> None:
        """Upload the values, tensors on the CPU, without waiting for a GPU to take them."""
        # torch keeps the pinned memory of an upload until the GPU has read it.
        host = torch.empty(len(self.buffer), dtype=torch.uint8, pin_memory=self.buffer.is_cuda)
        for name, place in self._views(host).items():
            place.copy_(values[name])
        self.buffer.copy_(host, non_blocking=True)

    def _views(self, buffer: Tensor) -> dict[str, Tensor]:
        parts = zip(self.like.items(), buffer.split(self.sizes), strict=True)
        return {
            name: part[: shape.numel() * dtype.itemsize].view(dtype).view(shape)
            for (name, (shape, dtype)), part in parts
        }


@contextmanager
def rate_from(rate: Tensor, optimiser: torch.optim.Optimizer) -> Iterator[None]:
    """Let the optimiser read its learning rate from a tensor, which a graph can do again.

    Outside it is a number as ever, so that schedules and checkpoints are those of every step.
    """
    before = [dict(group) for group in optimiser.param_groups]
    for group in optimiser.param_groups:
        group["lr"] = rate
        if "capturable" in group:
            group["capturable"] = rate.is_cuda
    try:
        yield
    finally:
        for group, old in zip(optimiser.param_groups, before, strict=True):
            group.update({name: old[name] for name in ("lr", "capturable") if name in old})


@contextmanager
def aside(stream: torch.cuda.Stream | None) -> Iterator[None]:
    """On another stream of the GPU, after what was started before, and before what comes later."""
    if stream is None:
        yield
        return
    main = torch.cuda.current_stream(stream.device)
    stream.wait_stream(main)
    with torch.cuda.stream(stream):
        yield
    main.wait_stream(stream)


def record(action: Callable[[], Values]) -> Callable[[], Values]:
    """Record what the action does on the GPU, without doing it; the result does it.

    Raises RuntimeError for what can't be recorded (it waits for the GPU, say), and without a GPU.
    """
    if not torch.cuda.is_available():
        raise RuntimeError("no GPU")
    gc.collect()  # graphs of autograd that are left over belong to another stream
    # A recording that fails leaves the generator and the stream as they are within one.
    stream = torch.cuda.current_stream()
    random = torch.cuda.default_generators[torch.cuda.current_device()]
    state = random.clone_state()
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            names, values = action()
    except Exception:
        torch.cuda.set_stream(stream)
        random.graphsafe_set_state(state)
        raise

    def replay() -> Values:
        graph.replay()
        return names, values

    return replay


def make_step(
    kind: str, method: Method, data: TrainingSet, optimiser: torch.optim.Optimizer
) -> EagerStep:
    """The step of one of the kinds in `STEPS`.

    "auto" is the kind that the environment variable SCN_STEP names. Where it names none: eager on a
    CPU; on a GPU a graph, compiled where the run is long enough to pay for it.
    Raises `ValueError` for another kind.
    """
    asked = os.environ.get(ASKED) if kind == "auto" else ""
    kind = asked or kind
    if kind not in STEPS:
        where = f"{ASKED}={asked}" if asked else repr(kind)
        raise ValueError(f"unknown step {where}: choose one of {', '.join(STEPS)}")
    if data.device.type == "cpu":
        keep_freed_memory()
    recorded = kind == "graph" or (kind == "auto" and data.device.type == "cuda")
    if not (recorded or kind == "compiled"):
        return EagerStep(method, data, optimiser)
    if type(method).loss is not Method.loss:
        log.info("%s has no objective: its steps are eager", type(method).__name__)
        return EagerStep(method, data, optimiser)
    pays = kind != "auto" or method.run.profile.iterations >= PAYS
    compiler = "inductor" if pays else None
    return StaticStep(method, data, optimiser, compiler=compiler, recorded=recorded)

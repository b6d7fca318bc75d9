"""The state of training from one seed: all that a checkpoint has to hold."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from equinox.config.training import TrainingJob
from equinox.encodings import Encoding, convert, wide_weights
from equinox.encodings.formats import BF16
from equinox.encodings.operands import operands_of
from equinox.training.distributed import Team
from equinox.training.problem import Problem
from equinox.training.progress import Epoch
from equinox.training.recipe import make_optimizer


@final
@dataclass(kw_only=True)
class Run:
    """A model in training, its optimizer, streams of random numbers and epochs so far."""

    model: nn.Module
    network: nn.Module  # the model as all processes share it
    optimizer: Optimizer
    order: torch.Generator  # of the data
    epochs: list[Epoch]
    average: AveragedModel | None = None  # of weights, once that has begun

    def begin_average(self) -> AveragedModel:
        """Average weights from now on."""
        self.average = AveragedModel(self.model)
        return self.average

    def state(self, team: Team) -> dict[str, Any]:
        """Return what `load` takes; all processes have to call this."""
        return {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "average": None if self.average is None else self.average.state_dict(),
            "streams": team.gather(self._stream_states(team)),
        }

    def load(self, state: Mapping[str, Any], team: Team) -> None:
        """Go back to `state`: what follows is the same, bit for bit, as without a break."""
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order.set_state(state["order"])
        if state["average"] is not None:
            self.begin_average().load_state_dict(state["average"])
        own, *streams = state["streams"][team.rank]
        torch.set_rng_state(own)
        if team.device.type == "cuda":
            torch.cuda.set_rng_state(streams.pop(0), team.device)
        for generator, stream in zip(self._generators(), streams, strict=True):
            generator.set_state(stream)

    def _stream_states(self, team: Team) -> list[torch.Tensor]:
        own = [torch.get_rng_state()]
        if team.device.type == "cuda":
            own.append(torch.cuda.get_rng_state(team.device))
        return own + [generator.get_state() for generator in self._generators()]

    def _generators(self) -> Iterator[torch.Generator]:
        yield from generators_of(self.model)
        if self.average is not None:
            yield from generators_of(self.average)


def generators_of(model: nn.Module) -> list[torch.Generator]:
    """Return the generators that modules of `model` draw from, each once."""
    found: dict[int, torch.Generator] = {}
    for module in model.modules():
        operands = operands_of(module)
        own = [value for value in vars(module).values() if isinstance(value, torch.Generator)]
        if operands is not None and operands.generator is not None:
            own.append(operands.generator)
        found.update({id(generator): generator for generator in own})
    return list(found.values())


def start_run(job: TrainingJob, seed: int, problem: Problem, encoding: Encoding, team: Team) -> Run:
    """Return a run that has not begun; PyTorch's own generator is seeded for it.

    Weights are initialized, data ordered and units dropped by streams of the seed, the same in
    every encoding; rounding has a stream of its own. Streams of dropout and of rounding operands
    differ between processes, that of rounding stored weights does not.

    Raises:
        ValueError: PyTorch's autocast is asked for, and does not reach the model.
    """
    torch.manual_seed(stream(seed, "weights"))  # modules initialize from PyTorch's own generator
    dropout = torch.Generator().manual_seed(stream(seed, f"dropout{_of(team)}"))
    model = problem.build(dropout)
    torch.manual_seed(stream(seed, f"library{_of(team)}"))
    if uses_autocast(job, encoding):
        if any(isinstance(module, nn.RNNBase) for module in model.modules()):
            raise ValueError(
                f"{job.name}: autocast does not reach recurrent layers; set it to false"
            )
    else:
        rounding = stream(seed, f"rounding {encoding.name}{_of(team)}")
        model = convert(model, encoding, seed=rounding)
    model.to(team.device)
    optimizer = make_optimizer(model, job.task)
    wide_weights(optimizer, encoding, seed=stream(seed, f"storage {encoding.name}"))
    return Run(
        model=model,
        network=team.wrap(model),
        optimizer=optimizer,
        order=torch.Generator().manual_seed(stream(seed, "order")),
        epochs=[],
    )


def uses_autocast(job: TrainingJob, encoding: Encoding) -> bool:
    """Whether PyTorch computes in bfloat16 itself, instead of rounding operands to it."""
    return job.autocast and all(operand == BF16 for operand in encoding.operands)


def _of(team: Team) -> str:
    return f" {team.rank}" if team.rank else ""


def stream(seed: int, name: str) -> int:
    """Return the seed of the stream of random numbers called `name`, 63 bits."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1

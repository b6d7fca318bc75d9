"""One training job on several processes, each with a GPU if there are any."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from equinox.config.training import Device


@final
@dataclass(frozen=True, kw_only=True)
class Team:
    """The processes of a job, seen from one of them."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    def share(self, workers: int) -> range:
        """Return the workers, of 0 to `workers` - 1, that this process computes, in order.

        Raises:
            ValueError: they cannot be shared out evenly.
        """
        if workers % self.size:
            raise ValueError(
                f"{workers} workers cannot be shared by {self.size} processes; start a divisor"
            )
        each = workers // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return `model` with gradients, and buffers of the first process, that all share."""
        return DistributedDataParallel(model) if self.size > 1 else model

    def mean(self, value: float) -> float:
        """Return the mean of the values of all processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total) / self.size

    def first(self, value: float) -> float:
        """Return the value of the first process."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, src=0)
        return float(shared)

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


def without_sharing(model: nn.Module) -> AbstractContextManager[None]:
    """Return a context in which gradients add up in each process and are not shared."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()


@contextmanager
def join_team(device_choice: Device) -> Iterator[Team]:
    """Yield the team of this process, as `torchrun` started it; one alone is a team of its own."""
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    cuda = device_choice == "auto" and torch.cuda.is_available()
    device = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Team(device=device)
        return
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Team(rank=dist.get_rank(), size=dist.get_world_size(), device=device)
    finally:
        dist.destroy_process_group()

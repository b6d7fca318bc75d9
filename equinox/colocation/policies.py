"""Scheduling policies: who issues next on the matrix unit.

A policy is a pure function of a small `State` to an `Action`. To add one, write the function and
enter it in `POLICIES`. The compiled engine looks decisions up in a table of all states, so a
policy is plain Python and costs nothing per instruction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from itertools import product
from typing import final

import numpy as np
from numpy.typing import NDArray


class Action(IntEnum):
    """What the matrix unit does at an issue slot."""

    WAIT = 0
    INFER = 1
    TRAIN = 2


@final
@dataclass(frozen=True, kw_only=True)
class State:
    """What a policy sees when the matrix unit is free; the order of fields is the table's."""

    inference_ready: bool  # the next inference instruction (or a batch's first) can issue
    training_ready: bool  # the operands and inputs of the next training instruction are there
    guarded: bool  # more requests wait than the admission guard allows beside training
    inference_last: bool  # the latest instruction was of inference
    mid_batch: bool  # a batch has issued its first instruction and is not complete
    mid_iteration: bool  # a training iteration has issued its first instruction, not its last


Policy = Callable[[State], Action]


def inference_only(state: State) -> Action:
    """No training at all."""
    return Action.INFER if state.inference_ready else Action.WAIT


def training_only(state: State) -> Action:
    """No inference at all."""
    return Action.TRAIN if state.training_ready else Action.WAIT


def priority(state: State) -> Action:
    """Inference whenever it can issue; training in the gaps, unless the guard stops it."""
    if state.inference_ready:
        return Action.INFER
    return _train_unless_guarded(state)


def fair(state: State) -> Action:
    """Instructions in turn where both can issue; the guard stops training."""
    trains = state.training_ready and state.inference_last and not state.guarded
    return Action.TRAIN if trains else priority(state)


def software(state: State) -> Action:
    """Inference first, but batches and iterations run to their end: no switch within them."""
    if state.mid_batch:
        return inference_only(state)
    return training_only(state) if state.mid_iteration else priority(state)


def _train_unless_guarded(state: State) -> Action:
    return Action.WAIT if state.guarded else training_only(state)


POLICIES: Mapping[str, Policy] = {
    "inference_only": inference_only,
    "training_only": training_only,
    "priority": priority,
    "fair": fair,
    "software": software,
}


def get_policy(name: str) -> Policy:
    """Return the policy called `name`.

    Raises:
        ValueError: there is none.
    """
    if name not in POLICIES:
        raise ValueError(f"scheduling is {name!r}; policies are {', '.join(POLICIES)}")
    return POLICIES[name]


def decision_table(policy: Policy) -> NDArray[np.int64]:
    """Return the decisions of `policy` for every `State`: bit i of an index is field i.

    Raises:
        ValueError: a decision is no `Action`, or issues what is not ready.
    """
    names = [field.name for field in fields(State)]
    states = (
        State(**dict(zip(names, reversed(bits), strict=True)))
        for bits in product((False, True), repeat=len(names))
    )
    return np.array([_decision(policy, state) for state in states], np.int64)


def _decision(policy: Policy, state: State) -> Action:
    action = policy(state)
    ready = {Action.INFER: state.inference_ready, Action.TRAIN: state.training_ready}
    if not isinstance(action, Action) or not ready.get(action, True):
        what = action.name if isinstance(action, Action) else repr(action)
        name = getattr(policy, "__name__", repr(policy))
        raise ValueError(
            f"policy {name} answers {what} to {state}; it must be WAIT, INFER where "
            "inference_ready, or TRAIN where training_ready"
        )
    return action

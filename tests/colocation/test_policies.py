"""Scheduling policies."""

from dataclasses import astuple, replace

import pytest

from equinox.colocation.policies import POLICIES, Action, State, decision_table, get_policy

BOTH = State(
    inference_ready=True,
    training_ready=True,
    guarded=False,
    inference_last=False,
    mid_batch=False,
    mid_iteration=False,
)


def states():
    for code in range(64):
        yield code, State(**{name: bool(code >> bit & 1) for bit, name in enumerate(vars(BOTH))})


@pytest.mark.parametrize("name", POLICIES)
def test_the_decision_table_is_the_policy(name):
    table = decision_table(POLICIES[name])
    assert [table[code] for code, _ in states()] == [POLICIES[name](s) for _, s in states()]


@pytest.mark.parametrize("name", POLICIES)
def test_only_what_is_ready_is_chosen(name):
    for _, state in states():
        action = POLICIES[name](state)
        assert action is not Action.INFER or state.inference_ready
        assert action is not Action.TRAIN or state.training_ready


def test_the_numbers_of_actions_are_those_that_the_engine_reads():
    assert [(action.name, int(action)) for action in Action] == [
        ("WAIT", 0),
        ("INFER", 1),  # the bit that tells
        ("TRAIN", 2),
    ]


def test_priority_prefers_inference_and_fair_takes_turns():
    after_inference = replace(BOTH, inference_last=True)
    assert POLICIES["priority"](after_inference) is Action.INFER
    assert POLICIES["fair"](after_inference) is Action.TRAIN
    assert POLICIES["fair"](BOTH) is Action.INFER


@pytest.mark.parametrize("name", ["priority", "fair"])
def test_nobody_waits_while_inference_or_unguarded_training_is_ready(name):
    for _, state in states():
        ready = state.inference_ready or (state.training_ready and not state.guarded)
        assert (POLICIES[name](state) is Action.WAIT) is not ready


@pytest.mark.parametrize("name", ["priority", "fair"])
def test_the_guard_stops_training(name):
    for _, state in states():
        if state.guarded:
            assert POLICIES[name](state) is not Action.TRAIN


def test_software_does_not_switch_within_a_batch_or_an_iteration():
    software = POLICIES["software"]
    assert software(replace(BOTH, inference_ready=False, mid_batch=True)) is Action.WAIT
    assert software(replace(BOTH, mid_iteration=True, guarded=True)) is Action.TRAIN
    assert astuple(BOTH)[4:] == (False, False)
    assert software(BOTH) is Action.INFER


def test_an_unknown_policy_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="scheduling is 'fifo'; policies are inference_only"):
        get_policy("fifo")


@pytest.mark.parametrize(
    ("policy", "answer"),
    [
        (lambda state: None, "None"),
        (lambda state: 2, "2"),
        (lambda state: Action.INFER, "INFER"),
        (lambda state: Action.TRAIN, "TRAIN"),
    ],
)
def test_a_policy_that_issues_what_it_cannot_is_an_error(policy, answer):
    with pytest.raises(ValueError, match=f"answers {answer} to .*; it must be WAIT, INFER where"):
        decision_table(policy)

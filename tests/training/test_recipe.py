import pytest
import torch

from equinox.training.models import ResNet8
from equinox.training.recipe import learning_rate, make_optimizer


def test_sgd_goes_up_for_a_fifth_and_down_to_zero(make_task):
    task = make_task(optimizer="sgd", learning_rate=1.0)
    rates = [learning_rate(task, step, 10) for step in range(10)]
    # Middles of steps: 0.05 / 0.2, 0.15 / 0.2, then (1 - 0.25) / 0.8, ...
    assert rates[:3] == pytest.approx([0.25, 0.75, 0.9375])
    assert rates[-1] == pytest.approx(0.0625)


def test_adam_warms_up_stays_and_goes_down_to_zero(make_task):
    task = make_task(optimizer="adam", learning_rate=2.0)
    rates = [learning_rate(task, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)  # 0.005 / 0.05
    assert rates[5:50] == pytest.approx([2.0] * 45)
    assert rates[75] == pytest.approx(2 * 0.49)
    assert rates[-1] == pytest.approx(2 * 0.01)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_norms_and_biases_do_not_decay(make_task, optimizer):
    model = ResNet8(shape=(1, 8, 8), classes=4, width=4)
    made = make_optimizer(model, make_task(optimizer=optimizer, weight_decay=0.5))
    decay = {id(p): group["weight_decay"] for group in made.param_groups for p in group["params"]}
    for name, weight in model.named_parameters():
        matrix = isinstance(model.get_submodule(name.rpartition(".")[0]), torch.nn.Conv2d)
        matrix |= name == "head.weight"
        assert decay[id(weight)] == (0.5 if matrix else 0.0), name

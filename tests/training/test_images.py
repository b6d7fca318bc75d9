import numpy as np
import torch

from equinox.training.images import _channels_last, _cut, _draw_windows, make_image_problem

CPU = torch.device("cpu")


def test_a_crop_is_the_image_moved_and_perhaps_mirrored():
    images = np.random.default_rng(0).integers(1, 255, (50, 1, 6, 7)).astype(np.uint8)
    padded = _channels_last(images, 2)
    windows = _draw_windows(torch.arange(50), 2, torch.Generator().manual_seed(0))
    crops = _cut(padded, torch.arange(50), 2, windows, slice(None))
    assert crops.shape == (50, 6, 7, 1)
    kinds = set()
    for image, crop in zip(padded, crops, strict=True):
        windows = {
            (top, left, mirrored): window.flip(1) if mirrored else window
            for top in range(5)
            for left in range(5)
            for mirrored in (False, True)
            for window in [image[top : top + 6, left : left + 7]]
        }
        found = [kind for kind, window in windows.items() if torch.equal(window, crop)]
        assert len(found) == 1
        kinds.add(found[0])
    assert {top for top, _, _ in kinds} == {left for _, left, _ in kinds} == set(range(5))
    assert {mirrored for _, _, mirrored in kinds} == {False, True}


def test_inputs_have_mean_zero_variance_one_and_channels_last(data_dir, make_task):
    problem = make_image_problem(make_task(), str(data_dir), CPU)
    inputs = problem._normalize(_channels_last(problem.train.pixels, 0))
    assert inputs.shape == (320, 1, 8, 8)
    assert inputs.stride() == (64, 1, 8, 1)
    assert abs(inputs.mean().item()) < 1e-5
    assert abs(inputs.std(correction=0).item() - 1) < 1e-5


def test_an_epoch_sees_each_image_once_in_an_order_of_the_generator(data_dir, make_task):
    problem = make_image_problem(make_task(), str(data_dir), CPU)
    seen: list[torch.Tensor] = []

    class Watch(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images.flatten(1))
            return torch.zeros(len(images), 4)

    steps = problem.epoch(Watch(), torch.Generator().manual_seed(0))
    assert len([loss for step in steps for loss in step.losses]) == problem.steps
    every = problem._normalize(_channels_last(problem.train.pixels, 0)).flatten(1)
    rows = torch.cdist(torch.cat(seen).double(), every.double()).argmin(dim=1)
    assert sorted(rows.tolist()) == list(range(320))
    assert rows.tolist() != list(range(320))


def test_error_is_the_share_of_wrong_classes(data_dir, make_task):
    problem = make_image_problem(make_task(), str(data_dir), CPU)

    class Reads(torch.nn.Module):
        """Tell the class from the bright row, but take class 3 for 0."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            scores = images[:, 0, :4].mean(dim=2).clone()
            scores[:, 3] = -9
            return scores

    wrong = problem.evaluate(Reads())
    assert wrong == 0.25  # a quarter of the test images is of class 3


def test_processes_together_see_what_one_sees(data_dir, make_task):
    task = make_task(batch_size=8, workers=4, augment=True)
    problem = make_image_problem(task, str(data_dir), CPU)

    def inputs(workers: range) -> list[torch.Tensor]:
        seen: list[torch.Tensor] = []

        class Watch(torch.nn.Module):
            def forward(self, images: torch.Tensor) -> torch.Tensor:
                seen.append(images)
                return torch.zeros(len(images), 4)

        for step in problem.epoch(Watch(), torch.Generator().manual_seed(0), workers):
            list(step.losses)
        return seen

    alone, first, second = inputs(range(4)), inputs(range(2)), inputs(range(2, 4))
    for step in range(problem.steps):
        both = first[2 * step : 2 * step + 2] + second[2 * step : 2 * step + 2]
        assert torch.equal(torch.cat(both), torch.cat(alone[4 * step : 4 * step + 4]))

import torch

from equinox.encodings.random_bits import draw_key, uniform

SHAPE = torch.Size([300, 1000])


def test_numbers_are_uniform_on_the_unit_interval():
    numbers = uniform(SHAPE, 12345, device=torch.device("cpu")).flatten()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = torch.histc(numbers.float(), bins=100, min=0, max=1)
    chi_square = ((counts - 3000) ** 2 / 3000).sum()
    assert 50 < chi_square < 170  # 99 degrees of freedom: 99 +- 5 standard deviations of 14


def test_neighbors_and_streams_are_not_correlated():
    device = torch.device("cpu")
    numbers, other = (uniform(SHAPE, key, device=device).flatten() for key in (1, 1 << 32))
    for a, b in ((numbers[1:], numbers[:-1]), (numbers, other), (numbers[24:], numbers[:-24])):
        # Five standard errors of a correlation of 300,000 pairs.
        assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 5 / 300_000**0.5


def test_keys_follow_from_the_seed():
    first, again = (torch.Generator().manual_seed(3) for _ in range(2))
    keys = [draw_key(first) for _ in range(3)]
    assert keys == [draw_key(again) for _ in range(3)]
    assert len(set(keys)) == 3

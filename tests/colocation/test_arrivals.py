"""Arrival processes."""

import numpy as np
import pytest

from equinox.colocation import (
    Diurnal,
    Modulated,
    Poisson,
    Renewal,
    Trace,
    make_arrivals,
)
from equinox.colocation.arrivals import take


def test_poisson_has_the_mean_rate_and_exponential_gaps():
    times = Poisson().times_s(2_000_000, request_per_s=4.0, generator=np.random.default_rng(0))
    gaps = np.diff(times)
    assert gaps.mean() == pytest.approx(0.25, rel=0.01)
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(1.0, rel=0.01)


def gaps_of(process, count=2_000_000):
    times = process.times_s(count, request_per_s=4.0, generator=np.random.default_rng(1))
    return np.diff(times, prepend=0.0)


@pytest.mark.parametrize("shape", ["gamma", "weibull"])
@pytest.mark.parametrize("scv", [0.25, 1.0, 2.0])
def test_renewal_gaps_have_the_mean_and_the_variation_asked_for(shape, scv):
    gaps = gaps_of(Renewal(shape=shape, gap_scv=scv))
    assert gaps.mean() == pytest.approx(0.25, rel=0.01)
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(scv, rel=0.01)
    assert gaps.min() >= 0


@pytest.mark.parametrize("name", ["poisson", "gamma:0.25", "gamma:4", "weibull:4"])
def test_no_gap_is_clipped(name):
    # clipping would leave many gaps at one value; the long tail is there
    process = make_arrivals(name)
    gaps = np.diff(
        process.times_s(1_000_000, request_per_s=4.0, generator=np.random.default_rng(2))
    )
    _, counts = np.unique(np.round(gaps[gaps > 1e-3], 9), return_counts=True)
    assert counts.max() <= 4
    assert gaps.max() > 8 * np.quantile(gaps, 0.9) / 3


@pytest.mark.parametrize(
    "name", ["poisson", "gamma:4", "weibull:4", "modulated:10:0.2:20", "diurnal:4:100"]
)
def test_blocks_are_one_rising_process_at_the_mean_rate(name):
    blocks = list(
        take(
            make_arrivals(name).blocks_s(request_per_s=4.0, generator=np.random.default_rng(3)),
            400_000,
        )
    )
    times = np.concatenate(blocks)
    assert len(blocks) > 10
    assert len(times) == 400_000
    assert (np.diff(times) >= 0).all()
    assert times[-1] == pytest.approx(100_000, rel=0.02)
    again = make_arrivals(name).times_s(
        100_000, request_per_s=4.0, generator=np.random.default_rng(3)
    )
    assert np.array_equal(times[:100_000], again)


def test_modulated_gaps_have_the_mean_and_the_variation_of_theory():
    process = Modulated(burst_factor=10, burst_share=0.2, burst_requests=20)
    gaps = gaps_of(process, 4_000_000)
    assert gaps.mean() == pytest.approx(0.25, rel=0.01)
    assert process.gap_scv > 1.5
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(process.gap_scv, rel=0.01)


def test_a_modulated_process_of_one_level_is_poisson():
    assert Modulated(burst_factor=1, burst_share=0.3, burst_requests=9).gap_scv == pytest.approx(1)


def test_a_day_has_its_mean_rate_and_its_peak_at_noon():
    process = Diurnal(peak_to_trough=4, day_s=1000.0)
    times = process.times_s(400_000, request_per_s=100.0, generator=np.random.default_rng(0))
    assert times[-1] == pytest.approx(4000, rel=0.01)
    by_eighth = np.bincount((times % 1000 // 125).astype(int), minlength=8)
    # from -1/16 to 1/16 day around an extreme, the mean of the cosine is sin(pi/8) / (pi/8)
    around = np.bincount(((times + 62.5) % 1000 // 125).astype(int), minlength=8)
    swing = 0.6 * np.sin(np.pi / 8) / (np.pi / 8)
    assert around[4] / around[0] == pytest.approx((1 + swing) / (1 - swing), rel=0.03)
    assert by_eighth[:4] == pytest.approx(by_eighth[:3:-1], rel=0.05)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("poisson", Poisson),
        ("gamma:4", Renewal),
        ("weibull:0.5", Renewal),
        ("modulated:10:0.1:500", Modulated),
        ("diurnal:4:86400", Diurnal),
    ],
)
def test_a_process_has_a_name(name, kind):
    assert isinstance(make_arrivals(name), kind)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("poison", "processes are poisson, gamma"),
        ("gamma", "arrivals is 'gamma'; it must be gamma:NUMBER"),
        ("gamma:x", "must be numbers"),
        ("weibull:-1", "gap_scv is -1.0"),
        ("modulated:10:1:5", "burst_share between 0 and 1"),
        ("diurnal:0.5:10", "peak_to_trough must be 1 or more"),
    ],
)
def test_a_wrong_process_is_an_error_that_says_what_is_right(name, message):
    with pytest.raises(ValueError, match=message):
        make_arrivals(name)


def test_a_trace_is_stretched_to_the_rate_and_keeps_its_shape():
    trace = Trace(recorded_s=np.array([10.0, 11.0, 14.0]))
    times = trace.times_s(6, request_per_s=1.0, generator=np.random.default_rng(0))
    # gaps 1 and 3, and their mean 2 where the trace repeats, each halved: mean rate 1
    assert sorted(np.diff(times, prepend=0).tolist()) == [0.5, 0.5, 1.0, 1.0, 1.5, 1.5]

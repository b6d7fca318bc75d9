"""Arrival processes."""

import numpy as np
import pandas as pd
import pytest

from equinox.colocation import (
    Diurnal,
    Modulated,
    Poisson,
    Renewal,
    Trace,
    make_arrivals,
    read_trace,
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


def test_a_trace_is_read_from_csv_and_parquet(tmp_path):
    frame = pd.DataFrame({"time_s": [0.0, 0.5, 2.0]})
    frame.to_csv(tmp_path / "trace.csv", index=False)
    frame.to_parquet(tmp_path / "trace.parquet")
    for name in ("trace.csv", "trace.parquet"):
        assert read_trace(tmp_path / name).recorded_s.tolist() == [0.0, 0.5, 2.0]


def test_parquet_may_hold_dates(tmp_path):
    dates = pd.to_datetime(["2023-11-16 18:17:03.5", "2023-11-16 18:17:05.0"])
    for zone in (None, "UTC"):
        pd.DataFrame({"time": dates.tz_localize(zone)}).to_parquet(tmp_path / "trace.parquet")
        assert read_trace(tmp_path / "trace.parquet").recorded_s.tolist() == [0.0, 1.5]


def test_dates_are_times(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("TIMESTAMP,tokens\n2023-11-16 18:17:03.5,1\n2023-11-16 18:17:05,2\n")
    assert read_trace(path).recorded_s.tolist() == [0.0, 1.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s\n0\nsoon\n", "row 2 is 'soon', not seconds or a date"),
        ("time_s\n0\n5\n4\n", "row 3 of the trace is 4.0, before row 2 at 5.0"),
        ("time_s\n", "no rows"),
        ("time_s\n1\n1\n", "a mean rate needs two rows"),
        ("time_s\n-1\n0\n", "row 1 is -1, before time 0"),
        ('time_s\n0\n""\n5\n', "row 2 is blank, not seconds or a date"),
        ("time_s\n0\n\n5\n", "row 2 is blank, not seconds or a date"),
        ("0\n1\n2\n", "the first line, '0', is a time"),
        ("2023-11-16 18:17:03\n2023-11-16 18:17:05\n", "the first line, .* is a time"),
        ("", "trace .*trace.csv: it cannot be read: No columns"),
        ("t\n2023-11-16 18:17:03\nsoon\n", "row 2 is 'soon', not seconds or a date"),
        (
            "t\n2023-11-16 18:17:03\n2023-11-16 18:17:02\n",
            "row 2 of the trace is -1.0, before row 1",
        ),
    ],
)
def test_a_bad_trace_is_an_error_that_names_the_row(tmp_path, text, message):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_trace(path)


def test_blank_lines_may_end_a_trace(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("time_s\n0\n5\n\n\n")
    assert read_trace(path).recorded_s.tolist() == [0, 5]


def test_a_damaged_trace_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "trace.parquet"
    pd.DataFrame({"time_s": np.arange(1000.0)}).to_parquet(path)
    whole = path.read_bytes()
    half = bytes(len(whole) // 2 - 4) + whole[len(whole) // 2 - 4 :]
    for damaged in (b"no", half, whole[:-20] + bytes(20)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"trace .*trace\.parquet: it cannot be read"):
            read_trace(path)
    path.unlink()
    with pytest.raises(ValueError, match=r"trace .*trace\.parquet: it cannot be read"):
        read_trace(path)

"""The tables of co-location; `equinox.tables` has all others, and reads and writes them."""

from typing import Final

import numpy as np

from equinox.columns import Table, count, number, share, text

_POINT_NAMES = (
    text("design", "named design"),
    text("encoding", "how operands of dot products are stored"),
    text("workload", "inference workload"),
    text("training_task", "training workload beside it"),
    text("arrivals", "arrival process"),
    text("batching", "batching policy"),
    text("scheduling", "scheduling policy"),
    share("load", "arrival rate over saturation rate", high=np.inf),
)
_POINT = tuple(column.name for column in _POINT_NAMES)

_LATENCIES = tuple(
    number(f"{name}_latency_us{end}", "us", f"{name} latency{what}", nullable=True)
    for name in ("mean", "p50", "p99", "p999")
    for end, what in (("", ""), ("_low", ", lower 95 % bound"), ("_high", ", upper 95 % bound"))
)

_WORK = (
    share("inference_share", "of MMU cycles: inference"),
    share("padding_share", "of MMU cycles: rows of a batch without a request"),
    share("training_share", "of MMU cycles: training"),
    share("stalled_share", "of MMU cycles: work waits for operands or results"),
    share("idle_share", "of MMU cycles: nothing to do"),
    share("dram_share", "of the time of the DRAM channel: in use"),
    number("power_w", "W", "mean power"),
    number("energy_per_request_j", "J", "energy of an inference request", nullable=True),
    number("energy_per_sample_j", "J", "energy of a training sample", nullable=True),
)

_POINT_COLUMNS = (
    *_POINT_NAMES,
    count("replications", "independent runs, one for each seed", low=1),
    text("weights", "of the service: resident in SRAM, or streamed from DRAM"),
    *_LATENCIES,
    *(
        number(
            f"p99_increase{end}", "", f"{what} of p99 over inference alone", low=-1, nullable=True
        )
        for end, what in (("", "increase"), ("_low", "lower bound"), ("_high", "upper bound"))
    ),
    number("inference_op_per_s", "op/s", "inference throughput, padding not counted"),
    number("training_op_per_s", "op/s", "training throughput"),
    *(
        number(
            f"training_relative{end}", "", f"training over dedicated_training{what}", nullable=True
        )
        for end, what in (("", ""), ("_low", ", lower bound"), ("_high", ", upper bound"))
    ),
    *_WORK,
)

#: Columns of an operating point that services which share an accelerator do not have each.
_OF_ONE_SERVICE = (
    *("inference_op_per_s", "dram_share", "power_w"),
    *("energy_per_request_j", "energy_per_sample_j"),
)

COLOCATION_TABLES: Final = (
    Table(
        "colocation",
        "one simulated operating point",
        (*_POINT, "seed"),
        (
            *_POINT_NAMES,
            count("seed", "seed of the arrivals"),
            count("requests", "requests measured, after warm-up"),
            *_LATENCIES,
            text("weights", "of the service: resident in SRAM, or streamed from DRAM"),
            number("service_time_us", "us", "time of one full batch alone"),
            number("inference_op_per_s", "op/s", "inference throughput, padding not counted"),
            number("training_op_per_s", "op/s", "training throughput"),
            share("training_relative", "training over dedicated_training", high=np.inf),
            *_WORK,
        ),
    ),
    Table(
        "operating_points",
        "the mean over seeds of one simulated operating point",
        _POINT,
        _POINT_COLUMNS,
    ),
    Table(
        "colocation_sensitivity",
        "one operating point with one parameter changed",
        ("parameter", "setting", "scheduling", "load"),
        (
            text("parameter", "what was changed; baseline for nothing"),
            text("setting", "its value"),
            number("iteration_us", "us", "time of a training iteration alone"),
            number("dedicated_op_per_s", "op/s", "training of the dedicated machine, changed too"),
            *_POINT_COLUMNS,
        ),
    ),
    Table(
        "sharing",
        "one service of a mix that shares an accelerator, at one load of the mix: mean over seeds",
        ("mix", *_POINT, "order"),
        (
            text("mix", "services that share the accelerator, by the name of their mix"),
            *(column for column in _POINT_NAMES if column.name != "load"),
            text("order", "whose batch goes first"),
            share("load", "of the mix: arrival over saturation rate, summed", high=np.inf),
            share("load_share", "of that load: this service"),
            count("max_batch", "requests of a batch of the service, at most", low=1),
            number("service_time_us", "us", "time of one full batch alone"),
            *(c for c in _POINT_COLUMNS if c.name not in (*_POINT, *_OF_ONE_SERVICE)),
            number("latency_target_us", "us", "p99 latency to keep", nullable=True),
            share("within_target_share", "of requests; empty if the queue grows", nullable=True),
            text("target", "kept, missed or undecided by the interval of p99; or none"),
            share(
                "saturation_load",
                "highest load of the mix, to 1.2, whose queue does not grow; empty if none",
                high=np.inf,
                nullable=True,
            ),
        ),
    ),
    Table(
        "sites",
        "one service and one training task, each alone on one design",
        ("design", "encoding", "workload", "training_task"),
        (
            text("design", "named design"),
            text("encoding", "how operands of dot products are stored"),
            text("workload", "inference workload"),
            text("training_task", "training workload beside it"),
            text("weights", "of the service: resident in SRAM, or streamed from DRAM"),
            count("rows", "rows of an array, which is the batch", low=1),
            number("service_time_us", "us", "time of one full batch alone"),
            number("saturation_request_per_s", "1/s", "full batches back to back; load 1"),
            share("service_fill_share", "operations over those of the MMU cycles they take"),
            share("service_stalled_share", "cycles lost between full batches back to back"),
            number("iteration_us", "us", "time of a training iteration alone"),
            share("fill_share", "training: operations over those of the MMU cycles they take"),
            share("training_share", "training alone: of MMU cycles; the rest waits"),
            share("dram_share", "training alone: of the time of the DRAM channel"),
            number("training_op_per_s", "op/s", "training throughput alone"),
            share("training_relative", "that over dedicated_training", high=np.inf),
            number("dedicated_op_per_s", "op/s", "training throughput of dedicated_training"),
            number("energy_per_sample_j", "J", "energy of a training sample alone"),
            number("idle_power_w", "W", "power with the matrix unit idle"),
        ),
    ),
    Table(
        "saturation",
        "the loads at which one policy gives way",
        tuple(name for name in _POINT if name != "load"),
        (
            *(column for column in _POINT_NAMES if column.name != "load"),
            share(
                "saturation_load",
                "highest load, to 1.2, whose queue does not grow; empty if none",
                high=np.inf,
                nullable=True,
            ),
            number("latency_target_us", "us", "p99 latency to keep", nullable=True),
            share(
                "load_within_target",
                "highest load whose p99 is within the target; empty if none is",
                high=np.inf,
                nullable=True,
            ),
            share(
                "training_within_target",
                "training over dedicated_training at that load",
                high=np.inf,
                nullable=True,
            ),
        ),
    ),
    Table(
        "fleet",
        "one interval of a day over a fleet of accelerators",
        ("balancer", "design", "scheduling", "interval"),
        (
            text("balancer", "how requests are spread over accelerators"),
            text("design", "named design"),
            text("scheduling", "scheduling policy"),
            count("interval", "index of the interval of the day"),
            number("time_h", "h", "start of the interval"),
            share("load", "fleet's arrival rate over its saturation rate", high=np.inf),
            count("accelerators", "accelerators in the fleet", low=1),
            count("serving", "accelerators that requests go to", low=1),
            share("load_each", "load of an accelerator that serves", high=np.inf),
            text("status", "ok; not_simulated: above all simulated loads; saturated"),
            number(
                "p99_latency_us",
                "us",
                "99th percentile where requests go; empty if not simulated",
                nullable=True,
            ),
            number("reclaimed_accelerators", "", "training, in dedicated accelerators"),
            number("power_w", "W", "power of the fleet"),
            number("separate_power_w", "W", "of inference alone, and dedicated accelerators"),
            number("energy_j", "J", "energy of the fleet in the interval"),
        ),
    ),
)

"""Several services on one accelerator, from the config to the table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from equinox.accelerator import load_technology, load_workload
from equinox.colocation import simulate, simulate_priority_queue
from equinox.colocation.programs import keeps_weights
from equinox.colocation.sharing import judge_targets, run_mix, share_accelerator
from equinox.colocation.site import DEDICATED, find_design
from equinox.colocation.tenants import divide_sram, make_tenants
from equinox.config.checks import from_json
from equinox.config.colocation import MixedService, Sharing
from equinox.design_space.choose import accelerator_of
from equinox.tables import check_table

TECHNOLOGY = load_technology("28nm")
WORKLOADS = {
    name: load_workload(name)
    for name in ("lstm_2048_25", "bert_base_128", "resnet50", "gru_2816_1500")
}
LSTM, BERT = (MixedService(workload=name) for name in ("lstm_2048_25", "bert_base_128"))


@pytest.fixture(scope="module")
def small(config):
    """Return a config whose runs are short; the batches of an array decide their length."""
    return replace(config, requests=300, batches=10, iterations=1)


@pytest.fixture(scope="module")
def machines(designs):
    rows = [find_design(designs, name, "hbfp8_16") for name in ("500us", DEDICATED)]
    return tuple(accelerator_of(row, TECHNOLOGY) for row in rows)


@pytest.fixture(scope="module")
def sharing(small, designs):
    rows = share_accelerator(small, designs, technology=TECHNOLOGY, workloads=WORKLOADS)
    return check_table(rows, "sharing")


def p99_us(rows, mix, service, scheduling="priority", load=0.3):
    same = (rows["mix"] == mix) & (rows["workload"] == service) & (rows["order"] == "listed")
    same &= (rows["scheduling"] == scheduling) & (rows["load"] == load)
    (value,) = rows.loc[same, "p99_latency_us"]
    return value


def test_there_is_a_row_for_each_service_of_each_point(sharing):
    assert len(sharing) == 2 * 2 * 2 * 2 * 2  # mixes, services, orders, schedulings, loads
    of_mix = sharing.groupby(["mix", "order", "scheduling", "load"])
    assert (of_mix["load_share"].sum() == 1).all()
    assert (of_mix["training_relative"].nunique() == 1).all()
    by_2 = sharing[sharing["mix"] == "by_2"].groupby("workload")
    assert by_2["load_share"].first().to_dict() == {"bert_base_128": 0.75, "lstm_2048_25": 0.25}
    assert by_2["max_batch"].first().to_dict() == {"bert_base_128": 2, "lstm_2048_25": 86}


def test_every_cycle_is_of_one_kind(sharing):
    kinds = ("inference", "padding", "training", "stalled", "idle")
    assert sharing[[f"{kind}_share" for kind in kinds]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_a_service_waits_for_the_longest_batch_of_the_other_and_short_ones_mend_it(sharing):
    whole, by_2 = (p99_us(sharing, mix, "lstm_2048_25") for mix in ("whole", "by_2"))
    assert by_2 < 2000.0 < whole  # the target
    verdicts = sharing.groupby(["mix", "workload"])["target"].agg(set)
    assert verdicts["whole", "lstm_2048_25"] == {"missed"}
    assert verdicts["by_2", "lstm_2048_25"] == {"kept"}
    assert set(sharing.loc[sharing["workload"] == "bert_base_128", "target"]) == {"none"}


def test_a_mix_of_one_service_is_a_simulation(small, machines):
    (tenant,) = tenants = make_tenants(small, [LSTM], machines, TECHNOLOGY, WORKLOADS)
    options = {"scheduling": "priority", "load": 0.5, "seed": 3}
    run = run_mix(small, tenants, order="listed", **options)
    alone = simulate(
        tenant.site.inference,
        tenant.site.training,
        run.served[0].arrival_cycle,
        rows=tenant.service.rows,
        batching="adaptive",
        timeout_cycles=tenant.service_cycles * small.adaptive_timeout,
        guard_batches=small.guard_batches,
        window=run.window,
    )
    assert np.array_equal(run.served[0].completion_cycle, alone.completion_cycle)
    assert run.cycles.training_cycles == alone.training_cycles


def test_the_load_is_that_of_all_services_and_arrivals_are_independent(small, machines):
    tenants = make_tenants(small, [LSTM, BERT], machines, TECHNOLOGY, WORKLOADS)
    run = run_mix(small, tenants, order="listed", scheduling="inference_only", load=0.6, seed=0)
    hz = machines[0].frequency_hz
    loads = [
        len(each.arrival_cycle) / (each.arrival_cycle[-1] / hz) / tenant.site.request_per_s
        for each, tenant in zip(run.served, tenants, strict=True)
    ]
    assert sum(loads) == pytest.approx(0.6, rel=0.03)
    assert loads[0] == pytest.approx(loads[1], rel=0.06)
    again = run_mix(small, tenants, order="listed", scheduling="inference_only", load=0.3, seed=0)
    for low, high in zip(again.served, run.served, strict=True):  # the same, but for their rate
        assert low.arrival_cycle[100] == pytest.approx(2 * high.arrival_cycle[100], abs=2)


def test_services_one_request_at_a_time_are_the_queue_of_cobham(small, machines):
    """The queue that test_theory holds to his formula, on the same arrivals."""
    services = [MixedService(workload=name, max_batch=1) for name in ("lstm_2048_25", "resnet50")]
    tenants = make_tenants(small, services, machines, TECHNOLOGY, WORKLOADS)
    hz = machines[0].frequency_hz
    loads = [  # the accelerator is busy for 0.3 of the time with the first, 0.4 with the second
        busy * hz / each.service_cycles / each.site.request_per_s
        for busy, each in zip((0.3, 0.4), tenants, strict=True)
    ]
    tenants = [
        replace(each, load_share=load / sum(loads))
        for each, load in zip(tenants, loads, strict=True)
    ]
    options = {"order": "listed", "scheduling": "inference_only", "load": sum(loads), "seed": 0}
    run = run_mix(replace(small, requests=2000), tenants, **options)
    exact = simulate_priority_queue(
        *(each.arrival_cycle for each in run.served),
        first_service_s=tenants[0].service_cycles,
        second_service_s=tenants[1].service_cycles,
    )
    for found, done in zip(run.served, exact, strict=True):
        assert np.array_equal(found.completion_cycle, done)


def test_a_service_of_low_priority_saturates_and_the_first_does_not(small, designs):
    chosen = replace(
        small.sharing,
        orders=("listed",),
        schedulings=("inference_only",),
        loads=(1.1,),
        mixes={"both": (LSTM, replace(BERT, max_batch=1))},
    )
    config = replace(small, sharing=chosen, seeds=(0,), latency_target_us={"bert_base_128": 1e9})
    rows = check_table(
        share_accelerator(config, designs, technology=TECHNOLOGY, workloads=WORKLOADS), "sharing"
    ).set_index("workload")
    bert, lstm = rows.loc["bert_base_128"], rows.loc["lstm_2048_25"]
    assert bert["p99_latency_us"] == np.inf > bert["p99_latency_us_low"]
    assert bert["target"] == "missed"
    assert np.isnan(bert["within_target_share"])
    assert lstm["p99_latency_us"] < 2000
    assert bert["saturation_load"] < 1.1 <= lstm["saturation_load"]


@pytest.mark.parametrize(
    ("low", "high", "target", "verdict"),
    [
        (1.0, 2.0, 2.0, "kept"),
        (2.1, 3.0, 2.0, "missed"),
        (1.9, 2.1, 2.0, "undecided"),
        (1.0, np.inf, 2.0, "missed"),
        (1.0, 2.0, np.nan, "none"),
    ],
)
def test_a_target_is_judged_by_the_interval(low, high, target, verdict):
    point = {"p99_latency_us": (low + high) / 2, "latency_target_us": target}
    point |= {"p99_latency_us_low": low, "p99_latency_us_high": high}
    assert judge_targets(pd.DataFrame([point])).tolist() == [verdict]


def test_weights_stay_in_their_order_where_they_fit_beside_each_other(machines):
    machine = replace(machines[0], sram_byte=80e6)
    byte = {name: each.weight_byte(machine.encoding) for name, each in WORKLOADS.items()}

    def kept(*names):
        parts = divide_sram(machine, [WORKLOADS[name] for name in names])
        sites = (replace(machine, sram_byte=part) for part in parts)
        return [
            keeps_weights(site, WORKLOADS[name]) for site, name in zip(sites, names, strict=True)
        ]

    # 34 MB of the LSTM and 26 of ResNet-50 fit in 80, 48 of the GRU beside the LSTM do not
    assert byte["lstm_2048_25"] + byte["resnet50"] < 70e6
    assert byte["lstm_2048_25"] + byte["gru_2816_1500"] > 80e6
    assert kept("lstm_2048_25", "resnet50") == [True, True]
    assert kept("lstm_2048_25", "gru_2816_1500") == [True, False]
    assert kept("gru_2816_1500", "lstm_2048_25") == [True, False]
    assert kept("bert_base_128", "lstm_2048_25", "resnet50") == [False, True, True]


def test_nobody_has_more_memory_than_the_machine(machines):
    machine = replace(machines[0], sram_byte=1e4)
    assert divide_sram(machine, list(WORKLOADS.values())) == [1e4] * len(WORKLOADS)


def test_a_mix_has_each_service_once():
    mixes = '{"odd": [{"workload": "lstm_2048_25"}, {"workload": "lstm_2048_25"}]}'
    rest = '"design": "500us", "batching": "full", "orders": ["listed"], "loads": [0.5]'
    text = f'{{{rest}, "schedulings": ["priority"], "mixes": {mixes}}}'
    with pytest.raises(ValueError, match="'lstm_2048_25' is there twice; a mix has each"):
        from_json(Sharing, text)

"""A small design space, so that tests are fast."""

import pytest

from equinox.accelerator import load_technology, load_workload
from equinox.config.design_space import Budget, DesignSpace


@pytest.fixture(scope="session")
def technology():
    return load_technology("28nm")


@pytest.fixture(scope="session")
def workload():
    return load_workload("lstm_2048_25")


@pytest.fixture(scope="session")
def config():
    budget = Budget(area_mm2=300, power_w=75, sram_mib=75, dram_gb_per_s=1000)
    return DesignSpace(
        technology="28nm",
        workload="lstm_2048_25",
        training_batch=128,
        budget=budget,
        budget_low=Budget(area_mm2=250, power_w=60, sram_mib=64, dram_gb_per_s=500),
        budget_high=Budget(area_mm2=400, power_w=100, sram_mib=100, dram_gb_per_s=2000),
        service_limits_us=(50, 500),
        encodings=("hbfp8_16", "bf16", "int8"),
        max_rows=100,
        widths=(1, 16, 32),
        min_voltage_v=0.6,
        max_voltage_v=1.0,
        voltage_steps=9,
        monte_carlo_draws=2,
        sobol_draws=4,
        density_encodings=("fp32", "bf16", "hbfp8_16", "hbfp6_16", "hbfp4_16", "int8"),
        density_blocks=(16, 64, 576, 1024),
    )

"""How much each named design computes for a byte that it reads, and what its memory allows."""

from typing import Any

import pandas as pd

from equinox.accelerator import Accelerator, Technology, Workload
from equinox.config.design_space import DesignSpace
from equinox.design_space.choose import accelerator_of
from equinox.encodings.formats import get_encoding


def measure_roofline(
    designs: pd.DataFrame, config: DesignSpace, technology: Technology, workload: Workload
) -> pd.DataFrame:
    """Return two rows of the table roofline for each design: inference and training alone.

    Inference holds its weights in SRAM and reads them once for the rows of an array: its memory is
    SRAM. Training streams operands and results: its memory is DRAM. Designs that do not train have
    one row.

    Source: Williams, Waterman and Patterson, "Roofline", CACM 2009.
    """
    rows = []
    for _, design in designs.iterrows():
        accelerator = accelerator_of(design, technology)
        inference = _inference_op_per_byte(accelerator, workload)
        sram = accelerator.sram_byte_per_cycle * accelerator.frequency_hz
        attained = float(design["throughput_op_per_s"])
        rows.append(_row(design, "inference", "SRAM", inference, sram, attained))
        if (attained := float(design["training_op_per_s"])) > 0:
            training = _training_op_per_byte(accelerator, workload, config.training_batch)
            dram = accelerator.dram_byte_per_s
            rows.append(_row(design, "training", "DRAM", training, dram, attained))
    return pd.DataFrame(rows)


def _row(
    design: Any, phase: str, memory: str, op_per_byte: float, byte_per_s: float, attained: float
) -> dict[str, Any]:
    kept = {name: design[name] for name in ("design", "encoding", "peak_op_per_s")}
    return kept | {
        "phase": phase,
        "memory": memory,
        "op_per_byte": op_per_byte,
        "byte_per_s": byte_per_s,
        "roof_op_per_s": min(float(design["peak_op_per_s"]), op_per_byte * byte_per_s),
        "attained_op_per_s": attained,
    }


def _inference_op_per_byte(machine: Accelerator, workload: Workload) -> float:
    """Return operations for a byte of weights of a full batch: each byte serves an array's rows."""
    bits = get_encoding(machine.encoding).w.bits
    byte = 0.0
    for layer in workload.layers:
        m, repeat = layer.sizes(machine.rows)
        byte += repeat * -(-m // machine.rows) * layer.k * layer.n * bits / 8
    return workload.op_per_request * machine.rows / byte


def _training_op_per_byte(machine: Accelerator, workload: Workload, batch: int) -> float:
    resident = workload.weight_byte(machine.encoding) < machine.sram_byte
    products = workload.training(batch, encoding=machine.encoding, resident=resident)
    byte = sum(product.dram_byte * product.repeat for product in products)
    return float(sum(product.op for product in products) / byte)

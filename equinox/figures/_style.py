"""How things are drawn and named: one color, marker and label for each, in all figures.

Colors are those of Okabe and Ito, which readers with any kind of color vision can tell apart.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from matplotlib.figure import Figure

COLUMN_IN = 3.3  # width of a column of a two-column page
PAGE_IN = 6.9  # width of both columns

BLACK, GRAY, SKY, BLUE = "#000000", "#7f7f7f", "#56b4e9", "#0072b2"
GREEN, ORANGE, VERMILION, PINK = "#009e73", "#e69f00", "#d55e00", "#cc79a7"
PURPLE, BROWN, PALE = "#6a3d9a", "#8c6d31", "#d9d9d9"
YELLOW, LIME = "#f0e442", "#b2df8a"
OLIVE, ROSE = "#999933", "#882255"  # from Tol's muted scheme
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, GRAY, PURPLE, BROWN, BLACK)
_MARKERS = "osD^vP*X"


@final
@dataclass(frozen=True, kw_only=True)
class Look:
    """How one thing is drawn and what it is called."""

    label: str
    color: str
    marker: str


LOOKS: Mapping[str, Look] = {
    name: Look(label=label, color=color, marker=marker)
    for name, label, color, marker in (
        # encodings
        ("fp32", "fp32", BLACK, "o"),
        ("bf16", "bf16", GRAY, "s"),
        ("hbfp12_16", "hbfp12_16", SKY, "D"),
        ("hbfp8_16", "hbfp8_16", BLUE, "^"),
        ("hbfp6_16", "hbfp6_16", GREEN, "v"),
        ("hbfp4_16", "hbfp4_16", VERMILION, "P"),
        ("hbfp8_8", "hbfp8_8", PURPLE, "X"),
        ("bfp8", "bfp8", ORANGE, "X"),
        ("bfp8_stochastic", "bfp8 stochastic", PINK, "*"),
        ("hbfp8_nearest", "hbfp8 nearest", OLIVE, "<"),
        ("hbfp4_nearest", "hbfp4 nearest", ROSE, ">"),
        ("hbfp4_boosted", "hbfp4, then 8", BROWN, "p"),
        ("int8", "int8", BROWN, "h"),
        ("fp8_e4m3", "fp8_e4m3", YELLOW, "s"),
        ("mxint8", "mxint8", LIME, "D"),
        ("mxfp8_e4m3", "mxfp8_e4m3", OLIVE, "v"),
        ("mxfp4", "mxfp4", ROSE, "P"),
        # designs
        ("min_latency", "min. latency", VERMILION, "v"),
        ("50us", "50 µs", ORANGE, "s"),
        ("500us", "500 µs", BLUE, "o"),
        ("unconstrained", "unconstrained", GREEN, "^"),
        ("fixed_point_inference", "fixed-point inference", BROWN, "h"),
        ("dedicated_training", "dedicated training", PINK, "D"),
        # scheduling, batching and balancing policies
        ("inference_only", "inference only", GRAY, "s"),
        ("priority", "priority", BLUE, "o"),
        ("fair", "fair", ORANGE, "^"),
        ("software", "software", PURPLE, "v"),
        ("training_only", "training only", GREEN, "D"),
        ("adaptive", "adaptive", BLUE, "o"),
        ("adaptive_4x", "adaptive, 4 × timeout", GREEN, "^"),
        ("shortened", "adaptive, shortened", PURPLE, "v"),
        ("full", "full batches", VERMILION, "s"),
        ("even", "even", BLUE, "o"),
        ("pack", "pack", VERMILION, "s"),
        # what a cycle is spent on
        ("inference_share", "inference", BLUE, "o"),
        ("padding_share", "padding", SKY, "s"),
        ("training_share", "training", GREEN, "^"),
        ("stalled_share", "stalled", ORANGE, "v"),
        ("idle_share", "idle", PALE, "D"),
        # verdicts on claims
        ("reproduced", "reproduced", BLUE, "o"),
        ("partly", "partly", ORANGE, "s"),
        ("not_reproduced", "not reproduced", VERMILION, "D"),
        # inference services
        ("lstm_2048_25", "LSTM", BLUE, "o"),
        ("gru_2816_1500", "GRU", ORANGE, "s"),
        ("resnet50", "ResNet-50", GREEN, "^"),
        ("bert_base_128", "BERT-base", VERMILION, "v"),
        # tasks and data
        ("mlp", "MLP", BLACK, "o"),
        ("resnet", "ResNet", BLACK, "o"),
        ("wide_resnet", "WideResNet", BLACK, "o"),
        ("densenet", "DenseNet", BLACK, "o"),
        ("lstm", "LSTM", BLACK, "o"),
        ("transformer", "Transformer", BLACK, "o"),
        ("fashion_mnist", "Fashion-MNIST", BLACK, "o"),
        ("sotu", "State of the Union", BLACK, "o"),
        ("cifar100", "CIFAR-100", BLACK, "o"),
        # density models
        ("authors_pe", "authors' processing element", BLACK, "o"),
        ("authors_chip", "authors' chip", BLACK, "o"),
        ("equinox", "this model", BLACK, "o"),
        # parts of an accelerator
        ("multipliers", "multipliers", BLUE, "o"),
        ("adder_trees", "adder trees", SKY, "s"),
        ("exponent_adders", "exponent adders", BLACK, "o"),
        ("to_float_converters", "converters to float", PINK, "^"),
        ("accumulators", "accumulators", PURPLE, "D"),
        ("registers", "registers", GREEN, "v"),
        ("clock", "clock", LIME, "P"),
        ("to_block_converters", "converters to blocks", "#8f2d56", "^"),
        ("sram", "SRAM (power: reads)", ORANGE, "X"),
        ("sram_writes", "SRAM writes", "#f7c97f", "X"),
        ("wires", "wires", BROWN, "*"),
        ("simd", "SIMD", VERMILION, "h"),
        ("instruction_memory", "instruction memory", "#1b1b3a", "o"),
        ("request_dispatcher", "request dispatcher", "#4f5d75", "o"),
        ("scheduler", "scheduler", "#9da9bb", "o"),
        ("hbm_interface", "HBM interface", GRAY, "s"),
        ("host_interface", "host interface", PALE, "D"),
        ("leakage", "leakage", YELLOW, "^"),
        ("dram", "DRAM", "#c7e9f1", "s"),
    )
}
_ORDER = {name: index for index, name in enumerate(LOOKS)}

METRICS: Mapping[str, tuple[str, float]] = {  # axis label, and factor from table to axis
    "error": ("Test error (%)", 100.0),
    "perplexity": ("Validation perplexity", 1.0),
}


def look(name: str) -> Look:
    """Return how `name` is drawn; one not listed gets a color that depends on its name alone."""
    if name in LOOKS:
        return LOOKS[name]
    number = zlib.crc32(name.encode())
    return Look(
        label=name.replace("_", " "),
        color=CYCLE[number % len(CYCLE)],
        marker=_MARKERS[number % len(_MARKERS)],
    )


def ordered(names: Iterable[str]) -> list[str]:
    """Return the distinct `names`, listed ones first and in the order of the list."""
    return sorted(set(names), key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def metric(name: str) -> tuple[str, float]:
    """Return the axis label of a metric, and the factor from the table's unit to the axis'."""
    return METRICS.get(name, (f"{name.replace('_', ' ').capitalize()}", 1.0))


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure of this size, whose parts make room for each other."""
    return Figure(figsize=(width_in, height_in), layout="constrained")

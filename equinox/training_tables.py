"""Tables of the accuracy study."""

from typing import Final

import numpy as np

from equinox.columns import Table, count, number, share, text

_OPERANDS = (
    count("mantissa_bits", "bits of a mantissa, sign included", low=1),
    count("exponent_bits", "bits of an exponent, shared or not; 0 for fixed point"),
    text("tile", "values that share an exponent: rows x columns, tensor or value"),
    text("blocks", "what shares an exponent in activations: sample, tile, ..."),
    count("storage_bits", "bits of a stored weight's mantissa, sign included"),
    text("gradient_rounding", "rounding of gradients: nearest or stochastic"),
    text("storage_rounding", "rounding of stored weights: nearest or stochastic"),
)

ACCURACY: Final = Table(
    "accuracy",
    "the state of one training run after one epoch",
    ("task", "encoding", "seed", "epoch"),
    (
        text("task", "model and data that are trained"),
        text("dataset", "the data, by name"),
        text("encoding", "how operands of dot products are stored"),
        count("seed", "seed of initialization, data order and stochastic rounding"),
        count("epoch", "epochs trained so far", low=1),
        *_OPERANDS,
        text("metric", "error (share of test images) or perplexity (of validation text)"),
        number("value", "", "the metric; empty when the run diverged", nullable=True),
        number("train_loss", "nat", "mean training loss of the epoch", nullable=True),
        text("status", "ok or diverged"),
    ),
)

EQUIVALENCE: Final = Table(
    "equivalence",
    "one encoding of one task against fp32: runs paired by seed, after the last epoch",
    ("task", "encoding"),
    (
        text("task", "model and data that are trained"),
        text("dataset", "the data, by name"),
        text("encoding", "how operands of dot products are stored"),
        *_OPERANDS,
        text("metric", "error (share of test images) or perplexity (of validation text)"),
        count("seeds", "pairs of runs, one seed each", low=1),
        count("diverged", "runs of this encoding that diverged"),
        number("value", "", "mean metric of the runs that did not diverge", nullable=True),
        number("fp32_value", "", "mean metric of fp32, same seeds", nullable=True),
        *(
            number(name, "", meaning, low=-np.inf, nullable=True)
            for name, meaning in (
                ("difference", "mean of metric less fp32's; of perplexity, a share of it"),
                ("low", "lower bound of its 90 % confidence interval"),
                ("high", "upper bound of its 90 % confidence interval"),
            )
        ),
        number("margin", "", "difference that is stated not to matter"),
        share("p_value", "of the two one-sided tests of equivalence", nullable=True),
        text("outcome", "equivalent, different or inconclusive, at level 0.05"),
    ),
)

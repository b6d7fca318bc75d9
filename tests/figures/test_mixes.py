"""A mix of services is called the same in all figures."""

import pandas as pd

from equinox.figures._mixes import mix_titles


def rows(*lines: tuple[str, str, str, int]) -> pd.DataFrame:
    """Return rows of an experiment, a mix, a service and the requests of its largest batch."""
    return pd.DataFrame(lines, columns=["experiment", "mix", "workload", "max_batch"])


BOTH = rows(
    ("smoke", "small", "lstm_2048_25", 186),
    ("smoke", "small", "bert_base_128", 2),
    ("smoke@few", "small", "lstm_2048_25", 100),
    ("smoke@few", "small", "bert_base_128", 2),
)


def test_a_mix_is_called_by_its_services_with_batches_below_the_rows_of_each_array():
    assert mix_titles(BOTH) == {"small": "LSTM + BERT-base (≤ 2)"}
    alone = BOTH[BOTH["experiment"] == "smoke"].drop(columns="experiment")
    assert mix_titles(alone) == {"small": "LSTM + BERT-base (≤ 2)"}


def test_a_mix_of_other_services_in_an_experiment_has_both_titles():
    changed = BOTH.assign(max_batch=[186, 2, 100, 8])
    assert mix_titles(changed) == {"small": "LSTM + BERT-base (≤ 2)\nLSTM + BERT-base (≤ 8)"}


def test_mixes_of_the_same_services_have_their_names_too():
    heavy = pd.concat([BOTH, BOTH.assign(mix="more_bert")])
    title = "LSTM + BERT-base (≤ 2)"
    assert mix_titles(heavy) == {"more_bert": f"{title}\nmore bert", "small": f"{title}\nsmall"}

"""What is trained: tasks, encodings and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, final

from annotated_types import MinLen
from pydantic import ConfigDict

from equinox.config.checks import STRICT, Count, Name, NonNegative, Positive, Seed, Share


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """One model on one set of data, with its recipe."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    model: Name
    dataset: Name
    train_size: Count  # images, or tokens of text
    test_size: Count
    epochs: Count
    batch_size: Count
    optimizer: Literal["sgd", "adam"]
    learning_rate: Positive  # the peak of its schedule
    weight_decay: NonNegative = 0.0
    augment: bool = False  # crop and flip images
    width: Count = 16  # channels of the first stage, growth rate, or hidden units
    depth: Count = 1  # layers of a convolutional network, or blocks of a transformer
    stem_stride: Count = 1  # of the first convolution
    heads: Count = 1  # of a transformer
    dropout: Share = 0.0
    clip_norm: Positive | None = None
    vocabulary: Count = 1  # words of a language model
    sequence_length: Count = 1  # tokens of truncated backpropagation


@final
@dataclass(frozen=True, kw_only=True)
class Training:
    """The accuracy study: every task in every one of its encodings."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    tasks: Annotated[Mapping[Name, Task], MinLen(1)]
    encodings: Mapping[Name, Mapping[str, Any]] = field(default_factory=dict)
    runs: Annotated[Mapping[Name, Mapping[Name, Count]], MinLen(1)]  # task, encoding: seeds


@final
@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One task in one encoding, for some seeds: what one training job depends on."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    task: Task
    encoding: Name
    definition: Mapping[str, Any] | None = None  # of an encoding that the config adds
    seeds: Annotated[tuple[Seed, ...], MinLen(1)]
    data_dir: str | None = None  # None: the data that come with the product

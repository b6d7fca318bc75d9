"""What is trained: tasks, encodings and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, final

from annotated_types import MinLen
from pydantic import ConfigDict

from equinox.config.checks import STRICT, Count, FileName, Name, NonNegative, Positive, Seed, Share

Schedule: TypeAlias = Literal["triangle", "trapezoid", "steps", "linear", "constant"]

Device: TypeAlias = Literal["cpu", "auto"]  # auto: a GPU where there is one


@final
@dataclass(frozen=True, kw_only=True)
class Awd:
    """How an AWD-LSTM is regularized and its weights are averaged.

    Source: Merity et al., "Regularizing and Optimizing LSTM Language Models", ICLR 2018.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    embedding: Count  # values of a word's vector
    dropout_embedding: Share  # of whole words
    dropout_input: Share
    dropout_hidden: Share
    dropout_weight: Share  # of recurrent weights
    activation_penalty: NonNegative  # alpha
    slowness_penalty: NonNegative  # beta
    averaging_patience: Count  # epochs without improvement before weights are averaged
    test_batch_size: Count


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """One model on one set of data, with its recipe."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    model: Name
    dataset: Name
    train_size: Count | None  # images, or tokens of text; None: all
    test_size: Count | None
    epochs: Count
    batch_size: Count  # of one worker
    workers: Count = 1  # data-parallel ones of a step; processes take them in turns
    optimizer: Literal["sgd", "adam", "adamw"]
    momentum: Share = 0.9  # Nesterov's, of sgd
    schedule: Schedule | None = None  # None: triangle for sgd, trapezoid for adam and adamw
    learning_rate: Positive  # the peak of its schedule, for one worker
    scale_learning_rate: bool = False  # multiply it by the number of workers
    warm_up_epochs: NonNegative = 0.0  # of schedule steps: from learning_rate to the scaled one
    decay_epochs: tuple[Count, ...] = ()  # of schedule steps: a tenth from then on
    weight_decay: NonNegative = 0.0
    decay_all: bool = False  # weight decay on norms and biases too
    augment: bool = False  # crop and flip images
    crop_margin: Count = 2  # pixels of border that a crop may take in
    pixel_mean: tuple[float, ...] | None = None  # of values 0 to 1; None: of the training images
    pixel_deviation: tuple[Positive, ...] | None = None
    width: Count = 16  # channels of the first stage, growth rate, or hidden units
    depth: Count = 1  # layers of a convolutional network, or blocks of a transformer
    stem_stride: Count = 1  # of the first convolution
    heads: Count = 1  # of a transformer
    dropout: Share = 0.0
    clip_norm: Positive | None = None
    vocabulary: Count = 1  # words of a language model
    sequence_length: Count = 1  # tokens of truncated backpropagation
    awd: Awd | None = None

    @property
    def step_size(self) -> int:
        """Images, or sequences, of one training step."""
        return self.batch_size * self.workers

    def processes(self, available: int) -> int:
        """Return how many of `available` processes train this: a divisor of `workers`."""
        return max(n for n in range(1, available + 1) if self.workers % n == 0)


@final
@dataclass(frozen=True, kw_only=True)
class Boost:
    """One encoding for most epochs, another for the last ones: mixed mantissas over time.

    Source: Harma et al., "Accuracy Booster", arXiv 2211.10737, 2022.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    first: Name  # of equinox/encodings/formats.py, as is `last`
    last: Name
    last_epochs: Count = 1


@final
@dataclass(frozen=True, kw_only=True)
class Training:
    """The accuracy study: every task in every one of its encodings."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    tasks: Annotated[Mapping[FileName, Task], MinLen(1)]
    encodings: Mapping[FileName, Mapping[str, Any]] = field(default_factory=dict)
    boosts: Mapping[FileName, Boost] = field(default_factory=dict)
    margins: Mapping[Name, Positive]  # metric: difference to fp32 that does not matter
    runs: Annotated[Mapping[FileName, Mapping[FileName, Count]], MinLen(1)]  # task, encoding: seeds
    device: Device = "cpu"
    processes: Count = 1  # of a job at most, each with a GPU of its own if there are any
    autocast: bool = False  # encoding bf16 computes in bfloat16, instead of rounding operands
    memory_mb: Count = 1500  # of a job
    runtime_min: Count = 60


@final
@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One task in one encoding, for some seeds: what one training job depends on."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    task: Task
    encoding: Name
    definition: Mapping[str, Any] | None = None  # of an encoding that the config adds
    boost: Boost | None = None  # of an encoding that changes between epochs
    seeds: Annotated[tuple[Seed, ...], MinLen(1)]
    data_dir: str | None = None  # None: the data that come with the product
    device: Device = "cpu"
    processes: Count = 1
    autocast: bool = False

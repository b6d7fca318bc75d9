"""Networks as the library transformers has them: ResNet-50 of ImageNet, and BERT."""

from contextlib import nullcontext
from typing import Any

from torch import Tensor, nn

from equinox.encodings import encoded_products, encoded_weights
from equinox.training.models import scale_convolutions


class LibraryModel(nn.Module):
    """A model of transformers that returns its scores alone, all its products encoded."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the scores."""
        is_encoded = next(encoded_weights(self.inner), None) is not None
        with encoded_products(self.inner) if is_encoded else nullcontext():
            scores: Tensor = self.inner(inputs).logits
        return scores


def resnet50(classes: int) -> LibraryModel:
    """Return the ResNet-50 of ImageNet: stages of 3, 4, 6 and 3 bottlenecks.

    The stride is in the 3x3 convolution, as in torchvision's.

    Raises:
        ValueError: transformers is not installed.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1.
    """
    transformers = _transformers()
    config = transformers.ResNetConfig(num_labels=classes)
    model = LibraryModel(transformers.ResNetForImageClassification(config))
    scale_convolutions(model)
    return model


def bert(
    *,
    vocabulary: int,
    width: int,
    depth: int,
    heads: int,
    sequence_length: int,
    dropout: float,
) -> LibraryModel:
    """Return a BERT that predicts masked words: `depth` layers of `width`.

    It drops values by PyTorch's own generator.

    Raises:
        ValueError: transformers is not installed.

    Source: Devlin et al., "BERT", NAACL 2019, section 3.
    """
    transformers = _transformers()
    config = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=sequence_length,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return LibraryModel(transformers.BertForMaskedLM(config))


def _transformers() -> Any:
    try:
        import transformers  # here, since only scale full needs it
    except ImportError:
        raise ValueError(
            "this model is that of the library transformers; pip install 'coltrain-equinox[full]'"
        ) from None
    return transformers

"""Networks of other libraries, built from a configuration: conversion is a drop-in."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is to be fetched

import copy
from collections.abc import Callable

import pytest
import torch
import transformers
from torch import Tensor, nn

from equinox.encodings import (
    Encoding,
    convert,
    derive_encoding,
    encoded_products,
    encoded_weights,
)


def fine(bits: int) -> Encoding:
    """Return an encoding near FP32: mantissas of many bits in every operand, rounded to nearest."""
    choices = {"mantissa_bits": bits, "storage_bits": 32, "gradient_rounding": "nearest"}
    return derive_encoding(f"hbfp{bits}", base="hbfp8_16", overrides=choices)


Step = tuple[nn.Module, Callable[[nn.Module], Tensor]]

TEXT = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "vocab_size": 50,
}  # fmt: skip


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tokens(*shape: int) -> Tensor:
    return torch.randint(50, shape, generator=torch.Generator().manual_seed(0))


def images(model: nn.Module, size: int = 32) -> Step:
    labels = torch.tensor([0, 1, 1, 0])
    pixels = normal(0, 4, 3, size, size)
    return model, lambda net: net(pixel_values=pixels, labels=labels).loss


def resnet() -> Step:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )
    return images(transformers.ResNetForImageClassification(config))


def convnext() -> Step:
    config = transformers.ConvNextConfig(
        hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], patch_size=2
    )
    return images(transformers.ConvNextForImageClassification(config))


def mobilenet() -> Step:
    # With a stride of 8, norms of the last layers have enough values to be well conditioned.
    config = transformers.MobileNetV2Config(depth_multiplier=0.25, image_size=32, output_stride=8)
    config.classifier_dropout_prob = 0.0
    return images(transformers.MobileNetV2ForImageClassification(config))


def vit() -> Step:
    small = {key: value for key, value in TEXT.items() if key != "vocab_size"}
    config = transformers.ViTConfig(image_size=32, patch_size=8, **small)
    return images(transformers.ViTForImageClassification(config))


def bert() -> Step:
    config = transformers.BertConfig(max_position_embeddings=20, **TEXT)
    ids = tokens(3, 10)
    return transformers.BertForMaskedLM(config), lambda net: net(input_ids=ids, labels=ids).loss


def gpt2() -> Step:
    config = transformers.GPT2Config(
        n_embd=32, n_layer=2, n_head=2, vocab_size=50, n_positions=20,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    ids = tokens(3, 10)
    return transformers.GPT2LMHeadModel(config), lambda net: net(input_ids=ids, labels=ids).loss


def whisper() -> Step:
    config = transformers.WhisperConfig(
        d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=48,
        num_mel_bins=8, max_source_positions=20, vocab_size=50, pad_token_id=0, bos_token_id=0,
        eos_token_id=0, decoder_start_token_id=0,
    )  # fmt: skip
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    features = normal(0, 2, 8, 40)
    return WhisperEncoder(config), lambda net: net(features).last_hidden_state.square().mean()


def llama() -> Step:
    config = transformers.LlamaConfig(num_key_value_heads=1, tie_word_embeddings=True, **TEXT)
    ids = tokens(3, 10)
    return transformers.LlamaForCausalLM(config), lambda net: net(input_ids=ids, labels=ids).loss


def transformer() -> Step:
    model = nn.Transformer(16, 2, 1, 1, 24, batch_first=True, dropout=0.0)
    source, target = normal(0, 2, 6, 16), normal(1, 2, 5, 16)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    return model, lambda net: net(source, target, tgt_mask=mask).sin().mean()


class Tagger(nn.Module):
    """The tutorial's tagger of parts of speech, over sequences of different lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 10, bidirectional=True)
        self.tag = nn.Linear(20, 5)

    def forward(self, sentences: list[Tensor]) -> Tensor:
        embedded = [self.embedding(sentence) for sentence in sentences]
        packed = nn.utils.rnn.pack_sequence(embedded, enforce_sorted=False)
        return self.tag(self.lstm(packed)[0].data)


def tagger() -> Step:
    sentences = list(tokens(3, 9).unbind(0))
    sentences = [sentences[0][:4], sentences[1], sentences[2][:6]]
    labels = torch.arange(19) % 5
    return Tagger(), lambda net: nn.functional.cross_entropy(net(sentences), labels)


ARCHITECTURES = [
    resnet, convnext, mobilenet, vit, bert, gpt2, whisper, llama, transformer, tagger,
]  # fmt: skip


def build(architecture: Callable[[], Step]) -> Step:
    torch.manual_seed(0)
    model, loss = architecture()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
    for name in ("attention_dropout", "attn_pdrop", "resid_pdrop", "embd_pdrop"):
        for module in model.modules():
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return model.train(), loss


def gradients(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> Tensor:
    loss(model).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def error(architecture: Callable[[], Step], bits: int) -> float:
    """Return how far gradients of the converted network are from FP32's, as a share of these."""
    model, loss = build(architecture)
    converted = convert(model, fine(bits))
    with encoded_products(converted):
        ours = gradients(converted, loss)
    exact = gradients(model, loss)
    return float((ours - exact).norm() / exact.norm())


@pytest.mark.parametrize("architecture", [one for one in ARCHITECTURES if one is not mobilenet])
def test_gradients_are_near_those_of_fp32_at_16_bits(architecture):
    assert 0 < error(architecture, 16) < 0.01


def test_an_ill_conditioned_network_is_as_near_with_more_bits():
    # Norms over few values and activations that are cut off at both ends: gradients of MobileNetV2
    # move 10,000 times as much as what they are computed from, in FP32 too.
    model, loss = build(mobilenet)
    nudged, exact = gradients(_nudged(model), loss), gradients(model, loss)
    of_fp32 = float((nudged - exact).norm() / exact.norm())
    assert of_fp32 > 0.1
    assert error(mobilenet, 16) < 2 * of_fp32
    assert error(mobilenet, 24) < 0.01


def test_each_layer_of_it_is_near_fp32_at_16_bits():
    # Given what it reads in FP32, forward and backward, no layer amplifies anything.
    model, loss = build(mobilenet)
    layers = [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    read: dict[nn.Module, list[Tensor]] = {}

    def remember(layer: nn.Module, inputs: tuple[Tensor], y: Tensor) -> None:
        read[layer] = [inputs[0].detach()]
        y.register_hook(read[layer].append)

    for layer in layers:
        layer.register_forward_hook(remember)
    loss(model).backward()
    assert len(read) == len(layers) > 50
    for layer, (x, grad) in list(read.items()):
        x.requires_grad_()
        results = []
        for module in (layer, convert(layer, fine(16))):
            y = module(x)
            results.append([y, *torch.autograd.grad(y, (x, module.weight), grad)])
        for theirs, ours in zip(*results, strict=True):
            assert 0 < (ours - theirs).norm() < 1e-3 * theirs.norm()


def _nudged(model: nn.Module) -> nn.Module:
    """Return a copy of `model` with weights changed by a 2**-15th, half a step of 16 bits."""
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for seed, parameter in enumerate(changed.parameters()):
            parameter *= 1 + 2.0**-15 * normal(seed, *parameter.shape)
    return changed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("encoding", ["hbfp8_16", "mxfp8_e4m3"])
def test_a_step_of_training_is_finite_and_the_weights_load_into_the_model(architecture, encoding):
    model, loss = build(architecture)
    converted = convert(model, encoding)
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    assert len(list(encoded_weights(converted))) >= len(matrices) // 3
    optimizer = torch.optim.SGD(converted.parameters(), lr=1e-3)
    with encoded_products(converted):
        before = loss(converted)
        before.backward()
        optimizer.step()
        after = loss(converted)
    assert before.isfinite()
    assert after.isfinite()
    assert before.item() == pytest.approx(loss(model).item(), rel=0.3, abs=0.02)
    assert model.load_state_dict(converted.state_dict()) == ([], [])
    assert loss(model).isfinite()

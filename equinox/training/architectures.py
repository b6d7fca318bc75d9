"""The networks that are trained, by name; adding one is a class and an entry of a mapping."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import nn

from equinox.config.training import Task
from equinox.training.cifar_resnet import CifarResNet
from equinox.training.densenet import DenseNet
from equinox.training.hugging_face import resnet50
from equinox.training.models import LanguageModel, Mlp, ResNet8, Shape
from equinox.training.transformer import Transformer
from equinox.training.wide_resnet import WideResNet

#: From a task, the shape of an image, the number of classes, and dropout's generator.
ImageBuilder: TypeAlias = Callable[[Task, Shape, int, torch.Generator], nn.Module]
#: From a task, the number of words, and dropout's generator.
TextBuilder: TypeAlias = Callable[[Task, int, torch.Generator], nn.Module]


def _mlp(task: Task, shape: Shape, classes: int, _: torch.Generator) -> nn.Module:
    return Mlp(shape=shape, classes=classes, width=task.width)


def _resnet8(task: Task, shape: Shape, classes: int, _: torch.Generator) -> nn.Module:
    return ResNet8(shape=shape, classes=classes, width=task.width)


def _wide_resnet(task: Task, shape: Shape, classes: int, _: torch.Generator) -> nn.Module:
    return WideResNet(
        shape=shape,
        classes=classes,
        width=task.width,
        depth=task.depth,
        stem_stride=task.stem_stride,
    )


def _densenet(task: Task, shape: Shape, classes: int, generator: torch.Generator) -> nn.Module:
    return DenseNet(
        shape=shape,
        classes=classes,
        width=task.width,
        depth=task.depth,
        stem_stride=task.stem_stride,
        dropout=task.dropout,
        generator=generator,
    )


def _cifar_resnet(task: Task, shape: Shape, classes: int, _: torch.Generator) -> nn.Module:
    return CifarResNet(shape=shape, classes=classes, width=task.width, depth=task.depth)


def _resnet50(_task: Task, _shape: Shape, classes: int, _: torch.Generator) -> nn.Module:
    return resnet50(classes)


def _lstm(task: Task, vocabulary: int, generator: torch.Generator) -> nn.Module:
    return LanguageModel(
        vocabulary=vocabulary, width=task.width, dropout=task.dropout, generator=generator
    )


def _transformer(task: Task, vocabulary: int, generator: torch.Generator) -> nn.Module:
    return Transformer(
        vocabulary=vocabulary,
        width=task.width,
        depth=task.depth,
        heads=task.heads,
        sequence_length=task.sequence_length,
        dropout=task.dropout,
        generator=generator,
    )


IMAGE_MODELS: Mapping[str, ImageBuilder] = {
    "mlp": _mlp,
    "resnet8": _resnet8,
    "wide_resnet": _wide_resnet,
    "densenet": _densenet,
    "cifar_resnet": _cifar_resnet,
    "resnet50": _resnet50,
}
TEXT_MODELS: Mapping[str, TextBuilder] = {"lstm": _lstm, "transformer": _transformer}

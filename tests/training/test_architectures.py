import pytest
import torch

from equinox.training.architectures import IMAGE_MODELS, TEXT_MODELS
from equinox.training.cifar_resnet import CifarResNet
from equinox.training.densenet import DenseNet
from equinox.training.transformer import Transformer
from equinox.training.wide_resnet import WideResNet

COLOR = (3, 32, 32)


def parameters(model: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def wide_resnet_parameters(depth: int, k: int, classes: int, inputs: int = 3) -> int:
    """Count from the table of the paper: kernels, two numbers per channel of a norm, head."""
    total, channels = 9 * inputs * 16, 16
    for outputs in (16 * k, 32 * k, 64 * k):
        for _ in range((depth - 4) // 6):
            total += 2 * channels + 9 * channels * outputs + 2 * outputs + 9 * outputs**2
            total += channels * outputs if channels != outputs else 0
            channels = outputs
    return total + 2 * channels + channels * classes + classes


def densenet_parameters(depth: int, k: int, classes: int, inputs: int = 3) -> int:
    total, channels = 9 * inputs * 16, 16
    for block in range(3):
        if block:
            total += 2 * channels + channels**2
        for _ in range((depth - 4) // 3):
            total += 2 * channels + 9 * channels * k
            channels += k
    return total + 2 * channels + channels * classes + classes


@pytest.mark.parametrize(
    ("depth", "k", "classes", "published_millions"), [(28, 10, 100, 36.5), (16, 8, 10, 11.0)]
)
def test_wide_resnets_have_the_published_parameters(depth, k, classes, published_millions):
    with torch.device("meta"):
        model = WideResNet(shape=COLOR, classes=classes, width=16 * k, depth=depth)
    assert parameters(model) == wide_resnet_parameters(depth, k, classes)
    assert round(parameters(model) / 1e6, 1) == published_millions


def test_densenet_has_the_published_parameters():
    model = DenseNet(shape=COLOR, classes=10, width=12, depth=40, generator=generator())
    assert parameters(model) == densenet_parameters(40, 12, 10)
    assert round(parameters(model) / 1e6, 1) == 1.0


def test_transformer_has_the_parameters_of_its_blocks():
    model = Transformer(
        **{"vocabulary": 100, "width": 8, "depth": 3, "heads": 2, "sequence_length": 5},
        dropout=0.0,
        generator=generator(),
    )
    # A block: 12 w**2 weights, biases 3 w + w + 4 w + w, two norms of 2 w.
    block = 12 * 8**2 + 9 * 8 + 4 * 8
    assert parameters(model) == 100 * 8 + 5 * 8 + 3 * block + 2 * 8  # the decoder is tied


@pytest.mark.parametrize("name", sorted(set(IMAGE_MODELS) - {"resnet50"}))
@pytest.mark.parametrize("shape", [(1, 28, 28), COLOR])
def test_image_models_score_classes_for_any_shape(make_task, name, shape):
    task = make_task(model=name, width=8, depth=8 if name == "cifar_resnet" else 10, stem_stride=2)
    model = IMAGE_MODELS[name](task, shape, 7, generator())
    assert model(torch.zeros(5, *shape)).shape == (5, 7)


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_text_models_do_not_see_the_future(text_task_of, name):
    model = TEXT_MODELS[name](text_task_of(name), 100, generator()).eval()
    words = torch.randint(100, (6, 3), generator=generator())
    changed = words.clone()
    changed[4:] = 1
    before, after = model(words)[0], model(changed)[0]
    assert before.shape == (6, 3, 100)
    torch.testing.assert_close(before[:4], after[:4])
    assert not torch.equal(before[4:], after[4:])


def test_transformer_uses_the_order_of_words(text_task_of):
    model = TEXT_MODELS["transformer"](text_task_of("transformer"), 100, generator()).eval()
    words = torch.tensor([[1], [2], [3]])
    swapped = torch.tensor([[2], [1], [3]])
    assert not torch.allclose(model(words)[0][2], model(swapped)[0][2])


def test_depths_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match="depth of a wide_resnet is 12; make it 6 n"):
        WideResNet(shape=COLOR, classes=10, width=16, depth=12)
    with pytest.raises(ValueError, match="depth of a cifar_resnet is 12; make it 6 n"):
        CifarResNet(shape=COLOR, classes=10, width=16, depth=12)
    with pytest.raises(ValueError, match="depth of a densenet is 12; make it 3 n"):
        DenseNet(shape=COLOR, classes=10, width=8, depth=12, generator=generator())


def test_heads_that_do_not_fit_are_an_error(make_task):
    task = make_task(model="transformer", width=10, heads=3)
    with pytest.raises(ValueError, match="width is 10, no multiple of 3 heads"):
        TEXT_MODELS["transformer"](task, 100, generator())

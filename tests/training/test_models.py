import pytest
import torch

from equinox.training.models import Dropout, LanguageModel, Mlp, ResNet8

GREY = (1, 28, 28)


def parameters(model: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def language_model(dropout: float = 0.0) -> LanguageModel:
    return LanguageModel(
        vocabulary=100, width=8, dropout=dropout, generator=torch.Generator().manual_seed(0)
    )


def test_mlp_has_three_layers():
    # 784 x 256 + 256, 256 x 256 + 256, 256 x 10 + 10
    assert parameters(Mlp(shape=GREY, classes=10, width=256)) == 200960 + 65792 + 2570


def test_resnet8_has_the_parameters_of_its_stages():
    # Stem and norm 144 + 32. Stages 2 * 2304 + 64; 4608 + 9216 + 128, shortcut 512 + 64;
    # 18432 + 36864 + 256, shortcut 2048 + 128. Head 640 + 10.
    stages = 2 * 2304 + 64 + 4608 + 9216 + 128 + 576 + 18432 + 36864 + 256 + 2176
    assert parameters(ResNet8(shape=GREY, classes=10, width=16)) == 176 + stages + 650


def test_language_model_has_embedding_lstm_and_decoder():
    # 100 x 8; 4 gates of 8 x (8 + 8) weights and 2 x 8 biases; 8 x 100 + 100
    assert parameters(language_model()) == 800 + 4 * 8 * 18 + 900


@pytest.mark.parametrize("shape", [GREY, (3, 32, 32)])
@pytest.mark.parametrize("model", [Mlp, ResNet8])
def test_image_models_score_classes_for_any_shape(model, shape):
    assert model(shape=shape, classes=7, width=8)(torch.zeros(5, *shape)).shape == (5, 7)


def test_language_model_continues_from_its_state():
    model, words = language_model(), torch.randint(100, (6, 3))
    scores, _ = model(words)
    _, state = model(words[:4])
    continued, _ = model(words[4:], state)
    assert scores.shape == (6, 3, 100)
    torch.testing.assert_close(continued, scores[4:])


def test_language_model_does_not_see_the_future():
    model, words = language_model(), torch.randint(100, (6, 3))
    changed = words.clone()
    changed[4:] = 1
    assert torch.equal(model(words)[0][:4], model(changed)[0][:4])


def test_dropout_drops_its_share_keeps_the_mean_and_is_off_in_evaluation():
    dropout, x = Dropout(0.2, torch.Generator().manual_seed(0)), torch.ones(100_000)
    y = dropout(x)
    assert set(y.unique().tolist()) == {0.0, 1.25}
    assert (y == 0).double().mean().item() == pytest.approx(0.2, abs=0.006)  # 5 deviations
    assert torch.equal(dropout.eval()(x), x)

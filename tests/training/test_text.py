import pytest
import torch

from equinox.training.text import make_text_problem, side_by_side


def test_a_text_is_cut_into_partsside_by_side():
    words = torch.arange(11).numpy()
    assert side_by_side(words, 2).T.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_a_model_without_knowledge_has_the_vocabulary_as_perplexity(data_dir, text_task):
    problem = make_text_problem(text_task, str(data_dir), torch.device("cpu"))

    class Uniform(torch.nn.Module):
        def forward(self, words: torch.Tensor, state: object) -> tuple[torch.Tensor, None]:
            return torch.zeros(*words.shape, 6), None

    assert problem.evaluate(Uniform()) == pytest.approx(6)


def test_losses_predict_the_next_word_of_the_whole_text(data_dir, text_task):
    problem = make_text_problem(text_task, str(data_dir), torch.device("cpu"))
    text = side_by_side(problem.text.train, 4)
    seen: list[torch.Tensor] = []

    class Cheat(torch.nn.Module):
        """Know the text, and so the next word."""

        def forward(self, words: torch.Tensor, state: object) -> tuple[torch.Tensor, object]:
            start = sum(len(part) for part in seen)
            seen.append(words)
            following = text[start + 1 : start + 1 + len(words)]
            return 99.0 * torch.nn.functional.one_hot(following, 6), (words, words)

    steps = problem.epoch(Cheat(), torch.Generator())
    losses = [loss for step in steps for loss in step.losses]
    assert len(losses) == problem.steps == (900 // 4 - 1) // 10
    assert torch.stack(losses).max() < 1e-6
    assert torch.equal(torch.cat(seen), text[: 10 * problem.steps])


def test_too_short_a_text_is_an_error(data_dir, make_task):
    task = make_task(dataset="songs", batch_size=50, sequence_length=35)
    with pytest.raises(ValueError, match="train_size is 320 words; 50 sequences.*take 1800"):
        make_text_problem(task, str(data_dir), torch.device("cpu"))

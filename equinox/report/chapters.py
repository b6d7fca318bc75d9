"""The order of the report: which figure stands where, and which claims it shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar, final

from pydantic import ConfigDict

from equinox.config.checks import STRICT, Name
from equinox.config.records import check_record
from equinox.yaml_files import read_yaml

CHAPTERS_FILE = Path(__file__).with_name("chapters.yaml")
ALL_CLAIMS = "claims_intervals"  # the figure of every claim that no other names


@final
@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A question, why ours may differ, and figures with the claims that each shows."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: Name
    question: Name
    differs: Name
    tables: tuple[Name, ...]
    figures: Mapping[Name, tuple[Name, ...]]

    @property
    def anchor(self) -> str:
        """The id of the chapter in the page."""
        return self.title.lower().replace(" ", "-")


def read_chapters(
    figures: Mapping[str, Sequence[str]], path: Path = CHAPTERS_FILE
) -> tuple[Chapter, ...]:
    """Return the chapters with all of `figures` (name: its tables) and no other.

    A figure that the file does not name comes last in the chapter of its first table.

    Raises:
        ValueError: the file has an unknown key, or no chapter has the first table of a figure.
    """
    chapters = check_record(
        tuple[Chapter, ...], read_yaml(path).get("chapters"), [path], ["chapters"]
    )
    named = {name for chapter in chapters for name in chapter.figures}
    home = {table: chapter.title for chapter in chapters for table in chapter.tables}
    for name in sorted(set(figures) - named):
        if figures[name][0] not in home:
            raise ValueError(f"figure {name} has no chapter; name it in {path}")
    return tuple(_with_figures(chapter, figures, named, home) for chapter in chapters)


def _with_figures(
    chapter: Chapter,
    figures: Mapping[str, Sequence[str]],
    named: set[str],
    home: Mapping[str, str],
) -> Chapter:
    kept = {name: claims for name, claims in chapter.figures.items() if name in figures}
    others = sorted(set(figures) - named)
    added: dict[str, tuple[str, ...]] = {
        name: () for name in others if home[figures[name][0]] == chapter.title
    }
    return replace(chapter, figures=kept | added)


def figure_of(claim_id: str, chapters: Iterable[Chapter]) -> str:
    """Return the first figure that shows the claim; empty where the figures of none do."""
    every = {name: claims for chapter in chapters for name, claims in chapter.figures.items()}
    shown = (name for name, claims in every.items() if shows(claims, claim_id))
    return next(shown, ALL_CLAIMS if ALL_CLAIMS in every else "")


def shows(patterns: Iterable[str], claim_id: str) -> bool:
    """Return whether one of `patterns` is that of `claim_id`."""
    return any(fnmatchcase(claim_id, pattern) for pattern in patterns)

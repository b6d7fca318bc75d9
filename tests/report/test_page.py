"""The page holds every claim, figure and table; it names where each comes from, and no time."""

import base64
import re
from fnmatch import filter as matches

import pytest

from equinox.report.chapters import CHAPTERS_FILE, figure_of, read_chapters
from equinox.report.claims import read_claims
from tests.report.conftest import DRAWN

INLINE = re.compile(r"base64,[^\"]+")
NAMES = {"pareto_front": ("pareto", "designs"), "fleet_day": ("fleet",)}


def test_every_claim_is_in_the_table_with_its_verdict(page_text, tables):
    page = page_text
    for _, claim in tables["claims"].iterrows():
        row = page.partition(f'<tr id="{claim["id"]}"')[2].partition("</tr>")[0]
        assert f'class="verdict {claim["verdict"]}"' in row


def test_every_figure_links_to_data_rule_tables_config_and_code(page_text, drawings):
    page = page_text
    for name in DRAWN:
        part = page.partition(f'<figure id="{name}"')[2].partition("</figure>")[0]
        data = re.search(r'href="data:text/csv;base64,([^"]+)"', part)
        assert data
        assert base64.b64decode(data[1]) == drawings[name].csv
        assert f"snakemake fig_{name}" in part
        assert f"equinox/figures/{name}.py" in part
        for link in ("table-", "config-", "provenance"):
            assert f'href="#{link}' in part


def test_links_within_the_page_lead_somewhere(page_text):
    page = INLINE.sub("", page_text)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert sorted(set(re.findall(r'href="#([^"]+)"', page)) - set(ids)) == []
    assert len(ids) == len(set(ids))


def test_nothing_is_loaded_from_elsewhere(page_text):
    page = INLINE.sub("", page_text)
    assert not re.findall(r'(?:src|href)="(?!#|data:|figures/|runtime\.html)', page)
    assert "url(" not in page


def test_it_is_the_same_bytes_each_time(render, page_text):
    same = render() == page_text
    assert same


def test_what_is_in_a_table_cannot_become_markup(render):
    assert render("<script>alert(1)</script>").count("<script>") == 1


def test_a_figure_in_no_chapter_comes_last_in_that_of_its_first_table():
    chapters = read_chapters({**NAMES, "new_one": ("designs",)})
    found = {chapter.title: list(chapter.figures) for chapter in chapters}
    assert found["Design space"] == ["pareto_front", "new_one"]
    assert found["Co-location"] == ["fleet_day"]


def test_a_figure_of_an_unknown_table_is_named():
    with pytest.raises(ValueError, match="figure odd has no chapter"):
        read_chapters({"odd": ("nothing",)})


def test_a_wrong_key_of_the_chapters_is_named(tmp_path):
    path = tmp_path / "chapters.yaml"
    path.write_text(CHAPTERS_FILE.read_text().replace("question:", "asks:", 1))
    with pytest.raises(ValueError, match=r"yaml, line \d+: chapters\.0\.(asks|question) = "):
        read_chapters(NAMES, path)


def test_every_pattern_of_the_chapters_is_that_of_a_claim(repository):
    ids = {claim.id for claim in read_claims(repository / "config/published.yaml")}
    names = re.findall(r"^    (\w+): \[", CHAPTERS_FILE.read_text(), re.MULTILINE)
    chapters = read_chapters(dict.fromkeys(names, ("claims",)))
    for chapter in chapters:
        for name, patterns in chapter.figures.items():
            assert all(matches(ids, pattern) for pattern in patterns), name
        assert all(figure_of(claim, chapters) for claim in ids)

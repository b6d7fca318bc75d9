"""The documentation: its code runs, its commands have a plan, its reference leaves nothing out."""

import ast
import importlib.util
import re
import subprocess
import sys
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
MODULES = sorted((ROOT / "equinox").rglob("*.py"))


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("name", ["tutorial", "how-to"])
def test_the_python_of_a_page_runs(name):
    names = {}
    found = blocks(ROOT / "docs" / f"{name}.md", "python")
    assert found
    for part in found:
        exec(compile(part, name, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_yaml_of_a_page_is_yaml(page):
    for part in blocks(page, "yaml"):
        assert isinstance(yaml.safe_load(part), dict)


def commands():
    """Return every snakemake command of the tutorial and the guides that makes something."""
    lines = [
        line.partition("   #")[0].strip()
        for name in ("tutorial", "how-to")
        for part in blocks(ROOT / "docs" / f"{name}.md", "sh")
        for line in part.splitlines()
    ]
    made = [line for line in lines if line.startswith("snakemake") and "--config" in line]
    return sorted(set(made))


@pytest.mark.workflow
def test_the_commands_of_the_tutorial_and_guides_have_a_plan():
    overriding = [line for line in commands() if "__" in line or "={" in line]
    assert len(overriding) == 3
    for line in overriding:
        words = line.replace("snakemake", f"{sys.executable} -m snakemake --dry-run", 1)
        done = subprocess.run(
            words, shell=True, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


@pytest.mark.workflow
def test_the_readme_changes_a_figure_in_one_command_that_trains_nothing():
    (line,) = (
        line.partition("   #")[0]
        for part in blocks(ROOT / "README.md", "sh")
        for line in part.splitlines()
        if line.startswith("make fig_")
    )
    told = subprocess.run(
        f"{line} --dry-run --no-print-directory",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    command = told.stdout.splitlines()[-1].replace(
        ".venv/bin/snakemake", f"{sys.executable} -m snakemake --dry-run"
    )
    done = subprocess.run(
        command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False
    )
    plan = done.stdout + done.stderr
    assert done.returncode == 0, plan
    assert re.search(r"^fig_pareto_front +1$", plan, re.MULTILINE)
    assert not re.search(r"^train +\d", plan, re.MULTILINE)


def test_the_tour_runs():
    done = subprocess.run(
        [sys.executable, "docs/tour.py"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "4. Serve requests" in done.stdout


@pytest.fixture(scope="module")
def site():
    """The module that makes the reference."""
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "docs" / "site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public_functions(path):
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node for node in tree.body if isinstance(node, kinds) and node.name[0] != "_"]


def test_every_public_function_is_in_the_reference_and_has_a_docstring(site):
    text = "\n".join(site.pages().values())
    listed = set(re.findall(r"^::: (\S+)", text, re.MULTILINE))
    for path in MODULES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found = public_functions(path)
        if found and path.stem != "__main__":
            assert name in listed or path.stem == "__init__", f"{name} is in no page"
            assert all(ast.get_docstring(node) for node in found), name


def test_every_config_key_and_table_is_in_the_reference(site):
    from equinox.config.colocation import Colocation
    from equinox.tables import TABLES

    pages = site.pages()
    for key in fields(Colocation):
        assert f"| `{key.name}` |" in pages["reference/keys.md"]
    for name in TABLES:
        assert f"## {name}\n" in pages["reference/tables.md"]


@pytest.mark.workflow
def test_the_site_builds_without_a_warning_and_every_link_leads_somewhere(site, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "404.html").unlink()  # its links are those of a server
    pages = {path: Page(path) for path in tmp_path.rglob("*.html")}
    assert [link for page in pages.values() for link in page.dead_links(pages)] == []
    assert [link for page in pages.values() for link in page.loaded if "//" in link] == []
    documented = set().union(*(page.ids for page in pages.values()))
    assert [name for name in public_names() if name not in documented] == []


class Page(HTMLParser):
    """A page of the built site: its anchors, links, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.path, self.ids, self.links, self.loaded = path, set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src"):
            if given.get(name):
                (self.links if tag == "a" else self.loaded).add(given[name])

    def dead_links(self, pages):
        """Return the links to files or anchors of the site that are not there."""
        for link in sorted(self.links | self.loaded):
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue  # checked by people: the test has no network
            target = (self.path.parent / unquote(address.path)).resolve()
            target = target if address.path else self.path
            anchors = pages[target].ids if target in pages else {""}
            if not target.exists() or unquote(address.fragment) not in {"", *anchors}:
                yield f"{self.path.name}: {link}"


def public_names():
    """Return the full names of all public functions and classes but those of packages."""
    for path in MODULES:
        if not any(part.startswith("_") for part in path.relative_to(ROOT).with_suffix("").parts):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield from (f"{name}.{node.name}" for node in public_functions(path))

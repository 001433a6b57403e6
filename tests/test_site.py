"""The documentation site: it builds, every link leads somewhere, and what is public is on it."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from docstrings import rewritten

import omni_agent

ROOT = Path(__file__).parent.parent
CONTRACTS = (
    *("thinker", "talker", "ears", "turn_taking", "transport", "commands", "wishes"),
    *("events", "conversation", "engine", "errors"),
)


@dataclass
class Page(HTMLParser):
    """What can be linked to in a page, and what it links to."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.text = self.path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])


@dataclass
class Site:
    folder: Path
    pages: dict[Path, Page]

    def leads(self, page: Page, link: str) -> bool:
        """Does a link of this page end at a page, a place in it, or a file?"""
        url = urlsplit(link)
        target = page.path
        if url.path:
            target = Path(os.path.normpath(page.path.parent / unquote(url.path)))
        if target.is_dir():
            target /= "index.html"
        if not url.fragment or url.fragment.startswith("__"):  # theirs: places of the theme
            return target.is_file()
        return target in self.pages and unquote(url.fragment) in self.pages[target].ids


@pytest.fixture(scope="module")
def site() -> Site:
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    built = subprocess.run(
        [ROOT / "scripts" / "docs"], env=os.environ | {"PATH": tools},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout
    folder = ROOT / "build" / "site"
    found = (path for path in folder.rglob("*.html") if path.name != "404.html")
    return Site(folder, {path: Page(path) for path in found})


def test_every_link_of_the_site_leads_somewhere(site: Site) -> None:
    assert len(site.pages) > 20
    dead = [
        f"{page.path.relative_to(site.folder)}: {link}"
        for page in site.pages.values()
        for link in (*page.links, *page.loads)
        if not urlsplit(link).scheme and not site.leads(page, link)
    ]
    assert dead == []


def test_readers_load_nothing_from_elsewhere(site: Site) -> None:
    loads = {link for page in site.pages.values() for link in page.loads}
    assert {link for link in loads if urlsplit(link).netloc} == set()


def navigated(entries: object) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, list):
        for entry in entries:
            yield from navigated(entry)
    elif isinstance(entries, dict):
        yield from navigated(list(entries.values()))


def test_every_page_can_be_navigated_to(site: Site) -> None:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    pages = ROOT / "build" / "pages"
    assert {str(page.relative_to(pages)) for page in pages.rglob("*.md")} == set(navigated(nav))


def test_every_page_can_be_searched_for(site: Site) -> None:
    found = json.loads((site.folder / "search.json").read_text())["items"]
    assert {"operating/", "api/agent/"} <= {entry["location"].partition("#")[0] for entry in found}


@pytest.mark.parametrize("name", omni_agent.__all__)
def test_everything_that_is_exported_is_in_the_api(name: str, site: Site) -> None:
    home = omni_agent._HOMES[name]
    assert any(f"omni_agent.{home}.{name}" in page.ids for page in site.pages.values())


def test_every_noun_and_contract_is_in_the_api(site: Site) -> None:
    """They are the files at the top; ``agent`` is there by its class."""
    there = {name for page in site.pages.values() for name in page.ids}
    files = {path.stem for path in (ROOT / "omni_agent").glob("[!_]*.py")} - {"agent"}
    assert {name for name in files if f"omni_agent.{name}" not in there} == set()


def public(module: str) -> Iterator[str]:
    """Classes and functions of a module, and what its protocols ask for."""
    there = import_module(f"omni_agent.{module}")
    for name, one in vars(there).items():
        if name.startswith("_") or getattr(one, "__module__", "") != there.__name__:
            continue
        if inspect.isfunction(one):
            yield name
        if inspect.isclass(one):
            yield name
        if getattr(one, "_is_protocol", False):
            yield from (f"{name}.{member}" for member in vars(one) if member[0] != "_")


@pytest.mark.parametrize("module", CONTRACTS)
def test_a_contract_is_told_whole(module: str, site: Site) -> None:
    ids = next(page.ids for page in site.pages.values() if f"omni_agent.{module}" in page.ids)
    assert [name for name in public(module) if f"omni_agent.{module}.{name}" not in ids] == []


def test_what_a_docstring_explains_becomes_a_table(site: Site) -> None:
    agent = site.pages[site.folder / "api" / "agent" / "index.html"].text
    assert "others that callers may choose, as names, paths" in agent
    assert "<p>persona: a name" not in agent


def test_a_docstring_explains_its_parameters_where_they_stand() -> None:
    text = "Hears. rate: in\nHz. first, last: which ones. It is late: no. Raises OSError.\n\nMore."
    assert rewritten(text, "Args", {"rate", "first", "last"}).split("\n\n") == [
        "Hears.",
        "Raises OSError.",
        "More.",
        "Args:\n    rate: in Hz.\n    first: which ones. It is late: no.\n"
        "    last: which ones. It is late: no.",
    ]


def test_a_colon_after_a_word_that_is_no_parameter_explains_nothing() -> None:
    text = "One rule: nothing.\n\nrate: is not mine."
    assert rewritten(text, "Args", {"first"}) == text


def test_a_docstring_s_example_is_code() -> None:
    text = "See :func:`a`. Marked so::\n\n    def a():\n        pass\n\nSo.\n\n::\n\n    b()\n"
    assert rewritten(text, "", set()).rstrip() == (
        "See `a`. Marked so:\n\n```python\ndef a():\n    pass\n```\n\nSo.\n\n```python\nb()\n```"
    )


def test_no_signature_shows_what_is_private(site: Site) -> None:
    signatures = [
        re.sub(r"<[^>]+>", "", signature)
        for page in site.pages.values()
        for signature in re.findall(r'<div class="doc-signature.*?</div>', page.text, re.DOTALL)
    ]
    assert len(signatures) > 100
    assert [one for one in signatures if re.search(r"[(,]\s*_[a-z]\w*:", one)] == []


def test_the_decorator_that_people_look_for_comes_first(site: Site) -> None:
    tools = site.pages[site.folder / "api" / "tools" / "index.html"].text
    decorator, made = (f'id="omni_agent.tools.tool.{name}"' for name in ("tool", "Tool"))
    assert 0 < tools.index(decorator) < tools.index(made)


def test_the_site_s_own_style_is_on_every_page(site: Site) -> None:
    for page in site.pages.values():
        assert any(link.endswith("site.css") for link in page.loads), page.path

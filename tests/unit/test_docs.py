"""The docs are what the code is."""

import re
from pathlib import Path

import pytest

from tests import docs_trust, docs_words

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md")])


def test_the_page_of_words_is_made_from_the_words() -> None:
    assert docs_words.PAGE.read_text() == docs_words.page()


def test_the_table_of_trust_is_made_from_the_code() -> None:
    assert docs_trust.PAGE.read_text() == docs_trust.page()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing


def test_the_readme_names_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    assert not [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in readme]

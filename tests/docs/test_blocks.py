from pathlib import Path

import pytest

import wsss

CHECKOUT = Path(wsss.__file__).parents[1]
PAGES = sorted(
    str(path.relative_to(CHECKOUT))
    for pattern in ("*.md", "data/*.md", "docs/*.md")
    for path in CHECKOUT.glob(pattern)
)
LANGUAGES = {"bash", "python", "text", "csv", "tsv", "json", "yaml", "xml"}
UNTOLD = {"docs/benchmarks.md", "docs/speed.md"}
"""Pages whose commands all take minutes to hours, as their first lines say."""


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page, blocks):
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{page}, line {block.line}: ```{block.language}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*noload.*")  # MLflow asks its database's library for it.
@pytest.mark.parametrize("page", [page for page in PAGES if page not in UNTOLD])
def test_commands_and_programs_of_a_page_run(page, run_page):
    run_page(page)


def test_no_page_is_forgotten_that_has_commands_of_minutes(blocks):
    own = (CHECKOUT / "tests" / "docs" / "test_minutes.py").read_text()
    for page in PAGES:
        if any(block.reason == "takes minutes" for block in blocks(page)):
            assert f'"{page}"' in own

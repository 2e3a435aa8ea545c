"""Commands of the documentation that take minutes: `make docs-commands` runs them."""

import pytest

PAGES = (
    "README.md", "docs/getting_started.md", "docs/clusters.md", "docs/sweeps.md",
    "docs/settings.md", "docs/weak_supervision.md",
)  # fmt: skip


@pytest.mark.minutes
@pytest.mark.parametrize("page", PAGES)
def test_commands_that_take_minutes_run(page, blocks, run_in_a_shell):
    found = [block for block in blocks(page) if block.reason == "takes minutes"]
    assert found
    for block in found:
        run_in_a_shell(block)

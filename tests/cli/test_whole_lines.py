"""Sentences of commands: folded on a terminal, whole in files."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from wsss.cli.tables.whole_lines import WholeLines

SENTENCE = "left out: /a/folder/of/photographs/with/a/long/name.jpg: no such file"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_lines_are_whole_where_there_is_no_terminal(is_terminal):
    console = Console(file=io.StringIO(), width=30, force_terminal=is_terminal, color_system=None)
    console.print(WholeLines(Text(SENTENCE)), crop=False)
    lines = console.file.getvalue().splitlines()
    if is_terminal:
        assert max(map(len, lines)) <= 30
    else:
        assert lines == [SENTENCE]

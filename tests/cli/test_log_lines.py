import io
import logging
import re

import pytest
from rich.console import Console

from wsss.cli.log_lines import LogLines

PATH = "/home/user/" + "very_long_name/" * 10 + "0123 [4]"


@pytest.fixture
def said():
    def say(message, **options):
        file = io.StringIO()
        console = Console(file=file, width=40, **options)
        handler = LogLines(console=console, show_path=False, show_level=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
        handler.handle(logging.LogRecord("wsss", logging.INFO, "", 0, message, (PATH,), None))
        return file.getvalue()

    return say


def test_a_path_is_one_piece_of_a_log(said):
    line = said("refine → %s")
    assert re.sub(r"^\d\d:\d\d:\d\d ", "", line) == f"refine → {PATH}\n"


def test_a_terminal_has_columns(said):
    lines = said("refine → %s", force_terminal=True, color_system=None).splitlines()
    assert len(lines) > 4
    assert all(len(line) <= 40 for line in lines)

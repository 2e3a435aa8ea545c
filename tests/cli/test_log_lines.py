import io
import logging
import re
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from wsss.cli.log_lines import LogFile, LogLines

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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_leaves_lines_out_of_the_file_without_a_traceback(capsys):
    handler = LogFile("/dev/full")
    record = logging.LogRecord("wsss", logging.INFO, "", 0, "a line", (), None)
    handler.handle(record)
    assert capsys.readouterr().err == ""
    record.args = ("a word too many",)
    handler.handle(record)
    assert "not all arguments converted" in capsys.readouterr().err
    with suppress(OSError):
        handler.close()

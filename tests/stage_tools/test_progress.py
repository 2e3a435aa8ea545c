import io
import logging
import re

import pytest
from rich.console import Console

from wsss.stage_tools import progress, progress_lines
from wsss.stage_tools.progress_lines import rate


class Clock:
    """Seconds that pass when told."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(autouse=True)
def without_logging(caplog):
    """As in a process of its own: a command that ran before has set logging up."""
    caplog.set_level(logging.WARNING, logger=progress_lines.__name__)


@pytest.fixture
def written(monkeypatch, clock):
    """What is printed where there is no terminal."""
    file = io.StringIO()
    console = Console(file=file, width=40, get_time=clock)
    monkeypatch.setattr(progress, "get_console", lambda: console)
    return file


def took(clock, results, seconds_each):
    for result in results:
        clock.now += seconds_each
        yield result


def test_results_pass_unchanged(clock, written):
    results = [object() for _ in range(5)]
    assert list(progress.track(iter(results), 5, "refine")) == results


def test_a_long_stage_says_where_it_is_now_and_then(clock, written):
    list(progress.track(took(clock, range(600), 0.5), 600, "refine"))
    assert written.getvalue().splitlines() == [
        "refine: 20 of 600 images, 2.0/s, 4 min 50 s left",  # After ten seconds,
        "refine: 80 of 600 images, 2.0/s, 4 min 20 s left",  # then every tenth of the work.
        "refine: 140 of 600 images, 2.0/s, 3 min 50 s left",
        "refine: 200 of 600 images, 2.0/s, 3 min 20 s left",
        "refine: 260 of 600 images, 2.0/s, 2 min 50 s left",
        "refine: 320 of 600 images, 2.0/s, 2 min 20 s left",
        "refine: 380 of 600 images, 2.0/s, 1 min 50 s left",
        "refine: 440 of 600 images, 2.0/s, 1 min 20 s left",
        "refine: 500 of 600 images, 2.0/s, 50 s left",
        "refine: 560 of 600 images, 2.0/s, 20 s left",
        "refine: 600 images in 5 min 00 s, 2.0/s",
    ]


def test_lines_are_at_least_half_a_minute_apart(clock, written):
    list(progress.track(took(clock, range(60), 1), 60, "check"))
    assert [line.split(",")[0] for line in written.getvalue().splitlines()] == [
        "check: 10 of 60 images", "check: 40 of 60 images", "check: 60 images in 1 min 00 s",
    ]  # fmt: skip


def test_ten_hours_are_never_silent_for_long(clock, written):
    list(progress.track(took(clock, range(3600), 10), 3600, "localize"))
    lines = written.getvalue().splitlines()
    assert len(lines) == 1 + 36000 // 300
    assert lines[1] == "localize: 31 of 3,600 images, 10 s each, 9 h 54 min left"


def test_steps_slower_than_rich_remembers_have_a_rate(clock, written):
    list(progress.track(took(clock, range(3), 600), 3, "explain"))
    assert written.getvalue().splitlines()[:2] == [
        "explain: 1 of 3 images",
        "explain: 2 of 3 images, 10 min 00 s each, 10 min 00 s left",
    ]


def test_what_an_earlier_attempt_did_counts_for_no_rate(clock, written):
    list(progress.track(took(clock, range(100), 0.5), 600, "refine", done=500))
    first, *_, last = written.getvalue().splitlines()
    assert first == "refine: 520 of 600 images, 2.0/s, 40 s left"
    assert last == "refine: 100 images in 50 s, 2.0/s (600 in all)"


def test_batches_count_as_their_images(clock, written):
    batches = ["abcdefgh"] * 10
    list(progress.track(took(clock, batches, 4), 80, "localize", count=len))
    assert written.getvalue().splitlines()[0] == "localize: 24 of 80 images, 2.0/s, 28 s left"


def test_one_is_no_plural(clock, written):
    list(progress.track(took(clock, range(1), 20), 1, "explain", unit="forward pass"))
    assert written.getvalue() == "explain: 1 forward pass in 20 s, 20 s each\n"


def test_nothing_to_do_and_other_ranks_are_silent(clock, written):
    list(progress.track([], 600, "refine", done=600))
    list(progress.track(took(clock, range(600), 5), 600, "refine", visible=False))
    assert written.getvalue() == ""


def test_an_error_has_the_last_word(clock, written):
    def fails():
        yield from took(clock, range(3), 1)
        raise RuntimeError("an error")

    with pytest.raises(RuntimeError, match="an error"):
        list(progress.track(fails(), 600, "refine"))
    assert written.getvalue() == ""


def test_what_comes_next_is_told(clock, written):
    with progress.reporting(100, "explain", unit="pass") as report:
        for done in range(100):
            report(done, f"a [b].jpg, gradcam: step {done}")
            clock.now += 1
        report(100, "")
    lines = written.getvalue().splitlines()
    assert lines[0] == (
        "explain: 10 of 100 passes, 1.0/s, 1 min 30 s left; a [b].jpg, gradcam: step 10"
    )
    assert lines[-1] == "explain: 100 passes in 1 min 40 s, 1.0/s"


def test_lines_are_log_lines_where_logging_is_set_up(clock, written, caplog):
    with caplog.at_level(logging.INFO, logger=progress_lines.__name__):
        list(progress.track(took(clock, range(4), 1), 4, "100 % refined"))
    assert caplog.messages == ["100 % refined: 4 images in 4.0 s, 1.0/s"]
    assert written.getvalue() == ""


@pytest.mark.parametrize("variables", [{"FORCE_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_a_file_gets_no_control_codes(clock, variables, monkeypatch):
    file = io.StringIO()
    console = Console(file=file, get_time=clock, _environ=variables)
    monkeypatch.setattr(progress, "get_console", lambda: console)
    list(progress.track(took(clock, range(60), 1), 60, "check"))
    assert "\x1b" not in file.getvalue()
    assert file.getvalue().count("\n") == 3


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_terminal_of_any_width_shows_every_word_and_number(width, clock, monkeypatch):
    file = Terminal()
    console = Console(
        file=file, width=width, force_terminal=True, color_system=None, get_time=clock
    )
    monkeypatch.setattr(progress, "get_console", lambda: console)
    with progress.reporting(5760, "refine", unit="epoch") as report:
        report(100, "")
        clock.now += 2
        report(220, "train_loss 0.123, val_map 0.834")
    shown = re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", file.getvalue())
    for part in ("refine", "220/5760", "60.0/s", "1 min 32 s left", "val_map 0.834"):
        assert part in shown, shown
    assert all(len(line) <= width for line in re.split(r"[\r\n]", shown))


def test_rates_have_the_unit_that_fits():
    assert [rate(one) for one in (0.02, 0.5, 1, 126.53)] == [
        "50 s each", "2.0 s each", "1.0/s", "126.5/s",
    ]  # fmt: skip

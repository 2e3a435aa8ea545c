"""Sentences that are folded on a terminal only."""

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text


class WholeLines:
    """A text that stays in one line where there is no terminal, as its paths are to be copied.

    To be printed with `crop=False`.
    """

    def __init__(self, text: Text) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The text, folded or not."""
        text = self._text.copy()
        if not (console.is_terminal or console.is_jupyter):
            text.no_wrap, text.overflow = True, "ignore"
        yield text

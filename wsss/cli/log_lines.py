"""Log lines of the commands: in columns on a terminal, whole in a file."""

import logging
import sys
from datetime import datetime

from rich.logging import RichHandler


class LogLines(RichHandler):
    """Rich's handler, which folds no line where there is no terminal: paths stay in one piece."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record with its time."""
        if self.console.is_terminal or self.console.is_jupyter:
            super().emit(record)
            return
        try:
            line = f"{datetime.fromtimestamp(record.created):%H:%M:%S} {self.format(record)}"
            self.console.print(line, soft_wrap=True, markup=False, highlight=False)
        except Exception:
            self.handleError(record)


class LogFile(logging.FileHandler):
    """A file of log lines that leaves out those for which the disk has no room.

    What the run was made for meets the full disk next, and tells of it in a message.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Print a traceback, as Python does, unless the disk takes no more."""
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

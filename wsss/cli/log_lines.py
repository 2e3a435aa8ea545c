"""Log lines of the commands: in columns on a terminal, whole in a file."""

import logging
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

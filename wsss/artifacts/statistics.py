"""What stages measure of single images, without ground truth."""

from collections.abc import Mapping
from typing import Any

from wsss.artifacts.json_files import read_json, write_json
from wsss.artifacts.store import Named, Store


class StatisticsStore(Store):
    """A folder of `<id>.json`: numbers of an image by their names, so that means resume."""

    suffix = ".json"
    kind = "statistics"
    stage = "refine"

    def write(self, item: Named, statistics: Mapping[str, Any]) -> None:
        """Write the statistics of an item."""
        write_json(self.path(item), statistics)

    def read(self, item: Named) -> dict[str, Any]:
        """Read the statistics of an item.

        Raises:
            WsssError: there are none of this item.
            DamagedFileError: they cannot be read.
        """
        return dict(read_json(self.there(item)))

"""Pictures for notebooks."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from wsss.explain.contact_sheet import shortened
from wsss.report.panels import Panel, strip


def png(panels: Sequence[Panel]) -> bytes:
    """Pictures of one size side by side under their titles, as a PNG file."""
    stream, width = BytesIO(), panels[0].picture.shape[1]
    titled = [Panel(shortened(panel.title, width), panel.picture) for panel in panels]
    Image.fromarray(strip(titled)).save(stream, format="PNG")
    return stream.getvalue()

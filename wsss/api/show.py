"""Pictures for notebooks."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from wsss.report.panels import Panel, strip


def png(panels: Sequence[Panel]) -> bytes:
    """Pictures of one size side by side under their titles, as a PNG file."""
    stream = BytesIO()
    Image.fromarray(strip(panels)).save(stream, format="PNG")
    return stream.getvalue()

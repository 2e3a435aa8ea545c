"""Where the configuration files are."""

from pathlib import Path


def config_dir() -> Path:
    """The folder of the configuration files: inside the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    shipped = package / "configs"
    return shipped if shipped.is_dir() else package.parent / "configs"

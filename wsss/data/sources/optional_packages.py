"""Packages that only some sources need."""

from importlib.util import find_spec

from wsss.errors import user_error


def needs_package(package: str, extra: str) -> None:
    """Refuse to go on without a package.

    Args:
        package: to be imported.
        extra: of this package, which installs it.

    Raises:
        WsssError: it is not installed.
    """
    if find_spec(package) is None:
        raise user_error(
            "data", f"the package `{package}` is not installed", "it, for this kind of data set",
            f"Install it: `pip install 'wsss[{extra}]'`.",
        )  # fmt: skip

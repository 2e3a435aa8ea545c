"""Weights on a library's hub: those in its cache, about which nobody is asked, else a download.

Left alone, timm asks the hub whether there is a newer file than the one that it has, and tries for
a minute to reach a hub that is out of reach.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlparse

from wsss.errors import InvalidOptionError

# `wsss check` looks for weight files without importing torch.
if TYPE_CHECKING:
    from torch import nn

HUB_WEIGHTS = "hub"
"""Weights that their library downloads."""
ANSWER_S = 10.0
"""A hub that has not answered after as many seconds is out of reach."""

T = TypeVar("T")


class HubFile(Protocol):
    """A file of weights, on a hub and perhaps in its library's cache."""

    @property
    def host(self) -> str:
        """Who is asked for it."""

    @property
    def described(self) -> str:
        """Its name, where it is published, and the folder of the cache that it belongs into."""

    @property
    def how_to_copy(self) -> str:
        """What brings it to a machine without a network, as an imperative clause."""

    def cached(self) -> Path | None:
        """Its path in the cache; None if it is not there. Opens no connection."""

    def fetch(self) -> None:
        """Download it into the cache, or make sure that its library can.

        Raises:
            Exception: the hub is out of reach, or has no such file.
        """


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """Weights in a repository of the Hugging Face Hub."""

    repository: str
    """Owner and name."""
    names: tuple[str, ...]
    """Names that the file may have, the best one first."""
    revision: str | None = None
    """Branch, tag or commit; None for the main branch."""

    @property
    def host(self) -> str:
        """The hub, or its mirror."""
        from huggingface_hub import constants

        return urlparse(constants.ENDPOINT).netloc

    @property
    def described(self) -> str:
        """Name, repository and folder of the cache."""
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        folder = repo_folder_name(repo_id=self.repository, repo_type="model")
        place = Path(constants.HF_HUB_CACHE, folder)
        return f"`{self.names[0]}` of {self.repository} in {place}"

    @property
    def how_to_copy(self) -> str:
        """The command that fills the cache of another machine."""
        command = f"`hf download {self.repository} {self.names[0]}`"
        if self.revision is not None:
            command += f" (of the revision {self.revision})"
        return f"Where there is a network, run {command}, and copy that folder from its cache"

    def cached(self) -> Path | None:
        """The file of the revision that was downloaded last."""
        from huggingface_hub import try_to_load_from_cache

        for name in self.names:
            found = try_to_load_from_cache(self.repository, name, revision=self.revision)
            if isinstance(found, str):
                return Path(found)
        return None

    def fetch(self) -> None:
        """Download the file of the first name that the repository has."""
        from huggingface_hub import hf_hub_download

        hf_hub_download(self.repository, in_time(self._name), revision=self.revision)

    def _name(self) -> str:
        """The first name that the repository has, by a single question for each."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError

        for name in self.names:
            url = hf_hub_url(self.repository, name, revision=self.revision)
            try:
                get_hf_file_metadata(url, timeout=ANSWER_S)
            except EntryNotFoundError:
                if name == self.names[-1]:
                    raise
            else:
                break
        return name


@dataclass(frozen=True, slots=True)
class AddressFile:
    """Weights at an address, which torch keeps in `TORCH_HOME/hub/checkpoints`."""

    url: str
    """The address."""
    name: str = ""
    """Of the file in the cache; empty for the last part of the address."""

    @property
    def host(self) -> str:
        """The server."""
        return urlparse(self.url).netloc

    @property
    def described(self) -> str:
        """Name, address and folder of the cache."""
        return f"`{self._path.name}` of {self.url} in {self._path.parent}"

    @property
    def how_to_copy(self) -> str:
        """The way by hand."""
        return "Download it where there is a network, and copy it there"

    def cached(self) -> Path | None:
        """The file, which never changes."""
        return self._path if self._path.is_file() else None

    def fetch(self) -> None:
        """Ask for the file; the library downloads it when it builds the network."""
        from urllib.error import HTTPError
        from urllib.request import urlopen

        def ask() -> None:
            try:
                urlopen(self.url, timeout=ANSWER_S).close()
            except HTTPError as error:
                error.close()
                raise

        in_time(ask)

    @property
    def _path(self) -> Path:
        from torch.hub import get_dir

        return Path(get_dir(), "checkpoints", self.name or Path(urlparse(self.url).path).name)


def in_time(ask: Callable[[], T]) -> T:
    """`ask()`, or a TimeoutError after `ANSWER_S`.

    The time-out of a socket holds for every address of a host by itself, and for no name server.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=work, daemon=True).start()
    try:
        return answer.result(ANSWER_S)
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"no answer in {ANSWER_S:.0f} s") from error


def make_available(network: str, file: HubFile) -> None:
    """Let the weights be in the cache, or let their library find a hub that answers.

    Args:
        network: name of their network, for the error.
        file: the weights.

    Raises:
        InvalidOptionError: they are not in the cache, and the hub is out of reach or switched off
            by `HF_HUB_OFFLINE`; says which file belongs where.
    """
    from huggingface_hub import constants

    if file.cached() is not None:
        return
    if constants.HF_HUB_OFFLINE:
        raise _missing(network, file, "the hub is switched off (HF_HUB_OFFLINE)")
    try:
        file.fetch()
    except Exception as error:
        raise _missing(network, file, f"asking {file.host} failed ({_said(error)})") from error


def timm_network(name: str, **options: Any) -> nn.Module:
    """A network of timm with its weights.

    Args:
        name: timm's, with or without the tag of a training behind a dot.
        options: of `timm.create_model`.

    Raises:
        InvalidOptionError: there are no weights, they are out of reach or damaged.
    """
    import timm

    file = _timm_file(name)
    make_available(name, file)
    overlay: dict[str, Any] = {}
    if isinstance(file, RepositoryFile):  # timm asks the hub in any case, unless it is told a path.
        overlay = {"file": str(file.cached()), "custom_load": False}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    except Exception as error:
        raise InvalidOptionError(
            "weights", HUB_WEIGHTS, f"the weights of `{name}`: {file.described}",
            f"{file.cached() or file.host} cannot be read as weights ({_said(error)})",
            "Remove the file, so that it is downloaded again.",
        ) from error  # fmt: skip


def _timm_file(name: str) -> RepositoryFile | AddressFile:
    """Where timm has the weights of a network."""
    from timm.models import get_pretrained_cfg

    try:
        found = get_pretrained_cfg(name)
    except RuntimeError:  # There is no such training.
        found = None
    if found is not None and found.hf_hub_id:
        repository, _, revision = found.hf_hub_id.partition("@")
        # What timm looks for, in its order.
        names = (found.hf_hub_filename,) if found.hf_hub_filename else _TIMM_NAMES
        return RepositoryFile(repository, names, revision or None)
    if found is not None and found.url:
        return AddressFile(found.url) if isinstance(found.url, str) else AddressFile(*found.url)
    raise InvalidOptionError(
        "weights", HUB_WEIGHTS, "a network with published weights, a file or none at all",
        f"timm has no weights of `{name}`",
        "Name a .safetensors or .pth file, or a network of `timm.list_models(pretrained=True)`.",
    )  # fmt: skip


_TIMM_NAMES = ("model.safetensors", "pytorch_model.bin")


def _missing(network: str, file: HubFile, why: str) -> InvalidOptionError:
    """The error for weights that cannot be had."""
    return InvalidOptionError(
        "weights", HUB_WEIGHTS, file.described,
        f"the weights of `{network}` are not in the cache, and {why}",
        f"{file.how_to_copy}, or name a .safetensors or .pth file instead of `{HUB_WEIGHTS}`.",
        {"weights of a hub"},
    )  # fmt: skip


def _said(error: Exception) -> str:
    """Kind and first line of an error."""
    return ": ".join((type(error).__name__, *str(error).splitlines()[:1]))

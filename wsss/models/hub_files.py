"""Where a library publishes weights, and where its cache keeps them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Protocol, TypeVar
from urllib.parse import urlparse

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

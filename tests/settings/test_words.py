from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from wsss.errors import WsssError
from wsss.settings.words import files_and_settings


@dataclass(frozen=True)
class Request:
    images: tuple[str, ...]
    scales: Annotated[tuple[float, ...], Field(min_length=1)]
    flip: bool
    batch_size: int


def split(*words):
    return files_and_settings(words, Request, "images", "predict")


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("batch_size=4", ["batch_size=4"]),
        ("--batch-size 4", ["batch_size=4"]),
        ("--batch_size=4", ["batch_size=4"]),
        ("--flip", ["flip=true"]),
        ("--flip=false", ["flip=false"]),
        ("--scales 0.5,1", ["scales=[0.5,1]"]),
        ("scales=[1]", ["scales=[1]"]),
        ("other=1,2 +new.key=3", ["other=1,2", "+new.key=3"]),
    ],
)
def test_a_setting_is_written_as_an_option_or_as_a_setting(words, settings):
    assert split(*words.split()) == ([], settings)


def test_files_are_the_words_that_are_no_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=b.jpg").touch()
    Path("flip").touch()
    words = ("--flip", "a.jpg", "a=b.jpg", "batch_size=2", "flip", "dir/")
    assert split(*words) == (["a.jpg", "a=b.jpg", "flip", "dir/"], ["flip=true", "batch_size=2"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--batch-sise=4"], "--batch-sise=4: there is no such option.*`batch_size`"),
        (["-x"], "-x: there is no such option"),
        (["a.jpg", "--batch-size"], "--batch.size: an option without a value"),
        (["a.jpg", "scales"], r"scales: the name of a setting without a value.*`--scales …`"),
        (["a.jpg", "flip"], r"`flip=true`.*`--flip`"),
        (["a.jpg", "images=[b.jpg]"], r"images=\[b\.jpg\]: files as a setting.*as they are"),
        (["caf\udce9.jpg"], r"caf\\xe9\.jpg: bytes that are not UTF-8.*Rename"),
    ],
)
def test_what_is_no_word_of_the_command_is_told(words, said):
    with pytest.raises(WsssError, match=said):
        split(*words)


def test_all_wrong_words_are_told_at_once():
    with pytest.raises(WsssError) as refusal:
        split("--nothing", "flip", "caf\udce9.jpg")
    assert len(refusal.value.problems) == 3

"""Texts of classes and backgrounds, from their names and prompts; without torch."""

import re
from collections.abc import Mapping, Sequence

from wsss.data.source import Source
from wsss.errors import InvalidOptionError
from wsss.wording import did_you_mean, name_some

ClassTexts = Mapping[str, str | list[str]]
"""One text or several, by the name of the class."""


def class_texts(source: Source, chosen: ClassTexts | None = None) -> dict[str, list[str]]:
    """What texts call each class: what is chosen, the data set's own table, or the class's name.

    Of a name, `_` and `-` become spaces.

    Args:
        source: the data set.
        chosen: texts of some classes, which go before all others.

    Raises:
        InvalidOptionError: a name in `chosen` is no class, or a class has no letter in its texts.
    """
    names, chosen = source.class_names, chosen or {}
    for name in chosen:
        if name not in names:
            raise InvalidOptionError(
                "texts", name, f"classes of the data set, such as {name_some(names)}",
                f"there is no class of this name{did_you_mean(name, names)}", "Correct the name.",
            )  # fmt: skip
    found = {}
    for name in names:
        text = chosen.get(name, source.class_texts.get(name, re.sub(r"[_-]+", " ", name).strip()))
        several = [text] if isinstance(text, str) else list(text)
        if not several or not all(any(map(str.isalpha, one)) for one in several):
            raise InvalidOptionError(
                "texts", name, "a word for each class",
                f"the class is called {several or 'nothing'}, which no text can tell of",
                "Say what is to be seen: `{class: tabby cat}`.",
            )  # fmt: skip
        found[name] = several
    return found


def other_backgrounds(backgrounds: Sequence[str], names: Sequence[str]) -> list[str]:
    """The backgrounds that no class is named after: a `keyboard` or a `stop sign` is none.

    Raises:
        InvalidOptionError: none is left.
    """
    words = {word for name in names for word in re.split(r"[\W_]+", name.lower())}
    left = [one for one in backgrounds if one.lower() not in words]
    if not left:
        raise InvalidOptionError(
            "backgrounds", list(backgrounds), "one or more that are no classes",
            remedy="Name what is usually behind and beside the classes.",
        )  # fmt: skip
    return left


def prompted(texts: Sequence[str], prompts: Sequence[str]) -> list[str]:
    """Each text in each prompt.

    Raises:
        InvalidOptionError: there is no prompt, or one without its place for the text, `{}`.
    """
    if not prompts or any(prompt.count("{}") != 1 for prompt in prompts):
        expected = "one or more, each with `{}` once, where the name belongs"
        raise InvalidOptionError("prompts", list(prompts), expected)
    return [prompt.replace("{}", text) for text in texts for prompt in prompts]

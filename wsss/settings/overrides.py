"""Mistyped settings, found before Hydra sees them and answered with the nearest real one."""

from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString, ValueType
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf

from wsss.errors import Problem, WsssError, unknown_word


def with_group_slashes(config_dir: Path, arguments: list[str]) -> list[str]:
    """Write `refine.engine=torch` as `refine/engine=torch`: Hydra's sign for a group in a group."""
    nested = {
        path.relative_to(config_dir).as_posix()
        for path in config_dir.glob("*/*/")
        if path.is_dir() and path.parent.name != "hydra"
    }
    keys = {group.replace("/", "."): group for group in nested}
    parted = (word.partition("=") for word in arguments)
    return ["".join((keys.get(key, key), sign, value)) for key, sign, value in parted]


def check_overrides(config_dir: Path, arguments: list[str]) -> None:
    """Compare `key=value` arguments with the settings there are.

    Args:
        config_dir: folder of the configuration files.
        arguments: the command line behind `wsss run`; options are Hydra's own affair.

    Raises:
        WsssError: names every unknown key or option and the nearest known one.
    """
    words = [word for word in arguments if "=" in word and not word.startswith("-")]
    _check_words(arguments)
    if not words or "--config-dir" in arguments or "-cd" in arguments:
        return  # A user's own folder of settings may hold anything.
    overrides = _parse(words)
    groups = {path.relative_to(config_dir).as_posix() for path in config_dir.glob("**/")} - {"."}
    chosen, problems = [], []
    for override in overrides:
        group = override.key_or_group
        if group not in groups or group.startswith("hydra"):
            continue
        options = sorted(path.stem for path in (config_dir / group).glob("*.yaml"))
        values = [value for value in _values(override) if value not in (None, "null")]
        problems += [
            _unknown(f"{group}={v}", "option", str(v), options)
            for v in values
            if str(v) not in options
        ]
        if values:
            several = f"[{','.join(map(str, values))}]"
            chosen.append(f"{group}={several if isinstance(override.value(), list) else values[0]}")
    if problems:
        raise WsssError(*problems)
    with initialize_config_dir(str(config_dir), version_base="1.3"):
        config = compose("run", overrides=chosen)
    known = set(setting_names(config))
    for override in overrides:
        key = override.key_or_group
        if key in groups or override.is_add() or override.is_force_add() or key.startswith("hydra"):
            continue
        if override.is_delete():
            continue
        if key not in known:
            problems.append(_unknown(override.input_line or key, "setting", key, sorted(known)))
        else:
            problems += _wrong_kind(override, config)
    if problems:
        raise WsssError(*problems)


_TAKE_A_WORD = ("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn")
"""Options of Hydra that are followed by a word of their own."""


def _check_words(arguments: list[str]) -> None:
    """Refuse words that are neither a setting nor an option.

    Raises:
        WsssError: names every such word.
    """
    before = ["", *arguments]
    stray = [
        word
        for previous, word in zip(before, arguments, strict=False)
        if "=" not in word and not word.startswith(("-", "~")) and previous not in _TAKE_A_WORD
    ]
    if stray and not {"--config-dir", "-cd", "--info", "-i"} & set(arguments):
        raise WsssError(
            *(
                Problem(
                    word,
                    "this is neither a setting nor an option",
                    "`key=value`",
                    "Write settings as `seed=1`; `wsss run --help` lists the groups.",
                )
                for word in stray
            )
        )


def wrong_kinds(config: DictConfig, word: str) -> list[Problem]:
    """What is wrong with the value of a `key=value` word, whose key is a setting of `config`.

    A value must be of the kind of the setting's default, which shows what is meant, or of one that
    the signature of what is set names. A setting that is empty by default, or is to be, takes
    anything.
    """
    try:
        (override,) = _parse([word])
    except WsssError as error:
        return list(error.problems)
    return list(_wrong_kind(override, config))


def _wrong_kind(override: Override, config: DictConfig) -> Iterator[Problem]:
    """Say which values are of another kind than the setting."""
    kinds: dict[type, tuple[tuple[type, ...], str]] = {
        bool: ((bool,), "true or false"),
        int: ((int,), "a whole number"),
        float: ((int, float), "a number"),
        str: ((str, int, float), "a word"),
        ListConfig: ((list,), "a list"),
    }
    key = override.key_or_group
    default = OmegaConf.select(config, key)
    if type(default) not in kinds or (override.is_sweep_override() and not _values(override)):
        return
    allowed, meaning = kinds[type(default)]
    for value in _values(override) if override.is_sweep_override() else [override.value()]:
        plain = value.text if isinstance(value, QuotedString) else value
        is_interpolation = isinstance(plain, str) and "${" in plain
        is_bool = isinstance(plain, bool) and bool not in allowed
        if plain is None or is_interpolation or (isinstance(plain, allowed) and not is_bool):
            continue
        if _admits(_annotation(config, key), plain):
            continue
        shown = list(default) if isinstance(default, ListConfig) else default
        yield Problem(
            override.input_line or key,
            f"the value {plain!r}",
            f"{meaning}, like the default {shown!r}",
            "Correct the value.",
        )


def _annotation(config: DictConfig, key: str) -> Any:
    """The type that the signature of what a setting belongs to names for it; None if there is none.

    Whatever is set is loaded for that: only worth it where the default tells too little.
    """
    owner, _, name = key.rpartition(".")
    target = (OmegaConf.select(config, owner) or {}).get("_target_") if owner else None
    parameter = signature(get_object(target)).parameters.get(name) if target else None
    return None if parameter is None else parameter.annotation


def _admits(annotation: Any, value: Any) -> bool:
    """Whether a type is a value's own, or a `Literal` of it, or a union that has one of these."""
    if get_origin(annotation) is Literal:
        return value in get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return any(_admits(one, value) for one in get_args(annotation))
    return annotation is type(value)


def _parse(words: list[str]) -> list[Override]:
    """The overrides that words on the command line stand for.

    Raises:
        WsssError: names every word that Hydra's grammar does not know.
    """
    parser, overrides, problems = OverridesParser.create(), [], []
    for word in words:
        try:
            overrides.append(parser.parse_override(word))
        except HydraException:
            problems.append(
                Problem(
                    word,
                    "this cannot be read as a setting",
                    "`key=value`, a list as `key=[a,b]` without spaces",
                    "Quote values with spaces, brackets or other signs, for the shell and for "
                    "Hydra: \"data.root='/my photos (2)'\".",
                )
            )
    if problems:
        raise WsssError(*problems)
    return overrides


def check_complete(cfg: DictConfig) -> None:
    """Refuse a configuration that waits for the user to fill in a value.

    Raises:
        WsssError: names every such setting.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise WsssError(
            *(
                Problem(
                    key,
                    "this setting has no value",
                    "a value of yours: there is no default",
                    f"Add `{key}=…` to the command.",
                )
                for key in missing
            )
        )


def _unknown(where: str, kind: str, word: str, known: list[str]) -> Problem:
    last = word.rpartition(".")[2]
    return unknown_word(
        where,
        kind,
        word,
        known,
        "Correct the word; `wsss run --help` lists the groups, `wsss run --cfg job` the settings.",
        near=[key for key in known if key.rpartition(".")[2] == last][:3],
    ).problems[0]


def _values(override: Override) -> list[Any]:
    """The values of an override, all of them for a sweep; none of a pattern like `glob(*)`."""
    if override.value_type == ValueType.GLOB_CHOICE_SWEEP or override.is_interval_sweep():
        return []
    if override.is_choice_sweep():
        return list(override.sweep_iterator())
    value = override.value()
    return value if isinstance(value, list) else [value]


def setting_names(node: DictConfig, prefix: str = "") -> Iterator[str]:
    """The dotted names of all settings, groups of settings included."""
    for key in node:
        name = f"{prefix}{key!s}"
        yield name
        value = node._get_node(key)
        if isinstance(value, DictConfig) and not (value._is_missing() or value._is_interpolation()):
            yield from setting_names(value, f"{name}.")

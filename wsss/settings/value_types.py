"""Type checks of settings, by a schema or by the signature of their target."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from inspect import Parameter, signature
from itertools import groupby
from pkgutil import resolve_name
from types import NoneType
from typing import Any, TypeVar, get_args

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError
from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from wsss.errors import Problem, WsssError, unknown_word, user_error
from wsss.settings.overrides import default_option, option_names
from wsss.settings.schema import MEANINGS, SIGNATURES

T = TypeVar("T")
TARGET = "_target_"
OBJECT = "settings of its own"
_MEANINGS = {
    "bool_type": "true or false",
    "callable_type": OBJECT,
    "dataclass_type": OBJECT,
    "dict_type": "settings",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "missing": "a value",
    "needs_python_object": OBJECT,
    "none_required": "null",
    "string_type": "a word",
    "tuple_type": "a list",
}
"""Pydantic's kinds of errors, as the end of "expected …"."""


def read(cfg: DictConfig, schema: type[T], words: Mapping[str, str]) -> T:
    """The settings of a configuration as an object of a dataclass.

    Args:
        cfg: the configuration; other settings in it are ignored.
        schema: the dataclass.
        words: word of the command line by setting.

    Raises:
        WsssError: names every setting with a value of the wrong type.
    """
    try:
        values = {one.name: _plain(cfg, one) for one in fields(schema) if one.name in cfg}  # type: ignore[arg-type]
        found = TypeAdapter(schema).validate_json(json.dumps(values), strict=True)
        for name in values:
            _resolve(cfg[name])
        return found
    except InterpolationResolutionError as error:  # It refers to a missing setting.
        came, expected = str(error).splitlines()[0], "a value that can be resolved"
        raise user_error(error.full_key, came, expected, "Correct the setting.") from error
    except ValidationError as error:
        grouped = groupby(error.errors(), lambda one: _key(cfg, one["loc"]))
        raise WsssError(
            *(
                _wrong(words.get(key, key), OmegaConf.select(cfg, key), [*errors])
                for key, errors in grouped
            )
        ) from None


def _plain(cfg: DictConfig, field: Field[Any]) -> Any:
    """The resolved value of a setting; empty for a part, which its target checks."""
    value = cfg[field.name]
    if isinstance(value, DictConfig) and not is_dataclass(field.type):
        return {}
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _resolve(part: Any) -> None:
    """Raise OmegaConf's error if a part refers to a missing setting."""
    try:
        if OmegaConf.is_config(part):
            OmegaConf.to_container(part, resolve=True)
    except InterpolationKeyError:
        raise
    except InterpolationResolutionError:
        return  # A logger's folder is known only once Hydra has made it.


def _key(cfg: DictConfig, place: tuple[int | str, ...]) -> str:
    """The setting of an error, without elements of lists and unions in its place."""
    top, *inner = map(str, place)
    return f"{top}.{inner[0]}" if inner and isinstance(cfg.get(top), DictConfig) else top


def refused(cfg: DictConfig, override: Override) -> Iterator[Problem]:
    """Problems of an override's value, by the signature of its target.

    Targets of overrides alone are imported: a mistake is told without loading all others.
    """
    word, (owner, _, name) = str(override.input_line), override.key_or_group.rpartition(".")
    node = OmegaConf.select(cfg, owner) if owner else None
    if not isinstance(node, DictConfig) or override.is_delete():
        return
    if (target := SIGNATURES.get(owner, node.get(TARGET))) is None:
        return
    try:
        made = resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        expected = "a class or function that can be imported from this folder"
        yield Problem(word, f"{target}: {error}", expected, "Write it as `module.Name`.")
        return
    if name.startswith("_"):  # Hydra's own: `_target_`, `_partial_`.
        return
    try:
        parameters = signature(made, eval_str=True).parameters
    except NameError:  # An annotation names what is imported for type checkers only.
        parameters = signature(made).parameters
    if name in parameters:
        yield from _compared(word, node[name], parameters[name].annotation)
    elif word.startswith("+") and Parameter.VAR_KEYWORD not in {
        p.kind for p in parameters.values()
    }:
        remedy = f"Correct the name; {target} takes these."
        yield from unknown_word(word, "setting", name, list(parameters), remedy).problems


def _compared(word: str, value: Any, annotation: Any) -> Iterator[Problem]:
    """The problem of a value for a parameter, if any."""
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=True)
    parts = value if isinstance(value, list) and value else [value]
    is_object = all(isinstance(part, Mapping) and TARGET in part for part in parts)
    if is_object or annotation in (Any, Parameter.empty) or isinstance(annotation, str):
        return
    try:
        # In a tuple, since a dataclass alone takes no settings of pydantic.
        adapter = TypeAdapter(tuple[annotation], config=ConfigDict(arbitrary_types_allowed=True))
        adapter.validate_json(json.dumps([value]), strict=True)
    except ValidationError as error:
        yield _wrong(word, value, error.errors())
    except PydanticUserError:  # No JSON value has this type, such as a protocol.
        if value is None and NoneType not in get_args(annotation):
            yield Problem(word, "null", OBJECT, "Correct the value.")


def _wrong(where: str, value: Any, errors: Sequence[ErrorDetails]) -> Problem:
    """The problem of a value of the wrong type."""
    # Pydantic also finds a list too short for each element of the wrong type.
    kinds = [_meaning(error) for error in errors if error["type"] != "too_short"]
    expected, remedy = " or ".join(dict.fromkeys(kinds)) or "at least one value", "Correct it."
    came, key = f"the value {value!r}", where.partition("=")[0].lstrip("~")
    if "a list" in kinds and isinstance(value, str):
        expected = expected.replace("a list", f"a list, such as [{value}]", 1)
    if options := option_names(key):
        where, came, expected = f"{key}=null", "nothing is chosen", f"one of {', '.join(options)}"
        remedy = f"Choose one: `{key}={default_option(key) or options[0]}`."
    elif value is None:
        came, expected = "null", MEANINGS.get(key, expected)
    elif isinstance(value, int | float) and "a word" in expected:
        remedy = f"Quote it, for the shell and for Hydra: \"{key}='{value}'\"."
    return Problem(where, came, expected, remedy)


def _meaning(error: ErrorDetails) -> str:
    """The expected type, as the end of "expected …"."""
    said = _MEANINGS.get(error["type"], error["msg"].removeprefix("Input should be "))
    said = f"a number {said}" if said.startswith(("greater", "less")) else said
    inside = any(isinstance(part, int) for part in error["loc"][1:])
    return f"{said} in the list" if inside else said

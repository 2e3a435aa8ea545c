"""The options of methods, which are settings of a run: `cam.mask=gaussian`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from omegaconf import DictConfig

from wsss.errors import Problem, WsssError, unknown_word, user_error
from wsss.explain.method_catalogue import GROUP, known_name, method_names
from wsss.settings.compose import compose, setting_names
from wsss.settings.config_dir import config_dir

ALL = "all"
TARGET = "_target_"


def configure_methods(asked: Iterable[str], words: Sequence[str]) -> dict[str, DictConfig]:
    """The settings of methods, which are those of a run, by the names of the methods.

    A method whose class is set is called after the class.

    Args:
        asked: names of methods, or `all`.
        words: options: `cam.mask=…` of all methods that have it, `recipro_cam.mask=…` of one.

    Raises:
        WsssError: there is no such method or option, or a value is of another kind.
    """
    names = _chosen(tuple(asked))
    known = {name: {*setting_names(_in_a_run(name), f"{GROUP}.")} for name in names if words}
    own: dict[str, dict[str, str]] = {name: {} for name in names}
    for word in words:
        key = word.partition("=")[0]
        owner, _, option = key.lstrip("+~").partition(".")
        if owner not in (GROUP, *names):
            raise unknown_word(word, "chosen method", owner, names, f"Choose it, too: `{GROUP}=…`.")
        asked = names if owner == GROUP else [owner]
        of = [name for name in asked if key[0] == "+" or f"{GROUP}.{option}" in known[name]]
        if not of:
            targets = {f"{one}.{TARGET}" for one in (GROUP, owner)}
            is_own = any(one.partition("=")[0].lstrip("+~") in targets for one in words)
            raise _no_option(word, option, asked, known, is_own)
        if option == TARGET and len(names) > 1:
            remedy = f"Explain by it alone: `{GROUP}={names[0]}`."
            raise user_error(word, f"a class for {len(names)} methods", "one method", remedy)
        for name in of:
            own[name][word.replace(owner, GROUP, 1)] = word
    configs: dict[str, DictConfig] = {}
    problems: list[Problem] = []
    for name, typed in own.items():
        try:
            config = _in_a_run(name, *typed)
        except WsssError as error:
            problems += [replace(p, where=typed.get(p.where, p.where)) for p in error.problems]
            continue
        sets_class = any(word.partition("=")[0] == f"{GROUP}.{TARGET}" for word in typed)
        configs[config[TARGET].rpartition(".")[2] if sets_class else name] = config
    if problems:
        raise WsssError(*dict.fromkeys(problems))
    return configs


def _in_a_run(name: str, *words: str) -> DictConfig:
    """The settings of a method, with words of a run."""
    settings: DictConfig = compose("run", [f"{GROUP}={name}", *words])[GROUP]
    return settings


def _chosen(asked: Sequence[str]) -> Sequence[str]:
    """The methods that names mean, each once."""
    known = method_names(config_dir())
    asked = [known_name(name, (*known, ALL)) for name in asked]
    for name in asked:
        if name not in (*known, ALL):
            remedy = "Correct the name; `wsss explain --list` shows them all."
            raise unknown_word(f"{GROUP}={name}", "method", name, known, remedy)
    return known if ALL in asked else tuple(dict.fromkeys(asked))


def _no_option(
    word: str,
    option: str,
    asked: Iterable[str],
    known: Mapping[str, Iterable[str]],
    is_own: bool,
) -> WsssError:
    """The answer to an option that none of the methods that it is for has.

    Args:
        word: as it was written.
        option: its name.
        asked: the methods.
        known: options of each method.
        is_own: whether the method has a class of the user's.
    """
    if is_own:
        came = f"`{option}` is no option of {', '.join(asked)}, whose class is another here"
        expected = f"`+{word}` for an argument of the class"
        return user_error(word, came, expected, f"Write `+{word}`.")
    names = {name for one in asked for name in known[one]} - {f"{GROUP}.{TARGET}"}
    options = sorted(name.removeprefix(f"{GROUP}.") for name in names)
    if options:
        remedy = "Correct the name; `configs/cam/` describes the options."
        return unknown_word(word, f"option of {', '.join(asked)} called", option, options, remedy)
    expected = "none: there are no options"
    return user_error(word, f"an option of {', '.join(asked)}", expected, "Leave it out.")

"""The space of a search, from words `key=values` of a sweep to distributions of Optuna."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from wsss.settings.overrides import option_names


def search_space(overrides: Iterable[Override]) -> dict[str, BaseDistribution]:
    """The distribution of every swept setting, by its key."""
    return {
        one.get_key_element(): _distribution(one) for one in overrides if one.is_sweep_override()
    }


def fixed_words(overrides: Iterable[Override]) -> list[str]:
    """The words that all runs share."""
    return [str(one.input_line) for one in overrides if not one.is_sweep_override()]


def words_of(values: Mapping[str, Any]) -> list[str]:
    """Values of a trial as words of a command."""
    return [f"{key}={value}" for key, value in values.items()]


def _distribution(override: Override) -> BaseDistribution:
    value = cast("object", override.value())
    if isinstance(value, IntervalSweep):
        low, high = cast("tuple[Any, Any]", (value.start, value.end))
        log = "log" in value.tags
        if isinstance(low, int) and isinstance(high, int):  # int(interval(1,5))
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)
    if isinstance(value, RangeSweep):
        values: list[Any] = [*value.range()]
        if all(isinstance(one, int) for one in values):
            low, high = sorted((values[0], values[-1]))
            return IntDistribution(low, high, step=abs(int(cast("int", value.step))))
    if isinstance(value, Glob):
        return CategoricalDistribution(value.filter(option_names(override.get_key_element())))
    return CategoricalDistribution([*override.sweep_string_iterator()])

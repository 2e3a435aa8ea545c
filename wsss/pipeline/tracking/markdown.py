"""Tables, settings and artefacts as Markdown, for dashboards that show text."""

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from wsss.pipeline.tracking.records import Artefact, Cell, Table
from wsss.report.formatting import number


def table_markdown(table: Table) -> str:
    """A table of Markdown; numbers with four significant digits."""
    lines = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def config_markdown(config: Mapping[str, Any]) -> str:
    """Settings as a block of YAML."""
    return f"```yaml\n{OmegaConf.to_yaml(OmegaConf.create(dict(config)))}```"


def artefact_markdown(artefact: Artefact) -> str:
    """An artefact's address, facts and origins as a list."""
    lines = [
        f"**{artefact.name}**",
        "",
        f"- at: `{artefact.uri or 'drawn, not stored'}`",
        *(f"- made of: {name}" for name in artefact.made_of),
        *(f"- {name}: {_cell(value)}" for name, value in artefact.facts.items()),
    ]
    return "\n".join(lines)


def _cell(value: Cell) -> str:
    return number(value).replace("|", "\\|")

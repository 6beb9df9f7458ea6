"""Ablation tables of a paper: their rows, and the trainings and tests that the rows need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .compare import (
    ComparisonRow,
    compare_trained,
    compare_untrained,
    compare_weights_of,
    stored_row,
)
from .launch import load_config


@dataclass(frozen=True)
class AblationStudy:
    """Ablation tables of a paper, whose rows share trainings.

    Attributes:
        config: Config that the ablations change.
        columns: Names of the paper's benchmarks.
        runs: Trainings and tests by name, in the order to be done, each with any of ``config``,
            ``options`` (see ``--cfg-options``), ``untrained`` and ``weights_of`` (name of the run
            whose weights are tested).
        tables: Tables by name, each with ``title``, ``setting`` (of the paper) and ``rows``. A row
            has ``label``, ``run`` and, unless the paper has no such row, ``paper``: its mIoU in
            percent by column.
    """

    config: str
    columns: list[str]
    runs: dict[str, dict[str, Any]]
    tables: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, path: str | Path, config: str) -> AblationStudy:
        """Read a study from a YAML file of this package."""
        content = yaml.safe_load(Path(path).read_text(encoding='utf-8'))
        return cls(config, **content)

    def runs_of(self, tables: Iterable[str]) -> list[str]:
        """Return the names of the runs that tables need, in the order to be done."""
        named = {row['run'] for table in tables for row in self.tables[table]['rows']}
        named |= {self.runs[name].get('weights_of') for name in named}
        return [name for name in self.runs if name in named]

    def stored(self, name: str, folder: Path, options: dict[str, Any]) -> ComparisonRow | None:
        """Return the result of a run if it is finished.

        Args:
            name: Name of the run.
            folder: Folder of all runs.
            options: Options of all runs, which those of the run override.

        Raises:
            ValueError: The result was measured with other settings, or an option is wrong.
        """
        settings = self._settings(name, folder, options)
        load_config(*settings)  # wrong options are an error also if nothing is stored
        return stored_row(name, *settings)

    def measure(self, name: str, folder: Path, options: dict[str, Any]) -> ComparisonRow:
        """Do a run, with the run whose weights it tests, unless its result is stored.

        See :meth:`stored` for the arguments.
        """
        run, settings = self.runs[name], self._settings(name, folder, options)
        if run.get('untrained'):
            return compare_untrained(name, *settings)
        if 'weights_of' in run:
            trained = self.measure(run['weights_of'], folder, options)
            return compare_weights_of(trained, name, *settings)
        return compare_trained(name, *settings)

    def _settings(
        self, name: str, folder: Path, options: dict[str, Any]
    ) -> tuple[str, str, dict[str, Any]]:
        run = self.runs[name]
        changes = {**options, **run.get('options', {})}
        return run.get('config', self.config), str(folder / name), changes

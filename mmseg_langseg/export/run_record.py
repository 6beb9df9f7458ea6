"""Record of the settings that the files of an export folder were written with."""

from __future__ import annotations

import json
from pathlib import Path

from mmseg_langseg.fileio import parse_json, remove_leftovers, write_whole_file


class RunRecord:
    """Settings of an export, in a file beside its results.

    A resumed run with other classes would mix files whose class indices differ; the record detects
    it, and also a run that was interrupted while it replaced the files of another.

    Args:
        path: File of the record.
        settings: Values that JSON can represent.
        overwrite: Whether the run replaces files.
    """

    def __init__(self, path: Path, settings: dict, overwrite: bool) -> None:
        self.path = path
        self.settings = settings
        self.overwrite = overwrite
        self._matches = self._started = False

    def check(self) -> bool:
        """Return whether existing files belong to a run that this one resumes.

        Raises:
            ValueError: They were written with other settings, or only some of them were replaced,
                and this run does not overwrite.
        """
        if self.overwrite or self._matches:
            return not self.overwrite
        try:
            found = parse_json(self.path.read_bytes(), f"'{self.path}'")
        except FileNotFoundError:
            return False
        remedy = 'give another folder, or overwrite its files (overwrite=True, or --overwrite)'
        known = isinstance(found, dict) and isinstance(found.get('settings'), dict)
        if not known or not isinstance(found.get('replacing'), bool):
            raise ValueError(f"'{self.path}' is not the record of an export; {remedy}.")
        if found['settings'] != self.settings:
            keys = [k for k, v in self.settings.items() if found['settings'].get(k) != v]
            raise ValueError(
                f"'{self.path.parent}' has files of a run with other settings "
                f'({", ".join(keys) or "format"}); {remedy}.'
            )
        if found['replacing']:
            raise ValueError(
                f"'{self.path.parent}' has files of two runs, since one with overwrite=True was "
                f'interrupted or did not replace all of them; {remedy}.'
            )
        self._matches = True
        return True

    def start(self) -> None:
        """Write the record before the first file.

        Raises:
            ValueError: See :meth:`check`.
        """
        if self._started:
            return
        if self.overwrite:
            self._write(replacing=self.path.exists(), replace=True)
        elif not self.check():
            try:
                self._write(replacing=False, replace=False)
            except FileExistsError:  # Another process of this run was faster.
                self.check()
        self._started = True

    def finish(self, mixed: bool) -> None:
        """Record the end of a run.

        Args:
            mixed: Whether there are files of other images, which a run with ``overwrite`` has not
                replaced.
        """
        if self.overwrite:
            self._write(replacing=mixed, replace=True)
        remove_leftovers(self.path.parent, {self.path.name})

    def _write(self, replacing: bool, replace: bool) -> None:
        content = dict(settings=self.settings, replacing=replacing)
        write_whole_file(self.path, json.dumps(content).encode(), replace=replace)

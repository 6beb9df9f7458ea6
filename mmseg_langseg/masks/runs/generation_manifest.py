"""Manifest of a generation run: settings, versions and counts."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from mmengine.logging import print_log

from mmseg_langseg.fileio import parse_json, remove_leftovers, show_value, write_whole_file
from mmseg_langseg.version import __version__


class GenerationManifest:
    """Manifest of a generation run, stored in the subfolder ``.manifest`` of the output folder.

    ``settings.json``, common to all shards, is written by the first run. Each shard adds
    ``shard-I-of-N.json`` with its counts and ``unreadable-I-of-N.txt`` with one line per image
    that could not be used: its name, a tab, the reason. The contents do not depend on when or in
    how many runs the files were generated.

    Args:
        out: Output folder.
        shard: (i, n).
    """

    def __init__(self, out: str | os.PathLike, shard: tuple[int, int] = (0, 1)) -> None:
        self.out = Path(out)
        folder = self.out / '.manifest'
        name = f'{shard[0]}-of-{shard[1]}'
        self.settings_path = folder / 'settings.json'
        self.shard_path = folder / f'shard-{name}.json'
        self.unreadable_path = folder / f'unreadable-{name}.txt'

    def start(self, settings: dict, packages: Iterable[str], files: Iterable[Path]) -> None:
        """Write the settings, or compare them with those of the existing files.

        Args:
            settings: Everything that the files depend on, as JSON types.
            packages: Python packages to record the versions of. A difference is only a warning.
            files: The files that the run will generate.

        Raises:
            ValueError: The existing files were generated with other settings or have another
                origin, or the manifest is damaged.
        """
        settings = json.loads(json.dumps(settings))
        versions = {name: metadata.version(name) for name in packages}
        versions['mmseg_langseg'] = __version__
        if not self.settings_path.exists():
            stranger = next((path for path in files if os.path.exists(path)), None)
            # Check again: another shard may have started in between.
            if stranger is not None and not self.settings_path.exists():
                raise ValueError(
                    f"'{stranger}' exists, but '{self.out}' has no manifest that describes its "
                    'origin; give another folder, or remove the files'
                )
            content = json.dumps(dict(settings=settings, versions=versions), indent=1)
            with contextlib.suppress(FileExistsError):
                write_whole_file(self.settings_path, content.encode(), replace=False)
        self._compare(settings, versions)
        own = {path.name for path in (self.settings_path, self.shard_path, self.unreadable_path)}
        remove_leftovers(self.settings_path.parent, own)

    def finish(self, counts: dict[str, int], unreadable: list[tuple[str, str]]) -> None:
        """Write the results of the shard after its last image.

        Args:
            counts: Numbers of images, files, ...
            unreadable: (name, reason) of images that could not be used.
        """
        lines = [f'{name}\t{" ".join(reason.split())}\n' for name, reason in unreadable]
        write_whole_file(self.unreadable_path, _encode(''.join(lines)))
        write_whole_file(self.shard_path, json.dumps(counts, indent=1).encode())

    def _compare(self, settings: dict, versions: dict) -> None:
        try:
            found = parse_json(self.settings_path.read_bytes(), 'it')
            old, old_versions = found['settings'], found['versions']
            if not isinstance(old, dict) or not isinstance(old_versions, dict):
                raise TypeError('settings and versions should be objects')
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"'{self.settings_path}' is damaged or not a manifest of this package "
                f'({type(error).__name__}: {error}); give another folder'
            ) from error
        differing = _differences(old, settings)
        if differing:
            raise ValueError(
                f"the files in '{self.out}' were made with other settings: {differing}; "
                'give another folder, or the same settings'
            )
        differing = _differences(old_versions, versions)
        if differing:
            print_log(
                f"the first files in '{self.out}' were generated with other versions: {differing}",
                logger='current',
                level=logging.WARNING,
            )


def _encode(text: str) -> bytes:
    """Encode file names as they are on disk; other text may contain any character."""
    try:
        return text.encode(errors='surrogateescape')
    except UnicodeEncodeError:
        return text.encode(errors='backslashreplace')


def _differences(old: dict, new: dict) -> str:
    return ', '.join(
        f'{key} was {show_value(old.get(key), 1000)}, is {show_value(new.get(key), 1000)}'
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )

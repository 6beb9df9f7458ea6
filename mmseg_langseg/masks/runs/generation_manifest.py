"""What made the files of a folder: settings, versions, counts."""

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
    """The sub-folder ``.manifest`` of a folder of masks, or of other files made of images.

    ``settings.json``, common to all shards, is written by the run that comes first. Each shard
    adds ``shard-I-of-N.json`` with its counts and ``unreadable-I-of-N.txt``, a line for each image
    that could not be used: its name, a tab, the reason. Nothing in it depends on when or in how
    many runs the files were made.

    Args:
        out: Folder of the files.
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
        """Write the settings, or compare with those that made what is there.

        Args:
            settings: Everything that the files depend on, as JSON's types.
            packages: Distributions whose version is noted. Another version is a warning only.
            files: The files that the run is about to make.

        Raises:
            ValueError: The folder was made with other settings, holds files of another origin, or
                a damaged manifest.
        """
        settings = json.loads(json.dumps(settings))
        versions = {name: metadata.version(name) for name in packages}
        versions['mmseg_langseg'] = __version__
        if not self.settings_path.exists():
            stranger = next((path for path in files if os.path.exists(path)), None)
            # Looked at again: another shard may have started in between.
            if stranger is not None and not self.settings_path.exists():
                raise ValueError(
                    f"'{stranger}' exists, and '{self.out}' has no manifest that says what made "
                    'it; give another folder, or remove the files'
                )
            content = json.dumps(dict(settings=settings, versions=versions), indent=1)
            with contextlib.suppress(FileExistsError):
                write_whole_file(self.settings_path, content.encode(), replace=False)
        self._compare(settings, versions)
        own = {path.name for path in (self.settings_path, self.shard_path, self.unreadable_path)}
        remove_leftovers(self.settings_path.parent, own)

    def finish(self, counts: dict[str, int], unreadable: list[tuple[str, str]]) -> None:
        """Write what the shard holds, after its last image.

        Args:
            counts: Numbers of images, files, ...
            unreadable: (name, reason) of what could not be used.
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
                f"'{self.settings_path}' is damaged or no manifest of this package "
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
                f"the files in '{self.out}' were begun with other versions: {differing}",
                logger='current',
                level=logging.WARNING,
            )


def _encode(text: str) -> bytes:
    """File names as they are on the disk; what is no file name may hold any character."""
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

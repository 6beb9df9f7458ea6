"""Protection of input files, and of files of other origin, against being overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def check_not_input(out: str | os.PathLike, inputs: Iterable[str | os.PathLike]) -> None:
    """Check that an output file or folder is not one of the inputs.

    Links are followed, so other names of the same file or folder are detected as well.

    Args:
        out: File or folder that will be written.
        inputs: Files and folders that are read.

    Raises:
        ValueError: ``out`` is one of the inputs.
    """
    target = Path(out).resolve()
    for entry in inputs:
        same = target == Path(entry).resolve()
        if not same and target.exists() and Path(entry).exists():
            same = os.path.samefile(target, entry)
        if same:
            raise ValueError(
                f"the output '{out}' is the input '{entry}': nothing was written; give another path"
            )


def check_new(path: str | os.PathLike, own: bytes | None = None) -> None:
    """Check that an output does not exist, or was written by the same command.

    Args:
        path: File that will be written.
        own: Bytes that files of the command begin with; such a file may be replaced. None: no
            file may be replaced.

    Raises:
        FileExistsError: The file exists and may not be replaced.
    """
    path = Path(path)
    if not os.path.lexists(path):
        return
    if own is not None and path.is_file():
        with path.open('rb') as file:
            if file.read(len(own)) == own:
                return
    raise FileExistsError(
        f"the output '{path}' exists: nothing was written; give another path, or remove it"
    )


def check_no_overwrite(
    outputs: Iterable[str | os.PathLike], inputs: Iterable[str | os.PathLike]
) -> None:
    """Check that no file to write is one of the files to read, for long lists of files.

    Args:
        outputs: Files that will be written, each replaced as a whole: a link itself is replaced.
        inputs: Files that are read.

    Raises:
        ValueError: An output is an input; the message names it.
    """
    outputs = [os.fspath(path) for path in outputs]
    # Most commands read .jpg and write another format, so nothing is left to compare.
    suffixes = {os.path.splitext(path)[1] for path in outputs}
    inputs = [os.fspath(path) for path in inputs if os.path.splitext(path)[1] in suffixes]
    if not inputs:
        return
    folders: dict[str, str] = {}

    def resolve(path: str) -> str:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        return os.path.join(folders[folder], name)

    read = {resolve(path) for path in inputs}
    for path in outputs:
        if resolve(path) in read:
            raise ValueError(f"the input '{path}' would be overwritten; give another folder")

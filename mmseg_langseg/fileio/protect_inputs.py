"""Commands never write over what they read, or over what they did not make."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def check_not_input(out: str | os.PathLike, inputs: Iterable[str | os.PathLike]) -> None:
    """Make sure that an output file or folder is none of the inputs.

    Links are followed, so another name of the same file or folder is found as well.

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
    """Make sure that no file of another origin is where an output will be written.

    Args:
        path: File that will be written.
        own: What the files of the command begin with: such a file may be replaced. None: none may.

    Raises:
        FileExistsError: The file exists, and is not the command's own.
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
    """Make sure that none of many files to write is one of many files to read.

    Args:
        outputs: Files that will be written, each replaced as a whole: a link is replaced itself.
        inputs: Files that are read.

    Raises:
        ValueError: An output is an input; names it.
    """
    outputs = [os.fspath(path) for path in outputs]
    # Most commands read .jpg and write something else: nothing is left to compare.
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

"""Commands never write over what they read."""

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

"""What the converters of label maps share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmseg_langseg.masks import remove_leftovers, write_whole_file

IGNORE = 65535
"""Label of pixels that do not count in label maps of 16 bits."""


@dataclass
class ConversionReport:
    """What a conversion did."""

    written: int = 0
    existed: int = 0
    bad: list[str] = field(default_factory=list)
    """One line for each source that could not be converted; it names the file."""


def encode_labels(labels: np.ndarray) -> bytes:
    """A label map (H, W), uint16, as the bytes of a 16-bit PNG."""
    return cv2.imencode('.png', np.ascontiguousarray(labels, dtype=np.uint16))[1].tobytes()


def convert_files(
    jobs: Sequence[tuple[Path, tuple[Path, ...]]],
    convert: Callable[[Path], tuple[bytes, ...]],
) -> ConversionReport:
    """Convert files that were not converted yet, one after the other.

    A target that exists is never touched, a target that is written is complete, and a source that
    cannot be converted costs only its own targets. So a conversion that was killed goes on where it
    stopped, and several may run on one folder.

    Args:
        jobs: Each source with its targets.
        convert: Gives the content of each target of a source; raises ``ValueError`` or ``OSError``
            for a bad one.

    Returns:
        The numbers of sources converted and left alone, and the bad ones.

    Raises:
        OSError: A target cannot be written (a full disk, a folder without permission).
    """
    for folder in {target.parent for _, targets in jobs for target in targets}:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder, {t.name for _, ts in jobs for t in ts if t.parent == folder})
    report = ConversionReport()
    for source, targets in tqdm(jobs, unit='file'):
        if all(target.exists() for target in targets):
            report.existed += 1
            continue
        try:
            contents = convert(source)
        except (ValueError, OSError) as error:
            report.bad.append(f'{source}: {error}')
            continue
        for target, content in zip(targets, contents, strict=True):
            _write_new(target, content)
        report.written += 1
    return report


def _write_new(target: Path, content: bytes) -> None:
    try:
        write_whole_file(target, content, replace=False)
    except FileExistsError:
        return  # from another run, with the same content

"""Resumable conversion of label maps."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from mmseg_langseg.fileio import remove_leftovers, write_whole_file

IGNORE = 65535
"""Label of ignored pixels in 16-bit label maps."""

# Not the file's fault, so they stop the run.
_SYSTEM_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@dataclass
class ConversionReport:
    """Result of a label map conversion."""

    written: int = 0
    existed: int = 0
    bad: list[str] = field(default_factory=list)
    """One line for each file that could not be converted, with its name."""


def read_rgb(path: Path) -> np.ndarray:
    """Decode an image file as (H, W, 3) uint8 RGB, without EXIF rotation.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not an image, is truncated, or has more pixels than Pillow allows.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert('RGB'))
    except Exception as error:  # Pillow raises a dozen types for damaged or huge files
        raise ValueError(
            f'{path.name} cannot be decoded ({type(error).__name__}: {error})'
        ) from error


def encode_labels(labels: np.ndarray) -> bytes:
    """Encode a label map (H, W) as a 16-bit PNG.

    Raises:
        ValueError: A label is below 0 or above 65535.
    """
    if labels.size == 0 or labels.min() < 0 or labels.max() > IGNORE:
        raise ValueError(f'labels of shape {labels.shape} are empty or not within 0 to {IGNORE}')
    return cv2.imencode('.png', np.ascontiguousarray(labels, dtype=np.uint16))[1].tobytes()


def convert_files(
    jobs: Sequence[tuple[Path, tuple[Path, ...]]],
    convert: Callable[[Path], tuple[bytes, ...]],
) -> ConversionReport:
    """Convert the files that have not been converted yet, sequentially.

    Existing targets are never touched, targets are written atomically, and a source that cannot be
    converted affects only its own targets. So interrupted conversions resume where they stopped,
    and several processes may work on one folder.

    Args:
        jobs: Each source with its targets.
        convert: Returns the content of each target of a source; raises ``ValueError`` or
            ``OSError`` for a bad source.

    Returns:
        The numbers of converted and of existing files, and the bad sources.

    Raises:
        OSError: A target cannot be written (disk full, missing permission), or too many files are
            open or memory is exhausted.
        ValueError: Two sources have the same target.
    """
    _check_targets(jobs)
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
            if isinstance(error, OSError) and error.errno in _SYSTEM_ERRORS:
                raise
            report.bad.append(f'{source}: {error}')
            continue
        for target, content in zip(targets, contents, strict=True):
            _write_new(target, content)
        report.written += 1
    return report


def _check_targets(jobs: Sequence[tuple[Path, tuple[Path, ...]]]) -> None:
    owner: dict[Path, Path] = {}
    for source, targets in jobs:
        for target in targets:
            if owner.setdefault(target, source) != source:
                raise ValueError(
                    f"'{owner[target]}' and '{source}' would both be written to '{target}'; "
                    'rename or remove one'
                )


def _write_new(target: Path, content: bytes) -> None:
    try:
        write_whole_file(target, content, replace=False)
    except FileExistsError:
        return  # written by another process, with the same content

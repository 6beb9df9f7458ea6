"""Save results that are in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .exporter import Exporter
from .segmentation_result import SegmentationResult


def save_results(
    results: Iterable[SegmentationResult],
    folder: str | os.PathLike,
    formats: Sequence[str] = ('overlay',),
    overwrite: bool = False,
) -> list[Path]:
    """Save results in one or several formats.

    For many images, ``export_results`` of ``mmseg_langseg.apis.export_run`` also segments, resumes
    interrupted runs and checks all names first.

    Args:
        results: Results with the same classes; those without a name are called ``000001.png`` and
            so on, by their position.
        folder: Folder to write to.
        formats: Names of :data:`EXPORTERS`.
        overwrite: Replace files that exist.

    Returns:
        The files or folders of the images, and the files for all images (e.g. ``coco.json``).

    Raises:
        FileExistsError: A file exists, and ``overwrite`` is off.
        ValueError: A format is unknown, the results differ in their classes, two have the same
            file, or a result lacks what a format needs.
    """
    from . import EXPORTERS  # which import the result class, whose method calls this function

    unknown = sorted(set(formats) - set(EXPORTERS))
    if unknown or not formats:
        raise ValueError(f'formats is {list(formats)}; expected some of {", ".join(EXPORTERS)}.')
    exporters: list[Exporter] = []
    names: list[str] = []
    for number, result in enumerate(results, 1):
        if not exporters:
            exporters = [EXPORTERS[f](folder, result.classes, overwrite) for f in formats]
        if result.classes != exporters[0].classes:
            raise ValueError(
                f'results have different classes ({", ".join(exporters[0].classes):.100} and '
                f'{", ".join(result.classes):.100}); save them in different folders.'
            )
        names.append(result.name or f'{number:06}.png')
        for exporter in exporters:
            exporter.check_names(names)
            exporter.add(names[-1], result)
    files = [exporter.path(name) for exporter in exporters for name in names]
    files += [file for exporter in exporters for file in exporter.finish(names)]
    return [file for file in files if file.exists()]

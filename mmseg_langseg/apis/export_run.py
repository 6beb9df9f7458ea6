"""Segment many images and export the results; interrupted runs resume."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mmseg_langseg.export import EXPORTERS, AnnotationExporter, GeoTIFFExporter, RunRecord
from mmseg_langseg.fileio import LangSegWarning, check_not_input
from mmseg_langseg.models.text_encoders import Vocabulary

from .image_inputs import Inputs, image_inputs, is_single_image
from .inferencer import LangSegInferencer
from .rejection import OTHER, Rejection
from .texts import parse_texts


@dataclass
class ExportReport:
    """Result of a run over many images.

    Attributes:
        written: Number of images segmented in this run.
        resumed: Number of images that an earlier run had completed.
        bad: Name and error of images that could not be read.
        files: Files that describe all images.
    """

    written: int = 0
    resumed: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def export_results(
    segment: LangSegInferencer,
    inputs: Inputs,
    texts: str | os.PathLike | Sequence[str] | Vocabulary,
    out_dir: str | os.PathLike,
    formats: Sequence[str] = ('overlay',),
    batch_size: int = 1,
    threshold: float | None = None,
    min_margin: float | None = None,
    contrast: Sequence[str] | None = None,
    tile_size: int | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> ExportReport:
    """Segment images and write the results in one or several formats.

    Of all images, only the names are held in memory. Files are written completely or not at all,
    and a run that was interrupted resumes with the images that are not complete.

    Args:
        segment: The inferencer.
        inputs: Images, see ``LangSegInferencer.stream``; each needs a file name.
        texts: One vocabulary for all images, see ``LangSegInferencer.stream``.
        out_dir: Output folder; inside an input folder, it is not searched for images.
        formats: Names of :data:`~mmseg_langseg.export.EXPORTERS`.
        batch_size: Images per forward pass.
        threshold: See ``LangSegInferencer.stream``.
        min_margin: Likewise.
        contrast: Likewise.
        tile_size: Likewise.
        overwrite: Replace files that exist, instead of resuming.
        quiet: Show no progress bar.

    Raises:
        FileExistsError: A file of another origin is in the way.
        NotADirectoryError: The output is a file.
        ValueError: The folder has results of another model, vocabulary or threshold, a format is
            unknown, the output folder is an input folder or an empty string, an input has no name,
            no image can be read, or see ``LangSegInferencer.stream``.
    """
    if not os.fspath(out_dir):
        raise ValueError('out_dir is an empty string; expected the path of the output folder.')
    if Path(out_dir).exists() and not Path(out_dir).is_dir():
        raise NotADirectoryError(f"The output '{out_dir}' is a file; give a folder.")
    if isinstance(inputs, Iterator):
        inputs = list(inputs)  # the names are read before the images
    unknown = sorted(set(formats) - set(EXPORTERS))
    if unknown or not formats:
        raise ValueError(f'formats is {list(formats)}; expected some of {", ".join(EXPORTERS)}.')
    vocabulary = parse_texts(texts)
    classes = Rejection(threshold, min_margin).classes(vocabulary)
    exporters = []
    for name in formats:
        options: dict[str, Any] = {}
        if issubclass(EXPORTERS[name], AnnotationExporter) and OTHER in vocabulary.names:
            options['skip'] = ()  # a class of the user's, not that of rejected pixels
        if issubclass(EXPORTERS[name], GeoTIFFExporter):
            options['image_root'] = _georeference_root(inputs)
        exporters.append(EXPORTERS[name](out_dir, classes, overwrite=overwrite, **options))
    check_not_input(out_dir, _folders(inputs))
    names = [image.name for image in image_inputs(inputs, exclude=out_dir)]
    if None in names:
        raise ValueError('Arrays have no file name to export to; give image files.')
    for exporter in exporters:
        exporter.check_names(names)
    settings = dict(
        **segment.settings,
        texts=[list(words) for words in vocabulary.rows],
        threshold=threshold,
        min_margin=min_margin,
        contrast=None if contrast is None else list(contrast),
        tile_size=tile_size,
    )
    record = RunRecord(Path(out_dir) / '.segment.json', settings, overwrite)
    record.check()
    todo = {name for name in names if not all(exporter.exists(name) for exporter in exporters)}
    report = ExportReport(resumed=len(names) - len(todo))
    results = segment.stream(
        (image for image in image_inputs(inputs, exclude=out_dir) if image.name in todo),
        texts,
        batch_size,
        threshold,
        min_margin,
        contrast,
        probabilities='heatmaps' in formats,
        on_bad_image=lambda name, error: report.bad.append((name, str(error))),
        tile_size=tile_size,
    )
    for result in tqdm(results, total=len(todo), unit='image', disable=quiet):
        record.start()
        for exporter in exporters:
            if not exporter.exists(result.name):
                exporter.add(result.name, result)
        report.written += 1
    bad = {name for name, _ in report.bad}
    complete = [name for name in names if name not in bad]
    if not complete:
        name, error = report.bad[0]
        none = 'The image cannot' if len(names) == 1 else f'None of the {len(names)} images can'
        raise ValueError(f'{none} be read; {name}: {error}')
    report.files = [path for exporter in exporters for path in exporter.finish(complete)]
    record.finish(mixed=False)
    return report


def _folders(inputs: Inputs) -> list[Path]:
    """Return the folders among the inputs."""
    entries = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    paths = [Path(entry) for entry in entries if isinstance(entry, (str, os.PathLike))]
    return [path for path in paths if path.is_dir()]


def _georeference_root(inputs: Inputs) -> Path | None:
    """Return the folder that image names are relative to; warn and return None without one."""
    entries = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    paths = [Path(entry) for entry in entries if isinstance(entry, (str, os.PathLike))]
    roots = {_root(path) for path in paths}
    if len(paths) == len(entries) and len(roots) == 1 and (root := roots.pop()) is not None:
        return root
    warnings.warn(
        'The GeoTIFF files have no georeference, which is copied from image files only if all are '
        'in one input folder.',
        LangSegWarning,
        stacklevel=3,
    )
    return None


def _root(path: Path) -> Path | None:
    if path.is_dir():
        return path
    return path.parent if is_single_image(path) or path.suffix.lower() == '.txt' else None

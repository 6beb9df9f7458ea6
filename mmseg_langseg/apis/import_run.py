"""Import corrected annotations as a labeled folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmseg_langseg.datasets.image_files import image_size
from mmseg_langseg.datasets.label_files import WIDE_IGNORE, ignored_label
from mmseg_langseg.export import class_colors, encode_label_png
from mmseg_langseg.fileio import (
    IMAGE_SUFFIXES,
    check_no_overwrite,
    contained_path,
    open_image_source,
    remove_leftovers,
    show_value,
    write_whole_file,
)
from mmseg_langseg.importing import Importer, open_annotations
from mmseg_langseg.models.text_encoders import Vocabulary

_IMAGES, _LABELS = Path('val', 'images'), Path('val', 'labels')
_CLASSES = 'classes.txt'
_SHOWN = 5


@dataclass
class ImportReport:
    """Result of an import.

    Attributes:
        classes: Class names, in the order of ``classes.txt``.
        written: Number of images that were written, alone or with their label map.
        kept: Number of images that were there already, with the same label map.
        empty: Number of all images without annotation.
    """

    classes: tuple[str, ...]
    written: int = 0
    kept: int = 0
    empty: int = 0


def import_annotations(
    annotations: str | os.PathLike,
    images: str | os.PathLike,
    out_dir: str | os.PathLike,
    unlabeled: str | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> ImportReport:
    """Write annotations of other tools in the layout that ``*_test-photos.py`` reads.

    ``out_dir`` gets ``classes.txt``, copies of the images in ``val/images`` and label maps in
    ``val/labels``. Files are written completely or not at all, and ``classes.txt`` comes last, so
    an interrupted import is not tested by mistake; repeated, it writes what is missing. Images of
    another file with the same classes can be added.

    Args:
        annotations: COCO JSON, or a zip of CVAT's format "Segmentation mask 1.1".
        images: Folder of the images, which the names in the file are relative to.
        out_dir: Folder to write to.
        unlabeled: Class of pixels without annotation, added if the file does not have it; None:
            they are ignored in tests.
        overwrite: Replace files that exist.
        quiet: Show no progress bar.

    Raises:
        FileNotFoundError: A file or folder does not exist.
        OSError: A file cannot be read or written.
        ValueError: The file is not valid, a class name is not, an image is missing, or an
            annotation does not fit its image; the folder has other classes or other files of these
            names. The message names file and annotation. Other images may have been written, but
            not ``classes.txt``.
    """
    out_dir = Path(out_dir)
    unlabeled = None if unlabeled is None else ' '.join(unlabeled.split())
    with closing(open_annotations(annotations)) as importer:
        classes = _class_names(importer, unlabeled)
        photos = _find_photos(importer, Path(images), out_dir)
        targets = {name: _targets(out_dir, photo) for name, photo in photos.items()}
        _check_targets(Path(images), photos, targets)
        class_file = out_dir / _CLASSES
        class_text = '\n'.join([*classes, '']).encode()
        _check_classes(out_dir, class_text, {label for _, label in targets.values()}, overwrite)
        is_stale = class_file.exists() and class_file.read_bytes() != class_text
        report = ImportReport(classes)
        errors = []
        for name in tqdm(importer.names, unit='image', disable=quiet):
            try:
                source = Path(images, photos[name])
                labels = importer.labels(name, image_size(str(source)))
                png = _encode(labels, classes, unlabeled)
                changes = _changes(targets[name], (source.read_bytes(), png), overwrite)
            except (ValueError, FileExistsError) as error:
                errors.append(f'{name}: {error}')
                continue
            if changes and is_stale:
                class_file.unlink(missing_ok=True)
            for path, content in changes:
                write_whole_file(path, content, replace=overwrite)
            report.written += bool(changes)
            report.kept += not changes
            report.empty += bool((labels < 0).all())
    _remove_leftovers(path for paths in targets.values() for path in paths)
    if errors:
        raise ValueError(
            f"{len(errors)} of the {len(photos)} images of '{annotations}' were not imported; "
            f'correct this and repeat the command: {_some(errors, "; ")}'
        )
    write_whole_file(class_file, class_text)
    return report


def _class_names(importer: Importer, unlabeled: str | None) -> tuple[str, ...]:
    """Return the class names as ``classes.txt`` holds them."""
    # Line breaks and other white space are spaces in the file.
    names = [' '.join(name.split()) for name in importer.classes]
    if unlabeled is not None and unlabeled not in names:
        names.append(unlabeled)
    try:
        if len(names) > WIDE_IGNORE:
            raise ValueError(f'{len(names)} classes; expected at most {WIDE_IGNORE}')
        Vocabulary.from_names(names)
    except ValueError as error:
        raise ValueError(f"Classes of '{importer.path}': {error}") from error
    return tuple(names)


def _find_photos(importer: Importer, folder: Path, out_dir: Path) -> dict[str, str]:
    """Return the image file of each name of the annotations, relative to the folder."""
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no image folder '{folder}'.")
    found = open_image_source(folder, exclude=out_dir).names
    files: dict[str, list[str]] = {}
    for file in found:
        key = file if importer.has_suffixes else os.path.splitext(file)[0]
        files.setdefault(key, []).append(file)
    missing = [show_value(name, 200) for name in importer.names if name not in files]
    if missing:
        raise ValueError(
            f"{len(missing)} of the {len(importer.names)} images of '{importer.path}' are not in "
            f"'{folder}': {_some(missing)}. Give the folder that these names are relative to; "
            f'image files end in {", ".join(IMAGE_SUFFIXES)}.'
        )
    for name in importer.names:
        if len(files[name]) > 1:
            raise ValueError(
                f"'{importer.path}' has masks of {name!r}, but '{folder}' has several images of "
                f'this name: {_some(map(repr, files[name]))}; rename or remove the others.'
            )
    return {name: files[name][0] for name in importer.names}


def _targets(out_dir: Path, photo: str) -> tuple[Path, Path]:
    image = contained_path(out_dir / _IMAGES, photo, 'image name')
    label = contained_path(out_dir / _LABELS, photo, 'image name').with_suffix('.png')
    return image, label


def _check_targets(
    folder: Path, photos: dict[str, str], targets: dict[str, tuple[Path, Path]]
) -> None:
    """Check that all label maps have different files, and none replaces an input."""
    owners: dict[Path, str] = {}
    outputs = []
    for name, (image, label) in targets.items():
        if owners.setdefault(label, photos[name]) != photos[name]:
            raise ValueError(
                f'images {owners[label]!r} and {photos[name]!r} would both have the label map '
                f"'{label}'; rename one, in the annotations as well."
            )
        outputs.append(label)
        # The images may be in place already.
        if not (image.exists() and image.samefile(folder / photos[name])):
            outputs.append(image)
    check_no_overwrite(outputs, [folder / photo for photo in photos.values()])


def _check_classes(out_dir: Path, class_text: bytes, labels: set[Path], overwrite: bool) -> None:
    """Check that label maps with other class indices will not be mixed with the new ones."""
    class_file = out_dir / _CLASSES
    exists = os.path.lexists(class_file)
    if exists and class_file.read_bytes() == class_text:
        return
    present = (out_dir / _LABELS).rglob('[!.]*.png')
    others = [str(path.relative_to(out_dir)) for path in present if path not in labels]
    if others:
        raise ValueError(
            f"'{out_dir}' has label maps of other images ({_some(sorted(others))}), but no "
            f"'{_CLASSES}' with the classes of this import, whose indices they may not share; give "
            'another folder, or remove them'
        )
    if exists and not overwrite:
        raise FileExistsError(
            f"'{class_file}' has other classes than this import; give another folder, or replace "
            'the files with overwrite (--overwrite)'
        )


def _encode(labels: np.ndarray, classes: tuple[str, ...], unlabeled: str | None) -> bytes:
    """Return the PNG of a label map, in which -1 is not annotated."""
    ignored = ignored_label(len(classes))
    unannotated = ignored if unlabeled is None else classes.index(unlabeled)
    labels = np.where(labels < 0, unannotated, labels)
    if ignored == WIDE_IGNORE:
        return encode_label_png(labels.astype(np.uint16))
    palette = np.full((ignored + 1, 3), 255, np.uint8)
    palette[: len(classes)] = class_colors(classes)
    return encode_label_png(labels.astype(np.uint8), palette)


def _changes(
    targets: tuple[Path, Path], contents: tuple[bytes, bytes], overwrite: bool
) -> list[tuple[Path, bytes]]:
    """Return the files to write: those that are missing or different."""
    changes = []
    for path, content in zip(targets, contents, strict=True):
        if path.is_file() and path.read_bytes() == content:
            continue
        if os.path.lexists(path) and not overwrite:
            raise FileExistsError(
                f"'{path}' exists with other content; give another folder, or replace it with "
                'overwrite (--overwrite)'
            )
        changes.append((path, content))
    return changes


def _remove_leftovers(paths: Iterable[Path]) -> None:
    folders: dict[Path, set[str]] = {}
    for path in paths:
        folders.setdefault(path.parent, set()).add(path.name)
    for folder, names in folders.items():
        if folder.is_dir():
            remove_leftovers(folder, names)


def _some(texts: Iterable[str], separator: str = ', ') -> str:
    """Join the first texts."""
    texts = list(texts)
    return separator.join(texts[:_SHOWN]) + (f'{separator}...' if len(texts) > _SHOWN else '')

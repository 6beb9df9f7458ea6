"""Photos without labels and their mask files: pair them, check them, generate missing masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath

import numpy as np
from tqdm import tqdm

from mmseg_langseg.fileio import (
    ImageSource,
    contained_path,
    open_image_source,
    raise_machine_fault,
)
from mmseg_langseg.masks.formats import read_mask_annotations
from mmseg_langseg.masks.generators import build_generator
from mmseg_langseg.masks.runs import generate_masks
from mmseg_langseg.verdict import Photo

from .images import decode_rgb

_GENERATOR = 'felzenszwalb'  # needs no weights


@dataclass(frozen=True)
class MaskedPhotos:
    """Photos of a folder, tar or list, with one file of class-agnostic masks each.

    Attributes:
        source: All images of the folder, tar or list.
        masks: Folder of the mask files: ``a/1.json`` for the photo ``a/1.jpg``.
        names: The usable photos, sorted.
        unusable: Name and reason of each image that was left out, sorted.
    """

    source: ImageSource
    masks: Path
    names: list[str]
    unusable: list[tuple[str, str]] = field(default_factory=list)

    def photos(self, names: Sequence[str] | None = None) -> list[Photo]:
        """Return photos with their masks; the images are loaded on demand.

        Args:
            names: Some of :attr:`names`; None: all of them.

        Raises:
            MaskFileError: A mask file was changed since it was checked.
        """
        return [self._photo(name) for name in (self.names if names is None else names)]

    def _photo(self, name: str) -> Photo:
        rles = [entry['segmentation'] for entry in read_mask_annotations(self._mask_file(name))]
        return Photo(name, partial(self._load, name), rles)

    def _load(self, name: str) -> np.ndarray:
        return decode_rgb(self.source.read(name), name)

    def _mask_file(self, name: str) -> Path:
        return self.masks / PurePath(name).with_suffix('.json')


def find_masked_photos(
    path: str | os.PathLike,
    masks: str | os.PathLike | None,
    generated: str | os.PathLike,
    exclude: str | os.PathLike | None = None,
    progress: bool = True,
) -> MaskedPhotos:
    """Find photos and their masks; photos without a usable file of either kind are left out.

    Every image and every mask file is read once. Masks are generated like those of
    ``tools/generate_masks.py`` with its default generator; interrupted runs resume.

    Args:
        path: Folder (searched recursively), tar or list, see ``open_image_source``.
        masks: Folder of mask files in SA-1B's JSON format; None: generate them.
        generated: Folder for generated masks; not used if ``masks`` is given.
        exclude: Subfolder of ``path`` to leave out.
        progress: Show progress bars.

    Raises:
        FileNotFoundError: There is no such folder, tar or list, or no such folder of masks.
        ValueError: There is no usable photo, or see ``open_image_source`` and ``generate_masks``.
    """
    source = open_image_source(path, exclude=exclude)
    unusable = {}
    if masks is None:
        report = generate_masks(
            source, generated, build_generator(_GENERATOR), _GENERATOR, progress=progress
        )
        unusable.update(report.unreadable)
    elif not Path(masks).is_dir():
        raise FileNotFoundError(
            f"There is no folder of masks '{masks}'; without one, masks are generated."
        )
    unusable.update(source.unreadable)
    found = MaskedPhotos(source, Path(generated if masks is None else masks), [])
    owners: dict[Path, str] = {}
    names = [name for name in source.names if name not in unusable]
    for name in tqdm(names, desc='check photos', unit='image', disable=not progress):
        owner = owners.setdefault(found._mask_file(name), name)
        reason = _reason(found, name) if owner == name else f'{owner} has the same mask file'
        if reason is None:
            found.names.append(name)
        else:
            unusable[name] = reason
    found.unusable.extend(sorted(unusable.items()))
    if not found.names:
        name, reason = found.unusable[0]
        raise ValueError(f"'{path}' has no usable photo; the first: {name}: {reason}")
    return found


def _reason(found: MaskedPhotos, name: str) -> str | None:
    """Return why a photo cannot be used, None if it can."""
    try:
        contained_path('', name)
        if name.splitlines() != [name.strip()] or not name.isprintable():
            return 'its name has line breaks, control characters or spaces at its ends'
        size = found._load(name).shape[:2]
        if not read_mask_annotations(found._mask_file(name), size, name):
            return f"its mask file '{found._mask_file(name)}' has no mask"
    except (OSError, ValueError, MemoryError) as error:
        raise_machine_fault(error)
        return str(error) or type(error).__name__
    return None

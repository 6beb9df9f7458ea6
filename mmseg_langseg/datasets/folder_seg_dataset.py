"""Custom segmentation dataset from folders of images and label maps."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path, PurePosixPath

import mmengine.fileio as fileio
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmseg_langseg.fileio import IMAGE_SUFFIXES, contained_path, show_value

from .class_names import check_class_names, read_class_names
from .label_files import WIDE_IGNORE, ignored_label

_MOST_DIGITS = 20
_SHOWN = 5


@DATASETS.register_module()
class FolderSegDataset(BaseSegDataset):
    """Custom dataset of images, label maps with the same names, and one class name per line.

    Label maps contain the line number of the class, counted from 0. The largest value of the file
    (255, or 65535 with 16 bits) and ``ignore_index`` are ignored. Load them with ``LoadLabelMap``;
    more than 255 classes require 16 bits and ``LoadLabelMap(ignore_index=65535)``.

    Args:
        classes: Text file with the class names (relative to ``data_root`` if not absolute), or the
            names themselves.
        data_root: Folder that the prefixes are relative to.
        data_prefix: Folders of images (``img_path``) and label maps (``seg_map_path``).
        img_suffix: Suffix of the images to read; None: all of ``fileio.IMAGE_SUFFIXES``, in upper
            or lower case.
        ignore_index: Additional ignored value of the label maps, e.g. 11 for CamVid's void.
        label_mapping: Maps values of the label maps to class indices or ignored values, if they
            differ from the line numbers. Keys may be strings, as in JSON.
        **kwargs: See ``BaseSegDataset``. ``ann_file`` lists image names relative to the image
            folder, with or without suffix. Without it, every label map needs an image.

    Raises:
        FileNotFoundError: The class file, the image folder or an image of ``ann_file`` is missing.
        ValueError: There is no class name, an empty or duplicate one, or no image; two images have
            the same name and different suffixes; a label map has no image, or one of a suffix that
            is not read; ``ignore_index`` or ``label_mapping`` is not a value or label.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        data_root: str | None = None,
        data_prefix: dict | None = None,
        img_suffix: str | None = None,
        ignore_index: int | None = None,
        label_mapping: Mapping[int | str, int] | None = None,
        lazy_init: bool = False,
        **kwargs,
    ) -> None:
        if isinstance(classes, str):
            source = Path(data_root or '.') / classes
            names = read_class_names(source)
        else:
            source, names = None, list(classes)
        check_class_names(names, source)
        super().__init__(
            metainfo=dict(classes=names),
            data_root=data_root,
            data_prefix=data_prefix or dict(img_path='images', seg_map_path='labels'),
            img_suffix=img_suffix,
            ignore_index=ignored_label(len(names)),
            lazy_init=True,
            **kwargs,
        )
        self.label_map = _label_map(ignore_index, label_mapping, len(names))
        if self.label_map and self.reduce_zero_label:
            raise ValueError(
                'reduce_zero_label with ignore_index or label_mapping: give label_mapping alone, '
                'e.g. {0: 255, 1: 0, 2: 1}'
            )
        self._metainfo['label_map'] = self.label_map
        if not lazy_init:
            self.full_init()

    def load_data_list(self) -> list[dict]:
        """List the samples; raise an error if there are none."""
        folder = self.data_prefix['img_path']
        if not os.path.isdir(folder):
            raise FileNotFoundError(f'image folder {folder} does not exist')
        images = self._find_images(folder)
        if not images:
            suffixes = self.img_suffix or ', '.join(IMAGE_SUFFIXES)
            raise ValueError(f'no image in {folder}; expected files that end in {suffixes}')
        if self.ann_file:
            images = self._select(images)
        else:
            self._check_left_out(folder, images)
        labels = self.data_prefix.get('seg_map_path')
        return [self._sample(folder, labels, *image) for image in sorted(images.items())]

    def _find_images(self, folder: str) -> dict[str, str]:
        """Find the images in a folder recursively and return them by name without suffix."""
        images: dict[str, str] = {}
        for name in sorted(fileio.list_dir_or_file(folder, list_dir=False, recursive=True)):
            stem = self._stem(name)
            if stem is None or self._is_label(name):
                continue
            if stem in images:
                raise ValueError(
                    f'{folder}: {images[stem]} and {name} have the same name, so that both would '
                    f'have the label map {stem}{self.seg_map_suffix}; rename or remove one, or '
                    'choose with img_suffix'
                )
            images[stem] = name
        return images

    def _stem(self, name: str) -> str | None:
        """Return the name without its suffix; None if the file is not an image."""
        if self.img_suffix is not None:
            return name[: -len(self.img_suffix)] if name.endswith(self.img_suffix) else None
        stem, suffix = os.path.splitext(name)
        return stem if suffix.lower() in IMAGE_SUFFIXES else None

    def _is_label(self, name: str) -> bool:
        """Return whether a file is a label map, which may also be in the image folder."""
        labels = self.data_prefix.get('seg_map_path')
        if labels is None:
            return False
        below = os.path.relpath(labels, self.data_prefix['img_path'])
        if below == os.curdir:
            return name.endswith(self.seg_map_suffix)
        return PurePosixPath(name).is_relative_to(below)

    def _check_left_out(self, folder: str, images: dict[str, str]) -> None:
        """Check that no label map is left out, which would silently change the score."""
        labels = self.data_prefix.get('seg_map_path')
        if labels is None or not os.path.isdir(labels):
            return
        stems = {n.removesuffix(self.seg_map_suffix) for n in self._label_names(labels)}
        alone = stems - set(images)
        unread = {
            name: os.path.splitext(name)[0]
            for name in fileio.list_dir_or_file(folder, list_dir=False, recursive=True)
            if os.path.splitext(name)[0] in alone and not self._is_label(name)
        }
        alone = [stem + self.seg_map_suffix for stem in alone.difference(unread.values())]
        remedy = 'or list the images to use in ann_file'
        errors = []
        if unread:
            errors.append(
                f'{folder}: {_some(unread)}: not read, although there is a label map of this name; '
                f'read are {self.img_suffix or ", ".join(IMAGE_SUFFIXES)}: convert the image or '
                f'remove the label map, {remedy}'
            )
        if alone:
            errors.append(
                f'{labels}: {_some(alone)}: label map without an image; add the image or remove '
                f'the label map, {remedy}'
            )
        if errors:
            raise ValueError('\n'.join(errors))

    def _label_names(self, labels: str) -> list[str]:
        """List the label maps below their folder, which may contain the images, too."""
        images = os.path.relpath(self.data_prefix['img_path'], labels)
        return [
            name
            for name in fileio.list_dir_or_file(labels, list_dir=False, recursive=True)
            if name.endswith(self.seg_map_suffix)
            and '/.' not in f'/{name}'
            and (images == os.curdir or not PurePosixPath(name).is_relative_to(images))
        ]

    def _select(self, images: dict[str, str]) -> dict[str, str]:
        """Select the images listed in ``ann_file``."""
        if not os.path.isfile(self.ann_file):
            raise FileNotFoundError(f'ann_file {self.ann_file} does not exist')
        chosen = {}
        lines = Path(self.ann_file).read_text(encoding='utf-8-sig').splitlines()
        for line in filter(None, map(str.strip, lines)):
            contained_path(self.data_prefix['img_path'], line, self.ann_file)
            stem = PurePosixPath(line).as_posix()
            stem = stem if stem in images else self._stem(stem)
            if stem not in images:
                raise FileNotFoundError(
                    f'{self.ann_file} lists {line!r}, but {self.data_prefix["img_path"]} has no '
                    'such image'
                )
            chosen[stem] = images[stem]
        return chosen

    def _sample(self, folder: str, labels: str | None, stem: str, name: str) -> dict:
        sample = dict(
            img_path=os.path.join(folder, name),
            label_map=self.label_map,
            reduce_zero_label=self.reduce_zero_label,
            num_classes=len(self.metainfo['classes']),
            ignore_index=self.ignore_index,
            seg_fields=[],
        )
        if labels is not None:
            sample['seg_map_path'] = os.path.join(labels, stem + self.seg_map_suffix)
        return sample


def _some(names: Iterable[str]) -> str:
    """Describe files by their number and the first names."""
    names = sorted(names)
    more = ', ...' if len(names) > _SHOWN else ''
    return (
        f'{len(names)} {"file" if len(names) == 1 else "files"} ({", ".join(names[:_SHOWN])}{more})'
    )


def _label_map(
    ignore_index: int | None, mapping: Mapping[int | str, int] | None, num_classes: int
) -> dict[int, int] | None:
    """Build the mapping of label file values in the format of ``BaseSegDataset.label_map``."""
    ignored = ignored_label(num_classes)
    ignored_values = {255, WIDE_IGNORE} if ignored == 255 else {WIDE_IGNORE}
    label_map = {}
    if ignore_index is not None:
        value = _integer(ignore_index, 'ignore_index')
        if value not in ignored_values:
            label_map[value] = ignored
            ignored_values.add(value)
    if mapping is not None and not isinstance(mapping, Mapping):
        raise ValueError(
            'label_mapping: expected a dict of values and their labels, e.g. {7: 0, 8: 1}, got '
            f'{show_value(mapping)}; after --cfg-options each value is a key: label_mapping.7=0 '
            'label_mapping.8=1'
        )
    mapped = set()
    for key, target in (mapping or {}).items():
        value = _integer(key, 'label_mapping, value of the label maps')
        value = ignored if value == WIDE_IGNORE else value
        label = _integer(target, f'label_mapping of {show_value(key)}')
        if value in mapped:
            raise ValueError(f'label_mapping maps {value} twice')
        mapped.add(value)
        if label not in ignored_values and label >= num_classes:
            raise ValueError(
                f'label_mapping maps {value} to {label}; expected a class from 0 to '
                f'{num_classes - 1}, or {ignored} (ignored)'
            )
        label_map[value] = ignored if label in ignored_values else label
    return label_map or None


def _integer(value: object, name: str) -> int:
    # Python refuses to parse or print numbers with thousands of digits.
    is_text = isinstance(value, str) and value.isdecimal() and len(value) < _MOST_DIGITS
    is_number = isinstance(value, Integral) and not isinstance(value, bool)
    if not (is_text or is_number) or not 0 <= int(value) <= WIDE_IGNORE:
        raise ValueError(
            f'{name}: expected an integer from 0 to {WIDE_IGNORE}, got {show_value(value)}'
        )
    return int(value)

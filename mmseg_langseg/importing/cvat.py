"""CVAT's format "Segmentation mask 1.1" as label maps."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np
from PIL import Image

from mmseg_langseg.fileio import raise_machine_fault

from .importer import Importer, check_annotated_size
from .label_map import read_label_map

_BACKGROUND = 'background'
_LABEL_MAP = 'labelmap.txt'
_MASKS = 'SegmentationClass/'
_LISTS = 'ImageSets/Segmentation/'
_BLACK = (0, 0, 0)
_COLOR_MODES = ('1', 'P', 'RGB', 'RGBA')
# An entry with another compression can request gigabytes of memory.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MOST_TEXT = 2**26
# Uncompressed RGBA and a filter byte per row, and as much again for a file of chunks.
_BYTES_PER_PIXEL = 10
_MOST_OVERHEAD = 2**20


class CVATImporter(Importer):
    """Read a zip of CVAT's format "Segmentation mask 1.1".

    Classes are the labels of ``labelmap.txt`` in its order. Pixels of the label ``background`` and
    black pixels, unless black is the color of another label, are not annotated; neither are images
    that ``ImageSets/Segmentation`` lists without a mask. Masks contain colors or, as gray images,
    colors or line numbers of ``labelmap.txt``, counted from 0. ``SegmentationObject`` is not read.

    Args:
        path: The zip.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not such a zip, or is damaged; the message names the zip and the entry.
    """

    has_suffixes = False

    def __init__(self, path: str | os.PathLike) -> None:
        super().__init__(path)
        try:
            self._archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise ValueError(f"'{self.path}' is not a zip or is damaged ({error})") from error
        try:
            self._read_tables()
        except BaseException:
            self.close()
            raise

    def labels(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """Return the label map of an image, see :meth:`Importer.labels`."""
        entry = self._masks.get(name)
        if entry is None:
            return np.full(size, -1, np.int32)
        most = _BYTES_PER_PIXEL * size[0] * size[1] + _MOST_OVERHEAD
        content = self._read(entry, most)
        try:
            return self._decode(content, size)
        except (OSError, MemoryError) as error:
            raise_machine_fault(error)
            if isinstance(error, MemoryError):
                raise
            raise ValueError(f'{entry} cannot be decoded ({error})') from error
        except Exception as error:  # A damaged PNG fails in many ways.
            raise ValueError(f'{entry}: {error}') from error

    def close(self) -> None:
        """Close the zip."""
        self._archive.close()

    def _read_tables(self) -> None:
        """Read label map, list of images and names of the masks."""
        entries = self._archive.namelist()
        if _LABEL_MAP not in entries:
            raise ValueError(
                f"'{self.path}' lacks {_LABEL_MAP}: expected CVAT's format \"Segmentation mask "
                '1.1"; of a COCO export, give the JSON inside the zip'
            )
        text = self._read_text(_LABEL_MAP)
        try:
            colors = read_label_map(text)
        except ValueError as error:
            raise ValueError(f"'{self.path}', {_LABEL_MAP}: {error}") from error
        self.classes = tuple(name for name in colors if name != _BACKGROUND)
        index = {name: number for number, name in enumerate(self.classes)}
        self._lines = np.array([index.get(name, -1) for name in colors], np.int32)
        label = {color: index.get(name, -1) for name, color in colors.items()}
        label.setdefault(_BLACK, -1)
        self._colors = np.array([_code(*color) for color in sorted(label)])
        self._labels = np.array([label[color] for color in sorted(label)], np.int32)
        self._masks = {
            entry.removeprefix(_MASKS).removesuffix('.png'): entry
            for entry in entries
            if entry.startswith(_MASKS) and entry.endswith('.png')
        }
        names = dict.fromkeys(self._masks)
        for entry in entries:
            if entry.startswith(_LISTS) and entry.endswith('.txt'):
                lines = map(str.strip, self._read_text(entry).splitlines())
                names.update(dict.fromkeys(n for n in lines if n and not n.startswith('#')))
        self.names = list(names)
        if not self.names:
            raise ValueError(f"'{self.path}' has no masks in {_MASKS}")

    def _read_text(self, entry: str) -> str:
        try:
            content = self._read(entry, _MOST_TEXT)
        except ValueError as error:
            raise ValueError(f"'{self.path}': {error}") from error
        try:
            return content.decode('utf-8-sig')
        except UnicodeDecodeError as error:
            raise ValueError(f"'{self.path}': {entry} is not UTF-8 text ({error})") from error

    def _read(self, entry: str, most: int) -> bytes:
        """Return the content of an entry, at most ``most`` bytes."""
        info = self._archive.getinfo(entry)
        if info.file_size > most:
            raise ValueError(f'{entry} has {info.file_size} bytes, expected at most {most}')
        if info.compress_type not in _COMPRESSIONS:
            raise ValueError(
                f'{entry} is compressed in an unusual way; zip the folder with deflate'
            )
        try:
            return self._archive.read(entry)
        except MemoryError:
            raise
        except Exception as error:  # Damaged and encrypted entries fail in many ways.
            raise_machine_fault(error)
            raise ValueError(f'{entry} cannot be read ({error}); export it again') from error

    def _decode(self, content: bytes, size: tuple[int, int]) -> np.ndarray:
        with Image.open(io.BytesIO(content), formats=('PNG',)) as image:
            check_annotated_size(image.size[::-1], size)
            if image.mode == 'L':
                return self._from_gray(np.asarray(image))
            if image.mode not in _COLOR_MODES:
                raise ValueError(
                    f'it has mode {image.mode}, expected a PNG with 8 bits per channel'
                )
            return self._from_colors(np.asarray(image.convert('RGB')))

    def _from_gray(self, values: np.ndarray) -> np.ndarray:
        present = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
        if np.isin(_code(present, present, present), self._colors).all():
            return self._from_colors(np.stack([values] * 3, axis=-1))
        if present[-1] < len(self._lines):
            return self._lines[values]
        raise ValueError(
            f'the gray value {present[-1]} is neither a color of {_LABEL_MAP} nor one of its '
            f'{len(self._lines)} lines, counted from 0'
        )

    def _from_colors(self, picture: np.ndarray) -> np.ndarray:
        codes = _code(*np.moveaxis(picture.astype(np.int32), -1, 0))
        places = np.minimum(np.searchsorted(self._colors, codes), len(self._colors) - 1)
        unknown = self._colors[places] != codes
        if unknown.any():
            row, column = np.argwhere(unknown)[0].tolist()
            color = ','.join(map(str, picture[row, column].tolist()))
            raise ValueError(
                f'{int(unknown.sum())} pixels have colors that {_LABEL_MAP} lacks, such as {color} '
                f'in row {row}, column {column}; add the labels, or save the mask without '
                'smoothing and color conversion'
            )
        return self._labels[places]


def _code(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    """Return colors as single numbers, which are ordered like the colors."""
    return red * 65536 + green * 256 + blue

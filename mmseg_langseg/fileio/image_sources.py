"""Image sources: folder, file list or tar archive."""

from __future__ import annotations

import os
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import mmcv
import numpy as np

from .contained_path import contained_path
from .errors import ImageFileError
from .image_size import check_encoded_size

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
"""Suffixes of image files, in lower case."""


@dataclass
class ImageSource:
    """Images by name, in a folder or tar archive.

    Attributes:
        names: Paths of the images relative to the folder or tar, with forward slashes, sorted.
        root: Folder of the images; ``None`` for a tar.
        unreadable: (name, reason) of folders that cannot be listed and names that cannot be used.
        archive: The open tar, if the source is one.
        members: Entries of the tar by name, including files that are not images.
    """

    names: list[str]
    root: Path | None = None
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    archive: tarfile.TarFile | None = None
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """Return the content of an image or of another file of the source.

        Raises:
            OSError: The file cannot be read, does not exist, or is a pipe or device.
        """
        if self.archive is None:
            path = self.root / name
            # Reading a pipe waits for a writer, and some devices never end.
            if not stat.S_ISREG(path.stat().st_mode):
                raise OSError(f"'{path}' is not a regular file")
            return path.read_bytes()
        if name not in self.members:
            raise FileNotFoundError(f"no file '{name}' in the tar")
        try:
            return self.archive.extractfile(self.members[name]).read()
        except (tarfile.TarError, EOFError) as error:
            raise OSError(str(error)) from error


def open_image_source(
    path: str | os.PathLike,
    list_root: str | os.PathLike | None = None,
    exclude: str | os.PathLike | None = None,
) -> ImageSource:
    """Find the images in a folder (recursively), tar, or text file with one path per line.

    Args:
        path: Folder, tar (``.tar``, ``.tar.gz``, ...) or list.
        list_root: Folder that the paths of a list are relative to; ``None``: the list's folder.
        exclude: Subfolder to leave out.

    Returns:
        The images. In a folder or tar, these are the files with a suffix of :data:`IMAGE_SUFFIXES`
        in upper or lower case, except hidden files.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: The tar is broken, a listed path is outside the folder, or there is no image.
    """
    path = Path(path)
    if path.is_dir():
        source = _from_folder(path, exclude)
    elif not path.exists():
        raise FileNotFoundError(f"no folder, list or tar '{path}'")
    elif '.tar' in path.suffixes or path.suffix == '.tgz':
        source = _from_tar(path)
    else:
        source = _from_list(path, Path(list_root) if list_root else path.parent)
    if not source.names:
        reasons = ''.join(f'; {name:.100}: {reason:.500}' for name, reason in source.unreadable[:3])
        suffixes = ', '.join(IMAGE_SUFFIXES)
        raise ValueError(f"no image in '{path}'; supported suffixes: {suffixes}{reasons}")
    source.names.sort()
    return source


def decode_image(content: bytes, channel_order: str = 'rgb', backend: str = 'cv2') -> np.ndarray:
    """Decode an image like MMSegmentation's loader: rotated according to EXIF, 8-bit color.

    Truncated JPEGs are refused, whereas OpenCV 4 would fill the missing part with gray.

    Args:
        content: Content of an image file.
        channel_order: 'rgb' or 'bgr'.
        backend: mmcv's image backend: 'cv2', 'turbojpeg', 'pillow' or 'tifffile'.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ImageFileError: The content is not an image, is truncated, or has more than
            :data:`MAX_PIXELS` pixels.
    """
    if not content:
        raise ImageFileError('the file is empty')
    try:
        check_encoded_size(content)
    except ValueError as error:
        raise ImageFileError(str(error)) from error
    # The end marker follows the last scan of a JPEG.
    scan, end = content.rfind(b'\xff\xda'), content.rfind(b'\xff\xd9')
    if content.startswith(b'\xff\xd8') and end < scan:
        raise ImageFileError('the JPEG is truncated')
    try:
        image = mmcv.imfrombytes(content, flag='color', channel_order='bgr', backend=backend)
    except MemoryError:
        raise
    except Exception as error:  # Each backend fails in its own way.
        raise ImageFileError(f'cannot be decoded ({error})') from error
    if image is None:
        raise ImageFileError('cannot be decoded')
    return image if channel_order == 'bgr' else np.ascontiguousarray(image[..., ::-1])


def _from_folder(root: Path, exclude: str | os.PathLike | None) -> ImageSource:
    source = ImageSource([], root)
    excluded = None if exclude is None else os.path.realpath(exclude)
    # Masks may be written to the image folder itself, which must not be excluded.
    if excluded == os.path.realpath(root):
        excluded = None
    seen = set()

    def note(error: OSError) -> None:
        name = Path(error.filename).relative_to(root).as_posix()
        source.unreadable.append((name, f'folder cannot be listed ({error.strerror})'))

    for folder, subfolders, files in os.walk(root, onerror=note, followlinks=True):
        real = os.path.realpath(folder)
        if real == excluded or real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith('.'))
        below = Path(folder).relative_to(root)
        source.names += [(below / name).as_posix() for name in files if _is_image(name)]
    return source


def _from_tar(path: Path) -> ImageSource:
    try:
        archive = tarfile.open(path)  # noqa: SIM115 - stays open for reading
        entries = [entry for entry in archive.getmembers() if entry.isfile()]
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ValueError(f"'{path}' is not a tar or is damaged ({error})") from error
    source = ImageSource([], archive=archive)
    for entry in entries:
        name = PurePosixPath(entry.name)
        if name.is_absolute() or '..' in name.parts:
            if _is_image(name.name):
                source.unreadable.append((entry.name, 'leads out of the folder'))
        else:
            # A repeated name is an update: the last entry counts.
            source.members[str(name)] = entry
    source.names += [name for name in source.members if _is_image(PurePosixPath(name).name)]
    return source


def _from_list(path: Path, root: Path) -> ImageSource:
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"'{path}' is neither a folder, nor a tar, nor a UTF-8 text file with one path per line"
        ) from error
    names = set()
    for line in filter(None, map(str.strip, lines)):
        # An absolute path is accepted if it is inside the folder.
        name = os.path.relpath(os.path.join(root, line), root)
        try:
            contained_path(root, Path(name).as_posix(), path)
        except ValueError as error:
            raise ValueError(
                f'{error}; a list names images in its own folder, or in that of the option --root '
                'where a command has it'
            ) from error
        names.add(Path(name).as_posix())
    return ImageSource(list(names), root)


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith('.')

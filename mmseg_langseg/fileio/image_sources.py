"""Where images come from: a folder, a file list, or a tar."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import mmcv
import numpy as np

from .contained_path import contained_path
from .errors import ImageFileError
from .image_size import check_encoded_size

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


@dataclass
class ImageSource:
    """Named images.

    Attributes:
        names: Paths of the images below the folder or tar, with forward slashes, sorted.
        root: Folder of the images; ``None`` for a tar.
        unreadable: (name, reason) of folders that cannot be listed and names that cannot be used.
        archive: The tar, if it is one.
        members: Its entries by name, those of other files as well.
    """

    names: list[str]
    root: Path | None = None
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    archive: tarfile.TarFile | None = None
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """Content of an image, or of a file beside the images.

        Raises:
            OSError: It cannot be read, or there is none.
        """
        if self.archive is None:
            return (self.root / name).read_bytes()
        if name not in self.members:
            raise FileNotFoundError(f"the tar holds no '{name}'")
        try:
            return self.archive.extractfile(self.members[name]).read()
        except (tarfile.TarError, EOFError) as error:
            raise OSError(str(error)) from error


def open_image_source(
    path: str | os.PathLike,
    list_root: str | os.PathLike | None = None,
    exclude: str | os.PathLike | None = None,
) -> ImageSource:
    """Find the images of a folder (all depths), of a tar, or of a text file with a path a line.

    Args:
        path: Folder, tar (``.tar``, ``.tar.gz``, ...) or list.
        list_root: Folder that a list's paths lie in; ``None``: the list's own.
        exclude: Folder that is left out, if it is below.

    Returns:
        The images. Of a folder or tar those with a suffix of :data:`IMAGE_SUFFIXES`, in any case,
        but not hidden ones.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: The tar is broken, a listed path lies outside, or there is no image.
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
        raise ValueError(f"no image in '{path}'; known are {', '.join(IMAGE_SUFFIXES)}{reasons}")
    source.names.sort()
    return source


def decode_image(content: bytes, channel_order: str = 'rgb', backend: str = 'cv2') -> np.ndarray:
    """Decode an image as MMSegmentation's loader does: turned as its EXIF data say, 8-bit color.

    A JPEG that was cut off is refused, whereas OpenCV 4 would fill it up with gray.

    Args:
        content: Content of an image file.
        channel_order: 'rgb' or 'bgr'.
        backend: Decoder, one of mmcv's: 'cv2', 'turbojpeg', 'pillow' or 'tifffile'.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ImageFileError: The content is no image, not all of one, or one of more than
            :data:`MAX_PIXELS` pixels.
    """
    if not content:
        raise ImageFileError('the file is empty')
    try:
        check_encoded_size(content)
    except ValueError as error:
        raise ImageFileError(str(error)) from error
    # A JPEG's last scan is followed by the end marker.
    scan, end = content.rfind(b'\xff\xda'), content.rfind(b'\xff\xd9')
    if content.startswith(b'\xff\xd8') and end < scan:
        raise ImageFileError('the JPEG is cut off')
    try:
        image = mmcv.imfrombytes(content, flag='color', channel_order='bgr', backend=backend)
    except MemoryError:
        raise
    except Exception as error:  # Each backend fails in its own ways.
        raise ImageFileError(f'cannot be decoded ({error})') from error
    if image is None:
        raise ImageFileError('cannot be decoded')
    return image if channel_order == 'bgr' else np.ascontiguousarray(image[..., ::-1])


def _from_folder(root: Path, exclude: str | os.PathLike | None) -> ImageSource:
    source = ImageSource([], root)
    excluded = None if exclude is None else os.path.realpath(exclude)
    # A folder that holds nothing but images may hold its masks as well.
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
        raise ValueError(f"'{path}' is no tar, or a damaged one ({error})") from error
    source = ImageSource([], archive=archive)
    for entry in entries:
        name = PurePosixPath(entry.name)
        if name.is_absolute() or '..' in name.parts:
            if _is_image(name.name):
                source.unreadable.append((entry.name, 'leads out of the folder'))
        else:
            # A name that occurs twice is an update: the last one counts.
            source.members[str(name)] = entry
    source.names += [name for name in source.members if _is_image(PurePosixPath(name).name)]
    return source


def _from_list(path: Path, root: Path) -> ImageSource:
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"'{path}' is neither a folder, nor a tar, nor a text file") from error
    names = set()
    for line in filter(None, map(str.strip, lines)):
        # A full path is fine if it leads into the folder.
        name = os.path.relpath(os.path.join(root, line), root)
        try:
            contained_path(root, Path(name).as_posix(), path)
        except ValueError as error:
            raise ValueError(f'{error}; --root names the folder of the images') from error
        names.add(Path(name).as_posix())
    return ImageSource(list(names), root)


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith('.')

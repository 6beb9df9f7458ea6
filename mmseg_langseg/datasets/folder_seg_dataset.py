"""A labelled folder of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class FolderSegDataset(BaseSegDataset):
    """Images, label maps of the same stem, and a text file with one class name per line.

    Label maps hold the index of the line, counted from 0, and 255 where nothing is labelled.

    Args:
        classes: Text file with the class names (relative to ``data_root`` if not absolute), or the
            names themselves.
        data_root: Folder that the prefixes are relative to.
        data_prefix: Folders of images (``img_path``) and label maps (``seg_map_path``).
        **kwargs: See ``BaseSegDataset``.

    Raises:
        FileNotFoundError: The class file or the image folder does not exist.
        ValueError: There is no class name, an empty one, one twice, or no image.
    """

    def __init__(
        self,
        classes: str | Sequence[str],
        data_root: str | None = None,
        data_prefix: dict | None = None,
        **kwargs,
    ) -> None:
        if isinstance(classes, str):
            source = Path(data_root or '.') / classes
            names = _read_names(source)
        else:
            source, names = 'classes', list(classes)
        _check_names(names, source)
        super().__init__(
            metainfo=dict(classes=names),
            data_root=data_root,
            data_prefix=data_prefix or dict(img_path='images', seg_map_path='labels'),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List the samples; an empty folder is an error."""
        folder = Path(self.data_prefix['img_path'])
        if not folder.is_dir():
            raise FileNotFoundError(f'image folder {folder} does not exist')
        data_list = super().load_data_list()
        if not data_list:
            raise ValueError(f'no image *{self.img_suffix} in {folder}')
        return data_list


def _read_names(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(
            f'class file {path} does not exist; expected one class name per line'
        )
    return [line.strip() for line in path.read_text(encoding='utf-8').rstrip().splitlines()]


def _check_names(names: list[str], source: object) -> None:
    if not names:
        raise ValueError(f'{source} holds no class name')
    if '' in names:
        raise ValueError(f'{source}: class {names.index("")} (counted from 0) has an empty name')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'{source} names these classes twice: {twice}')

"""Dataset of images with class-agnostic masks."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

import mmengine
import mmengine.fileio as fileio
import numpy as np
import torch
from mmengine.dataset import force_full_init
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmseg_langseg._random import generator_states, set_generator_states
from mmseg_langseg.fileio import (
    IMAGE_SUFFIXES,
    BadFileError,
    FeatureFileError,
    MaskFileError,
    RemoteTarBackend,
    check_url,
    contained_path,
)

from .shards import split_into_shards


@DATASETS.register_module()
class UnlabeledMaskDataset(BaseSegDataset):
    """Dataset of images with class-agnostic masks in SA-1B's JSON format.

    ::

        data_root/
          images/a/1.jpg      subfolders of any depth, the same in both trees;
          masks/a/1.json      both prefixes may be the same folder, as in SA-1B's tars
          features/a/1.npy    optional: precomputed dense CLIP features

    Tars need not be unpacked: with ``data_root='tar://data/sa1b'`` every tar in this folder acts as
    a folder of the same name, see :class:`TarBackend`; with ``data_root='tar+s3://bucket/sa1b'``
    the tars are in a remote storage, see :class:`RemoteTarBackend`.

    Files are listed and paired before training starts; their content is checked when a sample is
    loaded. Use ``LoadUnlabeledImage``, ``LoadUnlabeledMasks`` (or ``LoadRegionMap`` for region
    maps, with ``mask_suffix='.png'``) and ``LoadCLIPFeatures`` to load them.

    Args:
        data_root: Folder that the prefixes are relative to.
        data_prefix: Folders of images (``img_path``), mask files (``mask_path``) and feature files
            (``feature_path``). Without ``mask_path`` the samples have no masks (for masks that are
            generated during training), without ``feature_path`` no features.
        ann_file: Text file that lists the images to use, one path per line, relative to the image
            folder, with or without the suffix (the first of ``img_suffix``); duplicates are
            ignored. Empty: all images that are not hidden.
        img_suffix: Suffix or suffixes of the images, in upper or lower case.
        mask_suffix: Suffix of the mask files.
        on_bad_file: 'skip' replaces a sample with unusable files by a random one, logs each such
            file once, and counts them in ``num_skipped``; 'stop' raises an error.
        **kwargs: See ``BaseSegDataset``.

    Raises:
        FileNotFoundError: A folder or the list does not exist.
        OSError: A folder cannot be listed.
        MaskFileError: An image has no mask file (with 'stop'), or no image has one.
        FeatureFileError: The same for feature files.
        BadFileError: Images with the same stem would share a file (with 'stop'), or a tar is
            damaged.
        ValueError: There is no image to use, the list contains a path outside the image folder, a
            URL has a scheme that cannot be read, or ``on_bad_file`` is unknown.
    """

    def __init__(
        self,
        data_root: str | None = None,
        data_prefix: dict | None = None,
        ann_file: str = '',
        img_suffix: str | Sequence[str] = IMAGE_SUFFIXES,
        mask_suffix: str = '.json',
        on_bad_file: str = 'skip',
        **kwargs,
    ) -> None:
        if on_bad_file not in ('skip', 'stop'):
            raise ValueError(f"on_bad_file should be 'skip' or 'stop', got {on_bad_file!r}")
        self.mask_suffix = mask_suffix
        self.on_bad_file = on_bad_file
        # One flag per sample, shared with the data loader's worker processes.
        self._bad = torch.zeros(0, dtype=torch.bool)
        self._num_unpaired = 0
        suffixes = (img_suffix,) if isinstance(img_suffix, str) else img_suffix
        data_prefix = data_prefix or dict(img_path='images', mask_path='masks')
        if 'backend' not in (kwargs.get('backend_args') or {}):
            for path in (data_root, ann_file, *data_prefix.values()):
                check_url(path or '')
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix,
            ann_file=ann_file,
            img_suffix=tuple(suffix.lower() for suffix in suffixes),
            **kwargs,
        )

    @property
    def num_skipped(self) -> int:
        """Number of unusable samples found so far by this process and its workers."""
        return self._num_unpaired + int(self._bad.sum())

    @force_full_init
    def skipped_files(self) -> list[str]:
        """Return the images whose files could not be loaded so far."""
        return [self.get_data_info(i)['img_path'] for i in self._bad.nonzero().flatten().tolist()]

    def full_init(self) -> None:
        """List the files, see ``BaseDataset``."""
        if self._fully_initialized:
            return
        super().full_init()
        self._bad = torch.zeros(len(self), dtype=torch.bool).share_memory_()

    def load_data_list(self) -> list[dict]:
        """List the images with complete mask and feature files.

        Returns:
            Dicts of ``img_path``, ``mask_path`` and ``feature_path`` (``None`` without such
            files) and ``seg_fields``, sorted by image path.
        """
        img_dir = self.data_prefix['img_path']
        mask_dir = self.data_prefix.get('mask_path')
        feature_dir = self.data_prefix.get('feature_path')
        images = self._listed_images() if self.ann_file else self._list(img_dir, self.img_suffix)
        if not images:
            source = self.ann_file or f'{img_dir} (suffixes {", ".join(self.img_suffix)})'
            raise ValueError(f'no image in {source}')
        images = sorted(set(images))
        if mask_dir is not None or feature_dir is not None:
            images = self._drop_namesakes(images)
        images = self._drop_unpaired(images, mask_dir, self.mask_suffix, 'mask', MaskFileError)
        images = self._drop_unpaired(images, feature_dir, '.npy', 'feature', FeatureFileError)
        return [
            dict(
                img_path=fileio.join_path(img_dir, image),
                mask_path=self._partner(image, mask_dir, self.mask_suffix),
                feature_path=self._partner(image, feature_dir, '.npy'),
                seg_fields=[],
            )
            for image in images
        ]

    def prepare_data(self, idx: int) -> dict | None:
        """Run the pipeline on one sample.

        Returns:
            The sample; with 'skip' ``None`` if its files cannot be used, so that the dataset
            takes another one.

        Raises:
            BadFileError: With 'stop': a file cannot be used; the message names it.
        """
        if self._bad[idx]:
            return None
        states = generator_states()
        try:
            return super().prepare_data(idx)
        except BadFileError as error:
            if self.on_bad_file == 'stop':
                raise
            self._bad[idx] = True
            self._warn(f'skipped a sample, {self.num_skipped} so far of {len(self)}: {error}')
            if self._bad.all():
                raise ValueError(
                    f'all {len(self)} samples of {self.data_prefix["img_path"]} are unusable; '
                    f'the last error: {error}'
                ) from error
            # The choice of another sample may not depend on which process finds this one first.
            set_generator_states(states)
            return None

    @force_full_init
    def shards(self) -> list[np.ndarray]:
        """Return the samples of each tar, or of each folder of images outside tars.

        Returns:
            int64 arrays of indices, in the order in which the images are stored in the tar, or
            sorted by name.
        """
        backend = self._backend(self.data_prefix['img_path'])
        return split_into_shards(
            lambda index: self.get_data_info(index)['img_path'], len(self), backend
        )

    @force_full_init
    def prefetch_files(self, indices: Sequence[int]) -> None:
        """Read the files of a batch at once if they are in a remote storage.

        Args:
            indices: Samples that the same process loads next.
        """
        files: dict[RemoteTarBackend, list[str]] = defaultdict(list)
        for info in map(self.get_data_info, indices):
            for key in ('img_path', 'mask_path', 'feature_path'):
                backend = self._backend(info[key]) if info[key] else None
                if isinstance(backend, RemoteTarBackend):
                    files[backend].append(info[key])
        for backend, paths in files.items():
            backend.prefetch(paths)

    def _backend(self, path: str) -> fileio.BaseStorageBackend:
        """Return the file backend that the transforms use for a path as well."""
        return fileio.get_file_backend(path, backend_args=self.backend_args, enable_singleton=True)

    def _listed_images(self) -> list[str]:
        """Read the image names in ``ann_file``, adding missing suffixes."""
        if not fileio.isfile(self.ann_file, self.backend_args):
            raise FileNotFoundError(f'image list {self.ann_file} does not exist')
        try:
            lines = mmengine.list_from_file(self.ann_file, backend_args=self.backend_args)
        except UnicodeDecodeError as error:
            raise ValueError(f'image list {self.ann_file} is not UTF-8 text') from error
        names = [line.strip().removeprefix('\ufeff') for line in lines if line.strip()]
        for name in names:
            contained_path(self.data_prefix['img_path'], name, self.ann_file)
        return [name if self._suffix_of(name) else name + self.img_suffix[0] for name in names]

    def _drop_namesakes(self, images: list[str]) -> list[str]:
        """Keep the first of the images that differ only in their suffix.

        They would share their files, which ``tools/generate_masks.py`` generates for the first.
        """
        first: dict[str, str] = {}
        for image in images:
            first.setdefault(self._stem(image), image)
        if len(first) == len(images):
            return images
        dropped = sorted(set(images) - set(first.values()))
        message = (
            f'{len(dropped)} of {len(images)} images have the same stem as another image and would '
            f'share its files, the first: {", ".join(dropped[:3])}'
        )
        if self.on_bad_file == 'stop':
            raise BadFileError(message)
        self._num_unpaired += len(dropped)
        self._warn(f'{message}; they are skipped')
        return list(first.values())

    def _drop_unpaired(
        self, images: list[str], folder: str | None, suffix: str, kind: str, error: type
    ) -> list[str]:
        """Keep the images that have a file with the same stem in a folder (if there is one)."""
        if folder is None:
            return images
        files = set(self._list(folder, suffix.lower()))
        unpaired = [image for image in images if self._stem(image) + suffix not in files]
        if not unpaired:
            return images
        message = (
            f'{len(unpaired)} of {len(images)} images have no {kind} file in {folder}, '
            f'the first: {", ".join(unpaired[:3])}'
        )
        if self.on_bad_file == 'stop' or len(unpaired) == len(images):
            raise error(message)
        self._num_unpaired += len(unpaired)
        self._warn(f'{message}; they are skipped')
        dropped = set(unpaired)
        return [image for image in images if image not in dropped]

    def _list(self, folder: str, suffix: str | tuple[str, ...]) -> list[str]:
        """List the files in a folder with a suffix (in lower case), recursively.

        Hidden files and folders are left out.
        """
        if not fileio.isdir(folder, self.backend_args):
            raise FileNotFoundError(
                f'folder {folder} does not exist; data_root is {self.data_root!r}'
            )
        try:
            names = fileio.list_dir_or_file(
                folder, list_dir=False, recursive=True, backend_args=self.backend_args
            )
            # mmengine leaves out hidden files, but not the files in hidden folders.
            return [
                name
                for name in names
                if name.lower().endswith(suffix) and not name.startswith('.') and '/.' not in name
            ]
        except OSError as error:
            reason = f'{folder} cannot be listed completely ({error.strerror})'
            raise OSError(error.errno, reason, error.filename) from error

    def _partner(self, image: str, folder: str | None, suffix: str) -> str | None:
        """Return the path of the mask or feature file of an image."""
        return None if folder is None else fileio.join_path(folder, self._stem(image) + suffix)

    def _stem(self, image: str) -> str:
        return image[: -len(self._suffix_of(image))]

    def _suffix_of(self, name: str) -> str:
        found = next((s for s in self.img_suffix if name.lower().endswith(s)), '')
        return name[len(name) - len(found) :]

    @staticmethod
    def _warn(message: str) -> None:
        print_log(message, logger='current', level=logging.WARNING)

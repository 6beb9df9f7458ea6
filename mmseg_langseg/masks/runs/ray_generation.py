"""Generation of mask files on a Ray cluster."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmseg_langseg.fileio import ImageSource, open_image_source
from mmseg_langseg.masks.generators import MaskGenerator

from .mask_run import MaskRun
from .mask_worker import MaskWorker, read_images
from .shard_report import ShardReport

# Times that images are given to a new worker after theirs has died.
_RETRIES = 2
# One batch waits while another one is processed, so that no worker waits for this process.
_BATCHES_PER_WORKER = 2


def generate_masks_on_ray(
    source: ImageSource,
    out: str | os.PathLike,
    build: Callable[[], MaskGenerator],
    generator_name: str,
    file_format: str = 'sa1b',
    workers: int = 1,
    gpus_per_worker: int = 0,
    progress: bool = True,
) -> ShardReport:
    """Generate the files of :func:`generate_masks` with workers on the connected Ray cluster.

    Actors read the images and call :class:`MaskWorker`; one that dies is replaced, and its images
    are processed again. This process writes the files and the manifest, which are
    byte-identical to those of :func:`generate_masks`, and resumes in the same way.

    Args:
        source: The images; every machine needs them under the same path.
        out: Output folder, which only this machine needs.
        build: Builds the mask generator, once in each actor.
        generator_name: Its name, for the manifest.
        file_format: 'sa1b' (JSON) or 'regions' (16-bit PNG).
        workers: Number of actors. Those that the cluster has no room for yet start later.
        gpus_per_worker: GPUs of each actor; each also takes one CPU.
        progress: Show a progress bar.

    Raises:
        ImportError: Ray is not installed.
        ValueError: See :func:`generate_masks`.
        OSError: A file cannot be written; the message names it.
        RuntimeError: Workers died repeatedly on the same images; the message names them.
    """
    pool = _Pool(source, build, file_format, workers, gpus_per_worker)
    try:
        settings, packages, batch_size = pool.start()
        compute = functools.partial(pool.compute, batch_size=batch_size)
        run = MaskRun(source, out, file_format, (0, 1), compute)
        settings = dict(generator=generator_name, **settings)
        # All images at once: the pool divides them into batches.
        everything = len(source.names)
        return run.run(out, settings, packages, generator_name, everything, progress)
    finally:
        pool.close()


class _Pool:
    """Actors that get batches of images as soon as they are free."""

    def __init__(
        self,
        source: ImageSource,
        build: Callable[[], MaskGenerator],
        file_format: str,
        workers: int,
        gpus_per_worker: int,
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise ImportError(
                "this needs the package ray: pip install 'mmseg_langseg[ray]'"
            ) from error
        self.ray = ray
        tar = source.archive is not None
        place = Path(source.archive.name) if tar else source.root
        actor = ray.remote(
            num_cpus=1, num_gpus=gpus_per_worker, max_restarts=-1, max_task_retries=_RETRIES
        )(_Actor)
        arguments = os.getcwd(), place, tar, build, file_format
        self.actors = [actor.remote(*arguments) for _ in range(workers)]
        self.starting: dict[Any, Any] = {}

    def start(self) -> tuple[dict[str, Any], tuple[str, ...], int]:
        """Wait for the first actor; return settings, packages and batch size of its generator."""
        self.starting = {actor.describe.remote(): actor for actor in self.actors}
        return self._get(self._wait(self.starting), 'building the mask generator')

    def compute(self, names: list[str], batch_size: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of each batch as soon as they are ready."""
        batches = [names[first : first + batch_size] for first in range(0, len(names), batch_size)]
        batches.reverse()
        running: dict[Any, tuple[Any, list[str]]] = {}
        while batches or running:
            ready = self._wait({**running, **self.starting})
            if ready in self.starting:
                actor = self.starting.pop(ready)
                self._get(ready, 'building the mask generator')
                rows, room = None, _BATCHES_PER_WORKER
            else:
                actor = running[ready][0]
                names = [n for other, batch in running.values() if other is actor for n in batch]
                rows, room = self._get(ready, f'processing {", ".join(names)}'), 1
                del running[ready]
            for batch in [batches.pop() for _ in range(min(room, len(batches)))]:
                running[actor.process.remote(batch)] = actor, batch
            if rows is not None:
                yield rows

    def close(self) -> None:
        """End the actors."""
        for actor in self.actors:
            self.ray.kill(actor)

    def _wait(self, references: dict) -> Any:
        return self.ray.wait(list(references))[0][0]

    def _get(self, reference: Any, doing: str) -> Any:
        """Return a result, or raise the error of the worker itself."""
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self.ray.exceptions.RayActorError as error:
            raise RuntimeError(
                f'a worker died {_RETRIES + 1} times, the last time while {doing}; '
                'has its machine enough memory?'
            ) from error


class _Actor:
    """Reads images and calls a :class:`MaskWorker`, which it builds at its first use."""

    def __init__(
        self,
        folder: str,
        place: Path,
        tar: bool,
        build: Callable[[], MaskGenerator],
        file_format: str,
    ) -> None:
        self.folder = folder
        self.place = place
        self.tar = tar
        self.build = build
        self.file_format = file_format

    @functools.cached_property
    def worker(self) -> MaskWorker:
        # Relative paths, which messages name, are those of the process that started the run.
        os.chdir(self.folder)
        return MaskWorker(self.build(), self.file_format)

    @functools.cached_property
    def source(self) -> ImageSource:
        # The names of the images are known: only a tar has to be searched again.
        return open_image_source(self.place) if self.tar else ImageSource([], self.place)

    def describe(self) -> tuple[dict[str, Any], tuple[str, ...], int]:
        generator = self.worker.generator
        return self.worker.settings, generator.packages, generator.batch_size

    def process(self, names: list[str]) -> list[dict[str, Any]]:
        worker = self.worker
        return worker(read_images(self.source, names))

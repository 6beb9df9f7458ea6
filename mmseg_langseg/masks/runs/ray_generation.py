"""Generation of mask files on a Ray cluster."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmseg_langseg.fileio import ImageSource, open_image_source
from mmseg_langseg.masks.generators import MaskGenerator

from .mask_run import MaskRun
from .mask_worker import MaskWorker, read_images
from .shard_report import ShardReport

# Times that images are given to another worker after theirs has died.
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

    Actors read the images and call :class:`MaskWorker`. One that dies, alone or with its machine,
    is replaced, and the next free actor processes its images again. This process writes the files
    and the manifest, which are byte-identical to those of :func:`generate_masks`, and resumes in
    the same way.

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
        # Ray itself repeats calls only on the same actor, which may find no room again, for example
        # if its machine is gone.
        actor = ray.remote(num_cpus=1, num_gpus=gpus_per_worker, max_restarts=0)(_Actor)
        self.new_actor = functools.partial(
            actor.remote, os.getcwd(), place, tar, build, file_format
        )
        self.actors: dict[int, Any] = {}
        # Number of the actor and its batch; None: it starts. The oldest calls are the first.
        self.calls: dict[Any, tuple[int, list[str] | None]] = {}
        self.waiting: list[list[str]] = []
        # In a row, by the first image of a batch, or by the number of an actor that starts.
        self.deaths: Counter[str | int] = Counter()
        for number in range(workers):
            self._start(number)

    def start(self) -> tuple[dict[str, Any], tuple[str, ...], int]:
        """Wait for the first actor; return settings, packages and batch size of its generator."""
        return next(self._results())[1]

    def compute(self, names: list[str], batch_size: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of each batch as soon as they are ready."""
        batches = [names[first : first + batch_size] for first in range(0, len(names), batch_size)]
        self.waiting = batches[::-1]
        self._distribute()
        left = len(batches)
        results = self._results()
        while left:
            batch, rows = next(results)
            if batch is not None:
                left -= 1
                yield rows

    def close(self) -> None:
        """End the actors."""
        for actor in self.actors.values():
            self.ray.kill(actor)

    def _start(self, number: int) -> None:
        self.actors[number] = actor = self.new_actor()
        self.calls[actor.describe.remote()] = number, None

    def _distribute(self) -> None:
        """Give waiting batches to the actors that have started."""
        load = Counter(number for number, _ in self.calls.values())
        starting = {number for number, batch in self.calls.values() if batch is None}
        for room in range(_BATCHES_PER_WORKER):
            for number in self.actors.keys() - starting:
                if self.waiting and load[number] == room:
                    batch = self.waiting.pop()
                    self.calls[self.actors[number].process.remote(batch)] = number, batch
                    load[number] += 1

    def _results(self) -> Iterator[tuple[list[str] | None, Any]]:
        """Yield each batch with its rows, and None with the description of each new actor."""
        while True:
            ready = self.ray.wait(list(self.calls))[0][0]
            number, batch = self.calls[ready]
            try:
                result = self.ray.get(ready)
            except self.ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except self.ray.exceptions.RayError as error:
                self._replace(number, error)
            else:
                del self.calls[ready]
                self.deaths.pop(_key(number, batch), None)
                self._distribute()
                yield batch, result

    def _replace(self, number: int, error: Exception) -> None:
        """Start an actor in place of a dead one; other actors may take its batches."""
        calls = [call for call, (owner, _) in self.calls.items() if owner == number]
        batches = [self.calls.pop(call)[1] for call in calls]
        # It died while working on the oldest.
        images = batches[0]
        key = _key(number, images)
        self.deaths[key] += 1
        if self.deaths[key] > _RETRIES:
            doing = f'processing {", ".join(images)}' if images else 'building the mask generator'
            reason = (str(error).strip() or repr(error)).splitlines()[-1].strip()
            raise RuntimeError(
                f'a worker died {_RETRIES + 1} times, the last time while {doing}; '
                f'has its machine enough memory, and all packages? Ray: {reason}'
            ) from error
        self.waiting.extend(batch for batch in reversed(batches) if batch)
        # Ray may only have lost the connection.
        self.ray.kill(self.actors[number])
        self._start(number)
        self._distribute()


def _key(number: int, batch: list[str] | None) -> str | int:
    return batch[0] if batch else number


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

"""Record of a test: metrics, speed, memory, and what they depend on."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmseg_langseg.engine.peak_memory import peak_memory, reset_peak_memory
from mmseg_langseg.fileio import write_whole_file

from .unwrap import unwrap_model


@HOOKS.register_module()
class TestRecordHook(Hook):
    """Write a JSON file at the end of a test.

    It holds ``metrics``; ``images_per_second`` over the whole test of all processes, with loading;
    ``peak_memory_mib``, on a GPU the memory allocated there, on a CPU the resident memory of the
    main process; ``num_images``; ``vocabulary`` and ``templates``, hashes of the embedded words and
    of the prompt templates, with ``num_classes``; and the values given.

    Args:
        path: File to write.
        record: Further values for the file.
    """

    # After hooks that prepare the test, whose time does not count.
    priority = 'VERY_LOW'
    __test__ = False  # not a test for pytest

    def __init__(self, path: str, record: dict[str, Any] | None = None) -> None:
        self.path = path
        self.record = dict(record or {})
        self._images = 0
        self._start = 0.0

    def before_test_epoch(self, runner: Runner) -> None:
        """Start measuring."""
        self._images = 0
        reset_peak_memory(get_device())
        self._start = time.perf_counter()

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Count the images of a batch."""
        self._images += len(outputs or ())

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the file, in the main process."""
        seconds = time.perf_counter() - self._start
        images = torch.tensor(float(self._images))
        all_reduce(images)
        if not is_main_process():
            return
        record = dict(
            self.record,
            metrics={name: float(value) for name, value in (metrics or {}).items()},
            num_images=int(images),
            seconds=seconds,
            images_per_second=float(images) / seconds,
            peak_memory_mib=peak_memory(get_device()),
            **_words(runner),
        )
        write_whole_file(self.path, json.dumps(record, indent=2).encode())


def _words(runner: Runner) -> dict[str, Any]:
    """Return hashes of vocabulary and templates of a language segmentor."""
    head = unwrap_model(runner.model, 'decode_head', TestRecordHook.__name__).decode_head
    vocabulary = getattr(head, 'vocabulary', None)
    if vocabulary is None:
        return {}
    return dict(
        vocabulary=_hash([*map(list, zip(vocabulary.row_classes, vocabulary.rows, strict=True))]),
        templates=_hash(head.templates),
        num_classes=vocabulary.num_classes,
    )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]

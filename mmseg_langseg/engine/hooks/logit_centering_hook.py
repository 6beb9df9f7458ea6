"""Per-class logit centering with mean logits over unlabeled images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS
from torch.utils.data import Subset

from .unwrap import unwrap_model


@HOOKS.register_module()
class LogitCenteringHook(Hook):
    """Subtract from each class its mean logit over unlabeled *training* images before a test.

    A label-free calibration applicable to any zero-shot model, hence a baseline that methods must
    be compared with: classes with a text embedding close to every image no longer win everywhere.

    Args:
        dataset: Config of the images: a *training* split with a test pipeline. Labels are not read.
        num_images: Number of images for the means, from the start of the dataset.
        batch_size: Images per batch.
    """

    # After DatasetVocabularyHook, which sets the classes.
    priority = 'LOW'

    def __init__(self, dataset: dict, num_images: int = 256, batch_size: int = 16) -> None:
        self.dataset = dataset
        self.num_images = num_images
        self.batch_size = batch_size

    def before_test(self, runner: Runner) -> None:
        """Compute the mean logits and set the logit offset of the model."""
        model = unwrap_model(runner.model, 'decode_head', type(self).__name__)
        dataset = DATASETS.build(self.dataset)
        images = Subset(dataset, range(min(self.num_images, len(dataset))))
        loader = Runner.build_dataloader(
            dict(
                dataset=images,
                batch_size=self.batch_size,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
                collate_fn=dict(type='pseudo_collate'),
            )
        )
        model.eval()
        head = model.decode_head
        head.set_logit_offset(torch.zeros_like(head.logit_offset))
        total = torch.zeros(head.num_classes, dtype=torch.float64, device=head.logit_offset.device)
        count = torch.zeros(1, dtype=torch.float64, device=total.device)
        with torch.no_grad():
            for data in (part for batch in loader for part in _same_size(batch)):
                data = model.data_preprocessor(data, False)
                metas = [sample.metainfo for sample in data['data_samples']]
                logits = model.inference(data['inputs'], metas)
                total += logits.double().mean((2, 3)).sum(0)
                count += len(logits)
        all_reduce(total)
        all_reduce(count)
        head.set_logit_offset(total / count)
        runner.logger.info(
            f'Logits centered on {int(count)} unlabeled images of {type(dataset).__name__}.'
        )


def _same_size(batch: dict) -> Iterator[dict]:
    """Split a batch by image size, as padding would count as image content."""
    groups = defaultdict(list)
    for index, image in enumerate(batch['inputs']):
        groups[image.shape].append(index)
    for indices in groups.values():
        yield {key: [values[index] for index in indices] for key, values in batch.items()}

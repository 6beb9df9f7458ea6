"""Images of flat colors, one per class, and a segmentor whose embeddings are the colors."""

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.structures import SegDataSample
from torch import nn
from torch.utils.data import DataLoader, Dataset

COLORS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])


class Colors(Dataset):
    """Dataset: left half one color, right half the next; the upper rows have no label."""

    metainfo = dict(classes=('red', 'green', 'blue'))
    ann_file = 'colors'
    data_prefix = dict()

    def __init__(self, count=6, labeled=True):
        self.count, self.labeled = count, labeled

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        classes = torch.arange(index, index + 2) % 3
        label = classes.repeat_interleave(8).expand(16, 16).clone()
        image = COLORS[label].permute(2, 0, 1).contiguous()
        label[:2] = 255
        sample = SegDataSample(metainfo=dict(ori_shape=(16, 16), img_shape=(16, 16)))
        if self.labeled:
            sample.gt_sem_seg = PixelData(data=label[None])
        return dict(inputs=image, data_samples=sample)


def collate(items):
    return {key: [item[key] for item in items] for key in items[0]}


def color_loader(**options):
    """Return a data loader with batches of two images."""
    return DataLoader(Colors(**options), batch_size=2, collate_fn=collate)


class ColorEncoder(EncoderDecoder):
    """Encoder that returns the mean color of each 2x2 block of pixels, not normalized."""

    def __init__(self):
        nn.Module.__init__(self)
        self.align_corners = False

    def data_preprocessor(self, batch, training):
        assert not training
        return dict(inputs=torch.stack(batch['inputs']), data_samples=batch['data_samples'])

    def extract_feat(self, inputs):
        return (7 * F.avg_pool2d(inputs, 2),)

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_langseg.datasets import PackMaskInputs, StrongView
from mmseg_langseg.models.utils.batch_strong_view import BatchStrongView
from tests.distributed import run_processes

OFF = dict(jitter_prob=0.0, gray_prob=0.0, blur_prob=0.0, cutout_prob=0.0)


@pytest.fixture(autouse=True)
def seeds():
    np.random.seed(0)
    torch.manual_seed(0)


def picture(height=32, width=40):
    """BGR image (H, W, 3) with colors and edges, without black."""
    rng = np.random.default_rng(3)
    small = rng.integers(20, 236, (height // 4, width // 4, 3))
    return small.repeat(4, 0).repeat(4, 1).astype(np.uint8)


def to_tensor(image):
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def statistics(image):
    """Statistics that the steps change: colors, saturation, contrast, sharpness, cutout."""
    values = image.astype(float)
    black = (image == 0).all(2)
    free = values[~black]
    steps = np.abs(np.diff(values, axis=1))[~(black[:, 1:] | black[:, :-1])]
    return [
        *free.mean(0),
        np.ptp(free, axis=1).mean(),
        free.mean(1).std(),
        steps.mean(),
        float(np.ptp(free, axis=1).max() <= 1),
        float((steps == 0).mean() > 0.5),
        black.mean(),
        np.nonzero(black)[0].mean() if black.any() else 0,
        np.nonzero(black)[1].mean() if black.any() else 0,
    ]


@pytest.mark.parametrize(
    'kwargs',
    [
        {},
        OFF | dict(jitter_prob=1.0),
        OFF | dict(blur_prob=1.0),
        OFF | dict(gray_prob=0.5, blur_prob=0.5),
    ],
)
def test_equal_in_distribution_to_the_view_of_the_loader(kwargs):
    image, draws = picture(), 400
    one = StrongView(**kwargs)
    many = BatchStrongView(**kwargs)
    loader = np.array(
        [statistics(one.transform(dict(img=image))['img_strong']) for _ in range(draws)]
    )
    batch = many([to_tensor(image)] * draws)
    device = np.array([statistics(view.permute(1, 2, 0).numpy()) for view in batch])
    error = np.sqrt((loader.var(0) + device.var(0)) / draws)
    # The blurs differ slightly: PIL uses box blurs and treats the border differently.
    difference = np.abs(loader.mean(0) - device.mean(0))
    assert (difference <= 4 * error + 0.01 * np.abs(loader.mean(0)) + 1e-6).all(), difference / (
        error + 1e-9
    )
    # Different border handling changes mean colors by less than one of 255 levels.
    slack = np.where(np.arange(loader.shape[1]) < 6, 1.0, 0.05)
    one, other = loader.std(0), device.std(0)
    assert (np.abs(one - other) <= 0.25 * one + slack).all(), (one, other)


def test_without_any_step_it_is_a_copy():
    images = [to_tensor(picture()), to_tensor(picture(8, 12))]
    views = BatchStrongView(**OFF)(images)
    for image, view in zip(images, views, strict=True):
        assert torch.equal(image, view) and view.data_ptr() != image.data_ptr()


@pytest.mark.parametrize('bgr', [True, False])
def test_gray_is_that_of_the_loader(bgr):
    image = picture()
    expected = StrongView(**OFF | dict(gray_prob=1.0)).transform(dict(img=image))['img_strong']
    given = to_tensor(image if bgr else image[..., ::-1])
    (view,) = BatchStrongView(bgr=bgr, **OFF | dict(gray_prob=1.0))([given])
    assert np.abs(view.permute(1, 2, 0).numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize('erase', [True, False])
def test_the_cutout_leaves_the_masks_as_in_the_loader(erase):
    image, masks = picture(), torch.rand(3, 20, 24) < 0.7
    sample = SegDataSample()
    sample.set_field(masks, 'masks', dtype=torch.Tensor)
    before = masks.clone()
    (view,) = BatchStrongView(erase_cutout=erase, **OFF | dict(cutout_prob=1.0))(
        [to_tensor(image)], [sample]
    )
    rows, cols = np.nonzero((view == 0).all(0).numpy())
    box = cols.min(), rows.min(), cols.max() + 1, rows.max() + 1
    expected = before.clone()
    if erase:
        pack = PackMaskInputs(mask_size=(20, 24))
        y = np.arange(20) * 32 // 20
        x = np.arange(24) * 40 // 24
        for i, j in np.ndindex(pack.mask_size):
            if box[1] <= y[i] < box[3] and box[0] <= x[j] < box[2]:
                expected[:, i, j] = False
        assert (expected != before).any()
    assert torch.equal(sample.masks, expected) and torch.equal(masks, before)


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (2, 3)])
def test_tiny_images(size):
    image = torch.full((3, *size), 9, dtype=torch.uint8)
    for view in BatchStrongView(blur_prob=1.0)([image] * 5):
        assert view.shape == image.shape and (view == 0).any()


def test_the_preprocessor_makes_it_if_asked():
    images = [to_tensor(picture()), to_tensor(picture())]
    samples = [SegDataSample() for _ in images]
    build = dict(type='CLIPDataPreProcessor', input_size=(16, 16))
    batch = dict(inputs=dict(weak=images), data_samples=samples)
    with pytest.raises(ValueError, match='lacks the strong view'):
        MODELS.build(build)(batch, True)
    off = MODELS.build(build | dict(strong_view=OFF))(batch, True)['inputs']
    assert torch.equal(off['weak'], off['strong'])
    on = MODELS.build(build | dict(strong_view={}))(batch, True)['inputs']
    assert torch.equal(on['weak'], off['weak']) and not torch.equal(on['weak'], on['strong'])
    both = dict(inputs=dict(weak=images, strong=images), data_samples=samples)
    with pytest.raises(ValueError, match="take 'StrongView' out of the pipeline"):
        MODELS.build(build | dict(strong_view={}))(both, True)


def distort(rank, seed):
    torch.manual_seed(seed)
    np.random.seed(seed)
    views = BatchStrongView()
    batches = [torch.stack(views([to_tensor(picture())] * 3)) for _ in range(2)]
    return torch.cat(batches), torch.rand(2), np.random.rand()


@pytest.mark.multiprocess
def test_processes_of_one_seed_distort_differently():
    (views, *after), (others, *other_after) = run_processes(distort, 2, 7)
    assert all(not torch.equal(one, other) for one, other in zip(views, others, strict=True))
    # All six of a process differ too, and the process's global generators are unchanged.
    assert len({view.numpy().tobytes() for view in views}) == 6
    for draws in (after, other_after):
        torch.manual_seed(7)
        assert torch.equal(draws[0], torch.rand(2))
        np.random.seed(7)
        assert draws[1] == np.random.rand()
    again = distort(0, 7)[0]
    assert torch.equal(again, views) and not torch.equal(distort(0, 8)[0], views)

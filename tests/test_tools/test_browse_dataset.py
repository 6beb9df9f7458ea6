import cv2
import numpy as np
import pytest
import torch

from mmseg_langseg.datasets.transforms.random_view import ViewGeometry, view_matrix
from mmseg_langseg.masks.formats import write_region_map
from tests.scripts import ROOT, load_script


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/analysis_tools/browse_dataset.py')


def pictures(tool, monkeypatch, tmp_path, config, *arguments):
    """Collect the images of each sample before they are joined, and the files."""
    seen = []
    join = tool._join
    monkeypatch.setattr(tool, '_join', lambda cells: seen.append(cells) or join(cells))
    tool.main([str(ROOT / config), str(tmp_path / 'out'), *arguments])
    return seen, sorted((tmp_path / 'out').iterdir())


def test_samples_with_masks(tool, monkeypatch, tmp_path, capsys):
    config = 'configs/pixelclip/resnet_synthetic.py'
    seen, files = pictures(tool, monkeypatch, tmp_path, config, '--max', '2')
    assert '2 samples drawn' in capsys.readouterr().out
    assert [path.name for path in files] == ['0000_train_000000.png', '0001_train_000001.png']
    for (weak, painted, strong), path in zip(seen, files, strict=True):
        assert weak.shape == painted.shape == strong.shape == (64, 64, 3)
        assert (weak != painted).any() and (painted != strong).any()
        assert cv2.imread(str(path)).shape == (320, 3 * 320 + 2 * 4, 3)
    first = files[0].read_bytes()
    # Samples do not depend on earlier samples, nor runs on earlier runs.
    tool.main([str(ROOT / config), str(tmp_path / 'out'), '--overwrite', '--max', '1'])
    assert files[0].read_bytes() == first
    tool.main(
        [str(ROOT / config), str(tmp_path / 'out'), '--overwrite', '--max', '1', '--seed', '5']
    )
    assert files[0].read_bytes() != first


def test_views_with_regions_of_photos(tool, monkeypatch, tmp_path):
    (tmp_path / 'data/images').mkdir(parents=True)
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = (255, 0, 0)
    cv2.imwrite(str(tmp_path / 'data/images/blue.png'), image)
    regions = np.zeros((40, 60), int)
    regions[:, 30:] = 1
    write_region_map(tmp_path / 'data/maps/blue.png', regions)
    dataset = 'train_dataloader.dataset.'
    options = [
        f'{dataset}data_root={tmp_path / "data"}',
        f'{dataset}data_prefix.img_path=images',
        f'{dataset}data_prefix.mask_path=maps',
        f'{dataset}mask_suffix=.png',
        f'{dataset}pipeline.2.transforms.0.crop_size=(48,48)',
    ]
    config = 'configs/clips4/r50_photos.py'
    ((whole, *views),), files = pictures(
        tool, monkeypatch, tmp_path, config, '--cfg-options', *options
    )
    assert [path.name for path in files] == ['0000_blue.png']
    assert whole.shape == (40, 60, 3) and len(views) == 4
    assert all(view.shape == (48, 48, 3) for view in views)
    # Loaded as BGR, drawn as RGB: the right half is blue, not red.
    assert whole[:, 40:].mean((0, 1)).argmax() == 2


def test_without_masks_regions_or_image(tool):
    from mmseg.structures import SegDataSample

    sample = SegDataSample()
    sample.set_field(torch.zeros(0, 4, 4, dtype=torch.bool), 'masks', dtype=torch.Tensor)
    weak = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    one, other = tool.draw_sample(dict(inputs=dict(weak=weak), data_samples=sample))
    assert np.array_equal(one, weak.permute(1, 2, 0).numpy()[..., ::-1])
    assert np.array_equal(one, other)
    sample.set_field(torch.eye(3)[None, :2], 'matrices', dtype=torch.Tensor)
    inputs = dict(views=weak[None], clip_features=torch.zeros(4, 2, 2))
    (view,) = tool.draw_sample(dict(inputs=inputs, data_samples=sample))
    assert np.array_equal(view, one)
    with pytest.raises(ValueError, match='neither'):
        tool.draw_sample(dict(inputs=weak, data_samples=sample))


@pytest.mark.parametrize('flip', [False, True])
def test_regions_are_mapped_back_to_the_image(tool, flip):
    regions = np.arange(6 * 8).reshape(6, 8)
    geometry = ViewGeometry(size=(12, 16), flip=flip, origin=(2, 4))
    big = regions.repeat(2, 0).repeat(2, 1)
    big = big[:, ::-1] if flip else big
    # Beyond row 12 and column 16 of the resized image, the view is padding.
    view = np.full((12, 8), -1)
    view[:10] = big[2:12, 4:12]
    matrix = view_matrix(geometry, (12, 8))
    found = tool.carry_back(view[None], matrix[None], (6, 8))
    expected = np.full_like(regions, -1)
    expected[1:, 2:6] = regions[1:, 2:6]
    assert np.array_equal(found, expected)
    # The second view adds the regions that it shows.
    whole = view_matrix(ViewGeometry((6, 8), False, (0, 0)), (6, 8))
    both = tool.carry_back(
        np.stack([np.full((6, 8), -1), regions]), np.stack([matrix, whole]), (6, 8)
    )
    assert np.array_equal(both, regions)


def test_frames_enclose_what_the_view_shows(tool):
    image = np.zeros((40, 60, 3), np.uint8)
    matrix = view_matrix(ViewGeometry((40, 60), False, (10, 20)), (20, 30))
    rows, cols = np.nonzero(tool.draw_frames(image, matrix[None]).any(2))
    assert abs(rows.min() - 10) <= 1 and abs(rows.max() - 29) <= 1
    assert abs(cols.min() - 20) <= 1 and abs(cols.max() - 49) <= 1


def test_other_pipelines_are_named(tool, tmp_path):
    with pytest.raises((OSError, RuntimeError, ValueError), match=r'Config file .* does not exist'):
        tool.main(['gone.py', str(tmp_path)])

"""Inference on many images: batches, rejection, contrast words, folders and videos."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.apis.image_inputs import image_inputs, number_of_images
from mmseg_langseg.apis.rejection import OTHER, Rejection, add_contrast
from mmseg_langseg.fileio import LangSegWarning
from mmseg_langseg.models.text_encoders import Vocabulary
from tests.scripts import ROOT

TEXTS = 'ring; cross, plus; star'
SIZES = [(64, 96), (40, 40), (33, 70), (64, 96), (20, 90)]


@pytest.fixture(scope='module')
def inferencer():
    cfg = Config.fromfile(ROOT / 'configs/pixelclip/resnet_synthetic.py')
    cfg.model.clip.pretrained = None
    torch.manual_seed(0)
    return LangSegInferencer(cfg, device='cpu')


@pytest.fixture(scope='module')
def squared():
    """A model whose preprocessing resizes all images to one size."""
    cfg = Config.fromfile(ROOT / 'configs/pixelclip/resnet_synthetic.py')
    cfg.model.clip.pretrained = None
    cfg.model.data_preprocessor.input_size = (64, 64)
    torch.manual_seed(0)
    return LangSegInferencer(cfg, device='cpu')


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number, (height, width) in enumerate(SIZES):
        path = tmp_path / 'photos' / ('a' if number % 2 else 'b') / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)
    return tmp_path / 'photos'


def equal(one, other):
    assert one.classes == other.classes and one.name == other.name
    assert np.array_equal(one.labels, other.labels)
    np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize('batch_size', [1, 2, 3, 8])
@pytest.mark.parametrize('model', ['inferencer', 'squared'])
def test_batches_change_nothing(model, batch_size, folder, request):
    segment = request.getfixturevalue(model)
    results = segment(folder, TEXTS, batch_size=batch_size)
    assert [r.name for r in results] == ['a/1.png', 'a/3.png', 'b/0.png', 'b/2.png', 'b/4.png']
    for result in results:
        single = segment(folder / result.name, TEXTS)
        assert single.name == result.name.split('/')[1]
        assert np.array_equal(result.labels, single.labels)
        assert result.labels.shape == result.image.shape[:2] == result.scores.shape


def test_images_of_different_sizes_share_a_batch_if_squared(squared, folder, monkeypatch):
    sizes, real = [], squared.model.extract_feat
    monkeypatch.setattr(
        squared.model, 'extract_feat', lambda images: sizes.append(len(images)) or real(images)
    )
    squared(folder, TEXTS, batch_size=4)
    assert sizes == [4, 1]


def test_a_vocabulary_per_image(inferencer, folder):
    files = [folder / 'b/0.png', folder / 'b/2.png']
    words = [Vocabulary.from_string('ring; star'), Vocabulary.from_string('cross; heart; sun')]
    results = inferencer(files, words, batch_size=2)
    assert [r.classes for r in results] == [('ring', 'star'), ('cross', 'heart', 'sun')]
    assert np.array_equal(results[1].labels, inferencer(files[1], 'cross; heart; sun').labels)
    with pytest.raises(ValueError, match='2 vocabularies for more images'):
        inferencer([*files, files[0]], words)


def test_streams_of_one_inferencer_do_not_mix(inferencer, folder):
    texts = ('ring; star', 'cross; heart; sun')
    alone = [inferencer(folder, words) for words in texts]
    streams = [inferencer.stream(folder, words) for words in texts]
    for results in zip(*alone, strict=True):
        for expected, stream in zip(results, streams, strict=True):
            equal(next(stream), expected)


def test_a_bad_image_is_reported_and_costs_nothing_else(inferencer, folder):
    (folder / 'b/1.jpg').write_bytes(b'no image')
    with pytest.warns(LangSegWarning, match=r"skipped: 'b/1.jpg' cannot be decoded"):
        assert len(inferencer(folder, TEXTS)) == 5
    with pytest.raises(ValueError, match=r"b/1.jpg' cannot be decoded"):
        inferencer(folder / 'b/1.jpg', TEXTS)
    with (
        pytest.warns(LangSegWarning, match='skipped'),
        pytest.raises(ValueError, match=r"No image can be read.*b/1.jpg'"),
    ):
        inferencer([folder / 'b/1.jpg'] * 2, TEXTS)
    bad = []
    results = inferencer(folder, TEXTS, on_bad_image=lambda *args: bad.append(args))
    assert len(results) == 5 and [name for name, _ in bad] == ['b/1.jpg']


def test_images_are_loaded_one_after_another(inferencer, folder):
    stream = inferencer.stream(folder, TEXTS)
    next(stream)
    for path in folder.rglob('b/*.png'):
        path.unlink()
    next(stream)
    with pytest.warns(LangSegWarning, match=r'skipped: .*b/0.png'):
        assert not list(stream)


class EndsEarly:
    """A video whose third frame cannot be decoded."""

    def __init__(self, path, real=cv2.VideoCapture):
        self.video, self.frames = real(path), 2

    def __getattr__(self, name):
        return getattr(self.video, name)

    def read(self):
        self.frames -= 1
        return self.video.read() if self.frames >= 0 else (False, None)


def test_a_video(inferencer, tmp_path, monkeypatch):
    path = str(tmp_path / 'clip.avi')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'MJPG'), 5, (64, 48))
    for value in (0, 120, 240):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    results = inferencer(path, TEXTS, batch_size=2)
    assert [r.name for r in results] == [f'clip/{n:06}.jpg' for n in (1, 2, 3)]
    assert [round(r.image.mean() / 120) for r in results] == [0, 1, 2]
    monkeypatch.setattr(cv2, 'VideoCapture', EndsEarly)
    with pytest.warns(LangSegWarning, match='announces 3 frames, of which the first 2'):
        assert [i.name for i in image_inputs(path)] == ['clip/000001.jpg', 'clip/000002.jpg']
    monkeypatch.undo()
    for name, error in (('gone.mp4', FileNotFoundError), ('text.mp4', ValueError)):
        (tmp_path / 'text.mp4').write_text('text')
        with pytest.raises(error, match=name):
            inferencer(tmp_path / name, TEXTS)


def test_rejected_pixels_are_other(inferencer, folder):
    image = folder / 'b/0.png'
    plain = inferencer(image, TEXTS, probabilities=True)
    threshold = float(np.median(plain.scores))
    result = inferencer(image, TEXTS, threshold=threshold)
    rejected = plain.scores < threshold
    assert result.classes == ('ring', 'cross', 'star', OTHER) and 0 < rejected.mean() < 1
    assert np.array_equal(result.labels == 3, rejected)
    assert np.array_equal(result.labels[~rejected], plain.labels[~rejected])
    margin = float(np.median(plain.margin))
    result = inferencer(image, TEXTS, min_margin=margin)
    assert np.array_equal(result.labels == 3, plain.margin < margin)
    ordered = np.sort(plain.probabilities.astype(np.float32), 0)
    np.testing.assert_allclose(plain.scores, ordered[-1], rtol=0, atol=1e-3)
    np.testing.assert_allclose(plain.margin, ordered[-1] - ordered[-2], rtol=0, atol=2e-3)


def test_one_class_competes_with_contrast_words(inferencer, folder):
    result = inferencer(folder / 'b/0.png', 'person', contrast=['sky', 'Person', 'star'])
    assert result.classes == ('person', OTHER)
    words = inferencer.model.decode_head.vocabulary.background
    assert words == (('sky',), ('star',))
    result = inferencer(folder / 'b/0.png', 'tree', threshold=0.5)
    assert result.classes == ('tree', OTHER)
    background = inferencer.model.decode_head.vocabulary.background
    assert 'tree' not in {word for row in background for word in row}
    with pytest.raises(ValueError, match="'sky' has no contrast word"):
        add_contrast(Vocabulary.from_string('sky'), ['SKY'])


def test_commas_without_semicolons_warn(inferencer, folder):
    with pytest.warns(LangSegWarning, match="'cat', 'dog', 'grass'.*one class.*[Ss]emicolons"):
        result = inferencer(folder / 'b/0.png', 'cat, dog, grass')
    assert result.classes == ('cat', OTHER)


def test_rejected_pixels_join_a_class_called_other(inferencer, folder):
    result = inferencer(folder / 'b/0.png', 'other; ring; star', threshold=1.0)
    assert result.classes == ('other', 'ring', 'star')
    assert (result.labels[result.scores < 1] == 0).all() and (result.scores < 1).any()


def test_thresholds_that_reject_every_pixel_warn():
    with pytest.warns(LangSegWarning, match=r'threshold=0\.9 rejects every pixel.*at most 0\.'):
        Rejection(threshold=0.9).check_reachable(100, 1.0)
    with pytest.warns(LangSegWarning, match='min_margin=0.9'):
        Rejection(min_margin=0.9).check_reachable(2, 0.5)
    Rejection(0.99, 0.99).check_reachable(100, 100.0)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(threshold=1.5), 'threshold is 1.5'),
        (dict(min_margin=-1), 'min_margin is -1'),
        (dict(threshold=float('nan')), 'threshold is nan'),
        (dict(batch_size=0), 'batch_size'),
    ],
)
def test_options_out_of_range_are_named(inferencer, folder, options, message):
    with pytest.raises(ValueError, match=message):
        inferencer(folder, TEXTS, **options)


def test_large_images_are_segmented_in_tiles(squared, folder):
    rgb = np.random.default_rng(1).integers(0, 256, (90, 150, 3), np.uint8)
    result = squared(rgb, TEXTS, tile_size=64, batch_size=4)
    assert result.labels.shape == (90, 150)
    # The corners belong to one tile each: (row, column, rows and columns without overlap).
    for y, x, rows, columns in [
        (0, 0, slice(0, 26), slice(0, 48)),
        (0, 86, slice(0, 26), slice(112, 150)),
        (26, 0, slice(64, 90), slice(0, 48)),
        (26, 86, slice(64, 90), slice(112, 150)),
    ]:
        tile = squared(np.ascontiguousarray(rgb[y : y + 64, x : x + 64]), TEXTS)
        alone = np.full((90, 150), -1)
        alone[y : y + 64, x : x + 64] = tile.labels
        assert np.array_equal(result.labels[rows, columns], alone[rows, columns])
    whole = squared(rgb, TEXTS)
    assert not np.array_equal(whole.labels, result.labels)
    small = squared(rgb[:64, :64], TEXTS, tile_size=64)
    assert np.array_equal(small.labels, squared(rgb[:64, :64], TEXTS).labels)


@pytest.mark.parametrize('batch_size', [1, 3])
def test_tiles_and_whole_images_keep_their_order(squared, folder, batch_size):
    results = squared(folder, TEXTS, batch_size=batch_size, tile_size=40)
    assert [r.name for r in results] == ['a/1.png', 'a/3.png', 'b/0.png', 'b/2.png', 'b/4.png']
    for result in results:
        single = squared(folder / result.name, TEXTS, tile_size=40)
        assert np.array_equal(result.labels, single.labels)


def test_a_tile_size_that_is_no_size_is_refused(squared, folder):
    for bad in (0, 15, 2.5, True):
        with pytest.raises((TypeError, ValueError), match=rf'tile_size.*{bad}'):
            squared(folder, TEXTS, tile_size=bad)


def test_results_are_saved_on_request(squared, folder, tmp_path):
    out = tmp_path / 'out'
    results = squared(folder, TEXTS, out_dir=out, formats=['labels', 'heatmaps'])
    for result in results:
        label_map = out / 'labels' / result.name
        assert np.array_equal(np.asarray(Image.open(label_map)), result.labels)
    assert len(list((out / 'heatmaps').rglob('*_*.png'))) == 3 * len(results)
    single = squared(folder / 'b/0.png', TEXTS, out_dir=tmp_path / 'one')
    assert single.name == '0.png' and (tmp_path / 'one/overlays/0.png').is_file()


def test_progress_counts_the_images(inferencer, folder, capsys, monkeypatch, tmp_path):
    assert number_of_images(folder) == 5
    assert number_of_images([folder, folder / 'b/0.png', np.zeros((2, 2), np.uint8)]) == 7
    assert number_of_images(iter([folder])) is None
    assert number_of_images([folder, str(tmp_path / 'a.mp4')]) is None
    inferencer(folder, TEXTS)
    assert not capsys.readouterr().err  # not a terminal
    monkeypatch.setattr('sys.stderr.isatty', lambda: True, raising=False)
    inferencer(folder / 'b/0.png', TEXTS)
    assert not capsys.readouterr().err
    inferencer(folder, TEXTS)
    assert '5/5' in capsys.readouterr().err
    inferencer(folder, TEXTS, show_progress=False)
    assert not capsys.readouterr().err

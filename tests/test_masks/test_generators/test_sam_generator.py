import copy
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.masks.formats import read_mask_file
from mmseg_langseg.masks.generators import SuperpixelGenerator, build_generator, sam_generator
from mmseg_langseg.masks.runs import generate_masks

LOOSE = dict(points_per_side=3, pred_iou_thresh=-9.0, stability_score_thresh=0.0)
# Smaller and larger than the tiny model's input of 64, portrait and landscape.
SIZES = [(20, 30), (30, 20), (64, 64), (90, 33), (7, 9)]


@pytest.fixture(scope='module')
def tiny_sam():
    torch.manual_seed(0)
    return build_tiny_sam()


def build_tiny_sam(checkpoint=None):
    """Build a tiny SAM from the package's modules, with global and windowed attention."""
    modeling = pytest.importorskip('segment_anything.modeling')
    encoder = modeling.ImageEncoderViT(
        img_size=64,
        patch_size=16,
        embed_dim=16,
        depth=2,
        num_heads=2,
        out_chans=16,
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    )
    prompts = modeling.PromptEncoder(
        embed_dim=16, image_embedding_size=(4, 4), input_image_size=(64, 64), mask_in_chans=4
    )
    transformer = modeling.TwoWayTransformer(depth=1, embedding_dim=16, mlp_dim=16, num_heads=2)
    decoder = modeling.MaskDecoder(transformer_dim=16, transformer=transformer)
    sam = modeling.Sam(encoder, prompts, decoder).eval()
    if checkpoint is not None:
        with open(checkpoint, 'rb') as file:
            sam.load_state_dict(torch.load(file))
    return sam


@pytest.fixture(scope='module')
def photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in SIZES]


@pytest.fixture
def folder(photos, tmp_path):
    (tmp_path / 'images').mkdir()
    for number, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / 'images' / f'{number}.png')
    return tmp_path / 'images'


@pytest.fixture
def encoded(tiny_sam):
    """Batch sizes that the image encoder receives."""
    sizes = []
    hook = tiny_sam.image_encoder.register_forward_pre_hook(
        lambda module, inputs: sizes.append(len(inputs[0]))
    )
    yield sizes
    hook.remove()


def alone(sam, image, **options):
    """Return the annotations of SamAutomaticMaskGenerator for a single image."""
    from segment_anything import SamAutomaticMaskGenerator

    options = {**LOOSE, **options}
    return SamAutomaticMaskGenerator(sam, output_mode='coco_rle', **options).generate(image)


def check_close(annotations, expected):
    assert len(annotations) == len(expected) > 0
    for one, other in zip(annotations, expected, strict=True):
        assert one['segmentation'] == other['segmentation']
        for key in ('area', 'bbox', 'point_coords', 'crop_box'):
            assert one[key] == other[key]
        for key in ('predicted_iou', 'stability_score'):
            assert one[key] == pytest.approx(other[key], abs=1e-5)


def generate(folder, out, generator, file_format='sa1b'):
    return generate_masks(
        open_image_source(folder), out, generator, 'sam', file_format, progress=False
    )


def files(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob('*')
        if path.is_file()
    }


@pytest.mark.parametrize('images_per_batch', [1, 2, 5])
def test_masks_of_a_batch_are_those_of_each_image_alone(
    tiny_sam, photos, encoded, images_per_batch
):
    generator = build_generator(
        'sam', model=tiny_sam, images_per_batch=images_per_batch, points_per_batch=4, **LOOSE
    )
    assert generator.batch_size == images_per_batch and not generator.settings['amp']
    made = []
    for first in range(0, len(photos), images_per_batch):
        made += generator.masks_of_batch(photos[first : first + images_per_batch])
    assert encoded == [images_per_batch] * -(-len(photos) // images_per_batch)
    for annotations, photo in zip(made, photos, strict=True):
        check_close(annotations, alone(tiny_sam, photo, points_per_batch=4))


def test_masks_do_not_depend_on_the_other_images_of_the_batch(tiny_sam, photos):
    generator = build_generator('sam', model=tiny_sam, images_per_batch=3, **LOOSE)
    together = generator.masks_of_batch(photos[:3])
    assert generator.masks_of_batch(photos[2::-1]) == together[::-1]
    assert [generator.masks(photo) for photo in photos[:3]] == together


def test_regions_of_a_batch(tiny_sam, photos):
    generator = build_generator('sam', model=tiny_sam, images_per_batch=2, **LOOSE)
    for regions, photo in zip(generator.regions_of_batch(photos[:2]), photos, strict=False):
        rles = [annotation['segmentation'] for annotation in alone(tiny_sam, photo)]
        assert np.array_equal(regions, masks_to_regions(rles, *photo.shape[:2]))
        assert np.array_equal(generator.regions(photo), regions)


def test_crops_are_encoded_one_by_one(tiny_sam, photos, encoded, monkeypatch):
    messages = []
    monkeypatch.setattr(
        sam_generator, 'print_log', lambda message, **kwargs: messages.append(message)
    )
    options = dict(crop_n_layers=1, min_mask_region_area=4)
    generator = build_generator('sam', model=tiny_sam, images_per_batch=4, **options, **LOOSE)
    assert len(messages) == 1
    assert 'images_per_batch=4 has no effect with crop_n_layers=1' in messages[0]
    assert generator.batch_size == generator.settings['images_per_batch'] == 1
    check_close(generator.masks(photos[2]), alone(tiny_sam, photos[2], **options))
    assert set(encoded) == {1}


@pytest.mark.parametrize('at_once', [1, 2**28])
@pytest.mark.parametrize('crops', [0, 1])
def test_dropped_masks_are_not_upsampled(tiny_sam, photos, monkeypatch, at_once, crops):
    monkeypatch.setattr(
        'mmseg_langseg.masks.generators.early_filter_mask_generator._PIXELS', at_once
    )
    scores = [one['predicted_iou'] for one in alone(tiny_sam, photos[0], box_nms_thresh=1.0)]
    sam = copy.deepcopy(tiny_sam)
    # A random model's scores may be negative, and SAM does not filter by negative thresholds.
    sam.mask_decoder.iou_prediction_head.layers[-1].bias.data += 1 - min(scores)
    threshold = 1 - min(scores) + float(np.median(scores))
    options = dict(pred_iou_thresh=threshold, crop_n_layers=crops)
    upsampled, real = [], sam.postprocess_masks

    def upsample(masks, *args):
        upsampled.append(masks.shape[0] * masks.shape[1])
        return real(masks, *args)

    sam.postprocess_masks = upsample
    generator = build_generator('sam', model=sam, **{**LOOSE, **options})
    annotations = generator.masks(photos[0])
    ours = upsampled.copy()
    check_close(annotations, alone(sam, photos[0], **options))
    theirs = upsampled[len(ours) :]
    assert 0 < sum(ours) < 0.8 * sum(theirs)
    assert (max(ours) == 1) == (at_once == 1)


def test_the_predictor_returns_held_masks_once(tiny_sam):
    predictor = build_generator('sam', model=tiny_sam, **LOOSE).generator.predictor
    predictor.set_image(np.zeros((20, 30, 3), np.uint8))
    predictor.hold(torch.zeros(2, 16, 16), torch.ones(2))
    assert predictor.predict_torch()[0].shape == (2, 1, 20, 30)
    with pytest.raises(RuntimeError, match=r'no masks are held; call hold\(\)'):
        predictor.predict_torch()


def test_custom_point_grids(tiny_sam, photos):
    grid = [[0.25, 0.5], [0.75, 0.5]]
    options = {key: value for key, value in LOOSE.items() if key != 'points_per_side'}
    generator = build_generator('sam', model=tiny_sam, point_grids=[grid], **options)
    annotations = generator.masks(photos[0])
    height, width = photos[0].shape[:2]
    points = {tuple(annotation['point_coords'][0]) for annotation in annotations}
    assert points == {(x * width, y * height) for x, y in grid}
    assert generator.settings['point_grids'] == [grid]
    assert generator.settings['points_per_side'] is None
    for wrong in ([grid, grid], [[[0.5, 2.0]]], [[0.5]], 'center'):
        with pytest.raises(ValueError, match=r'point_grids=.*: expected 1 lists'):
            build_generator('sam', model=tiny_sam, point_grids=wrong)


def test_mixed_precision(tiny_sam, photos):
    dtypes = []
    hooks = [
        part.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
        for part in (tiny_sam.image_encoder.patch_embed, tiny_sam.mask_decoder.output_upscaling)
    ]
    generator = build_generator('sam', model=tiny_sam, amp=True, **LOOSE)
    annotations = generator.masks(photos[0])
    for hook in hooks:
        hook.remove()
    assert set(dtypes) == {torch.bfloat16} and len(dtypes) == 2
    assert generator.settings['amp']
    # The best mask of all is never removed as a duplicate.
    best, expected = annotations[0], alone(tiny_sam, photos[0])[0]
    assert best['predicted_iou'] == pytest.approx(expected['predicted_iou'], abs=0.05)


def test_a_rerun_ends_with_the_same_bytes(tiny_sam, folder, tmp_path):
    def make():
        generator = build_generator('sam', model=tiny_sam, images_per_batch=3, **LOOSE)
        return generate(folder, tmp_path / 'out', generator)

    assert make().made == 5
    expected = files(tmp_path / 'out')
    for lost in (('0.json',), ('1.json', '2.json', '3.json', '4.json')):
        for name in lost:
            (tmp_path / 'out' / name).unlink()
        report = make()
        assert (report.made, report.kept) == (len(lost), 5 - len(lost))
        assert files(tmp_path / 'out') == expected


def test_a_bad_image_costs_its_batch_nothing(tiny_sam, folder, tmp_path):
    generator = build_generator('sam', model=tiny_sam, images_per_batch=7, **LOOSE)
    assert generate(folder, tmp_path / 'good', generator).made == 5
    (folder / '2a.png').write_bytes(b'broken')
    # Less than half a pixel wide at the model's input size.
    Image.new('RGB', (1, 200)).save(folder / '3a.png')
    report = generate(folder, tmp_path / 'out', generator)
    assert [name for name, _ in report.unreadable] == ['2a.png', '3a.png']
    assert (report.made, report.images) == (5, 7)
    for number in range(5):
        name = f'{number}.json'
        assert (tmp_path / 'out' / name).read_bytes() == (tmp_path / 'good' / name).read_bytes()


class BatchOfTwo(SuperpixelGenerator):
    """Records batch sizes, and is killed on demand."""

    batch_size = 2

    def __init__(self, kill_at=None):
        super().__init__(lambda image: np.zeros(image.shape[:2], np.int32))
        self.batches, self.kill_at = [], kill_at

    def regions_of_batch(self, images):
        if len(self.batches) == self.kill_at:
            raise KeyboardInterrupt
        self.batches.append(len(images))
        return super().regions_of_batch(images)


def test_a_kill_loses_only_the_current_batch(folder, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        generate(folder, tmp_path / 'out', BatchOfTwo(kill_at=1), 'regions')
    assert {'0.png', '1.png'} == {name for name in files(tmp_path / 'out') if name[0] != '.'}
    generator = BatchOfTwo()
    report = generate(folder, tmp_path / 'out', generator, 'regions')
    assert generator.batches == [2, 1] and (report.made, report.kept) == (3, 2)
    generate(folder, tmp_path / 'whole', BatchOfTwo(), 'regions')
    assert files(tmp_path / 'out') == files(tmp_path / 'whole')


def test_files_hold_the_masks_of_sams_generator(tiny_sam, photos, folder, tmp_path):
    generator = build_generator('sam', model=tiny_sam, images_per_batch=2, **LOOSE)
    assert generator.settings['points_per_side'] == 3
    assert generator.settings['box_nms_thresh'] == 0.7
    assert generate(folder, tmp_path / 'out', generator).seconds > 0
    expected = alone(tiny_sam, photos[1])
    rles = read_mask_file(tmp_path / 'out/1.json', SIZES[1])
    decoded = [coco_mask.decode(rle) for rle in rles]
    assert np.array_equal(decoded, [coco_mask.decode(one['segmentation']) for one in expected])
    written = json.loads((tmp_path / 'out/1.json').read_text())['annotations']
    for key in ('predicted_iou', 'stability_score', 'area'):
        assert written[0][key] == pytest.approx(expected[0][key], abs=1e-5)
    assert written[0]['point_coords'] == expected[0]['point_coords']


@pytest.mark.parametrize('crops', [0, 1])
def test_sam_that_finds_nothing(tiny_sam, crops):
    options = {**LOOSE, 'pred_iou_thresh': 9.0, 'crop_n_layers': crops}
    generator = build_generator('sam', model=tiny_sam, **options)
    image = np.zeros((20, 30, 3), np.uint8)
    assert generator.masks(image) == [] and not generator.regions(image).any()


def test_a_checkpoint_of_a_named_model(tiny_sam, photos, tmp_path, monkeypatch):
    from segment_anything import sam_model_registry

    monkeypatch.setitem(sam_model_registry, 'vit_tiny', build_tiny_sam)
    path = tmp_path / 'sam_tiny.pth'
    torch.save(tiny_sam.state_dict(), path)
    generator = build_generator('sam', model='vit_tiny', checkpoint=str(path), **LOOSE)
    check_close(generator.masks(photos[0]), alone(tiny_sam, photos[0]))
    size = path.stat().st_size
    assert generator.settings['model'] == f'vit_tiny, sam_tiny.pth, {size} bytes'
    torch.save(dict(list(tiny_sam.state_dict().items())[:-1]), path)
    with pytest.raises(RuntimeError, match=r"sam_tiny\.pth' does not fit SAM vit_tiny: Error"):
        build_generator('sam', model='vit_tiny', checkpoint=str(path))
    path.write_bytes(b'<html>not found</html>')
    with pytest.raises(
        ValueError, match=r"sam_tiny\.pth' is not a checkpoint: it begins with b'<html"
    ):
        build_generator('sam', model='vit_tiny', checkpoint=str(path))


def test_bad_arguments_are_named(tiny_sam, tmp_path):
    with pytest.raises(ValueError, match=r"unknown options \['points'\]"):
        build_generator('sam', model=tiny_sam, points=3)
    with pytest.raises(ValueError, match='images_per_batch=0: expected an integer of at least 1'):
        build_generator('sam', model=tiny_sam, images_per_batch=0)
    with pytest.raises(ValueError, match="no model 'vit_x'; available: vit_h"):
        build_generator('sam', model='vit_x')
    with pytest.raises(FileNotFoundError, match=r"no checkpoint '.*gone\.pth'"):
        build_generator('sam', checkpoint=str(tmp_path / 'gone.pth'))


@pytest.mark.parametrize(
    'name, value',
    [
        ('points_per_side', 0),
        ('points_per_side', '32'),
        ('points_per_batch', 0),
        ('pred_iou_thresh', 'high'),
        ('stability_score_thresh', 1.5),
        ('stability_score_offset', -1),
        ('box_nms_thresh', -0.5),
        ('crop_n_layers', -1),
        ('crop_n_layers', 100),
        ('crop_nms_thresh', 2),
        ('crop_overlap_ratio', 7),
        ('crop_n_points_downscale_factor', 0),
        ('min_mask_region_area', -1),
        ('images_per_batch', 1.5),
        ('amp', 'yes'),
    ],
)
def test_options_are_checked_before_the_first_image(tiny_sam, name, value):
    with pytest.raises(ValueError, match=f'^{name}={value!r}: expected'):
        build_generator('sam', model=tiny_sam, **{name: value})


def test_sam_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'segment_anything', None)
    with pytest.raises(ImportError, match=r"pip install 'mmseg_langseg\[sam\]'"):
        build_generator('sam')

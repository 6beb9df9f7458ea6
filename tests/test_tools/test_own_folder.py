"""README workflow from your own photos to your own class names, without labels (tiny models)."""

import numpy as np
import pytest
from PIL import Image

from mmseg_langseg.apis import LangSegInferencer, run_test, run_training
from mmseg_langseg.models.utils.batch_strong_view import BatchStrongView
from tests.configs import load, tiny_model
from tests.scripts import load_script

METHODS = dict(pixelclip='vit-b16', clips4='r50')


def check_losses(runner):
    scalars = runner.message_hub.log_scalars
    losses = [value.current() for key, value in scalars.items() if 'loss' in key]
    assert losses and all(np.isfinite(losses))


@pytest.fixture
def photos(tmp_path):
    """Folder that contains only photos."""
    rng = np.random.default_rng(0)
    (tmp_path / 'train/images/holiday').mkdir(parents=True)
    for name in ('1.jpg', '2.JPG', 'holiday/3.png'):
        picture = rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / 'train/images' / name)
    return tmp_path


def write_labels(root, num_classes):
    rng = np.random.default_rng(1)
    for folder, suffix, shape, top in (
        ('images', 'jpg', (24, 36, 3), 256),
        ('labels', 'png', (24, 36), num_classes),
    ):
        (root / 'val' / folder).mkdir(parents=True)
        for index in (1, 2):
            picture = Image.fromarray(rng.integers(0, top, shape).astype(np.uint8))
            picture.save(root / 'val' / folder / f'{index}.{suffix}')


def shrink(cfg, root):
    """Modify a config to use a tiny model and small images below ``root``."""
    cfg.model = tiny_model(cfg)
    cfg.model.decode_head.templates = 'single'
    cfg.model.decode_head.text_encoder.cache_dir = None
    cfg.model.backbone.pop('init_cfg', None)
    small = dict(teacher_size=(32, 32)) if 'teacher' in cfg.model else dict(input_size=(32, 32))
    cfg.model.data_preprocessor.update(small)
    cfg.log_level, cfg.experiment_name = 'ERROR', f'{root.name}_{cfg.model.type}'
    return cfg


def shrink_training(cfg, root):
    cfg = shrink(cfg, root)
    loader = cfg.train_dataloader
    loader.update(num_workers=0, persistent_workers=False, batch_size=2)
    loader.dataset.data_root = str(root / 'train')
    loader.dataset.on_bad_file = 'stop'
    for step in loader.dataset.pipeline:
        if step.type == 'AugmentedViews':
            step.transforms[0].update(crop_size=(64, 64), ratio_range=(1.0, 2.0))
    cfg.train_cfg.max_iters = 1
    return cfg


def write_masks(root):
    images, masks = root / 'train/images', root / 'train/masks'
    load_script('tools/generate_masks.py').main([str(images), str(masks), '--quiet'])


@pytest.mark.parametrize('method', METHODS)
def test_photos_without_labels_are_enough(method, photos):
    if method == 'pixelclip':
        write_masks(photos)
    name = f'{method}/{METHODS[method]}'
    cfg = shrink_training(load(f'{name}_photos.py'), photos)
    runner = run_training(cfg, work_dir=str(photos / 'work'))
    check_losses(runner)

    checkpoint = str(photos / 'work/iter_1.pth')
    result = LangSegInferencer(cfg, checkpoint, device='cpu')(
        photos / 'train/images/1.jpg', 'cat; dog, puppy'
    )
    assert result.classes == ('cat', 'dog') and result.labels.shape == (48, 64)

    words = ['cat', 'dog', 'zeppelin']
    (photos / 'classes.txt').write_text('\n'.join(words), encoding='utf-8')
    write_labels(photos, len(words))
    test = shrink(load(f'{name}_test-photos.py'), photos)
    test.test_dataloader.update(num_workers=0, persistent_workers=False)
    test.test_dataloader.dataset.data_root = str(photos)
    test.test_dataloader.dataset.pipeline[1].scale = (128, 64)
    assert 0 <= run_test(test, checkpoint, work_dir=str(photos / 'test'))['mIoU'] <= 100


def test_strong_views_on_the_device(photos, monkeypatch):
    write_masks(photos)
    made, real = [], BatchStrongView.__call__

    def make(self, images, samples):
        made.extend(tuple(image.shape) for image in images)
        return real(self, images, samples)

    monkeypatch.setattr(BatchStrongView, '__call__', make)
    cfg = load('pixelclip/vit-b16_sa1b_gpu-augment.py')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg = shrink_training(cfg, photos)
    cfg.train_dataloader.dataset.data_prefix = dict(img_path='images', mask_path='masks')
    usual = load('pixelclip/vit-b16_sa1b.py').train_dataloader.dataset.pipeline
    steps = cfg.train_dataloader.dataset.pipeline
    assert [step for step in usual if step.type != 'StrongView'] == steps != usual
    check_losses(run_training(cfg, work_dir=str(photos / 'work')))
    assert made == [(3, 640, 640)] * 2

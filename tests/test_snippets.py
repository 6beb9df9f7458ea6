"""Python blocks in the docs run, and the README's custom config works in every tool."""

import functools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.apis import MMSegInferencer
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_langseg.apis import LangSegInferencer, run_test, run_training
from mmseg_langseg.export import SegmentationResult
from tests.configs import tiny_model
from tests.scripts import load_script
from tests.tiny import VIT

ROOT = Path(__file__).resolve().parents[1]
PAGES = ['README.md', *(f'docs/{path.name}' for path in sorted(ROOT.glob('docs/*.md')))]
PAGES += [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob('configs/*/README.md'))]
# Folder of the configs shown on a page; their `_base_` is relative to it.
FOLDERS = {
    'docs/data.md': 'configs/pixelclip',
    'docs/evaluation.md': 'configs/pixelclip',
    'docs/masks.md': 'configs/pixelclip',
    'docs/training.md': 'configs/pixelclip',
    'docs/clips4_evaluation.md': 'configs/clips4',
    'configs/clips4/README.md': 'configs/clips4',
}
BLOCK = re.compile(r'^```python\n(.*?)^```', re.MULTILINE | re.DOTALL)


def kind_of(block):
    if 'import ray' in block:
        return 'ray'  # see test_masks/test_runs/test_ray_data.py
    if re.search(r"LangSegInferencer\('.*', '", block):
        return 'code'
    if 'import COCOExporter' in block:
        return 'export'
    if block.startswith('# '):  # name of the file
        return 'file'
    if block.startswith(('import ', 'from ')):
        return 'program'
    if block.startswith(('_base_', 'model = dict(decode_head')):
        return 'config'
    return 'own config' if block.startswith('custom_imports') else 'transform'


BLOCKS = [(page, block) for page in PAGES for block in BLOCK.findall((ROOT / page).read_text())]


def blocks(kind):
    found = [(page, block) for page, block in BLOCKS if kind_of(block) == kind]
    assert found, kind
    return found


def ids(values):
    return values if isinstance(values, str) and len(values) < 40 else ''


@pytest.mark.parametrize(('page', 'block'), blocks('config'), ids=ids)
def test_configs_of_the_pages_load_and_build(page, block, tmp_path):
    if '_base_ =' not in block:  # lines for the config shown before
        page_blocks = [text for name, text in blocks('config') if name == page]
        block = page_blocks[page_blocks.index(block) - 1] + block
    folder = ROOT / FOLDERS[page]
    text = block.replace("'./", f"'{folder}/").replace("'../", f"'{folder.parent}/")
    (tmp_path / 'config.py').write_text(text)
    cfg = Config.fromfile(tmp_path / 'config.py')
    for step in (cfg.get('train_dataloader') or {}).get('dataset', {}).get('pipeline', []):
        TRANSFORMS.build(step)
    if 'type' in (cfg.get('model') or {}):
        MODELS.build(tiny_model(cfg, VIT))


@pytest.mark.parametrize(('page', 'block'), blocks('transform'), ids=ids)
def test_transforms_of_the_pages_build(page, block):
    TRANSFORMS.build(eval(block))


@pytest.mark.parametrize(('page', 'block'), blocks('code'), ids=ids)
def test_code_of_the_pages_runs(page, block, tmp_path, monkeypatch):
    """Use a config and a checkpoint of the bundled model under the names used on the page."""
    monkeypatch.chdir(tmp_path)
    config, checkpoint = re.search(r"LangSegInferencer\('(.*?)', '(.*?)'\)", block).groups()
    assert (ROOT / config).is_file()
    Path(config).parent.mkdir(parents=True)
    bundled = ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py'
    Path(config).write_text(f'_base_ = [{str(bundled)!r}]\n')
    model = MODELS.build(Config.fromfile(config).model)
    torch.save({'state_dict': model.state_dict()}, checkpoint)
    save_photos()
    names = {}
    exec(block, names)
    assert names['result'].labels.shape == (32, 48)


def save_photos():
    Path('photos').mkdir()
    for path in ('photo.jpg', 'photos/a.jpg', 'photos/b.jpg'):
        Image.new('RGB', (48, 32), 'green').save(path)


@pytest.mark.parametrize(('page', 'block'), blocks('program'), ids=ids)
def test_programs_of_the_pages_run(page, block, tmp_path, monkeypatch):
    """Programs that need nothing but photos; comments after `print` are what it prints."""
    monkeypatch.chdir(tmp_path)
    save_photos()
    printed = []
    exec(block, dict(print=lambda *values: printed.append(' '.join(map(str, values)))))
    for shown in re.findall(r'^print\(.*\)  # (.*)', block, re.MULTILINE):
        assert shown in printed


def test_the_method_of_the_page_is_trained_and_used(tmp_path, monkeypatch):
    """The two files of docs/add_a_method.md, with two iterations on a few scenes."""
    monkeypatch.syspath_prepend(tmp_path)
    bundled = ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py'
    files = [block for _, block in blocks('file')]
    for block in files:
        text = block.replace("'../pixelclip/resnet_synthetic.py'", repr(str(bundled)))
        (tmp_path / re.match(r'# (\S+)', block)[1]).write_text(text)
    options = {
        'train_cfg.max_iters': 2,
        'train_cfg.val_interval': 2,
        'default_hooks.checkpoint.interval': 2,
        'train_dataloader.batch_size': 2,
        'val_dataloader.dataset.num_scenes': 2,
    }
    work = tmp_path / 'work'
    run_training(tmp_path / 'distill_synthetic.py', work_dir=work, cfg_options=options)
    segment = LangSegInferencer(tmp_path / 'distill_synthetic.py', str(work / 'iter_2.pth'), 'cpu')
    assert type(segment.model).__name__ == 'MaskDistillation'
    before = LangSegInferencer('embedded', device='cpu').model.backbone.state_dict()
    after = segment.model.backbone.state_dict()
    assert any(not torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(('page', 'block'), blocks('export'), ids=ids)
def test_exports_of_the_pages_run(page, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels, image = np.array([[0, 1, 2]]), np.zeros((1, 3, 3), np.uint8)
    result = SegmentationResult(image, labels, ('cat', 'grass', 'other'))
    names = dict(names=['a.jpg', 'b/c.jpg'], result_of=lambda name: result)
    exec(block, names)
    assert [path.as_posix() for path in names['files']] == ['out/coco.json']


@functools.cache
def own_config():
    (block,) = {block for _, block in blocks('own config') if 'LanguageHead' in block}
    return with_tiny_clip(block)


def with_tiny_clip(block):
    text = block.replace(
        "dict(arch='ViT-B-16-quickgelu', pretrained='openai')", f'dict(arch={VIT})'
    )
    assert text != block
    return text


def test_supervised_config_of_the_pages_trains(tmp_path):
    (block,) = [block for _, block in blocks('own config') if 'FCNHead' in block]
    text = with_tiny_clip(block).replace('in_channels=512', 'in_channels=12')
    (tmp_path / 'config.py').write_text(text.replace('(512, 512)', '(48, 48)'))
    model = MODELS.build(Config.fromfile(tmp_path / 'config.py').model)
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(21, (1, 48, 48))))
    batch = dict(inputs=[torch.zeros(3, 48, 48, dtype=torch.uint8)], data_samples=[sample])
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    losses['decode.loss_ce'].backward()
    assert any(p.grad is not None for p in model.backbone.parameters())


@pytest.fixture
def config(tmp_path):
    """The README's custom config with a tiny CLIP."""
    path = tmp_path / 'own.py'
    path.write_text(own_config())
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / 'photo.png'
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def config_with_data(tiny_config, tmp_path):
    """The same config with a labeled folder of three classes."""
    data = re.sub(r'\nmodel = .*', '', tiny_config.read_text(), flags=re.DOTALL)
    data = data.replace("('a', 'b')", "('a', 'b', 'c')").replace('0, 0]]', '0, 0], [0, 9, 0]]')
    path = tmp_path / 'own_with_data.py'
    path.write_text(f'{data}\n{own_config()}')
    return path


def test_own_config_in_the_inferencer(config, photo):
    segment = LangSegInferencer(config, device='cpu')
    result = segment(photo, 'ring; cross')
    assert result.labels.shape == (40, 48) and result.labels.max() <= 1
    assert segment(photo, 'ring; cross; star; moon').classes[3] == 'moon'


def test_own_config_in_the_demo(config, photo):
    demo = load_script('demo/image_demo.py')
    out = demo.main([str(photo), str(config), '--texts', 'ring; cross', '--device', 'cpu'])
    assert Image.open(out).size[0] > 48


@pytest.mark.parametrize('fixed', [True, False])
def test_own_config_in_the_test(config_with_data, tmp_path, fixed):
    """With its own class names, and with those of the dataset."""
    options = {'custom_hooks': [dict(type='DatasetVocabularyHook')]}
    if not fixed:
        options['model.decode_head.vocabulary'] = None
    scores = run_test(config_with_data, work_dir=str(tmp_path / 'work'), cfg_options=options)
    assert 0 <= scores['mIoU'] <= 100


def test_own_config_in_the_inferencer_of_the_toolbox(config_with_data, photo):
    infer = MMSegInferencer(str(config_with_data), device='cpu', classes=['a', 'b', 'c'],
                            palette=[[0, 0, 0]] * 3)  # fmt: skip
    labels = infer(str(photo), show=False)['predictions']
    assert labels.shape == (40, 48) and labels.max() <= 2


def test_own_config_cannot_be_trained_and_says_so(config, config_with_data, tmp_path):
    with pytest.raises(ValueError, match='cannot train: it has no train_dataloader'):
        run_training(config, work_dir=tmp_path / 'work')
    options = {'optim_wrapper.optimizer.lr': 0.01, 'model.backbone.trainable': 'all'}
    with pytest.raises(NotImplementedError, match='has no loss; train with PixelCLIP'):
        run_training(config_with_data, work_dir=tmp_path / 'work', cfg_options=options)

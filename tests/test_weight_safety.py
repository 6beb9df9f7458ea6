"""Every way in for a file of weights: what a stranger's file holds must not run."""

import io

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_langseg.apis import LangSegInferencer, run_test, run_training
from mmseg_langseg.fileio import UnsafeFileError
from mmseg_langseg.masks import build_generator
from mmseg_langseg.models.clip_loader import load_clip
from mmseg_langseg.models.text_encoders.embedding_cache import EmbeddingCache
from tests.hostile import Command, save_command
from tests.scripts import ROOT, load_script
from tests.tiny import VIT

SYNTHETIC = str(ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py')


@pytest.fixture
def marker(tmp_path):
    """A file that appears if code was run."""
    path = tmp_path / 'CODE_WAS_RUN'
    yield path
    assert not path.exists()


@pytest.fixture(params=['zip', 'legacy'])
def hostile(request, tmp_path, marker):
    return str(save_command(tmp_path / 'hostile.pth', marker, legacy=request.param == 'legacy'))


def refused():
    return pytest.raises(UnsafeFileError, match=r'hostile\.pth.* holds (posix|nt)\.system')


def test_run_test(tiny_config, tmp_path, hostile):
    with refused():
        run_test(tiny_config, hostile, str(tmp_path / 'work'))


def test_test_unsupervised(tiny_config, tmp_path, hostile):
    with refused():
        load_script('tools/test_unsupervised.py').main(
            [str(tiny_config), hostile, '--work-dir', str(tmp_path / 'work')]
        )


def test_resume_from_a_file(tiny_config, tmp_path, hostile):
    with refused():
        run_training(tiny_config, str(tmp_path / 'work'), resume=hostile)


def test_load_from(tiny_config, tmp_path, hostile):
    with refused():
        run_training(tiny_config, str(tmp_path / 'work'), cfg_options={'load_from': hostile})


def test_init_cfg(tiny_config, tmp_path, hostile):
    pretrained = dict(type='Pretrained', checkpoint=hostile)
    with refused():
        run_training(
            tiny_config, str(tmp_path), cfg_options={'model.backbone.init_cfg': pretrained}
        )


@pytest.mark.parametrize('way', ['inferencer', 'demo'])
def test_inferencer_and_demo(tmp_path, hostile, way):
    config = Config.fromfile(SYNTHETIC)
    config.model.clip.pretrained = None
    config.dump(tmp_path / 'config.py')
    with refused():
        if way == 'inferencer':
            LangSegInferencer(config, hostile, 'cpu')
        else:
            photo = str(ROOT / 'docs' / 'images' / 'masks.jpg')
            out = str(tmp_path / 'out.png')
            load_script('demo/image_demo.py').main(
                [photo, str(tmp_path / 'config.py'), hostile, '--texts', 'a; b', '--out', out]
            )


def test_clip_weights(hostile):
    with refused():
        load_clip(VIT, hostile)


def test_torchscript_archive_as_clip_weights(tmp_path):
    class Writer(torch.nn.Module):
        """Writes a file when it is loaded: state is set by running ``__setstate__``."""

        def __init__(self, path: str):
            super().__init__()
            self.path = path
            self.training = False

        @torch.jit.export
        def __getstate__(self):
            return (self.path, self.training)

        @torch.jit.export
        def __setstate__(self, state: tuple[str, bool]):
            self.path, self.training = state
            torch.save(torch.ones(1), self.path)

        def forward(self, x):
            return x

    victim, archive = tmp_path / 'victim', tmp_path / 'weights.pt'
    torch.jit.save(torch.jit.script(Writer(str(victim))), archive)
    with pytest.raises(ValueError, match=r'weights\.pt'):
        load_clip(VIT, str(archive))
    assert not victim.exists()


def test_sam(hostile):
    pytest.importorskip('segment_anything')
    with refused():
        build_generator('sam', 'cpu', model='vit_b', checkpoint=hostile)


@pytest.mark.parametrize('way', ['masks', 'online'])
def test_dino(hostile, way):
    with refused():
        if way == 'masks':
            build_generator('dino', 'cpu', model_name='test_vit', checkpoint=hostile)
        else:
            cfg = dict(type='DINOMaskGenerator', model_name='test_vit', num_clusters=2)
            MODELS.build({**cfg, 'pretrained': False, 'checkpoint': hostile})


def test_text_cache(tmp_path, marker):
    cache = EmbeddingCache(tmp_path)
    content = io.BytesIO()
    torch.save(Command(marker), content)
    cache.path({'a': 1}).write_bytes(content.getvalue())
    with pytest.warns(UserWarning, match='cache'):
        assert cache.get({'a': 1}, (1, 2)) is None


def test_official_checkpoint_to_convert(tmp_path, hostile):
    with refused():
        load_script('tools/convert_pixelclip.py').main([hostile, str(tmp_path / 'out.pth')])


def test_the_switch_is_explicit(tiny_config, tmp_path):
    ran = tmp_path / 'RAN'
    work = str(tmp_path / 'work')
    runner = run_training(tiny_config, work, cfg_options={'train_cfg.max_iters': 2})
    state = {'state_dict': runner.model.state_dict(), 'meta': {}}
    path = save_command(tmp_path / 'own.pth', ran, state)
    with pytest.raises(UnsafeFileError, match='--trust-checkpoint'):
        run_test(tiny_config, str(path), work)
    assert not ran.exists()
    run_test(tiny_config, str(path), work, trust_checkpoint=True)
    assert ran.exists()

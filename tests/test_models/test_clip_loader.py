import json
import re

import open_clip
import pytest
import torch
from mmengine.config import ConfigDict
from open_clip.model import convert_to_custom_text_state_dict

from mmseg_langseg.models import clip_loader
from mmseg_langseg.models.clip_arch import arch_config
from mmseg_langseg.models.clip_files import read_clip_file
from mmseg_langseg.models.clip_loader import load_clip, weights_fingerprint
from tests import golden

ATOL = 2e-5


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    return tmp_path_factory.mktemp('clip')


def same(model, state):
    own = model.state_dict()
    state = convert_to_custom_text_state_dict(state)
    assert set(own) == set(state)
    assert all(torch.equal(own[k], v.float().reshape(own[k].shape)) for k, v in state.items())


def test_openai_state_dict_gives_golden_embeddings(files):
    model = load_clip(golden.vit_arch(), golden.vit_file(files))
    assert not model.training
    assert all(p.dtype == torch.float32 for p in model.parameters())
    with torch.no_grad():
        image = model.encode_image(golden.tensor('openai_format', 'image_input'))
        text = model.encode_text(golden.tensor('openai_format', 'tokens'))
    for got, key in ((image, 'image_embed'), (text, 'text_embed')):
        torch.testing.assert_close(got, golden.tensor('openai_format', key), atol=ATOL, rtol=0)


def test_convnext_gives_golden_embedding(files):
    model = load_clip(golden.convnext_arch(), golden.convnext_file(files))
    with torch.no_grad():
        got = model.encode_image(golden.tensor('pixelclip_vit_features', 'clip_input'))
    expected = golden.tensor('pixelclip_convnext', 'global_full')
    torch.testing.assert_close(got, expected, atol=ATOL, rtol=0)


def test_config_dict_arch_and_random_weights():
    first, second = (load_clip(ConfigDict(golden.vit_arch()), None) for _ in range(2))
    assert weights_fingerprint(first) != weights_fingerprint(second)


class _Scripted(torch.nn.Module):
    """Module with OpenAI's tensors and extra entries, as in its archives."""

    def __init__(self, state):
        super().__init__()
        for key, value in state.items():
            module, names = self, key.split('.')
            for name in names[:-1]:
                if not hasattr(module, name):
                    module.add_module(name, torch.nn.Module())
                module = getattr(module, name)
            module.register_buffer(names[-1], value)
        for name in ('input_resolution', 'context_length', 'vocab_size'):
            self.register_buffer(name, torch.tensor(64))

    def forward(self, x):
        return x


@pytest.mark.filterwarnings('ignore')
def test_openai_archive_in_half(files):
    state = {k: v.half() for k, v in golden.vit_state_dict().items()}
    path = str(files / 'archive.pt')
    torch.jit.save(torch.jit.script(_Scripted(state)), path)
    same(load_clip(golden.vit_arch(), path), golden.vit_state_dict())
    with pytest.raises(ValueError, match=r'trained with QuickGELU.*quick_gelu=True'):
        load_clip({**golden.vit_arch(), 'quick_gelu': False}, path)


def test_state_dict_with_openai_extras_tells_its_activation(files):
    path = files / 'extras.pt'
    torch.save({**golden.vit_state_dict(), 'vocab_size': torch.tensor(49408)}, path)
    same(load_clip(golden.vit_arch(), path), golden.vit_state_dict())
    with pytest.raises(ValueError, match='QuickGELU'):
        load_clip({**golden.vit_arch(), 'quick_gelu': False}, path)


@pytest.mark.parametrize('kind', ['wrapped', 'safetensors'])
def test_open_clip_files(files, kind):
    state = golden.convnext_state_dict()
    if kind == 'safetensors':
        from safetensors.torch import save_file

        path = files / 'model.safetensors'
        save_file(state, path)
    else:
        path = files / 'epoch.pt'
        torch.save({'epoch': 3, 'state_dict': {f'module.{k}': v for k, v in state.items()}}, path)
    same(load_clip(golden.convnext_arch(), path), state)


@pytest.mark.parametrize('tower', ['vit', 'convnext'])
def test_official_pixelclip_checkpoint(files, tower):
    state = golden.vit_state_dict() if tower == 'vit' else golden.convnext_state_dict()
    arch = golden.vit_arch() if tower == 'vit' else golden.convnext_arch()
    model = {f'sem_seg_head.predictor.clip_model.{k}': v for k, v in state.items()}
    model['head.conv0.bias'] = torch.zeros(64)
    path = files / f'official_{tower}.pth'
    torch.save({'model': model, 'iteration': 9999}, path)
    same(load_clip(arch, path), state)
    wrong = {**arch, 'quick_gelu': not arch.get('quick_gelu', False)}
    with pytest.raises(ValueError, match='GELU'):
        load_clip(wrong, path)


TOKENS = dict(ids=torch.tensor([0, 1]), rows=torch.zeros(2, 64), seed=0, std=1.0)


def compact(files, **changes):
    state = golden.vit_state_dict()
    tokens = state.pop('token_embedding.weight')
    ids = torch.tensor([5, 320, 49407])
    content = {
        'arch': golden.vit_arch(),
        'state_dict': {k: v.half() for k, v in state.items()},
        'token_embedding': {'ids': ids, 'rows': tokens[ids].half(), 'seed': 3, 'std': 0.02},
    }
    path = files / 'compact.pth'
    torch.save({**content, **changes}, path)
    return path, ids, tokens


def test_compact_file(files):
    path, ids, tokens = compact(files)
    got = load_clip(golden.vit_arch(), path).state_dict()
    same_table = torch.randn(49408, 64, generator=torch.Generator().manual_seed(3)) * 0.02
    for row in range(0, 49408, 997):
        assert torch.equal(got['text.token_embedding.weight'][row], same_table[row])
    assert torch.equal(got['text.token_embedding.weight'][ids], tokens[ids])
    expected = convert_to_custom_text_state_dict(golden.vit_state_dict())
    assert all(torch.equal(v, expected[k]) for k, v in got.items() if 'token_embedding' not in k)


def test_compact_file_of_other_heads_is_refused(files):
    # all shapes agree: only the stored arch differs
    arch = golden.vit_arch()
    arch['text_cfg']['heads'] = 2
    path, *_ = compact(files, arch=arch)
    with pytest.raises(ValueError, match=r'text_cfg\.heads: file 2, config 1'):
        load_clip(golden.vit_arch(), path)


def test_compact_file_with_bad_rows(files):
    rows = {'ids': torch.tensor([1]), 'rows': torch.zeros(2, 64), 'seed': 0, 'std': 1.0}
    path, *_ = compact(files, token_embedding=rows)
    with pytest.raises(ValueError, match='token rows'):
        load_clip(golden.vit_arch(), path)


def test_unknown_arch_suggests_names():
    with pytest.raises(ValueError, match=r"no model 'ViT-B/16'.*ViT-B-16"):
        load_clip('ViT-B/16')
    with pytest.raises(ValueError, match='embed_dim'):
        load_clip({'embed_dim': 3})
    with pytest.raises(ValueError, match='hieght'):
        load_clip({**golden.vit_arch(), 'text_cfg': {'hieght': 1}})


def test_unknown_tag_lists_the_valid_ones():
    with pytest.raises(ValueError, match=r"'opnai' is neither .*\['.*'openai'"):
        load_clip('ViT-B-16-quickgelu', 'opnai')
    with pytest.raises(ValueError, match='given as a dict'):
        load_clip(golden.vit_arch(), 'openai')


@pytest.mark.parametrize(
    ('arch', 'tag', 'right'),
    [
        ('ViT-B-16', 'openai', 'ViT-B-16-quickgelu'),
        ('RN50', 'openai', 'RN50-quickgelu'),
        ('RN50x4', 'openai', 'RN50x4-quickgelu'),
        ('ViT-B-16', 'metaclip-400m', 'ViT-B-16-quickgelu'),
        ('ViT-B-16-quickgelu', 'laion2b_s34b_b88k', 'ViT-B-16'),
    ],
)
def test_activation_of_tags(arch, tag, right):
    with pytest.raises(ValueError, match=re.escape(f"Use arch='{right}'.")):
        load_clip(arch, tag)


def test_quickgelu_names_that_an_open_clip_lacks(monkeypatch):
    names = [n for n in open_clip.list_models() if n != 'RN50-quickgelu']
    monkeypatch.setattr(open_clip, 'list_models', lambda: names)
    assert arch_config('RN50-quickgelu')['quick_gelu'] is True


def test_tag_is_downloaded_and_read(files, monkeypatch):
    monkeypatch.setattr(clip_loader, 'download_clip', lambda *_: golden.vit_file(files))
    monkeypatch.setattr(clip_loader, 'arch_config', lambda arch: golden.vit_arch())
    same(load_clip('ViT-B-16-quickgelu', 'openai'), golden.vit_state_dict())


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nothing\.pt'):
        load_clip(golden.vit_arch(), tmp_path / 'nothing.pt')
    with pytest.raises(FileNotFoundError, match=r'folder without open_clip_model\.safetensors'):
        load_clip(golden.vit_arch(), tmp_path)


def test_file_of_another_architecture(files):
    arch = golden.vit_arch()
    arch['vision_cfg']['layers'] = 2
    arch['embed_dim'] = 16
    with pytest.raises(ValueError) as error:
        load_clip(arch, golden.vit_file(files))
    assert '12 unexpected (visual.transformer.resblocks.2' in str(error.value)
    assert 'text_projection (64, 32) instead of (64, 16)' in str(error.value)


def test_broken_files(tmp_path):
    broken = tmp_path / 'broken.pt'
    broken.write_bytes(b'\x80\x02nonsense')
    text = tmp_path / 'text.pt'
    text.write_text(json.dumps([1]))
    empty = tmp_path / 'empty.pt'
    torch.save({}, empty)
    number = tmp_path / 'number.pt'
    torch.save({'a': 3}, number)
    truncated = tmp_path / 'truncated.pt'
    torch.save(golden.head_state_dict(), truncated)
    truncated.write_bytes(truncated.read_bytes()[:5000])
    for path in (broken, text, empty, number, truncated):
        with pytest.raises(ValueError, match=path.name):
            read_clip_file(path)


def test_fingerprint_sees_names_values_and_shapes():
    def module(value=1.0, name='a'):
        m = torch.nn.Module()
        m.register_buffer(name, torch.full((2, 3), value), persistent=False)
        return m

    base = weights_fingerprint(module())
    assert base == weights_fingerprint(module())
    reshaped = module()
    reshaped.a = reshaped.a.reshape(3, 2)
    for other in (module(1.0000001), module(name='b'), reshaped):
        assert weights_fingerprint(other) != base


@pytest.mark.parametrize(
    'changes',
    [
        dict(arch=None),
        dict(token_embedding={}),
        *(dict(token_embedding=dict(TOKENS, **change)) for change in (
            dict(ids=None), dict(ids=torch.tensor([-1, 0])), dict(rows=torch.ones(2).long()),
            dict(seed=2**70), dict(std=float('nan')),
        )),
    ],
)  # fmt: skip
def test_compact_file_with_other_entries_is_named(files, changes):
    path, *_ = compact(files, **changes)
    with pytest.raises(ValueError, match=r'compact\.pth.* is not a compact CLIP file'):
        load_clip(golden.vit_arch(), path)


def test_compact_file_without_weights_is_named(files):
    path, *_ = compact(files, state_dict=[1])
    with pytest.raises(ValueError, match=r'compact\.pth.* holds no weights.* got list'):
        load_clip(golden.vit_arch(), path)


@pytest.mark.parametrize('wrapper', ['state_dict_ema', 'model_ema', 'ema_state_dict', 'ema'])
def test_files_with_only_a_moving_average_in_bfloat16(files, wrapper):
    state = {f'module.{k}': v.bfloat16() for k, v in golden.vit_state_dict().items()}
    path = files / f'{wrapper}.pt'
    torch.save({'step': 3, wrapper: state}, path)
    same(
        load_clip(golden.vit_arch(), path),
        {k: v.bfloat16() for k, v in golden.vit_state_dict().items()},
    )


def test_custom_text_layout_and_the_decoder_of_coca(files):
    state = convert_to_custom_text_state_dict(golden.vit_state_dict())
    path = files / 'coca.pt'
    torch.save({**state, 'text_decoder.text_projection': torch.zeros(2, 2)}, path)
    same(load_clip(golden.vit_arch(), path), golden.vit_state_dict())


def test_folder_of_hugging_face(files, tmp_path):
    from safetensors.torch import save_file

    save_file(golden.vit_state_dict(), tmp_path / 'open_clip_model.safetensors')
    config = dict(model_cfg={**golden.vit_arch(), 'custom_text': True}, preprocess_cfg={})
    (tmp_path / 'open_clip_config.json').write_text(json.dumps(config))
    for name in (str(tmp_path), f'local-dir:{tmp_path}'):
        same(load_clip(name, name), golden.vit_state_dict())
    (tmp_path / 'open_clip_config.json').write_text('{"model": 1}')
    with pytest.raises(ValueError, match=r"open_clip_config\.json' describes no model"):
        load_clip(str(tmp_path), str(tmp_path))
    (tmp_path / 'open_clip_config.json').unlink()
    with pytest.raises(FileNotFoundError, match=r"has no 'open_clip_config\.json'"):
        load_clip(str(tmp_path), str(tmp_path))


def test_repository_in_the_cache_and_without_network(files, tmp_path, monkeypatch):
    folder = tmp_path / 'models--someone--tiny'
    snapshot = folder / 'snapshots' / 'abc'
    snapshot.mkdir(parents=True)
    (folder / 'refs').mkdir()
    (folder / 'refs' / 'main').write_text('abc')
    config = dict(model_cfg=golden.vit_arch())
    (snapshot / 'open_clip_config.json').write_text(json.dumps(config))
    torch.save(golden.vit_state_dict(), snapshot / 'open_clip_pytorch_model.bin')
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    same(load_clip('hf-hub:someone/tiny', 'hf-hub:someone/tiny'), golden.vit_state_dict())
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    for arch, weights, name in (
        ('hf-hub:someone/other', None, 'open_clip_config.json'),
        ('hf-hub:someone/tiny', 'hf-hub:someone/other', 'open_clip_model.safetensors'),
    ):
        with pytest.raises(RuntimeError, match=rf"'{name}' of.*someone/other.*HF_HUB_OFFLINE"):
            load_clip(arch, weights)

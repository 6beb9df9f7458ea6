"""Metafiles list the configs, with their batch sizes."""

from pathlib import Path

import pytest
import yaml

from tests.configs import CONFIGS, ROOT, load

METHODS = ('pixelclip', 'maskclip', 'clips4')
TRAINING_FREE = ('sclip', 'clearclip', 'naclip')


@pytest.mark.parametrize('method', METHODS)
def test_metafile_lists_every_training_config(method):
    content = yaml.safe_load((ROOT / method / 'metafile.yml').read_text(encoding='utf-8'))
    listed = [model['Config'] for model in content['Models']]
    trained = [
        f'configs/{name}'
        for name in CONFIGS
        if name.startswith(f'{method}/')
        and 'ablations' not in name
        and load(name).get('train_dataloader')
    ]
    assert sorted(listed) == trained
    for model in content['Models']:
        assert model['Name'] == f'{method}_{Path(model["Config"]).stem}'


def test_metafiles_list_every_training_free_method():
    index = yaml.safe_load((ROOT.parent / 'model-index.yml').read_text(encoding='utf-8'))
    files = [f'configs/{method}/metafile.yml' for method in (*METHODS, *TRAINING_FREE)]
    assert sorted(index['Import']) == sorted(files)
    for method in TRAINING_FREE:
        content = yaml.safe_load((ROOT / method / 'metafile.yml').read_text(encoding='utf-8'))
        listed = {model['Name']: model['Config'] for model in content['Models']}
        configs = [
            name for name in CONFIGS if name.startswith(f'{method}/') and 'ablations' not in name
        ]
        assert listed == {f'{method}_{Path(name).stem}': f'configs/{name}' for name in configs}


# Images per step: Sec. 4.1 of PixelCLIP, the official MaskCLIP+; our choice for CLIP-S4.
STEP = {'pixelclip': 48, 'maskclip': 16, 'clips4': 8}


@pytest.mark.parametrize('method', METHODS)
def test_eight_processes_train_at_the_global_batch(method):
    content = yaml.safe_load((ROOT / method / 'metafile.yml').read_text(encoding='utf-8'))
    for model in content['Models']:
        cfg = load(model['Config'].removeprefix('configs/'))
        batch, listed = cfg.train_dataloader.batch_size, model['Metadata']['Batch Size']
        if 'synthetic' in model['Name']:  # one process
            assert batch == listed, model['Name']
            continue
        assert cfg.auto_scale_lr.base_batch_size == listed == STEP[method]
        # The configs for your own photos use fewer processes.
        photos = {'pixelclip': 4, 'clips4': 1} if model['Name'].endswith('_photos') else {}
        processes = photos.get(method, 8)
        assert processes * batch == STEP[method], model['Name']

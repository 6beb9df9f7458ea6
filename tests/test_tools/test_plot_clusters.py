"""tools/analysis_tools/plot_clusters.py and plot_class_prompts.py."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmseg_langseg.masks.formats import encode_masks, write_mask_file
from tests.scripts import ROOT, load_script
from tests.tiny import pixelclip, pixelclip_config

SYNTHETIC = str(ROOT / 'configs/pixelclip/resnet_synthetic.py')
SIZES = {'a.png': (40, 60), 'sub/b.jpg': (70, 30), 'c.jpg': (33, 33)}


@pytest.fixture(scope='module')
def clusters():
    return load_script('tools/analysis_tools/plot_clusters.py')


@pytest.fixture(scope='module')
def prompts():
    return load_script('tools/analysis_tools/plot_class_prompts.py')


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Current folder with photos, masks, labels, a config and its checkpoint."""
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        path = tmp_path / 'data/images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
        stem = name.split('.')[0]
        rles = encode_masks(rng.random((3, *size)) < 0.5)
        write_mask_file(tmp_path / 'data/masks' / f'{stem}.json', rles, size, path.name)
        label = tmp_path / 'data/labels' / f'{stem}.png'
        label.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((np.indices(size)[1] > 20).astype(np.uint8)).save(label)
    (tmp_path / 'classes.txt').write_text('cat\ndog\n')
    pipeline = [
        dict(type='LoadUnlabeledImage'),
        dict(type='LoadUnlabeledMasks'),
        dict(type='StrongView'),
        dict(type='PackMaskInputs', mask_size=(16, 16)),
    ]
    dataset = dict(type='UnlabeledMaskDataset', data_root='data', pipeline=pipeline)
    cfg = dict(
        custom_imports=dict(imports=['mmseg_langseg']),
        default_scope='mmseg',
        model=pixelclip_config(vocabulary=['cat', 'dog', 'tree']),
        train_dataloader=dict(batch_size=2, dataset=dataset),
    )
    Config(cfg).dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=pixelclip().state_dict()), tmp_path / 'model.pth')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sheet_and_map_of_photos(clusters, prompts, work, capsys):
    command = ['config.py', 'model.pth', '--masks', '3', '--side', '24']
    labels = ['--labels', 'data/labels', '--classes', 'classes.txt']
    clusters.main([*command, *labels, '--out', 'x/clusters.png'])
    record = json.loads((work / 'x/clusters.json').read_text('utf-8'))
    assert [row['cluster'] for row in record['clusters']] == list(range(6))
    assert sum(row['masks'] for row in record['clusters']) == 9
    assert sum(sum(row['labels'].values()) for row in record['clusters']) == 9
    assert 'SinkhornClusterer in batches of 2 images' in record['source']
    assert len((work / 'x/clusters.md').read_text('utf-8').splitlines()) == 2 + 6
    assert Image.open(work / 'x/clusters.png').width >= 3 * 24
    out = ['--out', 'x/prompts.jpg', '--nearest', '2', '--counts', 'x/clusters.json']
    prompts.main(['config.py', 'model.pth', *out])
    drawn = json.loads((work / 'x/prompts.json').read_text('utf-8'))
    assert [row['masks'] for row in drawn['prompts']] == [
        row['masks'] for row in record['clusters']
    ]
    for row, cluster in zip(drawn['prompts'], record['clusters'], strict=True):
        assert row['nearest'] == cluster['nearest'][:2]
    assert [word['word'] for word in drawn['words']] == ['cat', 'dog', 'tree']
    assert '6 prompts and 3 words' in capsys.readouterr().out
    # Files are replaced on request only, and then those of the same run are the same.
    before = {path: path.read_bytes() for path in (work / 'x').iterdir()}
    for tool, arguments in (
        (clusters, [*command, *labels, '--out', 'x/clusters.png']),
        (prompts, ['config.py', 'model.pth', *out[:-2]]),
    ):
        with pytest.raises(FileExistsError, match='--overwrite'):
            tool.main(arguments)
    clusters.main([*command, *labels, '--out', 'x/clusters.png', '--overwrite'])
    assert {path: path.read_bytes() for path in (work / 'x').iterdir()} == before


def test_unusable_photos_are_left_out(clusters, work):
    (work / 'data/images/c.jpg').write_bytes(b'no photo')
    clusters.main(['config.py', '--out', 'x.png'])
    record = json.loads((work / 'x.json').read_text('utf-8'))
    assert record['source'].startswith('6 masks of 2 images')


def test_the_synthetic_dataset_has_labels_and_words(clusters, work):
    options = ['--max-images', '3', '--out', 'clusters.jpg']
    clusters.main([SYNTHETIC, *options, '--cfg-options', 'train_dataloader.batch_size=3'])
    record = json.loads((work / 'clusters.json').read_text('utf-8'))
    assert 'features of the student' in record['source'] and 0 < record['purity'] <= 1
    assert record['clusters'][0]['nearest'][0]['word'] in ('ring', 'pebbles', 'grass', 'clouds')


def test_embeddings_of_files_need_no_model(prompts, work):
    rows = np.random.default_rng(0).normal(size=(9, 5))
    names = np.array([f'word {i}' for i in range(9)])
    np.savez('words.npz', names=names, embeddings=rows)
    np.savez('prompts.npz', names=names[:4], embeddings=rows[:4] * 2)
    prompts.main(['--prompts', 'prompts.npz', '--vocabulary', 'words.npz', '--out', 'p.png'])
    drawn = json.loads((work / 'p.json').read_text('utf-8'))
    nearest = [row['nearest'][0] for row in drawn['prompts']]
    assert nearest == [dict(word=f'word {i}', cosine=1.0) for i in range(4)]
    with pytest.raises(ValueError, match=r'12 dimensions .* words 5'):
        prompts.main(['config.py', '--vocabulary', 'words.npz', '--out', 'q.png'])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('config.py --out clusters.gif', r'\.png or \.jpg'),
        ('config.py --out data/images/x.png', "'data/images' is in"),
        ('config.py --out x.png --masks 9999 --side 512', 'lower --masks or --side'),
        ('config.py --out x.png --labels data/labels', '--labels and --classes'),
        (
            'config.py --out data/labels/a.png --labels data/labels --classes classes.txt '
            '--overwrite',
            "'data/labels', which is read",
        ),
        ('config.py --out x.png --labels gone --classes classes.txt', "'gone'"),
        ('config.py --out x.png --vocabulary gone.json', 'gone.json'),
        ('config.py gone.pth --out x.png', 'gone.pth'),
        ('config.py classes.txt --out x.png', 'classes.txt'),
        ('config.py --out model.pth', r'\.png or \.jpg'),
        ('config.py --out config.png --vocabulary config.json', 'nothing was written'),
        (f'{ROOT}/configs/clips4/resnet_synthetic.py --out x.png', 'no class prompts'),
        (f'{ROOT}/configs/pixelclip/vit-b16_test-photos.py --out x.png', 'PackMaskInputs'),
    ],
)
def test_bad_arguments_of_the_sheet_are_named(clusters, work, arguments, message):
    (work / 'config.json').write_text('{"classes": ["cat", "dog"]}')
    with pytest.raises((OSError, ValueError), match=message):
        clusters.main(arguments.split())
    assert not list(work.glob('x.*')) and not list(work.glob('data/images/x.*'))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('--out x.png', 'without CONFIG'),
        ('--out x.png --prompts words.npz --vocabulary voc20.json', 'without CONFIG'),
        ('config.py --out x.png --prompts classes.txt', 'classes.txt: expected an NPZ file'),
        ('config.py --out x.png --counts gone.json', 'gone.json'),
        ('config.py --out x.png --counts counts.json', '2 clusters for 6 prompts'),
        ('config.py --out x.png --counts wrong.json', "'masks': -1"),
        ('config.py --out counts.png --counts counts.json --overwrite', 'nothing was written'),
    ],
)
def test_bad_arguments_of_the_map_are_named(prompts, work, arguments, message):
    rows = [dict(cluster=index, masks=3) for index in range(2)]
    (work / 'counts.json').write_text(json.dumps(dict(clusters=rows)))
    (work / 'wrong.json').write_text('{"clusters": [{"cluster": 0, "masks": -1}]}')
    with pytest.raises((OSError, ValueError), match=message):
        prompts.main(arguments.split())
    assert not list(work.glob('x.*')) and not list(work.glob('counts.png'))

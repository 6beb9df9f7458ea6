import re
import shlex

import pytest
from mmengine.config import Config

from tests.scripts import ROOT, load_script

CONFIG = str(ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py')


def run(config, work_dir, *arguments):
    tool = load_script('tools/test_unsupervised.py')
    return tool.main([str(config), *arguments, '--work-dir', str(work_dir)])


def test_kmeans_prints_the_number_with_its_protocol(tiny_config, tmp_path):
    figures = run(
        tiny_config, tmp_path / 'work', '--points', '50', '--clusters', '3', '--seed', '7'
    )
    assert 0 < figures['mIoU'] < 100
    for words in ('5 images of BaseSegDataset', '50 cells', '3 clusters', 'seed 7'):
        assert words in figures['protocol']
    (log,) = (tmp_path / 'work').rglob('*.log')
    assert f'mIoU {figures["mIoU"]:.2f} %\nProtocol: k-means' in log.read_text()


def test_retrieval_looks_up_the_memory_split(tiny_config, tmp_path):
    arguments = ('--protocol', 'retrieval', '--neighbors', '7', '--memory-images', '2')
    split = ('--memory-split', 'reduce_zero_label=False')
    figures = run(tiny_config, tmp_path / 'work', *arguments, *split)
    assert 0 < figures['mIoU'] < 100
    for words in ('its 7 nearest', '2 images of BaseSegDataset'):
        assert words in figures['protocol']


def test_memory_split_changes_the_test_dataset():
    tool = load_script('tools/test_unsupervised.py')
    cfg = Config.fromfile(CONFIG)
    loader = tool.memory_loader(cfg, {'split': 'tune', 'num_scenes': 9}, 3)
    assert loader.dataset.split == 'tune' and cfg.test_dataloader.dataset.split == 'test'
    names = [loader.dataset.get_data_info(i)['img_path'] for i in range(len(loader.dataset))]
    assert names == ['tune_000000.png', 'tune_000004.png', 'tune_000008.png']
    nested = tool.memory_loader(cfg, {'pipeline.0.size': 32}, 2000)
    assert nested.dataset[0]['inputs'].shape == (3, 32, 32) and len(nested.dataset) == 600


def test_a_memory_split_stays_in_its_folder(tiny_config, tmp_path):
    tool = load_script('tools/test_unsupervised.py')
    cfg = Config.fromfile(str(tiny_config))
    (tmp_path / 'split.txt').write_text('0\n../images/0\n')
    with pytest.raises(ValueError, match=r"split\.txt: '\.\./images/0\.png' does not name a file"):
        tool.memory_loader(cfg, {'ann_file': str(tmp_path / 'split.txt')}, 3)


def test_retrieval_without_a_memory_says_what_to_do():
    tool = load_script('tools/test_unsupervised.py')
    cfg = Config(dict(test_dataloader=dict(dataset=dict(type='BaseSegDataset'))))
    with pytest.raises(ValueError, match='--memory-split KEY=VALUE'):
        tool.memory_loader(cfg, None, 10)


def test_a_missing_checkpoint_ends_before_anything_is_built(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        run(CONFIG, tmp_path, 'gone.pth')


def test_the_commands_of_the_documents_are_understood():
    tool = load_script('tools/test_unsupervised.py')
    text = (ROOT / 'docs' / 'clips4_evaluation.md').read_text(encoding='utf-8').replace('\\\n', '')
    lines = re.findall(r'^    python tools/test_unsupervised\.py (.*)$', text, re.MULTILINE)
    parsed = [tool.parse_args(shlex.split(line)) for line in lines]
    assert [args.protocol for args in parsed] == ['kmeans', 'retrieval', 'retrieval']
    assert parsed[2].memory_split == dict(ann_file='ImageSets/Segmentation/train.txt')
    for option in ('points', 'seed', 'clusters', 'neighbors', 'memory_images'):
        assert hasattr(parsed[0], option) and f'--{option.replace("_", "-")}' in text

"""Files linked or named in the docs exist, and the data page lists every dataset."""

import re
from pathlib import Path

import mmseg
import pytest
from mmengine.config import Config

from tests.configs import ROOT

PAGES = sorted([*ROOT.parent.glob('docs/*.md'), *ROOT.glob('*/README.md')])


@pytest.mark.parametrize(
    'page', ['README.md', *(str(page.relative_to(ROOT.parent)) for page in PAGES)]
)
def test_pages_link_and_name_files_that_exist(page):
    page = ROOT.parent / page
    text = page.read_text(encoding='utf-8')
    for link in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', text):
        assert (page.parent / link).exists(), link
    toolbox = Path(mmseg.__file__).parent / '.mim'
    for name in re.findall(r'(?<![\w/])(?:tools|configs)/[\w./-]+\.(?:py|sh)', text):
        if Path(name).stem in ('NAME', 'CONFIG'):
            continue
        assert (ROOT.parent / name).exists() or (toolbox / name).exists(), name


def test_data_page_names_every_dataset_and_its_folders():
    text = (ROOT.parent / 'docs' / 'data.md').read_text(encoding='utf-8')
    shared = {
        'segmentation_test',
        'segmentation_test_wide',
        'unlabeled_images',
        'unlabeled_masks',
        'views',
        'maskclip_test',
    }
    shared |= {'synthetic', 'synthetic_centered', 'synthetic_masks', 'synthetic_views'}  # no files
    shared |= {'pascal_voc_aug'}  # docs/clips4_evaluation.md
    for path in sorted((ROOT / '_base_' / 'datasets').glob('*.py')):
        if path.stem in shared:
            continue
        assert f'`{path.stem}`' in text, path.stem
        cfg = Config.fromfile(path)
        for loader in ('train_dataloader', 'test_dataloader'):
            dataset = (cfg.get(loader) or {}).get('dataset', {})
            root = dataset.get('data_root', '').removesuffix('/train')
            assert f'    {root}/\n' in text or not dataset, root
            for folder in dataset.get('data_prefix', {}).values():
                assert f'{folder}/' in text, folder

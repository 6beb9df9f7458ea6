import importlib
import json

import numpy as np
import pytest

from mmseg_langseg.models.text_encoders import Vocabulary
from tests.scripts import ROOT


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'benchmarks'))
    return importlib.import_module('benchmark_peers')


def make_checkout(folder, code=''):
    for name in ('naclip.py', 'pamr.py', 'clip/clip.py', 'prompts/imagenet_template.py'):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return folder


@pytest.mark.multiprocess
def test_without_a_checkout_this_package_is_measured_alone(tool, capsys):
    arguments = ['--arch', 'tiny', '--benchmark', 'voc20', '--images', '1', '--templates', '2']
    results = tool.main([*arguments, '--image-size', '60', '80'])
    printed = capsys.readouterr().out
    assert 'No checkout of NACLIP was given: this package alone is measured.' in printed
    assert '30 names of 20 classes, 2 templates; input 336x448, labels 60x80' in printed
    assert list(results) == ['own'] and 'ratio' not in printed
    own = results['own']
    assert all(own[stage]['cpu'] > 0 for stage in ('text', 'cached text', 'image'))
    assert own['loaded']['peak'] > 100 and own['image']['added'] > 0


def test_other_folders_are_refused_at_once(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*gone'"):
        tool.main([str(tmp_path / 'gone')])
    make_checkout(tmp_path)
    (tmp_path / 'pamr.py').unlink()
    with pytest.raises(FileNotFoundError, match=r'not a checkout of NACLIP .*it has no pamr\.py'):
        tool.main([str(tmp_path)])


@pytest.mark.multiprocess
def test_an_error_in_the_checkout_is_reported_as_such(tool, tmp_path):
    np.save(tmp_path / 'images.npy', np.zeros(1))
    checkout = make_checkout(tmp_path, "print('noise')\nraise ImportError('needs a library')")
    settings = tmp_path / 'settings.json'
    settings.write_text(
        json.dumps({'checkout': str(checkout), 'images': str(tmp_path / 'images.npy')})
    )
    with pytest.raises(RuntimeError, match='NACLIP: ImportError: needs a library'):
        tool.PeerProcess(tool.SIDES, 'naclip', 'NACLIP', settings)


@pytest.mark.parametrize(
    ('benchmark', 'pamr', 'expected'),
    [
        ('voc21', [], dict(prob_thd=0.1, slide_crop=0, pamr_steps=0)),
        ('ade20k', ['--pamr'], dict(prob_thd=0.0, slide_crop=224, slide_stride=112, pamr_steps=10)),
    ],
)
def test_naclip_gets_the_options_of_our_protocol(tool, benchmark, pamr, expected):
    cfg = tool.peer_config(tool.parse_args(['--benchmark', benchmark, *pamr]))
    options = tool.naclip_options(cfg.model.test_cfg)
    assert options['logit_scale'] == 40
    assert {key: options[key] for key in expected} == expected


def test_class_names_are_written_one_class_per_line(tool, tmp_path):
    vocabulary = Vocabulary.from_names(
        ['background', 'cat', 'tv, screen'], ['sky', 'wall'], separate_synonyms=True
    )
    tool.write_names(vocabulary, tmp_path / 'names.txt')
    assert (tmp_path / 'names.txt').read_text() == 'sky, wall\ncat\ntv, screen'
    averaged = Vocabulary.from_names(['cat', 'tv, screen'])
    with pytest.raises(ValueError, match='tv, screen'):
        tool.write_names(averaged, tmp_path / 'names.txt')


def test_labels_are_compared_pixel_by_pixel(tool, tmp_path):
    np.save(tmp_path / 'own_0.npy', np.array([[0, 1], [2, 3]]))
    np.save(tmp_path / 'naclip_0.npy', np.array([[0, 1], [2, 0]]))
    assert tool.compare_labels(tmp_path, 1) == {'equal': 0.75, 'classes': 4}


def test_a_folder_inside_another_repository_has_no_commit(tool):
    assert tool.commit(ROOT / 'tests') == 'commit unknown'

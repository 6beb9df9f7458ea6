import pytest
from PIL import ImageFont

from mmseg_langseg.export import legend_font


@pytest.fixture
def asked(monkeypatch):
    """Names of the system fonts that are looked for, none of which exists."""
    names, real = [], ImageFont.truetype

    def truetype(font, *args, **options):
        if not isinstance(font, str) or 'mpl-data' in font:
            return real(font, *args, **options)
        names.append(font)
        raise OSError

    monkeypatch.setattr(ImageFont, 'truetype', truetype)
    return names


def test_ascii_is_drawn_in_the_font_of_pillow(asked):
    font = legend_font.legend_font('fire truck 12.5%', 20)
    assert font.getname() == ImageFont.load_default(20).getname() and not asked


@pytest.mark.parametrize('text', ['Bäume', 'straße', 'дерево'])
def test_european_names_have_glyphs(text, asked):
    pytest.importorskip('matplotlib')
    assert not legend_font._missing(legend_font.legend_font(text, 20), text)
    assert not asked


def test_system_fonts_are_looked_for(asked):
    font = legend_font.legend_font('草地 ü', 20)
    assert asked == list(legend_font._SYSTEM_FONTS)
    assert font.getmask('草地 ü').size[0] > 0


def test_without_any_font(asked, monkeypatch):
    monkeypatch.setattr(legend_font, 'find_spec', lambda name: None)
    font = legend_font.legend_font('ü', 20)
    assert font.getname() == ImageFont.load_default(20).getname()

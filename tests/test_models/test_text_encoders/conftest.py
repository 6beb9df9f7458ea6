import pytest

from mmseg_langseg.models.text_encoders import OpenCLIPTextEncoder
from tests import golden


@pytest.fixture(scope='package')
def clip_file(tmp_path_factory):
    return golden.vit_file(tmp_path_factory.mktemp('clip'))


@pytest.fixture(scope='package')
def encoder(clip_file):
    return OpenCLIPTextEncoder(golden.vit_arch(), clip_file, batch_size=7)

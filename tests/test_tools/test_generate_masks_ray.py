"""The runs themselves are tested in ``test_masks/test_runs/test_ray_generation.py``."""

import socket
import sys
from types import SimpleNamespace

import pytest

from tests.ports import free_port
from tests.scripts import load_script


@pytest.mark.parametrize('start', ['127.0.0.1', 'ray://127.0.0.1', '[::1]'])
def test_an_address_without_a_cluster_ends_the_command(start):
    address = f'{start}:{free_port()}'
    with pytest.raises(ConnectionError, match="no Ray cluster answers at RAY_ADDRESS='") as error:
        load_script('tools/generate_masks_ray.py').check_address(address)
    assert address in str(error.value)


def test_addresses_that_answer_or_that_ray_resolves_are_left_to_it():
    check = load_script('tools/generate_masks_ray.py').check_address
    with socket.create_server(('127.0.0.1', 0)) as server:
        check(f'127.0.0.1:{server.getsockname()[1]}')
    for address in ('', 'auto', 'local'):
        check(address)


def test_a_cluster_that_refuses_the_connection_may_need_a_token(monkeypatch):
    def init(**kwargs):
        raise ConnectionError('Failed to connect to Ray cluster at 10.0.0.1:6379')

    monkeypatch.setitem(sys.modules, 'ray', SimpleNamespace(init=init))
    monkeypatch.delenv('RAY_ADDRESS', raising=False)
    with pytest.raises(ConnectionError, match=r'10\.0\.0\.1:6379; .*set RAY_AUTH_MODE=token'):
        load_script('tools/generate_masks_ray.py').connect()

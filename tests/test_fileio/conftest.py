from tests.test_masks.conftest import images  # noqa: F401

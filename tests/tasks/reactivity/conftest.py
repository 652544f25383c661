"""A table of profiles that the tests of this task share."""

from pathlib import Path

import pytest

from rnagen.tasks.reactivity.data import ReactivityDataModule
from tests.helpers.profiles import config_of, write_trainable


@pytest.fixture(scope="session")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 40 RNAs, whose cache is filled."""
    path = write_trainable(tmp_path_factory.mktemp("profiles"))
    ReactivityDataModule(config_of(path)).prepare_data()
    return path

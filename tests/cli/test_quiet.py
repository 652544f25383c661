"""A training begins with its own lines: no tips of libraries."""

import logging
import warnings

import pytest

from rnagen.cli.main import main
from rnagen.cli.quiet import LOGGER, quieten_libraries
from rnagen.preparation import sample_set
from tests.helpers.tiny import TINY_FLAGS


def test_tips_are_left_out_and_other_messages_are_not(caplog: pytest.LogCaptureFixture) -> None:
    quieten_libraries()
    quieten_libraries()
    logger = logging.getLogger(LOGGER)
    with caplog.at_level(logging.INFO, LOGGER):
        logger.info("\U0001f4a1 Tip: install something")
        logger.info("GPU available: False, used: False")
        logger.info("something that matters")
    assert caplog.messages == ["something that matters"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quieten_libraries()
        for text in ("`isinstance(treespec, LeafSpec)` is deprecated, use another", "another"):
            warnings.warn(text, FutureWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["another"]


def test_a_training_begins_with_its_own_lines(tmp_path, capfd, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sample_set, "TRAINING", 8)
    monkeypatch.setattr(sample_set, "VALIDATION", 2)
    length = ["--epochs", "1", "--train-batches", "1", "--no-validate"]
    assert main(["train", *TINY_FLAGS, *length]) == 0
    found = capfd.readouterr()
    for word in ("GPU", "TPU", "Tip", "litlogger", "treespec", "Trainer", "logging interval"):
        assert word not in found.out + found.err, word

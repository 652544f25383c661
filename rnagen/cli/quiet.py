"""Messages of libraries that tell a user of rnagen nothing: tips, devices that are not there, deprecated calls."""

import logging
import warnings

LOGGER = "lightning.pytorch.utilities.rank_zero"
"""Where Lightning logs them, beside what matters."""
CHATTER = ("GPU available:", "TPU available:", "HPU available:", "\U0001f4a1 Tip:", "`Trainer.fit` stopped:")
"""Beginnings of the log lines."""
WARNINGS = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"The number of training batches \(\d+\) is smaller than the logging interval",
    r"GPU available but not used",
    # Ours can be resumed anywhere, and a frozen encoder is in eval mode on purpose.
    r"You're resuming from a checkpoint that ended before the epoch ended",
    r"Found \d+ module\(s\) in eval mode at the start of training",
    # They are means over all processes before they are logged.
    r"It is recommended to use `self\.log\('val/",
    # States of earlier versions hold the time that their run had.
    r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint need to be provided",
)
"""Beginnings of the warnings, as regular expressions."""


def quieten_libraries() -> None:
    """Leave these messages out in this process, and no others."""
    logger = logging.getLogger(LOGGER)
    # The same function again is not added again.
    logger.addFilter(_matters)
    for message in WARNINGS:
        warnings.filterwarnings("ignore", message)


def _matters(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(CHATTER)

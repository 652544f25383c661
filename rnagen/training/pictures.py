"""The picture of a validation: a file in the folder of the run, and an image in the loggers that take one."""

from importlib.util import find_spec
from pathlib import Path

import lightning as L

from rnagen.training.loggers import log_picture
from rnagen.training.module import MeasuredModule

FILE = "validation.png"


class PictureWriter(L.Callback):
    """Makes the picture of each validation, if the task has one and matplotlib is there; the file has the newest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, MeasuredModule)
        if not trainer.is_global_zero or find_spec("matplotlib") is None:
            return
        figure = pl_module.validation_picture()
        if figure is None:
            return
        from rnagen.report.curves import save

        save(figure, self.folder / FILE)
        for logger in trainer.loggers:
            log_picture(logger, self.folder / FILE, trainer.global_step)

"""Options about epochs that a run does not reach."""

from rnagen.config.effects import without_effect
from rnagen.config.files import load_config
from rnagen.config.structure import TrainConfig


def lines(**options: object) -> list[str]:
    return without_effect(load_config(TrainConfig(), options, "test"))


def test_what_is_reached_has_an_effect() -> None:
    assert not lines()
    assert not lines(epochs=8, lr_decay_start=7, batch_schedule="0:8,7:4", loss_schedule=["flow:7:0.5"])


def test_each_option_is_named_with_what_it_needs() -> None:
    end = "the last one is epoch 3 (needs more --epochs)"
    assert lines(epochs=4, lr_decay_start=7) == [f"lr_decay_start: no effect at epoch 7: {end}"]
    assert lines(epochs=4, batch_schedule="0:8,4:4,9:2") == [f"batch_schedule: no effect at epoch 4: {end}"]
    schedules = ["flow:1:0.5", "dmae:5:1"]
    assert lines(epochs=4, loss_schedule=schedules) == [f"loss_schedule: dmae: no effect at epoch 5: {end}"]

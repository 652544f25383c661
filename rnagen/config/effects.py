"""Options of a structure training that have no effect together with others, in words for warnings."""

from rnagen.config.epochs import Changes, changes_of
from rnagen.config.structure import TrainConfig


def without_effect(config: TrainConfig) -> list[str]:
    """A line for each option that is about an epoch which the run does not reach."""
    found: list[tuple[str, Changes]] = []
    if config.optim.lr_decay_start is not None:
        found.append(("lr_decay_start", ((config.optim.lr_decay_start, 0.0),)))
    if config.dataset.batch_schedule is not None:
        found.append(("batch_schedule", changes_of(config.dataset.batch_schedule, "batch_schedule", least=1)))
    found += [(f"loss_schedule: {term}", changes) for term, changes in config.loss.changes().items()]
    last = config.run.epochs - 1
    lines = []
    for name, changes in found:
        late = [epoch for epoch, _ in changes if epoch > last]
        if late:
            lines.append(f"{name}: no effect at epoch {late[0]}: the last one is epoch {last} (needs more --epochs)")
    return lines

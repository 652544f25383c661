"""The options of the training loss of the structure task. No heavy import here."""

import math
from dataclasses import dataclass

from rnagen.config.epochs import Changes, changes_of, value_at
from rnagen.config.files import refuse_unless
from rnagen.errors import ConfigError
from rnagen.messages import quoted

LOSS_TERMS = ("flow", "lddt", "drmsd", "dmae", "local_drmsd", "aligned_mae", "consistency", "distogram")
"""Terms of the loss; each has a weight."""
FORM = "TERM:EPOCH:VALUE,EPOCH:VALUE …"
"""Of a part of `loss_schedule`."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the training loss; structure terms act on the predicted clean structure."""

    flow_weight: float = 1.0
    """Flow loss (mean square error of the prediction, model units)."""
    aligned: bool = True
    """Superpose the true structure on the predicted one before the flow target is computed."""
    lddt_weight: float = 1.0
    """1 − smooth lDDT on C1'."""
    lddt_thresholds: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    """Å; twice those of the all-atom definition, because C1' atoms lie further apart."""
    dmae_weight: float = 0.0
    """Mean absolute error of the distances between C1' atoms."""
    local_drmsd_weight: float = 0.0
    """dRMSD on pairs of C1' atoms that are less than 30 Å apart, not clamped."""
    drmsd_weight: float = 0.5
    """dRMSD on C1', clamped at `drmsd_clamp`."""
    drmsd_clamp: float = 20.0
    """Å; distance errors above this count as this."""
    aligned_mae_weight: float = 0.5
    """Mean absolute error after superposition."""
    consistency_weight: float = 0.0
    """Mean square difference of the clean structures predicted at two times of one path (copies come in pairs).
    Experimental: no gain measured."""
    distogram_weight: float = 0.2
    """Cross-entropy of the trunk's distance bins."""
    structure_ramp: int = 1000
    """Optimizer steps over which the structure losses reach full weight."""
    loss_schedule: tuple[str, ...] = ()
    """Weights that change with the epoch, such as `consistency:0:0.0,100:0.01 flow:50:0.5`; before its first epoch a
    term has the weight of its option."""

    def __post_init__(self) -> None:
        checks = {f"{name}_weight": 0 <= getattr(self, f"{name}_weight") < math.inf for name in LOSS_TERMS}
        checks["lddt_thresholds"] = bool(self.lddt_thresholds) and all(0 < x < math.inf for x in self.lddt_thresholds)
        checks["drmsd_clamp"] = self.drmsd_clamp > 0
        checks["structure_ramp"] = self.structure_ramp >= 1
        refuse_unless(self, checks)
        if len(self.changes()) < len(self.loss_schedule):
            raise ConfigError(f"loss_schedule: {' '.join(self.loss_schedule)} names a term twice")

    def changes(self) -> dict[str, Changes]:
        """The changes of `loss_schedule` by term.

        Raises:
            ConfigError: it cannot be used.
        """
        found = {}
        for text in self.loss_schedule:
            term, _, changes = text.partition(":")
            if term not in LOSS_TERMS:
                terms = f"expected {FORM}, with a term of {', '.join(LOSS_TERMS)}"
                raise ConfigError(f"loss_schedule: {quoted(term)} does not exist ({terms})")
            found[term] = changes_of(changes, f"loss_schedule: {term}", form=FORM)
        return found

    def weights_at(self, epoch: int) -> dict[str, int | float]:
        """The weight of each term at an epoch."""
        later = self.changes()
        return {name: value_at(epoch, later.get(name, ()), getattr(self, f"{name}_weight")) for name in LOSS_TERMS}

    def uses(self, term: str) -> bool:
        """Whether a term has a weight at any epoch."""
        later = [value for _, value in self.changes().get(term, ())]
        return any((getattr(self, f"{term}_weight"), *later))

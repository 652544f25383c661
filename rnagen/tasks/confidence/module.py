"""The LightningModule of the confidence task."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rnagen.checkpoints.structure import Checkpoint
from rnagen.config.confidence import ConfidenceConfig
from rnagen.errors import ConfigError
from rnagen.features import from_chain
from rnagen.model.confidence import ConfidenceHead, ConfidenceLogits, spread
from rnagen.model.model import RNAFlowModel
from rnagen.sampling.confidence import confidence_logits, confidence_of
from rnagen.tasks.confidence.data import ScoredBatch, ScoredChain
from rnagen.tasks.confidence.report import LengthBaseline, ReportedTarget, summarize
from rnagen.training.compiling import compile_in_place
from rnagen.training.module import spared
from rnagen.training.one_cycle import OneCycleModule

STATE_KEY = "structure_model"


@dataclass(frozen=True)
class FrozenModel:
    """A structure model that is not trained; not a module, so that no state contains it."""

    model: RNAFlowModel

    def on(self, device: torch.device) -> RNAFlowModel:
        """The model, on that device."""
        return self.model.to(device).eval()


class ConfidenceModule(OneCycleModule):
    """Trains a `ConfidenceHead` on the conformers of a frozen structure model.

    Args:
        config: the options of the run.
        checkpoint: of the structure model, which is not part of the state.
        baseline: fitted to the lengths of the training chains.
        steps: optimizer steps of the whole run.
    """

    def __init__(self, config: ConfidenceConfig, checkpoint: Checkpoint, baseline: LengthBaseline, steps: int) -> None:
        super().__init__(config.optim, steps)
        self.config = config
        self.baseline = baseline
        self.structure = checkpoint.fingerprint
        self.frozen = FrozenModel(checkpoint.model.requires_grad_(False))
        shape = checkpoint.config.model
        self.head = ConfidenceHead(config.model, shape.embed_dim, shape.pair_dim)
        self.reported: list[ReportedTarget] = []
        self.val_losses: list[float] = []

    @property
    def network(self) -> ConfidenceHead:
        """The head."""
        return self.head

    def setup(self, stage: str) -> None:
        if self.config.optim.compile and stage == "fit":
            compile_in_place([self.head])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[STATE_KEY] = self.structure

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if checkpoint.get(STATE_KEY) != self.structure:
            raise ConfigError("structure: the run to be resumed scores another structure model")

    @spared
    def training_step(self, batch: ScoredBatch, batch_idx: int) -> Tensor:
        with torch.no_grad():
            trunk = self.frozen.on(self.device).condition(batch.features).trunk
        logits = self.head(trunk, batch.c1, batch.features.mask)
        lddt, tm = losses(logits, batch.lddt, batch.scored, batch.tm)
        loss = lddt + tm
        self.log_dict({"train/lddt": lddt.detach(), "train/tm": tm.detach()}, batch_size=len(batch.tm))
        self.log("train/loss", loss.detach(), batch_size=len(batch.tm), prog_bar=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        self.reported, self.val_losses = [], []

    def validation_step(self, known: ScoredChain, batch_idx: int) -> None:
        """All conformers of a chain, scored as in sampling."""
        scores, chain = known.scores, known.chain
        context = self.frozen.on(self.device).condition(from_chain(chain).to(self.device))
        logits = confidence_logits(self.head, context, scores.c1)
        self.val_losses.append(float(sum(losses(logits, scores.lddt[None], scores.scored[None], scores.tm[None]))))
        found = confidence_of(logits)
        length_tm, length_lddt = self.baseline.predict(len(chain.bases))
        self.reported.append(
            ReportedTarget(
                chain.name,
                found.lddt,
                found.tm,
                scores.lddt.numpy(),
                scores.scored.numpy(),
                scores.tm.numpy(),
                known.consensus.lddt.numpy(),
                known.consensus.tm.numpy(),
                length_lddt,
                length_tm,
            )
        )

    def on_validation_epoch_end(self) -> None:
        means = {"loss": sum(self.val_losses) / len(self.val_losses), **summarize(self.reported)}
        self.val_means = {f"val/{name}": round(value, 4) for name, value in means.items()}
        self.val_table = [target.row() for target in self.reported]


def losses(
    logits: ConfidenceLogits,
    lddt: Float[Tensor, "B K L"],
    scored: Bool[Tensor, "B K L"],
    tm: Float[Tensor, "B K"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Cross-entropies of C1'-lDDT, mean over the scored residues of all conformers, and of the TM-score.

    A value between two levels is shared by them: the cross-entropy is least where the mean of the probabilities, which
    is what is predicted, is the mean of the values.
    """
    levels = logits.tm.shape[-1]
    of_residues = -(spread(lddt, levels) * logits.lddt.log_softmax(-1)).sum(-1)
    of_conformers = -(spread(tm, levels) * logits.tm.log_softmax(-1)).sum(-1)
    return (of_residues * scored).sum() / scored.sum().clamp(min=1), of_conformers.mean()

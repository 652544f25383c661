"""Length-matched versus random batches: padding, collation and training speed, as ratios within one run.

    python benchmarks/length_batches.py train_data.parquet [CACHE_FOLDER]

The model is a small plain Transformer encoder. Base pairs are left out, because they would dominate the collation.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, RandomSampler, Sampler

from rnagen.io.reactivity_table import ReactivityTable
from rnagen.structure import BASES
from rnagen.tasks.reactivity.batches import LengthMatchedBatchSampler
from rnagen.tasks.reactivity.dataset import ReactivityBatch, ReactivityDataset, reactivity_batch, trainable

BATCH_SIZES = (16, 64)
BATCHES, WARM_UP, STEPS = 30, 3, 12
WIDTH, LAYERS, HEADS = 128, 4, 4


class SmallEncoder(nn.Module):
    """A Transformer encoder over the bases; a stand-in for the real encoders."""

    def __init__(self, experiments: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(BASES), WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, experiments)

    def forward(self, batch: ReactivityBatch) -> Tensor:
        """L1 loss on the observed values."""
        masked = self.blocks(self.embed(batch.features.bases), src_key_padding_mask=~batch.features.mask)
        errors = (self.head(masked) - batch.reactivity.clamp(0, 1)).abs()
        return errors[batch.observed].mean()


def padding(batches: list[list[int]], dataset: ReactivityDataset) -> tuple[float, float]:
    """Share of padding in an epoch: padded to the longest RNA of each batch, and as `reactivity_batch` pads."""
    residues = int(dataset.lengths.sum())
    longest = [(len(batch), int(dataset.lengths[batch].max())) for batch in batches]
    exact = sum(size * length for size, length in longest)
    rounded = sum(size * -(-length // 16) * 16 for size, length in longest)
    return 1 - residues / exact, 1 - residues / rounded


def collated_per_second(batches: list[list[int]], dataset: ReactivityDataset) -> float:
    """Examples read and collated per second."""
    start = time.perf_counter()
    for batch in batches:
        reactivity_batch([dataset[index] for index in batch])
    return sum(map(len, batches)) / (time.perf_counter() - start)


def trained_per_second(batches: list[list[int]], dataset: ReactivityDataset, device: str) -> float:
    """Examples trained on per second: forward, backward and an optimizer step."""
    torch.manual_seed(0)
    model = SmallEncoder(len(dataset.table.experiments)).to(device)
    optimizer = torch.optim.AdamW(model.parameters())
    ready = [reactivity_batch([dataset[index] for index in batch]).to(device) for batch in batches]

    def step(batch: ReactivityBatch) -> None:
        optimizer.zero_grad()
        loss = model(batch)
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device

    for batch in ready[:WARM_UP]:
        step(batch)
    start = time.perf_counter()
    for batch in ready[WARM_UP:]:
        step(batch)
    return sum(map(len, batches[WARM_UP:])) / (time.perf_counter() - start)


def spread(batches: list[list[int]], count: int) -> list[list[int]]:
    """Full batches spread evenly over the epoch, so that all lengths are represented."""
    full = [batch for batch in batches if len(batch) == len(batches[0])]
    return [full[round(n * (len(full) - 1) / (count - 1))] for n in range(count)]


def main(path: Path, cache: Path) -> None:
    table = ReactivityTable.open(path, cache)
    dataset = ReactivityDataset(table, trainable(table))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{len(dataset)} examples of {dataset.lengths.min()} to {dataset.lengths.max()} residues; model on {device}")
    print(f"{'batch':>5} {'batches':>8} {'padding':>8} {'as fed':>7} {'collated/s':>11} {'trained/s':>10} {'ratio':>6}")
    for size in BATCH_SIZES:
        baseline = 0.0
        for name in ("random", "matched"):
            sampler = RandomSampler(dataset, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]
            batched: Sampler[list[int]] = (
                BatchSampler(sampler, size, drop_last=False)
                if name == "random"
                else LengthMatchedBatchSampler(sampler, dataset.lengths, size)
            )
            batches = list(batched)
            exact, fed = padding(batches, dataset)
            read = collated_per_second(spread(batches, BATCHES), dataset)
            trained = trained_per_second(spread(batches, WARM_UP + STEPS), dataset, device)
            baseline = baseline or trained
            row = f"{size:>5} {name:>8} {exact:8.1%} {fed:7.1%} {read:11,.0f} {trained:10,.0f}"
            print(f"{row} {trained / baseline:5.2f} ×")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python benchmarks/length_batches.py FILE.parquet [CACHE_FOLDER]")
    with tempfile.TemporaryDirectory() as folder:
        main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else Path(folder))

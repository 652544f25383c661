"""train.py --task confidence: conformers once, exact resumes, a head that learns, and refusals."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rnagen.checkpoints.confidence import find_confidence, load_confidence_checkpoint
from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.cli.train import main
from rnagen.config.confidence import ConformerSetConfig
from rnagen.data.dataset import Dataset
from rnagen.model.confidence import ConfidenceLogits, expected, spread
from rnagen.model.trunk import TrunkOutput
from rnagen.preparation.synthetic import synthetic_dataset
from rnagen.tasks.confidence.data import ScoredChain, ScoredChains, chosen
from rnagen.tasks.confidence.module import losses
from tests.helpers.chains import rewrite
from tests.helpers.scored import TINY_HEAD_FLAGS, perturbed, tiny_head
from tests.helpers.tiny import TINY, make_chain, make_draw, stacked, tiny_model

TRAINING = [
    *("--task", "confidence", *TINY_HEAD_FLAGS, "--steps", "2", "--conformers", "1", "--other-taus", "1.0"),
    *("--val-conformers", "3", "--batch-size", "2", "--copies", "2", "--epochs", "1", "--train-batches", "3"),
    *("--max-length", "1000", "--per-cluster", "9", "--print-freq", "1", "--accelerator", "cpu"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A structure model, a dataset with its splits, and the conformers, which are sampled once."""
    folder = tmp_path_factory.mktemp("confidence")
    synthetic_dataset(folder / "data", 6, seed=1)
    # Synthetic RNA has no release date.
    rewrite(folder / "data", release_date=["2001-01-01"] * 4 + [""] * 2)
    ids = Dataset.open(folder / "data").chains.names
    for name, part in (("train", ids[:4]), ("val", ids[4:])):
        (folder / f"{name}.csv").write_text("id\n" + "".join(f"{i}\n" for i in part))
    save_checkpoint(folder / "tiny.safetensors", tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return folder


@pytest.fixture
def train(places: Path, tmp_path: Path):
    """Run train.py into tmp_path/NAME; returns the exit code."""

    def call(name: str, *flags: str | Path) -> int:
        given = ["--data", places / "data", "--splits", places, "--cache", places / "cache"]
        given += ["--structure", places / "tiny.safetensors", "--run-dir", tmp_path, "--run-name", name]
        return main([str(f) for f in (*TRAINING, *given, *flags)])

    return call


def test_a_run_leaves_a_head_that_sampling_finds(train, places: Path, tmp_path: Path, capsys) -> None:
    assert train("a") == 0
    folder = tmp_path / "a"
    names = {".lock", "config.yaml", "log", "metrics.jsonl", "last.ckpt"}
    names |= {f"{which}.{suffix}" for which in ("last", "best") for suffix in ("safetensors", "json")}
    assert {p.name for p in folder.iterdir()} == names
    assert "12 conformers of 4 chains train, 2 chains validate; 3 steps" in capsys.readouterr().out
    (record,) = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {"val/loss", "val/lddt_ece", "val/tm_rank_consensus", "val/tm_mae_by_length"} <= record.keys()
    assert len(record["targets"]) == 2
    loaded = load_confidence_checkpoint(folder / "best.safetensors")
    structure = load_checkpoint(places / "tiny.safetensors")
    assert loaded.structure_model.fingerprint == structure.fingerprint
    assert loaded.metadata["cutoff"] == "2022-05-27"
    # No weight of the structure model is in the state, nor has one moved.
    state = torch.load(folder / "last.ckpt", weights_only=True)
    assert all(name.startswith("head.") or name == "skipped_steps" for name in state["state_dict"])
    assert find_confidence(structure) is None
    # The recorded configuration trains the same again, on the same conformers.
    sampled = {p: p.stat().st_mtime_ns for p in (places / "cache").iterdir()}
    assert len(sampled) == 2
    assert main(["--config", str(folder / "config.yaml"), "--run-name", "b"]) == 0
    assert {p: p.stat().st_mtime_ns for p in (places / "cache").iterdir()} == sampled
    again = load_file(tmp_path / "b" / "last.safetensors")
    for name, value in load_file(folder / "last.safetensors").items():
        assert torch.equal(again[name], value), name


def test_resume_in_the_middle_of_an_epoch_is_exact(train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train("whole") == 0

    from rnagen.training.callbacks import StepLog

    def interrupt(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(StepLog, "on_train_batch_end", interrupt)
        assert train("parts") == 130
    state = tmp_path / "parts" / "last.ckpt"
    assert torch.load(state, weights_only=True)["global_step"] == 2
    assert train("parts", "--ckpt", state) == 0
    whole, parts = (load_file(tmp_path / name / "last.safetensors") for name in ("whole", "parts"))
    for name, value in whole.items():
        assert torch.equal(parts[name], value), name


def test_a_finished_run_goes_on_with_its_own_options_and_more_epochs(train, tmp_path: Path, capsys) -> None:
    assert train("a") == 0
    state = tmp_path / "a" / "last.ckpt"
    assert main(["--ckpt", str(state), "--levels", "5"]) == 2
    assert "levels: the run has 11, 5 was given: a resumed run keeps it" in capsys.readouterr().err
    assert main(["--ckpt", str(state), "--epochs", "2", "--fresh-schedule"]) == 0
    saved = torch.load(state, weights_only=True)
    assert (saved["global_step"], saved["lr_schedulers"][0]["start"]) == (6, 3)


def test_weights_alone_are_validated_and_others_are_refused(train, places: Path, tmp_path: Path, capsys) -> None:
    assert train("first") == 0
    weights = tmp_path / "first" / "last.safetensors"
    assert train("second", "--validate-only", "--ckpt", weights) == 0
    first, second = ((tmp_path / name / "metrics.jsonl").read_text() for name in ("first", "second"))
    assert json.loads(first)["val/loss"] == json.loads(second)["val/loss"]
    capsys.readouterr()
    assert train("third", "--ckpt", weights, "--head-dim", "32") == 2
    assert "another shape" in capsys.readouterr().err
    assert train("first") == 2
    assert "--ckpt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--max-time", "00:00:00:00", "--seed", "9"], "4 of 4 chains are still to be sampled"),
        (["--max-time", "soon"], "expected 90s, 30m, 1h, 1d or DD:HH:MM:SS"),
        (["--max-length", "20"], "of its training chains has 20 residues or fewer"),
        (["--data", "absent"], "absent"),
        (["--sampling-method", "ddpm"], "ddpm is for the path Sqrt"),
    ],
)
def test_bad_options_are_named(train, capsys, flags: list[str], words: str) -> None:
    assert train("a", *flags) == 2
    assert words in capsys.readouterr().err


def test_a_chain_past_the_cutoff_is_refused(places: Path, tmp_path: Path, capsys) -> None:
    # The validation chains have no date.
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text((places / "val.csv").read_text())
    given = ["--data", places / "data", "--splits", tmp_path, "--structure", places / "tiny.safetensors"]
    assert main([str(f) for f in (*TRAINING, *given, "--cache", tmp_path, "--run-dir", tmp_path)]) == 2
    assert "has no release date, but the cutoff is 2022-05-27" in capsys.readouterr().err


def test_few_chains_of_a_cluster() -> None:
    lengths = (21, 22, 23, 24, 25, 26, 300)
    chains = stacked([make_chain(length) for length in lengths])
    infos = [replace(info, cluster=k) for info, k in zip(chains.infos, (1, 1, 1, 1, 2, 3, 4))]
    chains = replace(chains, infos=tuple(infos))
    options = ConformerSetConfig(per_cluster=2, max_length=200)
    first = chosen(chains, options, seed=0).lengths.tolist()
    assert len(first) == 4
    assert first[2:] == [25, 26]
    assert len({tuple(chosen(chains, options, seed).lengths.tolist()) for seed in range(9)}) > 1


def test_batches_hold_conformers_with_their_scores() -> None:
    known = [ScoredChain(chain, perturbed(chain, [0.5, 2.0, 8.0])) for chain in (make_chain(20), make_chain(37))]
    draw = make_draw([one.chain for one in known])
    batch = ScoredChains(known, copies=2).batch(draw)
    assert batch.c1.shape == (2, 2, draw.length, 3)
    assert batch.features.mask.sum(1).tolist() == [20, 37]
    for row, one in enumerate(known):
        for copy in range(2):
            (number,) = torch.nonzero(one.scores.tm == batch.tm[row, copy])[:, 0].tolist()
            length = len(one.chain.bases)
            assert torch.equal(batch.c1[row, copy, :length], one.scores.c1[number])
            assert torch.equal(batch.lddt[row, copy, :length], one.scores.lddt[number])
    assert not batch.scored[0, :, 20:].any()
    assert len(set(ScoredChains(known, copies=5).batch(draw).tm[0].tolist())) <= 3


def test_losses_are_least_at_the_mean_and_ignore_what_was_not_scored() -> None:
    lddt, tm = torch.tensor([[[0.32, 0.9]]]), torch.tensor([[0.55]])
    scored = torch.tensor([[[True, False]]])
    levels = 11
    right = ConfidenceLogits(spread(lddt, levels).clamp(min=1e-9).log(), spread(tm, levels).clamp(min=1e-9).log())
    wrong = ConfidenceLogits(right.lddt.flip(-1), right.tm.flip(-1))
    best, worst = (sum(losses(logits, lddt, scored, tm)) for logits in (right, wrong))
    assert best < worst
    other = ConfidenceLogits(right.lddt.clone(), right.tm)
    other.lddt[0, 0, 1] = 0
    assert losses(other, lddt, scored, tm)[0] == losses(right, lddt, scored, tm)[0]
    assert losses(right, lddt, torch.zeros_like(scored), tm)[0] == 0


def test_the_head_learns_to_tell_good_from_bad_and_from_mirrored() -> None:
    chains = [make_chain(16, seed=seed) for seed in range(4)]
    head = tiny_head().train()
    optimizer = torch.optim.Adam(head.parameters(), lr=5e-3)
    scores = [perturbed(chain, [0.1, 1.0, 4.0]) for chain in chains]
    c1, lddt, scored, tm = (torch.stack([getattr(one, part) for one in scores]) for part in vars(scores[0]))
    # Each chain is recognised by the trunk's output.
    generator = torch.Generator().manual_seed(0)
    trunk = TrunkOutput(torch.randn(4, 16, 32, generator=generator), torch.randn(4, 16, 16, 8, generator=generator))
    c1, lddt = torch.cat([c1, c1[:, :1] * torch.tensor([-1.0, 1, 1])], 1), torch.cat([lddt, lddt[:, :1]], 1)
    scored, tm = torch.cat([scored, scored[:, :1]], 1), torch.cat([tm, torch.full((4, 1), 0.1)], 1)
    mask = torch.ones(4, 16, dtype=torch.bool)
    for _ in range(150):
        optimizer.zero_grad()
        logits = head(trunk, c1, mask)
        sum(losses(logits, lddt, scored, tm)).backward()
        optimizer.step()
    assert (expected(logits.tm) - tm).abs().mean() < 0.06
    assert (expected(logits.lddt) - lddt).abs().mean() < 0.1
    assert (expected(logits.tm)[:, 3] < expected(logits.tm)[:, 0] - 0.3).all()

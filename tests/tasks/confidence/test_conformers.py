"""The set of scored conformers: scores as the metrics give them, one file that grows, nothing lost or mixed up."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rnagen.checkpoints.structure import load_checkpoint, save_checkpoint
from rnagen.config.confidence import ConformerSetConfig
from rnagen.config.sampling import SamplerConfig, SamplingPlan
from rnagen.data.references import ChainReferences
from rnagen.errors import InputError
from rnagen.features import from_chain
from rnagen.metrics import c1_lddt, tm_score
from rnagen.sampling.conformers import draw_conformers
from rnagen.sampling.denoiser import Flow
from rnagen.structure import BEADS
from rnagen.tasks.confidence.conformers import (
    ConformerPlan,
    conformers_file,
    read_conformers,
    sample_conformer_set,
    sample_scored,
    score_conformers,
)
from rnagen.tasks.confidence.report import LengthBaseline, consensus
from tests.helpers.scored import C1, perturbed
from tests.helpers.tiny import TINY, make_chain, tiny_model

PLAN = ConformerPlan(SamplerConfig(steps=3), (0.05, 1.0), conformers=2, mirrors=1, seed=0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("structure") / "tiny.safetensors"
    save_checkpoint(path, tiny_model(), TINY, {"cutoff": "2022-05-27"})
    return load_checkpoint(path)


def test_scores_are_those_against_the_model_that_fits_best() -> None:
    chain = make_chain(24, models=2, resolved=0.8)
    true, mask = torch.from_numpy(chain.coords[:, :, C1]), torch.from_numpy(chain.mask[:, :, C1])
    generator = torch.Generator().manual_seed(0)
    # Of model 2 alone; unresolved residues anywhere.
    c1 = torch.where(mask[1, :, None], true[1], 50 * torch.randn(24, 3, generator=generator))
    scores = score_conformers(c1[None], chain, C1)
    assert float(scores.tm[0]) == pytest.approx(1, abs=1e-6)
    assert torch.equal(scores.scored[0], mask[1])
    assert scores.lddt[0][mask[1]].min() > 0.999
    noisy = perturbed(chain, [0.5, 8.0])
    assert noisy.tm[0] > noisy.tm[1]
    expected = c1_lddt(noisy.c1[0], true[0], mask[0]).per_residue
    torch.testing.assert_close(noisy.lddt[0], expected)


def test_conformers_are_those_of_sampling(checkpoint) -> None:
    chain = make_chain(18)
    scores = sample_scored(checkpoint, chain, PLAN)
    assert len(scores.tm) == 5
    for place, tau in enumerate(PLAN.taus):
        options = replace(PLAN.sampler, tau=tau)
        plan = SamplingPlan(2, seed=0, options=options)
        sampled = draw_conformers(Flow.of(checkpoint), from_chain(chain), chain.name, plan)
        own = scores.c1[2 * place : 2 * place + 2]
        torch.testing.assert_close(own, sampled.coords[:, :, C1])
    # A mirror image keeps the distances, and so the lDDT, but not the TM-score.
    torch.testing.assert_close(scores.c1[4, :, 1:], scores.c1[0, :, 1:])
    torch.testing.assert_close(scores.c1[4, :, 0], -scores.c1[0, :, 0])
    everything = torch.ones(18, dtype=torch.bool)
    assert float(tm_score(scores.c1[4], scores.c1[0], everything)) < 0.9


def test_chains_with_templates_have_further_conformers_built_on_them(checkpoint, tmp_path: Path) -> None:
    chains = [make_chain(18, seed=seed) for seed in range(2)]
    coords, mask = (torch.from_numpy(part[0]) for part in (chains[0].coords, chains[0].mask))
    columns = [TINY.model.atoms.index(atom) for atom in BEADS]
    three = torch.full((3,), 0.9)
    path = tmp_path / "templates.safetensors"
    ChainReferences(
        (chains[0].name,) * 3,
        ("1aaa_A", "2bbb_B", "3ccc_C"),
        three,
        torch.full((3,), 18),
        coords[:, columns].repeat(3, 1, 1),
        mask[:, columns].repeat(3, 1),
    ).write(path)
    plan = replace(PLAN, templates=path)
    with_templates, without = sample_conformer_set(checkpoint, chains, plan, tmp_path / "set.safetensors")
    plain = sample_scored(checkpoint, chains[0], PLAN)
    # Two at each temperature, a mirror image, and as many as there are plain ones on templates.
    assert (len(with_templates.tm), len(without.tm)) == (7, 5)
    torch.testing.assert_close(with_templates.c1[:5], plain.c1)
    # An untrained model copies its template to near the end, and scores nothing without.
    assert with_templates.tm[5:].min() > 0.5 > with_templates.tm[:5].max()
    assert conformers_file(tmp_path, checkpoint, "dataset", plan) != conformers_file(
        tmp_path, checkpoint, "dataset", PLAN
    )


def test_the_file_holds_what_was_sampled_and_grows(checkpoint, tmp_path: Path, monkeypatch) -> None:
    chains = [make_chain(14, seed=seed) for seed in range(3)]
    file = conformers_file(tmp_path / "cache", checkpoint, "dataset", PLAN)
    first = sample_conformer_set(checkpoint, chains[:2], PLAN, file)

    def other(checkpoint, chain, plan, templates):
        assert chain.name == chains[2].name, "the others are there"
        return sample_scored(checkpoint, chain, plan)

    monkeypatch.setattr("rnagen.tasks.confidence.conformers.sample_scored", other)
    again = sample_conformer_set(checkpoint, chains[::-1], PLAN, file)
    for one, two in zip(first, again[:0:-1], strict=True):
        assert all(torch.equal(vars(one)[part], vars(two)[part]) for part in vars(one))
    assert set(read_conformers(file)) == {chain.name for chain in chains}


def test_an_interruption_or_the_end_of_the_time_loses_nothing(checkpoint, tmp_path: Path, monkeypatch) -> None:
    chains = [make_chain(14, seed=seed) for seed in range(3)]
    file = tmp_path / "conformers.safetensors"

    def interrupted(checkpoint, chain, plan, templates):
        if chain.name == chains[1].name:
            raise KeyboardInterrupt
        return sample_scored(checkpoint, chain, plan)

    with monkeypatch.context() as patch:
        patch.setattr("rnagen.tasks.confidence.conformers.sample_scored", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sample_conformer_set(checkpoint, chains, PLAN, file)
    assert set(read_conformers(file)) == {chains[0].name}
    with pytest.raises(InputError, match=r"2 of 3 chains are still to be sampled: run the same command again to go on"):
        sample_conformer_set(checkpoint, chains, PLAN, file, deadline=time.monotonic() - 1)
    assert set(read_conformers(file)) == {chains[0].name}
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(InputError, match="cannot be read as a file of conformers"):
        sample_conformer_set(checkpoint, chains, PLAN, file)


def test_every_model_dataset_and_way_of_plan_has_its_file(checkpoint, tmp_path: Path) -> None:
    def file(plan: ConformerPlan = PLAN, **changes: object) -> Path:
        return conformers_file(tmp_path, replace(checkpoint, **changes), "dataset", plan)

    others = [
        file(fingerprint="other"),
        conformers_file(tmp_path, checkpoint, "other", PLAN),
        file(replace(PLAN, sampler=SamplerConfig(steps=4))),
        file(replace(PLAN, taus=(0.05,))),
        file(replace(PLAN, seed=1)),
    ]
    assert len({file(), *others}) == 6
    # How many are computed at once, and the temperature that `taus` replaces, draw nothing else.
    assert file(replace(PLAN, sampler=SamplerConfig(steps=3, chunk=2, tau=0.7))) == file()


def test_consensus_by_hand() -> None:
    chain = make_chain(20)
    scores = perturbed(chain, [0.0, 0.0, 9.0])
    found = consensus(scores.c1)
    assert found.tm.argmin() == 2
    everything = torch.ones(20, dtype=torch.bool)
    among = float(tm_score(scores.c1[0], scores.c1[2], everything, seeds=2))
    assert float(found.tm[0]) == pytest.approx((1 + among) / 2, abs=1e-3)
    local = c1_lddt(scores.c1[0], scores.c1[2], everything).per_residue
    torch.testing.assert_close(found.lddt[0], (1 + local) / 2)


def test_length_baseline_is_a_line_in_the_logarithm() -> None:
    chains = [make_chain(length) for length in (20, 40, 80)]
    scores = [perturbed(chain, [3.0, 3.0, 50.0]) for chain in chains]
    scores = [replace(one, tm=torch.tensor([0.1, 0.3, 9.0]) * (k + 1)) for k, one in enumerate(scores)]
    baseline = LengthBaseline.fit([(len(c.bases), j) for c, j in zip(chains, scores)], conformers=2)
    assert [baseline.predict(length)[0] for length in (20, 40, 80)] == pytest.approx([0.2, 0.4, 0.6])
    one = LengthBaseline.fit([(20, scores[0])], conformers=2)
    assert one.predict(50)[0] == pytest.approx(0.2)
    assert ConformerSetConfig().min_length > 1, "the logarithm of a length"

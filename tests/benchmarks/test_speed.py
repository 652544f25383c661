"""The benchmarks of speed: cases, tables and the document; no time is asserted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rnagen.templates.library import Library

ROOT = Path(__file__).parents[2]


def test_a_part_measures_what_its_command_line_asks_for(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "folding.py"), "--quick", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("| nt | folding, ms |")
    found = json.loads(out.read_text())
    assert [row["length"] for row in found["rows"]] == [70, 120, 250]
    assert all(row["seconds"] > 0 for row in found["rows"])
    # From the cache of the first call.
    assert found["rows"][-1]["again"] < found["rows"][-1]["seconds"]
    assert found["machine"]["versions"]["torch"] == torch.__version__
    assert found["machine"]["threads"] >= 1


def test_cases_that_compute_as_many_conformers_at_once_share_a_process() -> None:
    import sampling

    assert sampling.together(30) == [[1], [5], [50]]
    assert sampling.together(1000) == [[1], [5, 50]]
    assert sampling.together(4300) == [[1, 5, 50]]


def test_a_large_case_is_made_of_parts_and_a_small_one_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    import sampling

    monkeypatch.setattr(sampling, "WHOLE", 60)
    monkeypatch.setattr(sampling, "parts", lambda checkpoint, features, n: (0.5, 0.25, 2))
    monkeypatch.setattr(sampling, "peak", iter([100, 350]).__next__)
    small, large = sampling.child(20, [1, 5])
    assert small["whole"]
    assert small["peak"] == large["peak"] == 250
    assert not large["whole"]
    assert large["seconds"] == 0.5 + 20 * 3 * 0.25
    lines = sampling.table([small, large])
    assert len(lines) == 4
    assert "≈" not in lines[2]
    assert "≈" in lines[3]


def test_what_does_not_fit_into_memory_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import sampling

    monkeypatch.setattr(sampling, "available_memory", lambda: 2**20)
    rows = sampling.child(250, [1, 5])
    assert [row["n"] for row in rows] == [1, 5]
    assert all("left out: 1 MiB are free" in line for line in sampling.table(rows)[2:])


def test_the_products_of_attention_are_counted() -> None:
    from stages import counting, products_of_attention

    query, key, value = torch.randn(3, 2, 4, 10, 8)
    with torch.no_grad(), counting() as counter:
        torch.nn.functional.scaled_dot_product_attention(query, key, value)
    assert counter.get_total_flops() == products_of_attention(query.shape, key.shape, value.shape)
    # Scores and the mean of the values: two products of 10 × 8 × 10, a multiplication and an addition each.
    assert counter.get_total_flops() == 2 * 4 * 2 * 2 * 10 * 8 * 10


def test_the_products_of_onednn_are_counted() -> None:
    from stages import counting, rate_of_sampling

    from rnagen.model.products import product, product_plus, scaled_product

    x, weight = torch.randn(5, 7, 20), torch.randn(30, 20)
    other = torch.randn(5, 7, 30)
    with torch.no_grad(), counting() as counter:
        product(x, weight)
        product(x, weight, torch.randn(30), "sigmoid")
        scaled_product(x, weight, other)
        product_plus(x, weight, other)
    assert counter.get_total_flops() == 4 * 2 * 5 * 7 * 20 * 30
    assert rate_of_sampling() > 0


def test_both_stages_are_counted_whole() -> None:
    from stages import counting, stages

    from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint

    model, length = load_checkpoint(DEFAULT_CHECKPOINT).model, 24
    counted = {}
    for name, task in stages(model, length).items():
        with torch.no_grad(), counting() as counter:
            task()
        counted[name] = counter.get_total_flops()
    trunk, latent = counted["trunk"], counted["latent model × 20"]
    # A weight is used once for each residue of each copy; those that read the time, once for each copy.
    config = model.config
    triangles = config.trunk_layers * 2 * config.pair_dim * length**3
    assert trunk > triangles
    tokens = 20 * length
    weights = sum(w.numel() for block in model.latent.blocks for name, w in block.named_parameters() if w.ndim == 2)
    modulation = sum(block.modulation.weight.numel() for block in model.latent.blocks)
    attention = config.num_layers * 4 * 20 * length**2 * config.embed_dim
    assert latent == pytest.approx(2 * tokens * (weights - modulation) + 2 * 20 * modulation + attention, rel=0.01)


def test_the_plain_way_solves_the_same_equation() -> None:
    import plain_reference as benchmark

    from rnagen.config.sampling import SamplerConfig, SamplingPlan
    from rnagen.features import from_sequence
    from rnagen.sampling.conformers import draw_conformers
    from rnagen.sampling.denoiser import Flow
    from rnagen.transport.flow import Transport
    from tests.helpers.tiny import TINY, tiny_model

    flow = Flow(tiny_model(), Transport(TINY.transport.path_type, TINY.transport.prediction))
    features = from_sequence(flow.model.config, "GGGAAACCC")
    plain = benchmark.Plain(flow, features)
    plan = SamplingPlan(2, options=SamplerConfig(sampling_method="dopri5"))
    expected = draw_conformers(flow, features, "rna", plan).coords
    with torch.no_grad():
        found = torch.stack([plain.conformer("rna", k) for k in range(2)])
    assert torch.allclose(found, expected, atol=1e-3)
    assert plain.evaluations > 20


def test_chains_are_later_than_the_training_data() -> None:
    import plain_reference as benchmark

    library = Library.open()
    rows = benchmark.later_chains(library, "2022-05-27")
    assert len(rows) >= 3
    for row in rows:
        info = library.infos[row]
        assert info.release_date >= "2022-05-27"
        assert not info.benchmark


def test_a_page_keeps_its_words_and_gets_its_tables() -> None:
    import all as benchmarks

    machine = {
        **{"processor": "X", "cores": 2, "memory_gib": 4.0, "threads": 2, "system": "Linux x86_64"},
        **{"python": "3.11", "versions": {"torch": "2"}},
    }
    rows: list[dict[str, Any]] = [{"length": 70, "seconds": 0.01, "again": None}]
    found = {"quick": False, "machine": machine, "parts": {"folding": rows}, "seconds": {"folding": 2.0}}
    page = "a\n<!-- machine -->\nold\n<!-- end machine -->\nb\n<!-- folding -->\n<!-- end folding -->\nc\n"
    made = benchmarks.with_tables(page, found)
    assert made.startswith("a\n<!-- machine -->\nX, 2 cores, 4.0 GiB, 2 threads; ")
    assert "| 70 | 10 |  | not cached |\n<!-- end folding -->\nc\n" in made
    assert benchmarks.with_tables(made, found) == made
    with pytest.raises(ValueError, match="no markers of folding"):
        benchmarks.with_tables(page.replace("folding", "other"), found)

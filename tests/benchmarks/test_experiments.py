"""Experiments: files that can be run, pages that show what is stored."""

import json
import re
from pathlib import Path

import pytest

from rnagen.config.files import load_config
from rnagen.config.structure import TrainConfig

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "benchmarks" / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_asks_something_and_can_be_run(name: str) -> None:
    import experiments

    assert experiments.changes(name)["question"]
    assert experiments.own_options(name)
    load_config(TrainConfig(), experiments.configuration(name), name)
    assert (experiments.parent(name) is None) == (name == experiments.BASELINE)


def test_an_experiment_has_the_options_of_what_it_changes() -> None:
    import experiments

    options = experiments.configuration("continued_encoder_frozen")
    above = experiments.configuration("continued")
    assert options == {**above, "encoder": "rnagen/assets/reactivity.safetensors"}
    assert above["crop"] == experiments.configuration("baseline")["crop"] == 64


@pytest.mark.parametrize(("page", "about"), [("experiments", ()), ("reactivity", ("encoder",))])
def test_pages_hold_the_table_of_the_stored_results(page: str, about: tuple[str, ...]) -> None:
    import experiments

    text = (ROOT / "docs" / f"{page}.md").read_text()
    (table,) = re.findall(r"<!-- experiments -->\n(.*?)<!-- end experiments -->", text, flags=re.DOTALL)
    assert table.splitlines() == experiments.table(about=about)


def test_a_gain_has_an_interval_over_chains_and_one_over_seeds(tmp_path: Path) -> None:
    import experiments

    scores = {"baseline": [[0.1, 0.2], [0.2, 0.3]], "quality_filter": [[0.2, 0.3], [0.1, 0.2], [0.9, 0.9]]}
    for name, seeds in scores.items():
        for seed, best in enumerate(seeds):
            result = {"experiment": name, "seed": seed, "step": 1500, "best5": best, "helix": [0.1, 0.2]}
            (tmp_path / f"{name}-{seed}.json").write_text(json.dumps(result))
    lines = experiments.table(tmp_path)
    assert len(lines) == 4
    baseline, half = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:])
    assert "(one helix: 0.150)" in lines[0]
    assert baseline[4:] == ["1,500", "0.200 [0.150, 0.250]", "0.150, 0.250", "", ""]
    # Of the seeds that both have, one gains 0.1 on every chain, the other loses it: 12.706 is Student's t for two.
    assert half[1:4] == ["`max_resolution` 4.5, `min_contacts` 0.3", "baseline", "3"]
    assert half[7:] == ["+0.000 [+0.000, +0.000]", "[-1.271, +1.271]: +0.100, -0.100"]
    assert len(experiments.table(tmp_path, about=("encoder",))) == 2

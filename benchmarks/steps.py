"""Quality against the number of solver steps, for ODE and SDE, and of other sampler options, on the validation chains.

    python benchmarks/steps.py --data data
    python benchmarks/steps.py --methods --presets --settings steps=20 steps=20,diversity=1

Ends with a table; `--out` writes it as JSON too.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro
import yaml
from validation import Row, as_json, helix_baseline, print_table, score, validation_chains

from rnagen.checkpoints.structure import DEFAULT_CHECKPOINT, load_checkpoint
from rnagen.config.files import load_config, load_yaml
from rnagen.config.sampling import SamplerConfig
from rnagen.sampling.denoiser import Flow


@dataclass
class Options:
    """What to compare."""

    data: Path = Path("data")
    """Prepared dataset with the validation chains."""
    splits: Path = Path("splits")
    """Folder with val.csv."""
    ckpt: Path = DEFAULT_CHECKPOINT
    """Weights."""
    methods: tuple[str, ...] = ("euler", "euler-maruyama")
    """Samplers, each with every number of steps."""
    steps: tuple[int, ...] = (2, 5, 10, 20, 50, 100)
    """Solver steps."""
    presets: tuple[Path, ...] = (Path("configs/few_step.yaml"),)
    """Sampler presets, a row each."""
    settings: tuple[str, ...] = ()
    """Other options of the sampler, a row each: name=value,name=value."""
    guide_ckpt: Path | None = None
    """A worse model, for the settings with a cfg_scale."""
    max_length: int = 1000
    """Residues of the longest chain that is scored."""
    out: Path | None = None
    """Write the rows as JSON too."""


def run(options: Options) -> None:
    """Sample, score, print."""
    checkpoint = load_checkpoint(options.ckpt)
    atoms = checkpoint.config.model.atoms
    chains = validation_chains(options.data, options.splits, atoms, options.max_length)
    settings = {
        f"{method} {steps}": load_config(SamplerConfig(), {"sampling_method": method, "steps": steps}, "benchmark")
        for method in options.methods
        for steps in options.steps
    }
    settings |= {
        preset.stem: load_config(SamplerConfig(), load_yaml(preset), str(preset)) for preset in options.presets
    }
    for text in options.settings:
        values = yaml.safe_load("{" + text.replace("=", ": ") + "}")
        settings[text] = load_config(SamplerConfig(), values, text)
    guide = Flow.of(load_checkpoint(options.guide_ckpt)) if options.guide_ckpt else None
    rows: dict[str, Row] = {}
    for name, setting in settings.items():
        rows[name] = score(checkpoint, chains, setting, name, guide if setting.cfg_scale != 1 else None)
        print(f"{name}: best of 5 {rows[name].best5:.3f}", flush=True)
    baseline = helix_baseline(chains, atoms)
    print_table(rows, baseline, len(chains))
    if options.out is not None:
        result = {
            "checkpoint": options.ckpt.name,
            "chains": len(chains),
            "helix": round(baseline, 4),
            "rows": as_json(rows),
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    run(tyro.cli(Options))

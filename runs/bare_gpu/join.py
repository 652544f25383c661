"""Checkpoints of the weights that `train.py` stored.

python runs/bare_gpu/join.py OUT FOLDER
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from rnagen.checkpoints.structure import save_checkpoint
from rnagen.config.files import load_config
from rnagen.config.structure import TrainConfig
from rnagen.model.model import RNAFlowModel


def join(source: Path, target: Path) -> None:
    """Write NAME.safetensors, in half precision, and NAME.json for all weights of a run."""
    run = json.loads((source / "run.json").read_text())
    config = load_config(TrainConfig(), run["config"], str(source / "run.json"))
    target.mkdir(parents=True, exist_ok=True)
    for stored in run["weights"]:
        weights: dict[str, torch.Tensor] = {}
        for part in sorted(source.glob(f"{stored['name']}_*.safetensors")):
            weights |= load_file(part)
        model = RNAFlowModel(config.model).half()
        model.load_state_dict(weights)
        checks = [r for r in run["log"] if r["step"] <= stored["step"] and "val/flow" in r]
        metrics = {name: value for name, value in (checks[-1] if checks else {}).items() if "/" in name}
        metadata = {**run["metadata"], "step": stored["step"], "hours": stored["hours"], "metrics": metrics}
        path = target / f"{stored['name']}.safetensors"
        save_checkpoint(path, model, config, metadata)
        print(f"{path}: step {stored['step']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    join(options.out, options.folder)

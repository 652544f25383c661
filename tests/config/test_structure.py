"""Options: flat names, overlays, errors that name option and file."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rnagen.config.files import flatten, load_config, load_yaml, to_plain
from rnagen.config.reactivity import ReactivityConfig, ReactivityOptions
from rnagen.config.sampling import SampleConfig
from rnagen.config.structure import TrainConfig
from rnagen.errors import ConfigError
from rnagen.tasks import TASKS

CONFIGS = Path(__file__).parents[2] / "configs"


def test_a_configuration_survives_yaml() -> None:
    changed = load_config(TrainConfig(), {"path_type": "GVP", "crop": 128, "ckpt": "a.ckpt", "atoms": ["C1'"]}, "test")
    again = load_config(TrainConfig(), yaml.safe_load(yaml.safe_dump(to_plain(changed))), "test")
    assert again == changed
    assert again.run.ckpt == Path("a.ckpt")
    assert again.model.atoms == ("C1'",)


def test_option_names_are_unique_across_sections() -> None:
    def count(config) -> int:
        return sum(count(v) if hasattr(v, "__dataclass_fields__") else 1 for v in vars(config).values())

    for config in (TrainConfig(), SampleConfig(), ReactivityConfig(), ReactivityOptions()):
        assert count(config) == len(flatten(config))


# The table of submission slots is no set of options: tests/submission/test_slots.py reads it.
PRESETS = sorted(path for path in CONFIGS.rglob("*.yaml") if path.stem != "submission_slots")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.stem)
def test_presets_are_valid(preset: Path) -> None:
    values = load_yaml(preset)
    kind = SampleConfig if preset.stem in ("slots", "ensemble") else TASKS[values.get("task", "structure")]
    config = load_config(kind(), values, str(preset))
    assert {name: to_plain(config)[name] for name in values} == values


def test_small_preset_is_the_default() -> None:
    assert load_config(TrainConfig(), load_yaml(CONFIGS / "small.yaml"), "small") == TrainConfig()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"no_such": 1}, "no such option: no_such"),
        ({"crop": "long"}, "crop: 'long' cannot be used (expected a whole number)"),
        ({"crop": True}, "crop: True cannot be used (expected a whole number)"),
        ({"path_type": "Spiral"}, "path_type: 'Spiral'"),
        ({"crop": 3}, "crop: 3 cannot be used"),
        ({"batch_schedule": "0:8,50"}, "batch_schedule: '0:8,50' cannot be used (expected EPOCH:VALUE"),
        ({"batch_schedule": "0:0"}, "batch_schedule: '0:0' cannot be used: values must be at least 1"),
        ({"batch_schedule": "0:1.5"}, "batch_schedule: '0:1.5' cannot be used: sizes are whole numbers"),
        (
            {"loss_schedule": ["glow:0:1"]},
            "loss_schedule: 'glow' does not exist (expected TERM:EPOCH:VALUE,EPOCH:VALUE …, with a term of flow, lddt",
        ),
        ({"loss_schedule": ["flow:0"]}, "loss_schedule: flow: '0' cannot be used (expected TERM:EPOCH:VALUE"),
        ({"loss_schedule": ["flow:0:1", "flow:5:2"]}, "loss_schedule: flow:0:1 flow:5:2 names a term twice"),
        ({"loss_schedule": ["consistency:9:1"], "copies": 3}, "consistency_weight: needs copies in pairs"),
        ({"lr_decay_start": -1}, "lr_decay_start: -1 cannot be used"),
        ({"dmae_weight": -1}, "dmae_weight: -1.0 cannot be used"),
        ({"skip_oom": True, "devices": 2}, "skip_oom: needs devices 1 and num_nodes 1, not 2 and 1"),
        ({"diversity": -1}, "diversity: must be at least 0, not -1.0"),
        ({"condition_dropout": 1}, "condition_dropout: 1.0 cannot be used"),
        ({"label_dropout": 1}, "label_dropout: 1.0 cannot be used"),
        ({"categories": ["a"]}, "categories: ('a',) needs labels"),
        ({"labels": "family", "categories": ["a", "a"]}, "each category once"),
        ({"labels": "family", "categories": [""]}, "each category once"),
        ({"train_share": 0}, "train_share: 0.0 cannot be used"),
        *(({name: 0}, f"{name}: 0 cannot be used") for name in ("epochs", "print_freq", "ckpt_freq", "val_epoch_freq")),
        ({"train_batches": 0}, "train_batches: 0 cannot be used"),
        ({"val_batches": -1}, "val_batches: -1 cannot be used"),
        ({"devices": 1000}, "devices: 1000 cannot be used"),
        ({"accelerator": "tpu"}, "accelerator: 'tpu' cannot be used"),
        ({"seed": -1}, "seed: -1 cannot be used"),
        ({"seed": 2**32}, "seed: 4294967296 cannot be used"),
        *(({"run_name": name}, f"run_name: '{name}' cannot be used") for name in ("", ".", "/", "/a", "../a", "a/..")),
        *(({"lr": lr}, "lr: ") for lr in (0, -1, float("inf"), float("nan"))),
        ({"weight_decay": float("nan")}, "weight_decay: nan cannot be used"),
        ({"grad_clip": 0}, "grad_clip: 0.0 cannot be used"),
        ({"flow_weight": float("nan")}, "flow_weight: nan cannot be used"),
        ({"lddt_thresholds": []}, "lddt_thresholds: () cannot be used"),
        ({"structure_ramp": 0}, "structure_ramp: 0 cannot be used"),
        ({"length_power": float("nan")}, "length_power: nan cannot be used"),
        ({"spatial_crop": 2}, "spatial_crop: 2.0 cannot be used"),
        ({"atoms": ["C1'", "C1'"]}, "atoms: "),
        ({"cutoff": "20220527"}, "cutoff: '20220527' is not a date"),
        ({"train_share": 1.5}, "train_share: 1.5 cannot be used"),
        ({"loss_weight": "velocity"}, "loss_weight: 'velocity' is for the predictions noise and score"),
        ({"consistency_weight": 1, "copies": 3}, "needs copies in pairs"),
        ({"atoms": ["P"]}, "atoms: ('P',) must contain C1'"),
        ({"embed_dim": 100, "mha_heads": 8}, "mha_heads: 8 does not divide embed_dim 100"),
        ({"pair_features": ["turner"]}, "('turner',) cannot be used (choose from turner1999,"),
        ({"epoch": 1}, "no such option: epoch (did you mean epochs?)"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"freeze": "trunk"}, "freeze: 'trunk' needs ckpt"),
    ],
)
def test_bad_values_are_named(values: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=r"my\.yaml") as error:
        load_config(TrainConfig(), values, "my.yaml")
    assert words in str(error.value)


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [1,", "just words"])
def test_bad_files_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_yaml(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_yaml(tmp_path / "absent.yaml")


@given(st.floats(0, 10, allow_nan=False), st.integers(1, 1000))
def test_numbers_survive(tau: float, steps: int) -> None:
    config = load_config(SampleConfig(), {"tau": tau, "steps": steps}, "x")
    assert (config.sampler.tau, config.sampler.steps) == (tau, steps)
    assert load_config(SampleConfig(), {"tau": 1}, "x").sampler.tau == 1.0


def test_lists_of_paths_come_from_yaml_and_go_back() -> None:
    options = load_config(ReactivityOptions(), {"ckpt": ["a.safetensors", "b.safetensors"]}, "file")
    assert options.ckpt == (Path("a.safetensors"), Path("b.safetensors"))
    assert to_plain(options)["ckpt"] == ["a.safetensors", "b.safetensors"]
    with pytest.raises(ConfigError, match="file: ckpt: 3 cannot be used"):
        load_config(ReactivityOptions(), {"ckpt": ["a.safetensors", 3]}, "file")

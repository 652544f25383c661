"""What a run starts from, and what of a resumed run may change."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rnagen.config.files import flatten, load_config, to_plain
from rnagen.errors import ConfigError
from rnagen.tasks import TASKS, default_options
from rnagen.training.resume import MAY_CHANGE, OF_ONE_COMMAND, refuse_changes, resumed_options, start_from

ROOT = Path(__file__).parents[2]
EVERY_OPTION = [(task, name) for task, kind in TASKS.items() for name in flatten(kind())]
SPECIAL = {
    **{"run_name": "other", "max_time": "00:01:00:00", "accelerator": "gpu", "cutoff": "2001-01-01"},
    **{"atoms": ("C1'",), "pair_features": ("turner1999",), "devices": 1, "language_model_shape": "{}"},
}
"""Other values of options whose values are not any text, number or list."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A place for a state; its run has the default options of a structure training."""
    return recorded(tmp_path / "run", "structure")


def recorded(folder: Path, task: str) -> Path:
    """A run that has recorded the default options of a task; returns the place of its state."""
    folder.mkdir()
    config = load_config(TASKS[task](), {"run_dir": folder.parent, "run_name": folder.name}, "test")
    (folder / "config.yaml").write_text(yaml.safe_dump(to_plain(config)))
    (folder / "last.ckpt").touch()
    return folder / "last.ckpt"


def other(value: Any, name: str) -> Any:
    """A value that an option does not have by default."""
    if name in SPECIAL:
        return SPECIAL[name]
    if value is None:
        return 1
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return (*value, 2.0) if isinstance(value, tuple) else f"{value}x"


def test_a_run_starts_from_a_state_or_from_weights(tmp_path: Path) -> None:
    state, weights, other = (tmp_path / name for name in ("last.ckpt", "best.safetensors", "notes.txt"))
    for path in (state, weights, other):
        path.touch()
    assert start_from(None) == (None, None)
    assert start_from(state) == (state, None)
    assert start_from(weights) == (None, weights)
    with pytest.raises(ConfigError, match="neither"):
        start_from(other)
    with pytest.raises(ConfigError, match="no such file"):
        start_from(tmp_path / "absent.ckpt")
    assert start_from(tmp_path) == (state, None)
    state.unlink()
    with pytest.raises(ConfigError, match=r"is a folder without last.ckpt \(expected a run's"):
        start_from(tmp_path)


@pytest.mark.parametrize(("task", "name"), EVERY_OPTION)
def test_every_option_may_change_or_is_refused_by_name(task: str, name: str, tmp_path: Path) -> None:
    config = TASKS[task]()
    found = changed(config, name)
    state = recorded(tmp_path / "run", task)
    if name in MAY_CHANGE:
        refuse_changes(found, state)
        return
    before, now = flatten(config)[name], flatten(found)[name]
    with pytest.raises(ConfigError) as refused:
        refuse_changes(found, state)
    assert str(refused.value) == f"{name}: the run has {before}, {now} was given: a resumed run keeps it"


def changed(config: Any, name: str) -> Any:
    """The configuration with another value of one option, though no such configuration may be possible."""
    for section, part in vars(config).items():
        if hasattr(part, "__dataclass_fields__") and name in flatten(part):
            return with_value(config, section, with_value(part, name, other(getattr(part, name), name)))
    return with_value(config, name, other(getattr(config, name), name))


def with_value(config: Any, name: str, value: Any) -> Any:
    copy = object.__new__(type(config))
    copy.__dict__.update({**vars(config), name: value})
    return copy


def test_the_table_names_options_that_exist_and_is_that_of_the_document() -> None:
    assert set(MAY_CHANGE) <= {name for _, name in EVERY_OPTION}
    assert set(OF_ONE_COMMAND) <= set(MAY_CHANGE)
    page = (ROOT / "docs" / "training.md").read_text()
    table = page.partition("<!-- may change -->")[2].partition("<!-- end may change -->")[0]
    named = [word for line in table.splitlines()[3:] for word in line.split("|")[1].replace("`", "").split(", ")]
    assert [name.strip().removeprefix("--").replace("-", "_") for name in named] == list(MAY_CHANGE)


def test_a_resumed_run_has_its_own_options_in_the_folder_of_its_state(state: Path, tmp_path: Path) -> None:
    values = yaml.safe_load((state.parent / "config.yaml").read_text())
    changes = {"path_type": "GVP", "epochs": 7, "ckpt": "start.safetensors", "validate_only": True}
    (state.parent / "config.yaml").write_text(yaml.safe_dump({**values, **changes, "fresh_schedule": True}))
    moved = (tmp_path / "run").rename(tmp_path / "moved") / state.name
    found = flatten(default_options(None, moved))
    assert (found["path_type"], found["epochs"], found["ckpt"]) == ("GVP", 7, moved)
    assert (found["validate_only"], found["fresh_schedule"]) == (False, False)
    assert found["run_dir"] / found["run_name"] == moved.parent


def test_a_relative_folder_is_recorded_as_it_was(state: Path, tmp_path: Path, monkeypatch) -> None:
    values = yaml.safe_load((state.parent / "config.yaml").read_text())
    (state.parent / "config.yaml").write_text(yaml.safe_dump({**values, "run_dir": "."}))
    monkeypatch.chdir(tmp_path)
    assert resumed_options(TASKS["structure"](), Path("run/last.ckpt")).run.run_dir == Path(".")


def test_the_task_is_that_of_the_run(tmp_path: Path) -> None:
    state = recorded(tmp_path / "run", "reactivity")
    assert default_options(None, state).task == "reactivity"
    with pytest.raises(ConfigError, match="task: the run has reactivity, structure was given: a resumed run keeps it"):
        default_options("structure", state)


def test_a_state_without_its_options_is_refused(state: Path) -> None:
    (state.parent / "config.yaml").write_text("# nothing")
    with pytest.raises(ConfigError, match="holds no options"):
        default_options(None, state)
    (state.parent / "config.yaml").unlink()
    with pytest.raises(ConfigError, match=r"config.yaml does not exist: put the run's config.yaml there, or start"):
        default_options(None, state)


def test_paths_to_one_place_are_equal(state: Path, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    refuse_changes(load_config(TASKS["structure"](), {"data": tmp_path / "data"}, "test"), state)

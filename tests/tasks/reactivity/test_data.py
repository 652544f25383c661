"""Training and validation data: no similar sequence in both, every example once, epochs that resume."""

from pathlib import Path

from rnagen.tasks.reactivity.batches import EpochStream
from rnagen.tasks.reactivity.data import ReactivityDataModule
from tests.helpers.profiles import config_of

COUNT = 40


def opened(path: Path, **options: object) -> ReactivityDataModule:
    data = ReactivityDataModule(config_of(path, **options))
    data.setup("fit")
    return data


def test_held_out_sequences_do_not_train(profiles: Path) -> None:
    data = opened(profiles)
    assert data.val is not None
    trained = {data.table.sequence(int(n)) for n in data.train.numbers}
    held_out = {data.table.sequence(int(n)) for n in data.val.numbers}
    assert trained
    assert held_out
    assert not trained & held_out
    short = opened(profiles, max_length=30)
    assert short.train.lengths.max() <= 30
    assert short.val is not None
    assert short.val.lengths.max() > 30
    everything = opened(profiles, cv_split=None)
    assert everything.val is None
    assert len(everything.train) == COUNT


def test_every_split_is_another_part(profiles: Path) -> None:
    parts = []
    for cv_split in range(5):
        data = opened(profiles, cv_split=cv_split)
        assert data.val is not None
        parts += data.val.numbers.tolist()
    assert sorted(parts) == list(range(COUNT))


def test_an_epoch_resumes_where_it_stopped(profiles: Path) -> None:
    data = opened(profiles)
    stream = EpochStream(data._batches(0, 1), 7)
    epochs = [list(stream), list(stream)]
    assert [len(epoch) for epoch in epochs] == [7, 7]
    assert epochs[0] != epochs[1]
    resumed = EpochStream(data._batches(0, 1), 7)
    resumed.position = 10
    assert list(resumed) == epochs[1][3:]

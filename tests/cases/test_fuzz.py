"""A short run of the fuzzer; `python -m tests.fuzz` is the long one."""

import pytest

from tests.fuzz import BINARY, READERS, run


@pytest.mark.slow
def test_mutated_inputs_give_a_result_or_a_documented_error() -> None:
    counts, faults = run(600, first_seed=1)
    assert not faults
    assert {name for name, _ in counts} == {*READERS, *BINARY}

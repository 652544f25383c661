"""The date filter of templates: what is released on the day or later, undated, or of the target's entry is refused."""

import numpy as np

from rnagen.dates import NO_DATE
from rnagen.templates.date_filter import DateFilter
from rnagen.templates.library import Library
from tests.helpers.templates import library, template

DAYS = library("2022-05-26", "2022-05-27", "2022-05-28", NO_DATE)


def test_only_what_was_released_before_the_date_may_serve() -> None:
    assert DateFilter("2022-05-27").allowed(DAYS).tolist() == [True, False, False, False]
    assert DateFilter("9999-12-31").allowed(DAYS).tolist() == [True, True, True, False]
    assert not DateFilter(NO_DATE).allowed(DAYS).any()


def test_natives_of_benchmarks_never_serve() -> None:
    chains = [
        template(1, name="R1107", release_date="2022-05-28", benchmark="casp15"),
        template(1, name="1abc_A", release_date="2000-01-01"),
    ]
    assert DateFilter("9999-12-31").allowed(Library.of(chains)).tolist() == [False, True]


def test_the_date_of_a_target_can_only_move_it_back() -> None:
    filtered = DateFilter("2022-05-28")
    assert filtered.at("2022-05-27").allowed(DAYS).tolist() == [True, False, False, False]
    assert filtered.at("2030-01-01") == filtered
    assert filtered.at(NO_DATE) == filtered
    assert filtered.without("2AAA").at("2022-05-01").entries == {"2aaa"}


def test_the_entry_of_a_target_is_left_out_in_any_case() -> None:
    chains = [template(1, name=name, release_date="2000-01-01") for name in ("1abc_A", "1abc_B", "9xyz_A")]
    entries = Library.of(chains)
    assert DateFilter("2022-05-27").without("1ABC").allowed(entries).tolist() == [False, False, True]
    both = DateFilter("2022-05-27").without("1abc").without("9xyz")
    assert not both.allowed(entries).any()


def test_a_later_deposition_of_the_same_molecule_is_refused() -> None:
    """Of equal sequence, in another entry: the date of the target keeps it out, though the filter alone would not."""
    dates = {"1abc_A": "2021-03-01", "7xyz_A": "2021-03-01", "7xyz_B": "2021-04-01", "2old_A": "2001-01-01"}
    same = Library.of([template(1, name=name, release_date=date) for name, date in dates.items()])
    assert len(np.unique(same.sequence_numbers)) == 1
    filtered = DateFilter("2022-05-27").without("1abc")
    assert filtered.allowed(same).tolist() == [False, True, True, True]
    assert filtered.at(dates["1abc_A"]).allowed(same).tolist() == [False, False, False, True]

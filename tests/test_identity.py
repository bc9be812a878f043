"""Fingerprints, ids and seeds."""

from pathlib import Path

from sl_dagster.identity import fingerprint, hash_files, seed_from


def test_equal_values_have_equal_fingerprints_and_others_not() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert len({fingerprint(*parts) for parts in ((1,), (2,), (1, 2), ((1, 2),), ("1",))}) == 5


def test_the_values_last() -> None:
    """Ids are stored, so a change here would make every stored result out of date."""
    assert fingerprint("seed", "demo", 0, "写") == "17a0fe365c91ead1"
    assert seed_from("a", 1) == 162499538


def test_seeds_fit_every_generator() -> None:
    assert all(0 <= seed_from(number) < 2**31 for number in range(1000))


def test_files_are_hashed_by_name_and_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    first = hash_files(tmp_path, ["a", "b"])
    assert first == hash_files(tmp_path, ["b", "a"])
    (tmp_path / "b").write_text("3")
    assert first != hash_files(tmp_path, ["a", "b"])

"""What a disk refuses, told to the user."""

import errno
from pathlib import Path

import pytest

from sl_dagster.disk_errors import disk_errors_explained, is_there
from sl_dagster.errors import OutOfReachError, UserError


def test_other_errors_are_not_called_a_full_disk() -> None:
    with pytest.raises(UserError, match="Read-only"), disk_errors_explained("x"):
        raise OSError(30, "Read-only file system")
    with pytest.raises(ConnectionError), disk_errors_explained("x"):
        raise ConnectionError(104, "reset")


def test_what_rust_says_of_the_disk_is_understood() -> None:
    """The writers of weights and of tokenizers raise exceptions of their own."""
    with pytest.raises(UserError, match="x: the disk is full"), disk_errors_explained("x"):
        raise Exception("File too large (os error 27)")
    with pytest.raises(UserError, match="x: Permission denied; make"), disk_errors_explained("x"):
        raise Exception("Error while serializing: IoError(Permission denied (os error 13))")
    with pytest.raises(Exception, match="another"), disk_errors_explained("x"):
        raise Exception("another")


def test_a_folder_that_cannot_be_looked_into_does_not_lack_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_there(tmp_path / "nothing")
    (tmp_path / "file").touch()
    assert not is_there(tmp_path / "file" / "below")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", refused)
    with pytest.raises(OutOfReachError, match="cannot be read"):
        is_there(tmp_path / "file")

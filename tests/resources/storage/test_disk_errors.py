"""What a disk refuses, told to the user."""

import pytest

from sl_dagster.errors import UserError
from sl_dagster.resources.storage.disk_errors import disk_errors_explained


def test_other_errors_are_not_called_a_full_disk() -> None:
    with pytest.raises(UserError, match="Read-only"), disk_errors_explained("x"):
        raise OSError(30, "Read-only file system")
    with pytest.raises(ConnectionError), disk_errors_explained("x"):
        raise ConnectionError(104, "reset")

"""Errors that say that memory has run out."""

import errno
import os

import pytest
import torch

from sl_dagster.errors import UserError
from sl_dagster.models.memory import is_short_of_memory, short_of_memory, was_killed

CPU = (
    "[enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 503316480 bytes. Error code 12 (Cannot allocate memory)"
)


def caused_by(cause: BaseException) -> BaseException:
    try:
        try:
            raise cause
        except BaseException as error:
            raise ValueError("the model cannot be loaded") from error
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError(CPU),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        ImportError("libgomp.so: failed to map segment from shared object"),
        caused_by(MemoryError()),
    ],
    ids=repr,
)
def test_errors_of_memory_are_known(error: BaseException) -> None:
    assert is_short_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        OSError(errno.ENOSPC, "full"),
        UserError("there is too little memory (out of memory): take a smaller model"),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_others_are_left_alone(error: BaseException) -> None:
    assert not is_short_of_memory(error)


def test_the_message_has_what_was_said_and_what_to_do() -> None:
    said = str(short_of_memory("lower x", RuntimeError("out of\n  memory")))
    assert said == "there is too little memory (out of memory): lower x"
    assert "(MemoryError)" in str(short_of_memory("lower x", MemoryError()))


def test_who_was_killed() -> None:
    assert [status for status in (0, 1, -9, 137, -15, 9) if was_killed(status)] == [-9, 137]

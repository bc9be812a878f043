"""Deterministic identities: fingerprints of settings, ids of records, seeds of random draws.

All three are SHA-256 over canonical JSON, so the same inputs give the same values on every machine
and in every process.
"""

import hashlib
import json
from pathlib import Path
from typing import Any


def fingerprint(*parts: Any) -> str:
    """A 16-digit hexadecimal digest of JSON-serialisable values."""
    return _digest(parts).hexdigest()[:16]


def seed_from(*parts: Any) -> int:
    """A seed in [0, 2^31), which every random generator involved accepts."""
    return int.from_bytes(_digest(parts).digest()[:4]) >> 1


def hash_files(folder: Path, names: list[str]) -> str:
    """A 16-digit hexadecimal digest of the named files' contents."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode())
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _digest(parts: tuple[Any, ...]) -> "hashlib._Hash":
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode())

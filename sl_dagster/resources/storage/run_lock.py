"""Keeping two runs from working on the same iteration of an experiment at the same time."""

from pathlib import Path

from filelock import FileLock, Timeout

from sl_dagster.errors import UserError


class RunLock:
    """Locks held from their first use until the run ends; the system frees them if it is killed."""

    def __init__(self) -> None:
        self._held: dict[Path, FileLock] = {}

    def hold(self, data_dir: Path, experiment: str, iteration: int | None, run_id: str) -> None:
        """Claim an iteration for this run; claiming it again changes nothing.

        Raises:
            UserError: another run has it.
        """
        path = data_dir / experiment / f".iteration={iteration or 0}.lock"
        if path in self._held:
            return
        holder = path.with_suffix(".run")
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            other = holder.read_text(encoding="utf-8") if holder.exists() else "unknown"
            what = f"iteration {iteration}" if iteration else "the stages outside the iterations"
            raise UserError(
                f"another run is working on {what} of {experiment} (run {other}): wait until it "
                "has ended, or cancel it"
            ) from None
        holder.write_text(run_id, encoding="utf-8")
        self._held[path] = lock

    def free(self) -> None:
        """Free all locks."""
        while self._held:
            self._held.popitem()[1].release()

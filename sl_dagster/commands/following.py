"""Following a record to its sources: in the terminal, and in the browser."""

import json

import typer

from sl_dagster.commands.project import stored_stages
from sl_dagster.commands.terminal import console
from sl_dagster.errors import UserError
from sl_dagster.lineage.addresses import first_address, record_address
from sl_dagster.lineage.server import serve
from sl_dagster.lineage.trace import as_tree, trace_record
from sl_dagster.paths import data_dir, ensure_dagster_home, lineage_port


def trace(record_id: str, as_json: bool) -> None:
    """Print a record, its ancestors, and who wrote them.

    Raises:
        UserError: there is no such record.
    """
    traced = trace_record(record_id, data_dir())
    if as_json:
        print(json.dumps(traced, indent=2, ensure_ascii=False))
    else:
        console.print(as_tree(traced))


def show_lineage(
    experiment: str | None, iteration: int | None, record: str | None, host: str
) -> None:
    """Show the lineage view until the process is interrupted.

    Args:
        experiment: shown first; None for any.
        iteration: of it; None for any.
        record: opened in the browser; None for none.
        host: the address to listen on.

    Raises:
        UserError: there is no such record, or nothing is stored of what is to be shown.
    """
    if record:
        trace_record(record, data_dir())  # says so if there is no such record
    elif experiment:
        known = stored_stages().complete(experiment)
        if not any(iteration in (None, key.iteration or 0) for key in known):
            where = experiment if iteration is None else f"{experiment}, iteration {iteration}"
            raise UserError(f"there is nothing stored of {where} yet")
    address = record_address(record) if record else first_address(experiment, iteration)

    def ready() -> None:
        console.print(f"{address}\nStop with Ctrl-C.", soft_wrap=True)
        if record:
            typer.launch(address)

    # Imported late: what else is followed here needs no Dagster.
    from sl_dagster.jobs.staleness_notes import noted_as_stale

    ensure_dagster_home()
    serve(data_dir(), host, lineage_port(), ready, noted_as_stale)

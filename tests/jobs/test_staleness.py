"""What is out of date, on small assets with the history that Dagster itself writes."""

import dagster as dg
import pytest

from sl_dagster.jobs.staleness import Staleness

PARTITIONS = dg.StaticPartitionsDefinition(["1", "2"])


def asset(name: str, after: tuple[str, ...] = (), code_version: str = "1") -> dg.AssetsDefinition:
    """An asset of an experiment called ``e``; its data version is its config."""

    @dg.asset(
        name=name,
        key_prefix="e",
        deps=[dg.AssetKey(["e", parent]) for parent in after],
        partitions_def=PARTITIONS,
        code_version=code_version,
        config_schema=dg.Field(str, default_value="first"),
    )
    def made(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return dg.MaterializeResult(
            data_version=dg.DataVersion(context.op_execution_context.op_config)
        )

    return made


def loop(code_version: str = "1") -> list[dg.AssetsDefinition]:
    return [
        asset("previous_generator"),
        asset("responses", ("previous_generator",), code_version),
        asset("training_set", ("responses",)),
        asset("generator_lora", ("training_set",)),
    ]


def make(instance: dg.DagsterInstance, name: str, iteration: int, version: str = "first") -> None:
    result = dg.materialize(
        loop(),
        selection=[dg.AssetKey(["e", name])],
        partition_key=str(iteration),
        run_config={"ops": {f"e__{name}": {"config": version}}},
        instance=instance,
    )
    assert result.success


def out_of_date(instance: dg.DagsterInstance, code_version: str = "1") -> list[list[str]]:
    staleness = Staleness(instance, dg.Definitions(loop(code_version)), "e")
    return [[one.name for one in staleness.verdicts(i) if one.why] for i in ("1", "2")]


def test_what_comes_after_a_change_is_out_of_date() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("previous_generator", "responses", "training_set", "generator_lora"):
            make(instance, name, 1)
        assert out_of_date(instance) == [[], []], "iteration 2 has never been made"
        for name in ("previous_generator", "responses"):
            make(instance, name, 2)
        assert out_of_date(instance) == [[], []]
        make(instance, "responses", 1)
        assert out_of_date(instance) == [[], []], "made anew, and the same"
        make(instance, "responses", 1, "second")
        assert out_of_date(instance) == [["training_set", "generator_lora"], []]
        make(instance, "training_set", 1, "second")
        assert out_of_date(instance) == [["generator_lora"], []]
        make(instance, "generator_lora", 1, "second")
        assert out_of_date(instance) == [[], ["previous_generator", "responses"]]
        make(instance, "previous_generator", 2, "second")
        assert out_of_date(instance) == [[], ["responses"]]


def test_new_code_makes_out_of_date() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("previous_generator", "responses", "training_set"):
            make(instance, name, 1)
        assert out_of_date(instance, code_version="2") == [["responses", "training_set"], []]


def test_what_is_not_stored_any_more_is_out_of_date_and_so_is_what_comes_after_it() -> None:
    def is_stored(key: dg.AssetKey, partition: str | None) -> bool:
        return (key.path[-1], partition) != ("responses", "1")

    with dg.DagsterInstance.ephemeral() as instance:
        for iteration in (1, 2):
            for name in ("previous_generator", "responses", "training_set"):
                make(instance, name, iteration)
        definitions = dg.Definitions(loop())
        staleness = Staleness(instance, definitions, "e", is_stored)
        assert [one.name for one in staleness.everything() if one.why] == [
            "responses",
            "training_set",
        ]
        assert "not stored any more" in str(staleness.verdicts("1")[1])


def test_iterations_that_nobody_has_made_ask_nothing_of_the_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An experiment may name many: it is looked at after each of them, and by a sensor."""

    def of(iterations: int) -> dg.Definitions:
        many = dg.StaticPartitionsDefinition([str(number + 1) for number in range(iterations)])
        in_each = dg.asset(name="texts", key_prefix="e", partitions_def=many)(lambda: None)
        report = dg.asset(name="report", key_prefix="e", deps=[in_each])(lambda: None)
        return dg.Definitions([in_each, report])

    with dg.DagsterInstance.ephemeral() as instance:
        for number in ("1", "2"):
            of(2).resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, partition_key=number
            )
        asked: list[object] = []
        ask = instance.fetch_materializations
        monkeypatch.setattr(
            instance, "fetch_materializations", lambda *a, **b: (asked.append(a), ask(*a, **b))[1]
        )
        found = [Staleness(instance, of(n), "e").everything() for n in (2, 200)]
        assert [str(one) for one in found[0]] == [str(one) for one in found[1]]
        assert len(found[0]) == 3, "two iterations and the report"
        once = [*{str(one): None for one in asked}]
        assert len(asked) == 2 * len(once), "both ask the same, and each question once"

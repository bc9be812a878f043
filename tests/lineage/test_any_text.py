"""Whatever a model writes arrives on the page: through journal, Parquet, DuckDB and HTML."""

import html
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sl_dagster.lineage.search import Search, search
from sl_dagster.lineage.server import lineage_app
from sl_dagster.resources.engines import Completion
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.method.texts import any_text
from tests.stored_stages import add_to, made_up

KEY = StageKey("e", "initial_responses", 1)


@settings(max_examples=25)
@given(st.lists(any_text, min_size=1, max_size=8))
@example(["All is well \ud83d here.", "\x00", "\x1b]0;title\x07", "<script>\x00</script>"])
@example(["a\r\nb\rc\x85d\u2028e", "\ufeff", "\ufffe\uffff", "\u202eabc", ""])
def test_any_text_reaches_the_page(texts: list[str]) -> None:
    written = {str(n): Completion(text, 1, 1, "stop").text for n, text in enumerate(texts)}
    records = {
        name: made_up(Text, KEY, int(name), record_id=name, text=text)
        for name, text in written.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        stages, lengths = StageStore(data_dir=folder), LengthsDatabase(data_dir=folder)
        journal = stages.journal(KEY, "f", Text)
        for name, record in records.items():
            journal.append(name, [record])
        journal.close()
        journal = stages.journal(KEY, "f", Text)
        assert {name: journal.read(name)[0].written for name in journal.outcomes} == written
        with stages.draft(KEY, "f", Text) as draft:
            for name in records:
                draft.add(journal.read(name)[0])
            stored = stages.make_current(draft.finish({"dropped": {}}))
        journal.close()
        add_to(lengths, stored)
        assert [record.written for record in stored.records()] == list(written.values())
        replaced = sum(text.count("\ufffd") for text in written.values())
        assert stored.manifest.get("replaced_characters", 0) == replaced
        assert set(lengths.locate_all(list(written))) == set(written)
        assert search(Search((KEY,)), stages).total == len(written)
        with TestClient(lineage_app(Path(folder)), base_url="http://127.0.0.1") as browser:
            assert browser.get("/").status_code == 200
            for name, text in written.items():
                page = browser.get(f"/record/{name}")
                assert page.status_code == 200
                shown = html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
                assert shown.strip() in page.text

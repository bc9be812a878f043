"""Manuals of Debian as texts for `bench/calibration.py`: what people wrote, in 27 languages.

    python bench/manuals.py manuals.jsonl

Fetches the packages with `apt-get download` (700 MB), unless their files lie in the folder
`--packages` already, and makes of the pages of their HTML texts in Markdown. Of every manual and
language it takes at most 40 that have 60 to 8,000 words, chosen by their hash; longer pages are
taken by section. A page that is written in another language than it says, as translations that are
not finished are, is left out.
"""

import argparse
import json
import re
import subprocess
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bs4 import BeautifulSoup
from calibration import LONGEST, SHORTEST
from markdownify import markdownify
from rich.progress import track

from sl_dagster.method.language import detect_language
from sl_dagster.method.words import count_words

TEXTS = 40  # of a manual in a language
# A manual, and what its packages' names end with.
MANUALS = {
    "anarchism": "",
    "aptitude-doc": "-en -fi -fr -ru",
    "debian-faq": " -de -fr -it -ja -ko -nl -pt -ru -zh-cn",
    "debian-handbook": "",
    "debian-history": "",
    "debian-policy": "",
    "debian-reference": "-de -en -es -fr -it -ja -pt -zh-cn -zh-tw",
    "debmake-doc": "",
    "developers-reference": " -de -fr -it -ja -ru",
    "gimp-help": "-el -en -fa -hu -ja -ko -sv -uk",
    "gnucash-docs": "",
    "harden-doc": "",
    "installation-guide-amd64": "",
    "maint-guide": " -ca -de -es -fr -it -ja -ru -vi -zh-cn",
    "mh-book": "",
    "ubuntu-packaging-guide-html": " -de -es -fr -pt-br -ru -uk",
}
# In the name of a file or folder: page.de.html, zh-CN/page.html, guide-pt-br/page.html.
LANGUAGE = re.compile(
    r"(?:[/.]|-(?=[a-z]{2}(?:-[a-z]{2})?/))([a-z]{2})(?:[-_][A-Za-z]{2})?(?=/|\.html)"
)
BESIDE_THE_TEXT = (
    "script, style, nav, .docnav, .navheader, .navfooter, .related, .sphinxsidebar, .footer, .toc,"
    " .page-links, .headerlink, #banner, #title, [role=navigation]"
)
SECTIONS = ".section:not(.section *)"


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--packages", type=Path, default=Path("manuals"))
    arguments = parser.parse_args()
    arguments.packages.mkdir(parents=True, exist_ok=True)
    with arguments.out.open("w", encoding="utf-8") as out:
        for manual, endings in track(MANUALS.items(), "manuals"):
            for line in texts(manual, endings.split(" "), arguments.packages):
                out.write(f"{json.dumps(line, ensure_ascii=False)}\n")


def texts(manual: str, endings: list[str], packages: Path) -> Iterator[dict[str, str]]:
    """So many of each language, in an order that is by chance and always the same."""
    pages: dict[str, list[str]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for package in (manual + ending for ending in endings):
            subprocess.run(["dpkg-deb", "-x", fetched(package, packages), folder], check=True)
        for page in filter(Path.is_file, Path(folder).rglob("*.html")):
            name = str(page.relative_to(folder))
            found = LANGUAGE.search(name)
            pages[found[1] if found else "en"].append(name)
        for language in sorted(pages):
            by_chance = sorted(pages[language], key=lambda page: zlib.crc32(page.encode()))
            written = (text for page in by_chance for text in page_texts(Path(folder, page)))
            right = (text for text in written if detect_language(text) == language)
            for text in islice(right, TEXTS):
                yield {"kind": manual, "language": language, "text": text}


def fetched(package: str, packages: Path) -> Path:
    """The file of a package."""
    if not any(packages.glob(f"{package}_*.deb")):
        subprocess.run(["apt-get", "download", package], cwd=packages, check=True)
    return next(packages.glob(f"{package}_*.deb"))


def page_texts(page: Path) -> Iterator[str]:
    """The text of a page, or those of its sections if it is too long; none that is too short."""
    body = BeautifulSoup(page.read_bytes(), "html.parser").body
    if body is None:
        return
    for beside in body.select(BESIDE_THE_TEXT):
        beside.decompose()
    parts = [body] if count_words(body.get_text()) <= LONGEST else body.select(SECTIONS)
    for part in parts:
        text = markdownify(str(part), heading_style="atx").strip()
        if SHORTEST <= count_words(text) <= LONGEST:
            yield text


if __name__ == "__main__":
    main()

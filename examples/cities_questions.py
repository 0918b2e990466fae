"""The questions of cities.py: each is a function, whose source is shown with its answers."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from typing import Any, TypeAlias

import kvlayer

Answer: TypeAlias = Callable[[kvlayer.Client], Iterator[tuple[Any, ...]]]


@dataclass(frozen=True)
class Question:
    """A question, the headings of its answers, and what answers it."""

    title: str
    columns: tuple[str, ...]
    answer: Answer

    @property
    def source(self) -> str:
        """The body of the function that answers."""
        lines = inspect.getsource(self.answer).splitlines(keepends=True)
        body = next(number for number, line in enumerate(lines, start=1) if line.startswith("def "))
        return textwrap.dedent("".join(lines[body:])).rstrip()


QUESTIONS: list[Question] = []


def question(title: str, *columns: str) -> Callable[[Answer], Answer]:
    """Enters a function into QUESTIONS."""

    def enter(answer: Answer) -> Answer:
        QUESTIONS.append(Question(title, columns, answer))
        return answer

    return enter


@question("France from 'P' to 'Q'", "name", "population")
def part_of_the_alphabet(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    # A range is two keys, both included. A short one stands for all that
    # begin with it.
    p_to_q = ("FR", "P"), ("FR", "Q")
    for (_, name, _), facts in kvl.scan("cities", p_to_q):
        yield name, json.loads(facts)["population"]


@question("Names that begin with 'san '", "name", "country")
def names_with_a_prefix(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    # Text is in the order of its code points, of which U+10FFFF is the last.
    san = ("san ",), ("san \U0010ffff",)
    for _, country, name, _ in kvl.scan_keys("names", san):
        yield name, country


@question("Ever called Königsberg", "country", "name", "population")
def through_an_index(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    # Behind the word is the key of the city. One get fetches all of them.
    word = ("königsberg",)
    found = [key[1:] for key in kvl.scan_keys("words", (word, word))]
    for (country, name, _), facts in kvl.get("cities", *found):
        yield country, name, json.loads(facts)["population"]


@question("'saint' and 'petersburg'", "country", "name")
def two_words(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    saint, petersburg = ("saint",), ("petersburg",)
    found = {key[1:] for key in kvl.scan_keys("words", (saint, saint))}
    found &= {key[1:] for key in kvl.scan_keys("words", (petersburg, petersburg))}
    for country, name, _ in sorted(found):
        yield country, name


@question("The largest of Brazil", "name", "population")
def first_of_an_order(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    # Keys hold the population as a negative number: the largest comes first.
    brazil = ("BR",), ("BR",)
    for _, population, name, _ in kvl.scan_keys("largest", brazil, limit=5):
        yield name, -population


@question("The largest of every country", "country", "name", "population")
def first_of_every_group(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    for country in kvl.scan_keys("per_country"):
        for key in kvl.scan_keys("largest", (country, country), limit=1):
            yield key[0], key[2], -key[1]


@question("The last of Japan, backwards", "name")
def backwards(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    japan = ("JP",), ("JP",)
    for _, name, _ in kvl.scan_keys("cities", japan, reverse=True, limit=5):
        yield (name,)


@question("India by size, page by page", "page", "name", "population")
def page_by_page(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    # A page begins behind the last key of the one before it, and the store
    # goes straight there: page 5000 is as quick as the first.
    india, last = (("IN",), ("IN",)), None
    for page in (1, 2, 3):
        for key in kvl.scan_keys("largest", india, limit=2, after=last):
            yield page, key[2], -key[1]
            last = key


@question("Time zones with most cities", "time zone", "cities")
def counters(kvl: kvlayer.Client) -> Iterator[tuple[Any, ...]]:
    zones = kvl.scan("per_time_zone")
    for (zone,), count in nlargest(5, zones, key=lambda pair: pair[1]):
        yield zone, count

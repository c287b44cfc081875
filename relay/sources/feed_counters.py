"""Numbers that a site counts up beside what somebody wrote, and times that pass: no reader calls it an edit. Pure.

Left out are whole lines and the ends of titles, where nothing else stands in them: a number in a sentence is news
(“12 dead”, “14 dead”). A line, or what stands in brackets, is left out where each part of it is one of

- a number of something that readers do ("3 posts - 2 participants", "1.2k views", "★ 14"), in several languages,
- when or how long ago it was brought up to date, or how long it takes to read ("updated 5 minutes ago", "Last updated:
  30 Nov 2026 10:05", "4 min read").
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_DONE = (
    (
        "comments? comentarios? comentários? kommentare? commentaires? comment[io] reacties? "
        "repl(?:y|ies) answers? responses? respuestas? respostas? antwort(?:en)? réponses? rispost[ae] "
        "posts? publicaci(?:ón|ones) mensajes? messages? beitr[aä]ge? participants? participantes? teilnehmer "
        "views? vistas? visitas? visualizaciones visualizações aufrufe vues? reads? hits? plays? listens? downloads? "
        "likes? me\\ gusta gefällt\\ mir curtidas? favou?rites? favs? hearts? reactions? claps? upvotes? downvotes? "
        "boosts? reblogs? reposts? retweets? shares? bookmarks? notes? new unread"
    )
    .replace("\\ ", "_")
    .split(" ")
)
_GIVEN = "points? votes? votos? stars? punkte puntos? stimmen score"
_WORDS = "|".join(word.replace("_", " ") for word in (*_DONE, *_GIVEN.split(" ")))
_NUMBER = r"\d[\d.,]{0,12}[kKM]?"
_SYMBOL = "[★☆⭐♥♡❤👍👎👏🔥▲▼⬆⬇⇧↑💬🗨👁👀🔁♻🔄]\ufe0f?"
_SPAN = (
    "seconds? secs? minutes? mins? hours? hrs? days? weeks? months? years? segundos? minutos? horas? días? semanas? "
    "mes(?:es)? años? sekunden? minuten? stunden? tage?n? wochen? monate?n? jahre?n? secondes? heures? jours? "
    "semaines? mois ans? dias? anos?"
).replace(" ", "|")
_UPDATED = r"(?:(?:last )?(?:updated|edited|modified|checked|submitted|posted|published):? )"
_STAMPED = (
    r"(?:(?:last |page )?(?:updated|modified|edited|checked|generated)|stand|(?:zuletzt )?aktualisiert|mis à jour"
    r"|(?:última )?actualizaci[oó]n|actualizado|atualizado):?"
)
_WHEN = (
    r"(?:[\d:/.,+-]{1,25}|(?:jan|ene|feb|mar|mär|apr|abr|may|mai|jun|jul|aug|ago|sep|oct|okt|out|nov|dec|dez|dic|déc)"
    r"[a-zéûôç]{0,7}[.,]?|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}[.,]?|[ap]\.?m\.?|utc|gmt|ce?s?t|[ecmp][sd]t|uhr|h"
    r"|at|on|of|de|del|le|el|la|las|um|am|à|\d{4}-\d\d-\d\dt[\d:.]{1,15}z?)"
)
_AGO = rf"(?:{_NUMBER}|an?|one) (?:{_SPAN}) ago"
_PART = re.compile(
    rf"(?:{_NUMBER} (?:new )?(?:{_WORDS})|(?:{_WORDS}): {_NUMBER}|{_SYMBOL} ?{_NUMBER}|{_NUMBER} ?{_SYMBOL}"
    rf"|{_STAMPED}(?: {_WHEN}){{1,9}}|{_UPDATED}?{_AGO}|(?:hace|vor|il y a|há) {_NUMBER} (?:{_SPAN})"
    rf"|{_NUMBER}[ -]min(?:ute)?s?[ -](?:read|de lectura|de lecture|de leitura|di lettura|lesezeit)"
    r"|(?:estimated )?(?:reading time|read time|lesezeit|tiempo de lectura|temps de lecture):? "
    rf"{_NUMBER} min(?:ut(?:e|o)[sn]?)?s?\.?)",
    re.IGNORECASE,
)
"""One thing that counts up or passes."""
_BETWEEN = re.compile(
    rf"[|·•;/()\[\]{{}}–—#*]|(?<=\s)-(?=\s)|,(?=\s)|(?<=\s)(?:and|y|und|et|e)(?=\s)|(?<=\s)(?={_SYMBOL} ?\d)"
)
_WITHIN = re.compile(rf"(?<!\d)\d{{1,9}} points? \| \d{{1,9}} comments?|(?<!\w){_UPDATED}{_AGO}(?!\w)", re.IGNORECASE)
_HEAD = re.compile(
    rf"(?:[(\[]([^()\[\]]{{1,80}})[)\]]|({_SYMBOL} ?{_NUMBER}|{_NUMBER} (?:new|unread)(?=:)))[ :|·-]{{1,3}}(?=\S)"
)
_BRACKETS = re.compile(r"\s?([(\[{])([^()\[\]{}]{1,80})[)\]}]$")
_BEHIND = re.compile(rf"\s?(?:[|·•]|[-–—]\s|(?={_SYMBOL} ?\d))(?=[^|·•–—]{{1,80}}$)")
_NAKED = re.compile(r"(?!(?:19|20)\d\d)\d{1,6}")
"""In brackets: a number that is no year."""
_DISPUTED = re.compile(r"\d (?:votes?|votos?|stimmen)", re.IGNORECASE)
"""Behind a dash, this may be what the title is about."""
_FURNITURE = frozenset({"read full topic"})
"""What Discourse writes below a topic once it has answers."""
_ENDS = 3
_LONGEST, _DIGIT = 160, re.compile("[0-9]")


def without_counters(lines: Iterable[str]) -> str:
    """The words of these lines, with one space between them."""
    said = " ".join(" ".join([line for line in lines if not _is_furniture(line)]).split())
    return _WITHIN.sub("", said) if " | " in said or " ago" in said else said


def _is_furniture(line: str) -> bool:
    if len(line) > _LONGEST:
        return False
    if _DIGIT.search(line) is None:
        return line.strip().casefold() in _FURNITURE
    return _counts(line)


def _counts(line: str) -> bool:
    """Whether each part of it counts something."""
    if _PART.fullmatch(line.strip()):
        return True
    parts = [part for each in _BETWEEN.split(line) if (part := each.strip())]
    return bool(parts) and all(map(_PART.fullmatch, parts))


def title_without_counters(title: str) -> str:
    """A title without what is counted before and behind it."""
    if _DIGIT.search(title) is None:
        return title
    head = _HEAD.match(title)
    if head and (head[2] or head[1].isdigit() or _counts(head[1])):
        title = title[head.end() :]
    for _ in range(_ENDS):
        start = max(len(title) - _LONGEST, 0)
        shorter = title[:start] + _without_tail(title[start:])
        if shorter == title:
            break
        title = shorter
    return title


def _without_tail(title: str) -> str:
    brackets = _BRACKETS.search(title, 1)
    if brackets:
        inside = brackets[2].strip()
        return title[: brackets.start()] if _counts(inside) or _NAKED.fullmatch(inside) else title
    for behind in _BEHIND.finditer(title, 1):
        tail = title[behind.start() :].strip()
        if _counts(tail.lstrip("-")) and not (tail[0] in "-–—" and _DISPUTED.search(tail)):
            return title[: behind.start()]
    return title

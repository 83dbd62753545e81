"""What Telegram makes live in plain text: URLs, e-mail addresses, @names, /commands, #hashtags, $CASHTAGS."""

from __future__ import annotations

import re
from dataclasses import dataclass

from devstack.sandbox.text import Entity, utf16_len

# Top-level domains that make a link without a scheme: common generic ones, and all countries.
TLDS = """
app biz blog bot chat cloud com dev edu email gov info int link live mil mobi mov name net news
online org page pro shop site space store tech top travel web website wiki work world xyz zip
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bv
bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es
et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu
id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt
lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no
np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si
sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk
us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
"""
LINKED_TLDS = frozenset(TLDS.split())

URL = re.compile(
    r"(?<![\w@./:-])(?P<scheme>(?:https?|ftp|tonsite)://)?"
    r"(?P<host>(?:[\w-]+\.)+(?P<tld>[^\W\d_]{2,})|\d{1,3}(?:\.\d{1,3}){3})(?![\w@])"
    r"(?::\d{1,5})?(?P<path>[/?#][^\s<>«»“”]*)?",
    re.IGNORECASE,
)
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]+\.)+[a-z]{2,}(?![\w@])", re.IGNORECASE)
MENTION = re.compile(r"(?<![\w@])@[a-z]\w{2,31}(?!\w)", re.IGNORECASE | re.ASCII)
COMMAND = re.compile(r"(?<![\w/<>@])/\w{1,64}(?:@[a-z0-9_]{3,32})?(?![\w/<>])", re.IGNORECASE | re.ASCII)
HASHTAG = re.compile(r"(?<![\w#&])#(?=\w*[^\W\d_])\w{1,256}")
CASHTAG = re.compile(r"(?<![\w$])\$[A-Z]{1,8}(?![\w$])")


@dataclass(frozen=True, slots=True)
class _Span:
    type: str
    start: int
    end: int


def find_entities(text: str, *, commands: bool = True) -> list[Entity]:
    """The live parts, in order and without overlap."""
    taken: list[_Span] = []
    for kind, spans in (
        ("email", _matches(EMAIL, text)),
        ("url", _urls(text)),
        ("bot_command", _matches(COMMAND, text) if commands else []),
        ("mention", _matches(MENTION, text)),
        ("hashtag", _matches(HASHTAG, text)),
        ("cashtag", _matches(CASHTAG, text)),
    ):
        for start, end in spans:
            if not any(start < other.end and other.start < end for other in taken):
                taken.append(_Span(kind, start, end))
    return [
        Entity(span.type, utf16_len(text[: span.start]), utf16_len(text[span.start : span.end]))
        for span in sorted(taken, key=lambda span: span.start)
    ]


def _matches(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return [match.span() for match in pattern.finditer(text)]


def _urls(text: str) -> list[tuple[int, int]]:
    spans = []
    for match in URL.finditer(text):
        tld = (match["tld"] or "").lower()
        if not match["scheme"] and tld and tld not in LINKED_TLDS:
            continue
        end = match.end()
        while text[end - 1] in ".,:;!?'\")]}*_~`" and not _closes(text[match.start() : end]):
            end -= 1
        spans.append((match.start(), end))
    return spans


def _closes(url: str) -> bool:
    """Whether the last bracket has its partner inside the URL."""
    pairs = {")": "(", "]": "[", "}": "{"}
    opening = pairs.get(url[-1])
    return opening is not None and url.count(opening) >= url.count(url[-1])

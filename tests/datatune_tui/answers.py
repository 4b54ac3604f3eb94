"""What the processes that screens ask would answer, written down."""

from __future__ import annotations

from typing import Any

HITS: list[dict[str, Any]] = [
    {
        "id": "starter/support-mails",
        "score": 0.899,
        "title": "Support Mails",
        "reasons": ["matches: mails, shop", "meaning 0.52"],
        "available": True,
        "aliases": [],
        "parts": {"meaning": 0.524, "words": 0.2, "popularity": 0.175},
    },
    {
        "id": "owner/mail_[b]topics[/b]",
        "score": 0.731,
        "title": "Mail topics",
        "reasons": ["matches: mails", "meaning 0.45", "12,400 downloads"],
        "available": False,
        "aliases": ["other/mail-topics", "third/mail-topics"],
        "parts": {"meaning": 0.451, "words": 0.08, "popularity": 0.2},
    },
    {
        "id": "starter/shop-reviews",
        "score": 0.382,
        "title": "Shop Reviews",
        "reasons": ["meaning 0.21"],
        "available": True,
        "aliases": [],
        "parts": {"meaning": 0.207, "words": 0.0, "popularity": 0.175},
    },
]

SHOWN: dict[str, Any] = {
    "dataset": "",
    "title": "Support Mails",
    "summary": "Mails to a small shop.",
    "card": "---\nlicense: cc0-1.0\n---\n# Support Mails\n\nMails to a small [shop](http://shop.invalid).\n\n```\na, b\n```\n",
    "card_characters": 31_000,
    "licence": "cc0-1.0",
    "languages": ["en"],
    "downloads": 0,
    "gated": False,
    "columns": {"mail_id": "a row name", "text": "the mail", "pile": "where it belongs"},
    "splits": {"default": ["train"]},
    "rows": [
        {"mail_id": "m1", "text": "Where is my [bold]parcel[/bold]?", "pile": "delivery"},
        {"mail_id": "m2", "text": "Hi", "pile": "other"},
    ],
    "count": 140,
}

MODELS: list[dict[str, Any]] = [
    {
        "spec": "smollm2",
        "path": "/weights/smollm2.gguf",
        "weights": {
            "name": "SmolLM2 135M",
            "size": 98_000_000,
            "quantisation": "Q4_1",
            "context_length": 8192,
            "licence": "apache-2.0",
            "architecture": "llama",
            "parameters": 134_000_000,
            "layers": 30,
            "chat_template": True,
        },
        "problem": "",
        "cure": "",
        "needs_bytes": 500_000_000,
        "rates": {"read": 416.0, "write": 315.0, "sequences": 64},
    },
    {
        "spec": "broken",
        "path": "/weights/broken.gguf",
        "weights": None,
        "problem": "/weights/broken.gguf cannot be used: it is not a GGUF file",
        "cure": "Copy or download the file again, and compare its SHA-256.",
        "needs_bytes": None,
        "rates": None,
    },
]

TASK_FILE = """\
[task]
name = "mails"
description = "Sort mails to a shop into piles."
metric = "macro_f1"
test = "test.csv"
[task.output]
kind = "label"
labels = ["refund", "other"]
[[task.examples]]
input = "Money back! [bold]"
output = "refund"
[[task.examples]]
input = "Hello"
output = "other"
[retrieve]
prefer = ["starter/support-mails"]
exclude = ["owner/bad"]
"""

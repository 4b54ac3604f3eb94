"""The metrics a task can be judged by, named once for task files, the form and what evaluates."""

from __future__ import annotations

METRICS: dict[str, str] = {
    "accuracy": "the share of outputs that are the right one",
    "exact_match": "the share of outputs that are the right text, but for case, punctuation, articles and spaces",
    "exact_str_match": "the share of outputs that are the right text to the letter (BIG-bench)",
    "macro_f1": "F1 of each label, averaged: rare labels count as much as frequent ones",
    "token_f1": "F1 of the words that output and answer have in common (SQuAD, Rajpurkar et al., arXiv 1606.05250)",
    "rouge_l": "the longest sequence of words in common, as F1 (Lin 2004)",
    "chrf": "F-score of character n-grams (Popović 2015): for translations and short texts in any language",
    "multiple_choice_grade": "the share of questions whose right option the model finds likeliest (BIG-bench, arXiv 2206.04615)",
}
"""By name, with what is measured."""

"""What labels mean: their words in many languages, standard vocabularies, ranges of numbers, and which values stand for which label."""

"""The catalog: cards, rows, index, search and fetch."""

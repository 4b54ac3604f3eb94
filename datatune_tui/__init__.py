"""What the user sees: the `datatune` command and its screens."""

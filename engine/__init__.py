"""The pipeline: from a task to a training set. Knows no screen."""

"""How well a model does a task: a test is read, a model is asked, its answers are scored with n and intervals."""

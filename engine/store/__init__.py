"""What is remembered: one SQLite file. database.py opens it, runs.py runs and commands, lease.py and steps.py steps and their owners,
items.py units and calls, events.py what happened and how far it got."""

"""The report of a run: everything a person needs to judge its examples, gathered from the database and laid out as one HTML page."""

"""A model as a witness: it does the task on sample rows and says what values mean; what it says counts by how far it beats chance."""

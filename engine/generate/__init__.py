"""What generate needs: the form of a task's examples, checks on what was written, repeats, topics, and the order in which all is asked."""

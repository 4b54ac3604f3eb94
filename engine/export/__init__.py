"""The exported folder: what is in it, how its files are written, and how it appears whole or not at all."""

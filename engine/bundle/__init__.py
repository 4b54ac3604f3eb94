"""One run as one file: written on one machine, checked to the last byte on another before anything of it is stored."""

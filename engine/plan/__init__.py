"""The plan language: steps.py what there is, check.py what is refused, compile.py what it does to rows, template.py text,
profile.py what columns look like, structure.py plans read off the columns, file.py plans as files."""

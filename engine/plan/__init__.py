"""The plan language: steps.py what there is, check.py what is refused, flow.py and leaks.py why an output cannot be read off its input,
compile.py what a plan does to rows, value_steps.py, options.py and row_steps.py what each step does, model_steps.py and prose.py what a
model is asked, template.py text, profile.py what columns look like, structure/ plans read off the columns, file.py plans as files."""

"""What an Ollama Modelfile says of a model, and when it stays silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import ModelError, WeightsMissing
from models.modelfile import Turns, modelfile
from tests.models.gguf.tiny import TEMPLATE, tiny_model

CHATML = """{{ if .System }}<|im_start|>system
{{ .System }}<|im_end|>
<|im_start|>user
{{ else }}<|im_start|>user
{{ end }}{{ .Prompt }}<|im_end|>
<|im_start|>assistant
{{ .Response }}<|im_end|>
"""
BEGIN_WITH_DEFAULT = "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe {{ kind }}.<|im_end|>\n' }}{% endif %}"
NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{{ '<' + message['role'] + '>' + message['content'] + '</>' }}{% endfor %}{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)
LAST_ONLY = (
    "{% for message in messages %}{% if loop.last %}{{ '[' + messages[0]['content'] + ']' }}{% endif %}"
    "{{ message['role'] + message['content'] }}{% endfor %}"
)


def written(tmp_path: Path, template: str, system: str = "") -> str:
    return modelfile(tiny_model(tmp_path / "tiny model.gguf", template=template), system=system)


def test_a_template_of_turns_is_said_with_stops_and_system(tmp_path: Path) -> None:
    text = written(tmp_path, TEMPLATE, "Answer yes or no.\nNothing else.")
    assert text.startswith("FROM ./tiny model.gguf\n")
    assert f'TEMPLATE """{CHATML}"""\n' in text
    assert 'PARAMETER stop "<|im_end|>"\n' in text
    assert text.endswith('SYSTEM """Answer yes or no.\nNothing else."""\n')
    assert "SYSTEM" not in written(tmp_path, TEMPLATE).replace(".System", "")


def test_the_likeliest_answer_is_asked_for_where_it_is_wanted(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "tiny.gguf")
    assert "PARAMETER temperature 0\n" in modelfile(model, system="Answer.", greedy=True)
    assert "temperature" not in modelfile(model, system="Answer.")


def test_an_adapter_is_named_beside_its_base(tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base.gguf")
    assert modelfile(base, adapter=tmp_path / "mine.gguf").startswith("FROM ./base.gguf\nADAPTER ./mine.gguf\n")


def test_the_system_text_a_template_has_of_its_own_is_kept(tmp_path: Path) -> None:
    text = written(tmp_path, BEGIN_WITH_DEFAULT.replace("{{ kind }}", "kind") + TEMPLATE)
    assert f'TEMPLATE """{CHATML}"""\n' in text and text.endswith('SYSTEM """Be kind."""\n')


def test_a_template_without_system_turns_has_the_text_in_the_question(tmp_path: Path) -> None:
    said = "{{ if .System }}<user>{{ .System }}\n\n{{ else }}<user>{{ end }}{{ .Prompt }}</><assistant>{{ .Response }}</>"
    assert f'TEMPLATE """{said}"""\n' in written(tmp_path, NO_SYSTEM)


@pytest.mark.parametrize(
    "template",
    [LAST_ONLY, TEMPLATE.replace("<|im_start|>", "{{ '{{' }}" + "<|").replace("'{{ '{{' }}", "'{{"), TEMPLATE.replace("\n", '"""')],
)
def test_what_cannot_be_said_is_left_out_with_a_word(template: str, tmp_path: Path) -> None:
    text = written(tmp_path, template)
    assert "TEMPLATE" not in text and "cannot be said" in text and "PARAMETER stop" in text


def test_turns_render_as_the_template_they_say() -> None:
    turns = Turns("<s>", "</s><u>", "<u>", "</u><a>", "</a>")
    assert turns.rendered("S", ("U", "A", "V")) == "<s>S</s><u>U</u><a>A</a><u>V</u><a>"
    assert turns.rendered("", ("U",)) == "<u>U</u><a>"
    assert turns.template() == "{{ if .System }}<s>{{ .System }}</s><u>{{ else }}<u>{{ end }}{{ .Prompt }}</u><a>{{ .Response }}</a>"


@pytest.mark.parametrize("system", ['three """ quotes', "a bell \a"])
def test_a_system_text_that_would_end_its_quotes_is_refused(system: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="system text"):
        written(tmp_path, TEMPLATE, system)


def test_names_and_files_that_cannot_be_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing):
        modelfile(tmp_path / "none.gguf")
    with pytest.raises(ModelError, match="file name"):
        modelfile(tiny_model(tmp_path / "a.gguf"), adapter=tmp_path / "b\nSYSTEM x.gguf")

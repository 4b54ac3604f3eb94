"""Items are put to a model in several ways, once each, and the way is chosen off the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from engine.errors import BadInput
from engine.evaluate.asking import CHOICE_ONLY, Answer, Asker, Setting, demonstrations
from engine.evaluate.choosing import choose, settings_of, usual
from engine.evaluate.evaluation import Given, asker_of, evaluate, expected_cost, off_the_test, wrong_answers
from engine.evaluate.items import Item, Test, example_items, read_test
from engine.prompts.evaluate import CONTENT_FREE, answer_in, chat_messages, plain_prompt
from engine.records import Output, Task, TaskExample
from engine.store.database import open_writer
from engine.stored_answers import StoredAnswers
from models.errors import RequestInvalid
from models.language import Message, Request
from models.scripted import ScriptedModel
from tests.engine.evaluate.made import TITLE, WEATHER, answers_of, bigbench, closed_test, lines

POOL = example_items(WEATHER.examples, WEATHER)
SIGNS = {"froze": "snow", "poured": "rain", "beach": "sun", "ice cream": "sun", "Wet shoes": "rain", "snowman": "snow"}


class Server(ScriptedModel):
    """A model that takes chats alone, as one behind a server."""

    def render(self, messages: tuple[Message, ...]) -> str:
        if messages[0].role == "text":
            raise RequestInvalid("chats alone")
        return super().render(messages)


def knows(prompt: str, request: Request) -> str | None:
    """Knows the weather of the last input; writes it with a full stop."""
    last = prompt.rpartition("[user]")[2] or prompt.rpartition("Input: ")[2]
    last = last.rpartition("Input: ")[2]
    right = next((weather for sign, weather in SIGNS.items() if sign in last), "sun")
    if not request.choices:
        return f"{right}.\n\nInput: more"
    return json.dumps([-0.1 if choice.strip() == right else -4.0 - place for place, choice in enumerate(request.choices)])


def weather_test(tmp_path: Path, count: int = 12) -> Test:
    rows = [
        {
            "input": f"{('It froze', 'It poured', 'The beach was full')[number % 3]}, day {number}.",
            "output": ("snow", "rain", "sun")[number % 3],
        }
        for number in range(count)
    ]
    return read_test(lines(tmp_path / "test.jsonl", rows), WEATHER)


def test_a_chat_shows_demonstrations_as_turns_and_a_plain_text_as_they_stand() -> None:
    shown = [TaskExample("one", "sun")]
    assert [message.role for message in chat_messages(WEATHER, shown, "two")] == ["system", "user", "assistant", "user"]
    assert "sun, rain, snow" in chat_messages(WEATHER, (), "two")[0].content
    text, space = plain_prompt(WEATHER, closed_test([0]).frame(closed_test([0]).items[0]), shown, "two")
    assert text.endswith("Input: one\nOutput: sun\n\nInput: two\nOutput:") and space == " " and text.startswith("Say what weather")


def test_a_published_task_is_asked_in_its_own_words(tmp_path: Path) -> None:
    folder = bigbench(
        tmp_path / "t",
        [{"input": "Do fish fly?", "target_scores": {"no": 1, "yes": 0}}],
        task_prefix="Say yes or no.",
        example_input_prefix="\nQ: ",
        example_output_prefix="\nA: ",
        few_shot_example_separator="\n",
        append_choices_to_input=False,
    )
    test = read_test(folder, WEATHER)
    text, space = plain_prompt(WEATHER, test.frame(test.items[0]), [TaskExample("Do birds?", "yes")], test.items[0].input)
    assert text + space == "Say yes or no.\nQ: Do birds?\nA: yes\n\nQ: Do fish fly?\nA: "


def test_a_trained_model_is_asked_as_exports_ask(tmp_path: Path) -> None:
    assert chat_messages(WEATHER, (), "two", bare=True) == (Message("system", WEATHER.description), Message("user", "two"))
    assert settings_of((2, 8), ("chat", "export"), 2) == (Setting(2, "chat"), Setting(0, "export"))


def test_an_answer_ends_where_the_next_question_begins() -> None:
    frame = closed_test([0]).frame(closed_test([0]).items[0])
    assert answer_in("\n sun \nInput: more", frame, True) == "sun"
    assert answer_in("two\nlines\nInput: more", frame, False) == "two\nlines"


def test_options_are_weighed_written_and_weighed_without_the_question(tmp_path: Path) -> None:
    test = weather_test(tmp_path, 6)
    stored = answers_of(tmp_path, knows)
    asker = Asker(stored, WEATHER, longest=4)
    (first, *_) = answers = asker.ask(test, test.items, Setting(2), demonstrations(POOL, 2, 0))
    assert first.sums == (-4.0, -5.0, -0.1) and first.text == "snow.\n\nInput: more" and first.written
    assert first.tokens == (2, 2, 2) and len(answers) == 6
    assert stored.fresh == 6 + 6 + 1, "what is asked without a question is the same for all"
    assert first.priors == (-0.1, -5.0, -6.0)
    plain = asker.ask(test, test.items, Setting(1, "plain"), demonstrations(POOL, 1, 0), CHOICE_ONLY)
    assert plain[0].tokens == (1, 1, 1) and not plain[0].priors and not plain[0].written and plain[0].sums[2] == -0.1


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    test = weather_test(tmp_path)
    first = Asker(answers_of(tmp_path, knows), WEATHER)
    said = first.ask(test, test.items, Setting(0), demonstrations((), 0, 0))
    answers = answers_of(tmp_path, knows)
    assert Asker(answers, WEATHER).ask(test, test.items, Setting(0), demonstrations((), 0, 0)) == said and answers.fresh == 0


def test_an_input_that_says_nothing_has_no_other_without_it(tmp_path: Path) -> None:
    item = Item("1", "", ("a b", "b a"), (1.0, 0.0), ("a b",), "1")
    test = Test("t", (item,), "accuracy")
    (answer,) = Asker(answers_of(tmp_path, lambda *_: None), WEATHER).ask(test, [item], Setting(0), demonstrations((), 0, 0))
    assert len(answer.sums) == 2 and answer.priors == () and answer.scores("prior_corrected") == ()


def test_a_figure_that_some_items_cannot_have_is_not_told_and_not_decided_by(tmp_path: Path) -> None:
    test = weather_test(tmp_path, 6)
    silent = msgspec.structs.replace(test.items[0], key="silent", input="")
    given = Given(WEATHER, msgspec.structs.replace(test, items=(*test.items, silent)), POOL, styles=("chat",))
    (judged,) = evaluate(given, [asker_of(given, answers_of(tmp_path, knows))]).models
    assert {figure.name for figure in judged.results[0].figures} >= {"accuracy, sum", "accuracy, per_token"}
    assert "accuracy, prior_corrected" not in {figure.name for figure in judged.results[0].figures}
    with pytest.raises(BadInput, match="1 of 7 items have no input"):
        evaluate(msgspec.structs.replace(given, way="prior_corrected"), [asker_of(given, answers_of(tmp_path, knows))])


def test_an_example_is_never_shown_before_itself_and_draws_differ() -> None:
    shown = demonstrations(POOL, 8, 0)
    assert [one.input for item in POOL for one in shown(item) if one.input == item.input] == []
    assert len(shown(POOL[0])) == 2 and len(shown(closed_test([0]).items[0])) == 3
    outside = Item("1", "x")
    assert len({tuple(one.input for one in demonstrations(POOL, 2, seed)(outside)) for seed in range(8)}) > 1


def test_an_item_of_a_subtask_is_shown_examples_of_its_subtask_in_that_form(tmp_path: Path) -> None:
    examples = [{"input": "", "target_scores": {f"cause {number}": 1, f"effect {number}": 0}} for number in range(6)]
    folder = bigbench(tmp_path / "t", [])
    bigbench(folder / "bare", examples, append_choices_to_input=False, example_input_prefix="", example_output_prefix="")
    bigbench(folder / "told", examples, example_input_prefix="\nexample:", example_output_prefix="\nanswer: ", choice_prefix="\n- ")
    test = read_test(folder, WEATHER)
    bare, told = (next(item for item in test.items if item.part == part) for part in ("bare", "told"))
    for item, inputs in ((bare, ""), (told, "\n- ")):
        given = demonstrations(test.items, 2, 0)(item)
        assert len(given) == 2 and all(one.input[:3] == inputs and one.output.startswith("cause") for one in given)
    text, _ = plain_prompt(WEATHER, test.frame(told), demonstrations(test.items, 1, 0)(told), told.input)
    assert text.count("\nexample:\n- ") == 2 and chat_messages(WEATHER, (), told.input)[1].content.startswith("- ")


def test_a_prompt_longer_than_the_context_is_told_and_counts_as_wrong(tmp_path: Path) -> None:
    item = Item("1", "word " * 5000, ("a", "b"), (1.0, 0.0), ("a",), "1")
    test = Test("t", (item, *closed_test([0], ("a", "b")).items), "accuracy")
    (answer, other) = Asker(answers_of(tmp_path, lambda *_: None), WEATHER).ask(test, test.items, Setting(0), demonstrations((), 0, 0))
    assert "tokens" in answer.error and answer.sums == () and not other.error


def test_examples_that_are_in_the_test_are_not_shown(tmp_path: Path) -> None:
    rows = [{"input": "we ATE ice-cream", "output": "sun"}, {"input": "It froze.", "output": "snow"}]
    test = read_test(lines(tmp_path / "t.jsonl", rows), WEATHER)
    assert [item.input for item in off_the_test(POOL, test)] == ["Wet shoes everywhere.", "We built a snowman."]


def test_an_example_that_asks_the_same_with_its_options_in_another_order_is_not_shown(tmp_path: Path) -> None:
    def asked(*options: str) -> str:
        return "Which of them would carry a heavy piano up the narrow stairs?\n" + "\n".join(f"- {option}" for option in options)

    choosing = Task("piano", "Choose.", output=Output("option_text"))
    men, mice = "four strong men with belts", "two small mice in a cage"
    rows = [(asked(men, mice), men), ("Who eats cheese at night in the pantry?\n- an owl\n- a mouse", "a mouse")]
    file = lines(tmp_path / "piano.jsonl", [{"input": text, "output": output} for text, output in rows])
    test = read_test(file, choosing, shuffle=False)
    other = TaskExample("Who swims across the wide lake before breakfast?\n- a duck\n- a stone", "a duck")
    pool = example_items((TaskExample(asked(mice, men), men), other), choosing, shuffle=False)
    assert [item.input for item in off_the_test(pool, test)] == [other.input]


def test_the_best_way_to_ask_is_chosen_on_the_examples(tmp_path: Path) -> None:
    def better_with_two(prompt: str, request: Request) -> str | None:
        if prompt.count("[assistant]") == 2:
            return knows(prompt, request)
        return json.dumps([-1.0] + [-2.0] * (len(request.choices) - 1)) if request.choices else "?"

    asker = Asker(answers_of(tmp_path, better_with_two), WEATHER)
    settings = settings_of((0, 1, 2), ("chat", "plain"), len(POOL))
    choice = choose(asker, weather_test(tmp_path), POOL, settings, "sum", 0)
    assert choice.setting == Setting(2, "chat") and len(choice.tried) == 6 and "best of 6 on 3 examples" in choice.why
    assert next(one for one in choice.tried if one.setting == Setting(2, "chat")).score == 1


def test_ties_go_to_the_likelier_right_answers(tmp_path: Path) -> None:
    def surer_in_plain(prompt: str, request: Request) -> str | None:
        told = json.loads(knows(prompt, request) or "")
        return json.dumps([one if "[user]" in prompt else 3 * one for one in told])

    asker = Asker(answers_of(tmp_path, surer_in_plain), WEATHER)
    choice = choose(asker, weather_test(tmp_path), POOL, settings_of((1,), ("chat", "plain"), 3), "sum", 0)
    assert choice.setting.style == "plain" and "likeliest" in choice.why


def test_full_ties_go_to_fewer_demonstrations(tmp_path: Path) -> None:
    asker = Asker(answers_of(tmp_path, first), WEATHER)
    choice = choose(asker, weather_test(tmp_path), POOL, (Setting(2), Setting(1), Setting(0)), "sum", 0)
    assert len({(one.score, one.likelihood) for one in choice.tried}) == 1 and choice.setting == Setting(0)


def test_the_test_has_no_say_in_how_it_is_asked(tmp_path: Path) -> None:
    """On the examples a chat is right and a plain text wrong; on the test the other way round."""

    def turned(prompt: str, request: Request) -> str | None:
        told = json.loads(knows(prompt, request) or "[]") if request.choices else []
        of_test = ", day " in prompt.rpartition("Input: ")[2] or ", day " in prompt.rpartition("[user]")[2]
        good = ("[user]" in prompt) != of_test
        return json.dumps(told if good else [-one for one in told]) if request.choices else "?"

    given = Given(WEATHER, weather_test(tmp_path), POOL, shots=(0,), styles=("chat", "plain"), every=True)
    (judged,) = evaluate(given, [asker_of(given, answers_of(tmp_path, turned))]).models
    assert judged.choice.setting == Setting(0, "chat") and judged.results[0].setting == Setting(0, "chat")
    assert [one.figures[0].estimate.value for one in judged.results] == [0.0, 1.0]


def test_every_draw_shows_others_and_the_chosen_setting_is_compared(tmp_path: Path) -> None:
    """Two demonstrations are best for the first model; the other settings that are asked beside it must not stand for it."""
    prompts: list[str] = []

    def two(prompt: str, request: Request) -> str | None:
        if request.choices and ", day 7." in prompt:
            prompts.append(prompt)
        good = prompt.count("[assistant]") == 2
        return knows(prompt, request) if good else json.dumps([-1.0] * len(request.choices)) if request.choices else "?"

    other = StoredAnswers(ScriptedModel(answer=first), "base", open_writer(tmp_path / "calls.db"))
    other.model.identity = other.model.identity.__class__("other", "o" * 64, "scripted 1")
    given = Given(WEATHER, weather_test(tmp_path, 30), POOL, shots=(2, 0), styles=("chat",), draws=3, every=True)
    askers = [asker_of(given, one) for one in (answers_of(tmp_path, two), other)]
    found = evaluate(given, askers)
    assert found.models[0].choice.setting == Setting(2, "chat")
    shown = {prompt for prompt in prompts if prompt.count("[assistant]") == 2 and "N/A" not in prompt}
    assert len(shown) == 3, "three draws of two out of three"
    assert found.comparison and found.comparison.difference.estimate.value == pytest.approx(1 - 1 / 3)
    assert found.comparison.difference.estimate.draws == 3


def test_the_published_baseline_is_asked_beside_another_choice(tmp_path: Path) -> None:
    given = Given(WEATHER, weather_test(tmp_path), POOL, shots=(0, 2), styles=("chat",))
    (judged,) = evaluate(given, [asker_of(given, answers_of(tmp_path, first))]).models
    assert [one.setting for one in judged.results] == [Setting(0, "chat"), Setting(2, "chat")]


def test_answers_that_did_not_come_are_counted(tmp_path: Path) -> None:
    long = Item("1", "word " * 5000, ("a", "b"), (1.0, 0.0), ("a",), "1")
    given = Given(WEATHER, Test("t", (long, *closed_test([0, 0], ("a", "b")).items), "accuracy"), (), shots=(0,), styles=("chat",))
    (judged,) = evaluate(given, [asker_of(given, answers_of(tmp_path, first))]).models
    assert judged.results[0].unanswered == 1 and judged.results[0].wrong_of == 1


def test_texts_that_are_wholly_wrong_stand_before_those_half_right(tmp_path: Path) -> None:
    rows = [{"input": text, "output": "a lost dog"} for text in ("half", "none", "right")]
    test = read_test(lines(tmp_path / "t.jsonl", rows), TITLE)
    answers = [Answer(text=text, written=True) for text in ("a lost cow", "nothing", "a lost dog")]
    assert [one.input for one in wrong_answers(test, answers, "sum")] == ["none", "half"]


def test_an_example_that_asks_what_the_test_asks_is_left_however_short(tmp_path: Path) -> None:
    test = read_test(lines(tmp_path / "t.jsonl", [{"input": "Hot!", "output": "sun"}]), WEATHER)
    pool = example_items((TaskExample("hot", "rain"), TaskExample("cold", "snow")), WEATHER)
    assert [item.input for item in off_the_test(pool, test)] == ["cold"]


def test_free_answers_choose_too(tmp_path: Path) -> None:
    def titles(prompt: str, request: Request) -> str | None:
        good = "[user]" in prompt
        if request.choices:
            return json.dumps([-1.0] * len(request.choices))
        return ("Lost dog" if "A dog" in prompt.rpartition("[user]")[2] else "Found cat") if good else "nothing"

    pool = example_items(TITLE.examples, TITLE)
    test = read_test(lines(tmp_path / "t.jsonl", [{"input": "A cow ran off.", "output": "Lost cow"}]), TITLE)
    choice = choose(Asker(answers_of(tmp_path, titles), TITLE), test, pool, settings_of((0,), ("chat", "plain"), 2), "sum", 0)
    assert choice.setting.style == "chat" and [one.score for one in choice.tried] == [1, 0]


def test_too_few_examples_choose_nothing_and_that_is_said(tmp_path: Path) -> None:
    asker = Asker(answers_of(tmp_path, knows), WEATHER)
    choice = choose(asker, weather_test(tmp_path), POOL[:1], settings_of((0, 2, 8), ("chat", "plain"), 1), "sum", 0)
    assert choice.setting == Setting(1, "chat") and "1 example cannot choose" in choice.why and not choice.tried
    assert usual(settings_of((0, 2, 8), ("plain", "chat"), 20)) == Setting(2, "chat")


def test_a_server_is_asked_in_chats_alone_and_without_what_its_menu_cannot_tell(tmp_path: Path) -> None:
    answers = StoredAnswers(Server(answer=knows), "base", open_writer(tmp_path / "calls.db"))
    given = Given(WEATHER, weather_test(tmp_path), POOL)
    asker = asker_of(given, answers)
    with pytest.raises(BadInput, match="no plain text"):
        asker.ask(given.test, given.test.items, Setting(0, "plain"), demonstrations((), 0, 0))
    (judged,) = evaluate(given, [asker]).models
    assert {one.setting.style for one in judged.choice.tried} == {"chat", "export"} and "lettered menu" in judged.notes[0]
    assert not {"accuracy, prior_corrected", "accuracy, per_token"} & {figure.name for figure in judged.results[0].figures}
    for way in ("per_token", "prior_corrected"):
        first = answers_of(tmp_path / way, knows)
        with pytest.raises(BadInput, match="by the letters of a menu"):
            evaluate(msgspec.structs.replace(given, way=way), [asker_of(given, first), asker])
        assert not first.done, "it is said before any model is asked"


def test_an_evaluation_tells_figures_errors_and_a_paired_difference(tmp_path: Path) -> None:
    def always_sun(prompt: str, request: Request) -> str | None:
        return json.dumps([-1.0, -2.0, -3.0]) if request.choices else "sunny weather"

    given = Given(WEATHER, weather_test(tmp_path, 60), POOL, draws=2)
    other = ScriptedModel(answer=always_sun)
    other.identity = other.identity.__class__("other", "o" * 64, "scripted 1")
    models = [answers_of(tmp_path, knows), StoredAnswers(other, "base", open_writer(tmp_path / "calls.db"))]
    askers = [asker_of(given, one) for one in models]
    cost = expected_cost(given, askers[0])
    found = evaluate(given, askers)
    assert cost.calls >= models[0].done and found.items == found.clusters == 60 and "descriptive" in found.notes[-1]
    good, weak = (one.results[0] for one in found.models)
    assert good.figures[0].estimate.value == 1 and good.figures[0].estimate.low < 1 and not good.wrong
    assert weak.figures[0].estimate.value == pytest.approx(1 / 3) and weak.wrong_of == 40 and len(weak.wrong) == 5
    assert {row.label: (row.n, row.right) for row in weak.labels} == {"rain": (20, 0), "snow": (20, 0), "sun": (20, 20)}
    assert weak.labels[0].taken_for == (("sun", 20),) and "names no option" in weak.wrong[0].written
    assert next(figure for figure in weak.figures if figure.name == "unparsable").estimate.value == 1
    assert found.comparison and found.comparison.difference.estimate.value == pytest.approx(2 / 3)
    assert found.comparison.difference.p < 1e-3 and found.comparison.share is None and "not clear of chance" in found.comparison.reason


@pytest.mark.parametrize(
    ("options", "way", "told"),
    [
        (("a cat", "a cat that sleeps on a mat"), "sum", "5.2 times the characters of its shortest, median of 60"),
        (("a cat", "a cat that sleeps on a mat"), "per_token", ""),
        (("a cat", "a black dog"), "sum", "2.2 times"),
        (("a cat", "a dog"), "sum", ""),
    ],
)
def test_where_options_differ_in_length_it_is_told_what_a_sum_prefers(
    tmp_path: Path, options: tuple[str, ...], way: Literal["sum", "per_token"], told: str
) -> None:
    task = Task("which", "Say which.", output=Output("option_text"))
    plain, server = answers_of(tmp_path, first), StoredAnswers(Server(answer=first), "base", open_writer(tmp_path / "calls.db"))
    given = Given(task, closed_test([0, 1] * 30, options), (), way=way)
    (note,) = evaluate(given, [asker_of(given, plain)]).models[0].notes or ("",)
    assert told in note and bool(told) == bool(note)
    if way == "sum":
        assert "prefers short" not in "".join(evaluate(given, [asker_of(given, server)]).models[0].notes), "letters are of one length"


def first(prompt: str, request: Request) -> str | None:
    """Takes whatever stands first."""
    return json.dumps([-1.0 - place for place in range(len(request.choices))]) if request.choices else "a"


def test_what_says_nothing_is_told_so_by_no_input() -> None:
    assert CONTENT_FREE == "N/A" and chat_messages(WEATHER, (), "")[-1].content == "(no input)"

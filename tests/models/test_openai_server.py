from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from models.errors import ModelError, ServerUnavailable
from models.language import Completion, Message, Request, Sampling
from models.openai_server import ATTEMPTS, OpenAIServer
from models.scripted import scripted
from tests.chat_server import ChatServer

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(scripted([("plain", "no JSON"), ("slow", "text")], name="tiny", context_length=300)) as opened:
        yield opened


def connected(server: ChatServer, **options: Any) -> tuple[OpenAIServer, list[float]]:
    slept: list[float] = []
    return OpenAIServer(server.url, sleep=slept.append, concurrency=1, **options), slept


def answered(model: OpenAIServer, text: str = "hello", schema: dict[str, Any] | None = None) -> Completion:
    (done,) = model.complete_many([Request("k", (Message("user", text),), schema, Sampling(max_tokens=50, seed=4))])
    return done


def test_the_request_carries_schema_sampling_and_model(server: ChatServer) -> None:
    model, _ = connected(server)
    assert json.loads(answered(model, schema=SCHEMA).text).keys() == {"a"}
    (sent,) = server.asked
    assert (sent["model"], sent["seed"], sent["max_tokens"]) == ("tiny", 4, 50)
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA


def test_what_the_server_says_of_its_context_wins_over_a_larger_wish(server: ChatServer) -> None:
    assert connected(server)[0].context_length == 300
    assert connected(server, context_length=100)[0].context_length == 100
    assert connected(server, context_length=9000)[0].context_length == 300


def test_a_busy_server_is_asked_again_and_its_wish_for_a_pause_respected(server: ChatServer) -> None:
    model, slept = connected(server)
    server.faults = [(429, {"Retry-After": "7"}, b"{}"), (503, {}, b"loading"), (500, {}, b"oops")]
    assert answered(model).finish == "stop"
    assert slept[0] == 7
    assert len(slept) == 3


def test_a_server_that_stays_busy_is_unavailable_after_bounded_tries(server: ChatServer) -> None:
    model, slept = connected(server)
    server.faults = [(503, {}, b'{"error": {"message": "loading the model"}}')] * 50
    with pytest.raises(ServerUnavailable, match="loading the model"):
        answered(model)
    assert len(slept) == ATTEMPTS - 1


def test_a_server_that_is_gone_is_unavailable(server: ChatServer) -> None:
    model, slept = connected(server)
    server.__exit__()
    with pytest.raises(ServerUnavailable, match=f"{ATTEMPTS} tries"):
        answered(model)
    assert len(slept) == ATTEMPTS - 1


def test_a_request_that_fails_inside_the_server_every_time_fails_alone(server: ChatServer) -> None:
    model, _ = connected(server)
    server.faults = [(500, {}, b'{"error": {"message": "cannot parse grammar"}}')] * ATTEMPTS
    first, second = answered(model), answered(model)
    assert (first.finish, second.finish) == ("error", "stop")
    assert "cannot parse grammar" in first.error


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_ends_it_at_once(server: ChatServer, status: int) -> None:
    model, slept = connected(server)
    server.faults = [(status, {}, b"{}")]
    with pytest.raises(ServerUnavailable, match=str(status)):
        answered(model)
    assert slept == []


def test_a_redirect_is_not_followed(server: ChatServer) -> None:
    model, _ = connected(server)
    server.faults = [(307, {"Location": server.url + "/elsewhere"}, b"")]
    done = answered(model)
    assert (done.finish, len(server.asked)) == ("error", 1)


def test_an_answer_that_ignores_the_schema_is_an_error_with_its_text_kept(server: ChatServer) -> None:
    done = answered(connected(server)[0], "plain", SCHEMA)
    assert (done.finish, done.text) == ("error", "no JSON")
    assert "ignored the schema" in done.error


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"message": 3}]}'])
def test_an_answer_that_cannot_be_read_is_an_error_completion(server: ChatServer, body: bytes) -> None:
    model, _ = connected(server)
    server.faults = [(200, {}, body)]
    assert "cannot be read" in answered(model).error


def test_a_filtered_answer_is_an_error_and_an_empty_one_is_not(server: ChatServer) -> None:
    model, _ = connected(server)
    choices = [{"message": {"content": None}, "finish_reason": reason} for reason in ("content_filter", "stop")]
    server.faults = [(200, {}, json.dumps({"choices": [choice]}).encode()) for choice in choices]
    filtered, empty = answered(model), answered(model)
    assert "content_filter" in filtered.error
    assert (empty.finish, empty.text) == ("stop", "")


def weighed(model: OpenAIServer, *choices: str, messages: tuple[Message, ...] = (Message("user", "Which?"),)) -> Completion:
    (done,) = model.complete_many([Request("k", messages, choices=choices)])
    return done


def reply(content: str, logprobs: Any = None, finish: str = "stop") -> tuple[int, dict[str, str], bytes]:
    choice = {"message": {"content": content}, "finish_reason": finish, "logprobs": logprobs}
    return 200, {}, json.dumps({"choices": [choice]}).encode()


def test_choices_are_a_menu_after_the_last_user_message_with_letters_as_schema(server: ChatServer) -> None:
    said = (Message("system", "Be brief."), Message("user", "Which?"), Message("assistant", "Hm."))
    weighed(connected(server)[0], "a cat\nor two", "", messages=said)
    (sent,) = server.asked
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant"]
    assert sent["messages"][1]["content"].startswith("Which?\n\nA) a cat\n   or two\nB) (empty)\n")
    assert sent["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"] == ["A", "B"]
    weighed(connected(server)[0], "a", messages=(Message("system", "Choose."),))
    assert [message["role"] for message in server.asked[1]["messages"]] == ["system", "user"]


@pytest.mark.parametrize("content", ['{"answer": "B"}', '"B"', "B", " B)\n"])
def test_a_letter_without_probabilities_counts_nine_tenths(server: ChatServer, content: str) -> None:
    server.faults = [(200, {}, json.dumps({"data": server.listed}).encode()), reply(content)]
    assert json.loads(weighed(connected(server)[0], "x", "y", "z").text) == [-2.99573, -0.10536, -2.99573]


def test_probabilities_the_server_tells_are_summed_by_letter(server: ChatServer) -> None:
    model, _ = connected(server)
    top = [
        {"token": "A", "logprob": -0.7},
        {"token": ' "A', "logprob": -1.0},
        {"token": "B", "logprob": -3.0},
        {"token": "x", "logprob": -9.0},
    ]
    place = {"token": '"A', "logprob": -0.7, "bytes": [65], "top_logprobs": top}
    server.faults = [reply('{"answer": "A"}', {"content": [{"token": '{"answer":', "logprob": 0.0, "top_logprobs": []}, place]})]
    assert json.loads(weighed(model, "x", "y", "z").text) == [-0.14564, -3.0, -9.0]
    assert (server.asked[0]["logprobs"], server.asked[0]["top_logprobs"]) == (True, 20)


@pytest.mark.parametrize("logprobs", [{"content": 3}, {"content": []}, [], {"content": [{"token": "A", "logprob": 0.0}]}])
def test_probabilities_that_cannot_be_used_leave_the_letter(server: ChatServer, logprobs: Any) -> None:
    model, _ = connected(server)
    server.faults = [reply('{"answer": "A"}', logprobs)]
    assert json.loads(weighed(model, "x", "y").text) == [-0.10536, -2.30259]


def test_a_server_that_refuses_to_tell_probabilities_is_asked_without(server: ChatServer) -> None:
    model, _ = connected(server)
    server.faults = [(400, {}, b'{"error": "top_logprobs is not supported"}'), reply('{"answer": "A"}')]
    assert weighed(model, "x", "y").finish == "stop"
    assert ["logprobs" in sent for sent in server.asked] == [True, False]


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_that_knows_schemas_in_their_older_place_gets_them_there_from_then_on(server: ChatServer, status: int) -> None:
    model, slept = connected(server)
    server.faults = [(status, {}, b'{"error": {"message": "(body, response_format, type): should be text or json_object"}}')]
    assert json.loads(answered(model, schema=SCHEMA).text).keys() == {"a"}
    assert json.loads(answered(model, schema=SCHEMA).text).keys() == {"a"}
    assert [sent["response_format"]["type"] for sent in server.asked] == ["json_schema", "json_object", "json_object"]
    assert server.asked[2]["response_format"]["schema"] == SCHEMA and not slept


def test_a_request_that_is_wrong_otherwise_does_not_move_the_schema(server: ChatServer) -> None:
    model, _ = connected(server)
    server.faults = [(400, {}, b'{"error": "the prompt is too long"}')]
    assert "too long" in answered(model, schema=SCHEMA).error
    assert answered(model, schema=SCHEMA).finish == "stop"
    assert [sent["response_format"]["type"] for sent in server.asked] == ["json_schema", "json_schema"]


def test_a_server_that_takes_the_schema_nowhere_tells_its_first_reason(server: ChatServer) -> None:
    model, _ = connected(server)
    server.faults = [(400, {}, b'{"error": "no response_format here"}'), (400, {}, b'{"error": "nor there"}')]
    assert "no response_format here" in answered(model, schema=SCHEMA).error


@pytest.mark.parametrize("content", ["I think B", '{"answer": "C"}', "{}", "", "AB"])
def test_an_answer_that_is_no_letter_is_an_error(server: ChatServer, content: str) -> None:
    model, _ = connected(server)
    server.faults = [reply(content)]
    done = weighed(model, "x", "y")
    assert done.finish == "error"
    assert "letters" in done.error


def test_too_many_or_too_long_choices_are_errors_without_a_request(server: ChatServer) -> None:
    model, _ = connected(server)
    many, long = weighed(model, *map(str, range(27))), weighed(model, "a", "b" * 5000)
    assert (many.finish, long.finish, server.asked) == ("error", "error", [])
    assert "26" in many.error and "27" in many.error
    assert "5000" in long.error


def test_a_server_with_several_models_wants_one_named() -> None:
    listed: list[dict[str, Any]] = [{"id": "a", "meta": {"n_ctx": 77}}, {"id": "b"}]
    with ChatServer(scripted(), listed) as server:
        with pytest.raises(ModelError) as caught:
            OpenAIServer(server.url)
        assert "a, b" in caught.value.hint
        assert OpenAIServer(server.url, model="a").context_length == 77
        with pytest.raises(ModelError, match="no model 'c'"):
            OpenAIServer(server.url, model="c")


def test_a_url_without_a_path_gets_the_usual_one(server: ChatServer) -> None:
    assert OpenAIServer(server.url.removesuffix("/v1")).identity.runtime.endswith("/v1")


def test_proxies_of_the_environment_are_not_used(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert answered(connected(server)[0]).finish == "stop"


def test_the_key_comes_from_its_own_variable_only(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    assert "authorization" not in connected(server)[0]._connection._client.headers
    monkeypatch.setenv("DATATUNE_API_KEY", "mine")
    assert connected(server)[0]._connection._client.headers["authorization"] == "Bearer mine"


def test_no_more_requests_are_pulled_than_are_under_way(server: ChatServer) -> None:
    model = OpenAIServer(server.url, concurrency=3)
    pulled: list[str] = []

    def requests() -> Iterator[Request]:
        for number in range(9):
            pulled.append(str(number))
            yield Request(str(number), (Message("user", "hi"),))

    stream = model.complete_many(requests())
    next(stream)
    assert len(pulled) <= 3
    assert len(list(stream)) == 8


def stopped_after(model: OpenAIServer, looks: int) -> float:
    """Seconds until a stream of three requests is over whose `between` raises at its last look."""
    left = looks

    def look() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(model.complete_many([Request(str(number), (Message("user", "hi"),)) for number in range(3)], look))
    return time.monotonic() - began


def running(before: set[threading.Thread]) -> bool:
    """Whether threads that ask the server go on for long."""
    asking = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("openai")]
    for thread in asking:
        thread.join(5)
    return any(thread.is_alive() for thread in asking)


def test_a_stopped_stream_waits_for_no_answer_under_way() -> None:
    with ChatServer(scripted([], delay=20.0, name="tiny")) as server:
        server._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        model, before = OpenAIServer(server.url, concurrency=2), set(threading.enumerate())
        assert stopped_after(model, 2) < 5
        assert not running(before) and len(server.asked) == 2
        server.model = scripted([], name="tiny")
        assert answered(model).finish == "stop"
        model.close()


def test_a_stopped_stream_asks_a_busy_server_no_more() -> None:
    with ChatServer(scripted([], name="tiny")) as server:
        model, before = OpenAIServer(server.url, concurrency=1), set(threading.enumerate())
        server.faults = [(503, {"Retry-After": "25"}, b"{}")] * 9
        assert stopped_after(model, 2) < 5
        assert not running(before) and len(server.asked) == 1
        model.close()

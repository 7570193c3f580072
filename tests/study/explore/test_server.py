"""The page's server over a real socket, with untrained runs behind it."""

import http.client
import json

import pytest
import torch

from seq2seq.cli import main
from seq2seq.config.errors import UserError
from seq2seq.study.explore.page import page
from seq2seq.study.explore.server import serve
from seq2seq.study.explore.translators import Translators, load_translators
from tests.study.explore.untrained import LINES, make_run

NASTY = "<script>alert(1)</script> house"


def ask(server, method="GET", path="/", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    names = {"host": "Host", "kind": "Content-Type", "origin": "Origin", "length": "Content-Length"}
    connection.request(method, path, body=body, headers={names[key]: value for key, value in headers.items()})
    response = connection.getresponse()
    content = response.read().decode()
    connection.close()
    return response, content


def translate(server, text):
    response, content = ask(server, "POST", "/translate", json.dumps({"text": text}), kind="application/json")
    return response.status, json.loads(content)


def test_it_listens_on_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"


def test_the_page_allows_no_script_but_its_own_and_escapes_names(server):
    response, content = ask(server)
    policy = response.headers["Content-Security-Policy"]
    assert response.status == 200
    assert "default-src 'none'" in policy
    nonce = policy.split("script-src 'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">' in content
    assert "none &lt;i&gt;" in content
    assert "<i>" not in content
    assert "innerHTML" not in content
    assert ask(server)[0].headers["Content-Security-Policy"] != policy


def test_every_system_translates_and_shows_where_it_looked(server):
    status, found = translate(server, "the old man")
    assert status == 200
    additive, none, short = found["answers"]
    assert [additive["system"], none["system"], short["system"]] == ["additive", "none <i>", "short"]
    assert additive["source"][-1] == "</s>"
    assert len(additive["weights"]) == len(additive["target"])
    for row in additive["weights"]:
        assert len(row) == len(additive["source"])
        assert sum(row) == pytest.approx(1, abs=0.01)
    assert none["weights"] is None


def test_markup_in_a_sentence_stays_text(server):
    response, content = ask(server, "POST", "/translate", json.dumps({"text": NASTY}), kind="application/json")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "<" in json.loads(content)["answers"][0]["source"]


def test_one_system_may_refuse_what_others_take(server):
    answers = translate(server, " ".join(LINES[:2]))[1]["answers"]
    assert "error" in answers[2]
    assert "text" in answers[0]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "evil.example:80", "127.0.0.1.evil.example:1", ""])
def test_another_host_name_is_refused(server, host):
    response, content = ask(server, host=host)
    assert response.status == 403
    assert "answers to no other name" in content


def test_localhost_is_a_name_of_this_machine(server):
    assert ask(server, host=f"localhost:{server.server_port}")[0].status == 200


def test_a_foreign_page_may_not_ask(server):
    body = json.dumps({"text": "a house"})
    assert ask(server, "POST", "/translate", body, kind="application/json", origin="http://evil.example")[0].status == 403
    assert ask(server, "POST", "/translate", body, kind="text/plain")[0].status == 403
    own = f"http://127.0.0.1:{server.server_port}"
    assert ask(server, "POST", "/translate", body, kind="application/json", origin=own)[0].status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "expected JSON"),
        ("[" * 5000, "expected JSON"),
        ("[]", "a sentence"),
        ('{"text": 3}', "a sentence"),
        ('{"text": " "}', "type a sentence"),
    ],
)
def test_what_is_no_question_is_told(server, body, message):
    response, content = ask(server, "POST", "/translate", body, kind="application/json")
    assert response.status == 400
    assert message in json.loads(content)["error"]


def test_too_much_is_refused(server):
    assert "too long for this page" in translate(server, "a " * 3000)[1]["error"]
    response, content = ask(server, "POST", "/translate", b"", kind="application/json", length="9999999")
    assert response.status == 400
    assert "at most" in content


def test_there_is_nothing_else(server):
    assert ask(server, path="/../../etc/passwd")[0].status == 404
    assert ask(server, "POST", "/", "{}", kind="application/json")[0].status == 404


def test_a_reversed_source_is_shown_in_reading_order(tokenizer, tmp_path):
    run = make_run(tokenizer, tmp_path, reverse=True, score="additive")
    (answer,) = Translators({"r": run}, torch.device("cpu")).translate("the old man")
    assert "".join(answer["source"]).replace("▁", " ").strip() == "the old man</s>"


def test_a_taken_port_and_missing_runs_are_told(server, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("seq2seq.study.explore.server.load_translators", lambda paths, allow_code: server.translators)
    with pytest.raises(UserError, match="give another with --port"):
        serve([], port=server.server_port)
    monkeypatch.undo()
    with pytest.raises(UserError, match="no runs here"):
        load_translators([tmp_path])
    assert main(["explore", str(tmp_path / "nothing")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_the_page_has_a_label_for_what_is_typed():
    text = page(["a"], "n")
    assert '<label for="text">' in text
    assert 'lang="en"' in text

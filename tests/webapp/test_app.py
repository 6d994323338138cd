"""The page as a whole: headers, hosts, error pages, log lines, and nothing on disk."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from contract.api import ModelDescription
from tests.webapp.conftest import AnswerWith, LoopbackApi, MakePicture, Send, WatchWrites
from webapp.app import create_app
from webapp.security import HEADERS
from webapp.settings import Settings

ROUTES = [
    ("GET", "/", 200),
    ("GET", "/healthz", 200),
    ("GET", "/static/page.css", 200),
    ("GET", "/static/page.js", 200),
    ("GET", "/static/icon.svg", 200),
    ("GET", "/static/../app.py", 404),
    ("GET", "/nowhere", 404),
    ("GET", "/<script>", 404),
    ("POST", "/model", 405),
    ("DELETE", "/", 405),
    ("POST", "/", 400),
]
REPOSITORY = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "gunicorn", "--config", "python:webapp.gunicorn_conf", "webapp.app:create_app()"]


@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
def test_every_answer_has_the_security_headers(page: FlaskClient, method: str, path: str, status: int) -> None:
    answer = page.open(path, method=method, buffered=True)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    cache = answer.headers["Cache-Control"]
    assert cache == ("no-cache" if path.startswith("/static/") and status == 200 else "no-store")
    assert "Set-Cookie" not in answer.headers


def test_results_have_the_security_headers_and_are_not_cached(send: Send, picture: MakePicture) -> None:
    answer = send(picture())
    assert answer.status_code == 200
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_content_security_policy_allows_only_the_page_itself() -> None:
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_pages_follow_the_content_security_policy(
    page: FlaskClient, send: Send, picture: MakePicture, model: ModelDescription, answer_with: AnswerWith
) -> None:
    pages = [page.get("/").text, send(picture()).text, page.get("/nowhere").text]
    answer_with(model)
    pages.append(page.get("/model").text)
    for text in pages:
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text)
        assert all(re.search(r'\ssrc="/static/', tag) for tag in re.findall(r"<script[^>]*>", text))
        for source in re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', text):
            assert source.startswith(("/static/", "data:image/"))
        assert text.startswith("<!doctype html>")


def test_error_pages_have_the_design_of_the_page_and_repeat_nothing(page: FlaskClient) -> None:
    answer = page.get("/nowhere-<b>here</b>")
    assert answer.status_code == 404
    assert "There is no such page here." in answer.text
    assert "/static/page.css" in answer.text
    assert "nowhere" not in answer.text


def test_a_refused_method_gets_the_allowed_ones(page: FlaskClient) -> None:
    assert set(page.delete("/").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_an_unexpected_exception_is_an_apology_without_details(app: Flask) -> None:
    def broken() -> str:
        raise ZeroDivisionError("a detail for the log")

    app.add_url_rule("/broken", view_func=broken)
    app.logger.disabled = True  # it would print the traceback that a container logs
    answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    assert "has been logged" in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert "a detail" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("lesions.example.org", 200),
        ("lesions.example.org:8080", 200),
        ("a.internal", 200),
        ("evil.example.org", 400),
        ("lesions.example.org.evil", 400),
        ("10.0.0.7:8080", 400),
        ("bad host", 400),
    ],
)
def test_only_trusted_hosts_are_answered(settings: Settings, host: str, status: int) -> None:
    page = create_app(settings.model_copy(update={"trusted_hosts": ("lesions.example.org", ".internal")})).test_client()
    answer = page.get("/", headers={"Host": host})
    assert answer.status_code == status
    assert "evil" not in answer.text
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert page.get("/healthz", headers={"Host": host}).status_code == 200, "a load balancer names an address as host"


def test_an_upload_touches_no_disk(api: LoopbackApi, send: Send, picture: MakePicture, writes: WatchWrites) -> None:
    large = picture(1500, 1100, kind="PNG", noise=True)
    assert len(large) > 1_000_000
    with writes() as files:
        assert send(large).status_code == 200
    assert files == []


def test_a_log_line_has_the_result_and_nothing_about_the_person(
    send: Send, picture: MakePicture, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    send(picture(), filename="my-left-arm.jpg", headers={"User-Agent": "MyBrowser", "X-Forwarded-For": "203.0.113.7"})
    records = [vars(record) for record in caplog.records if record.name == "webapp.access_log"]
    (line,) = [record for record in records if record["method"] == "POST"]
    assert (line["route"], line["status"], line["prediction_id"]) == ("/", 200, "prediction-1")
    assert line["duration_ms"] > 0
    everything = " ".join(str(vars(record)) for record in caplog.records)
    for private in ("my-left-arm", "MyBrowser", "203.0.113.7", "127.0.0.1"):
        assert private not in everything


def test_the_log_does_not_contain_the_path(page: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    page.get("/my-name-is-secret?and=more")
    assert [vars(record)["status"] for record in caplog.records] == [404]
    assert "secret" not in str([vars(record) for record in caplog.records])


def start(environ: dict[str, str], port: int) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CLASSIFY_", "SECRET_", "AWS_"))}
    return subprocess.Popen(
        [*COMMAND, "--bind", f"127.0.0.1:{port}"],
        cwd=REPOSITORY,
        env=clean | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_unusable_setting_stops_the_container_with_a_sentence() -> None:
    stdout, stderr = (process := start({}, free_port())).communicate(timeout=30)
    assert process.returncode == 1
    assert "Error: CLASSIFY_URL is not set" in stderr
    assert "Traceback" not in stdout + stderr


def test_gunicorn_serves_the_page_and_stops_on_sigterm(api: LoopbackApi) -> None:
    port = free_port()
    process = start({"CLASSIFY_URL": api.url, "CLASSIFY_AUTH": "none"}, port)
    try:
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert process.poll() is None, process.stderr and process.stderr.read()
                time.sleep(0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            assert b"Choose a picture" in answer.read()
    finally:
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    lines = [line for line in stdout.splitlines() if line]
    assert all(line.startswith("{") for line in lines)
    assert any('"route": "/"' in line for line in lines)
    assert not any("/healthz" in line for line in lines)

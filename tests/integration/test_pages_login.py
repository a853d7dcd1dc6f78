"""Who sees the pages: the admin key, sessions, forms that are ours, and what is sent with every page."""

from __future__ import annotations

import itsdangerous
import pytest

from alertworker.pipeline import Runtime
from alertworker.store import SqlStore
from alertworker.web.pages.session import COOKIE, MAX_AGE
from alertworker.web.throttle import BURST
from tests.integration.pages import ADMIN, Browser, context, signed_in

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
PAGES = ("/", "/alerts", "/alerts/x")


@pytest.fixture
def browser(store: SqlStore, runtime: Runtime) -> Browser:
    """Give a browser of somebody who is not logged in."""
    return Browser(context(store, runtime.line))


@pytest.mark.parametrize("path", PAGES)
def test_without_a_login_every_page_leads_to_it(browser: Browser, path: str) -> None:
    """And from there to what was asked for."""
    page = browser.get(f"{path}?state=open")
    assert page.url.startswith("http://testserver/login?next=")
    assert page.form("/login")["next"] == [f"{path}?state=open"]


def test_the_admin_key_opens_the_pages_and_nothing_else_does(browser: Browser) -> None:
    """Not the publish key, no cut key, no cookie that somebody made up."""
    for key in ("publish-key", "", ADMIN[:-1]):
        assert browser.log_in(key).status in (403, 429)
    assert browser.client.cookies.get(COOKIE) is None
    browser.client.cookies.set(COOKIE, "WyJBZGEiLCJ4Il0.aSXXXX.made-up")
    assert "/login" in browser.get("/alerts").url
    browser.client.cookies.clear()

    assert browser.log_in(ADMIN).url == "http://testserver/"
    assert "Ada" in browser.get("/alerts").text


def test_a_session_ends_with_its_time_with_the_key_and_when_one_logs_out(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cookie of one key is none under another."""
    browser = signed_in(store, runtime)
    cookie = browser.client.cookies[COOKIE]
    other = Browser(context(store, runtime.line, admin="another-key"))
    other.client.cookies.set(COOKIE, cookie)
    assert "/login" in other.get("/").url

    stamp = itsdangerous.TimestampSigner.get_timestamp
    monkeypatch.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda self: stamp(self) + MAX_AGE + 1)
    assert "/login" in browser.get("/").url
    monkeypatch.undo()

    browser.send(browser.get("/"), "/logout")
    assert browser.client.cookies.get(COOKIE) is None
    assert "/login" in browser.get("/").url


def test_cookies_are_out_of_reach_and_nothing_signed_is_given_before_a_login(browser: Browser) -> None:
    """HttpOnly and strict. Something signed by way of a weak key would let that key be guessed at leisure."""
    asked = browser.client.get("/login")
    assert COOKIE not in asked.headers["set-cookie"]
    token = browser.get("/login").form("/login")["csrf"][0]
    answer = browser.client.post("/login", data={"csrf": token, "key": ADMIN, "name": "Ada"}, follow_redirects=False)
    [session] = [one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)]
    assert {"HttpOnly", "SameSite=strict", f"Max-Age={MAX_AGE}", "Path=/"} <= set(session.split("; "))
    assert "Secure" not in session


def test_over_https_the_cookie_is_secure(store: SqlStore, runtime: Runtime) -> None:
    """It goes over no other connection."""
    browser = Browser(context(store, runtime.line), base="https://testserver")
    token = browser.get("/login").form("/login")["csrf"][0]
    answer = browser.client.post("/login", data={"csrf": token, "key": ADMIN, "name": "Ada"}, follow_redirects=False)
    assert all("Secure" in one.split("; ") for one in answer.headers.get_list("set-cookie") if "Max-Age=0" not in one)


def test_wrong_keys_are_slowed_down_and_the_right_one_with_them(browser: Browser) -> None:
    """The limit is per address. After too many wrong keys the right key is refused for a while, too."""
    for _ in range(BURST):
        assert browser.log_in("wrong").status == 403
    refused = browser.log_in(ADMIN)
    assert (refused.status, browser.client.cookies.get(COOKIE)) == (429, None)
    assert "Too many attempts with a wrong key" in refused.text


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/\nx"])
def test_a_login_leads_nowhere_else(browser: Browser, path: str) -> None:
    """Whatever the address of the login page says."""
    page = browser.send(browser.get("/login"), "/login", key=ADMIN, name="Ada", next=path)
    assert page.url == "http://testserver/"


def test_without_an_admin_key_nothing_is_shown_and_it_is_said_how_to_set_one(store: SqlStore, runtime: Runtime) -> None:
    """Pages and login alike."""
    browser = Browser(context(store, runtime.line, admin=None))
    for path in ("/", "/login", "/alerts/x"):
        page = browser.get(path)
        assert (page.status, "ALERTWORKER_API_KEY" in page.text) == (403, True)
    assert browser.client.post("/login", data={"key": ""}).status_code == 403


def test_a_form_that_is_not_ours_does_nothing(store: SqlStore, runtime: Runtime) -> None:
    """Without the token, with another's, or from another site as the browser says."""
    browser = signed_in(store, runtime)
    token = browser.get("/").form("/logout")["csrf"][0]
    for data, headers in (
        ({}, {}),
        ({"csrf": "x"}, {}),
        ({"csrf": token}, {"sec-fetch-site": "cross-site"}),
        ({"csrf": token}, {"sec-fetch-site": "same-site"}),
    ):
        assert browser.client.post("/logout", data=data, headers=headers).status_code == 403
    assert browser.get("/").url == "http://testserver/"
    assert browser.client.post("/login", data={"csrf": "x", "key": ADMIN, "name": "Eve"}).status_code == 403
    assert browser.client.post("/logout", content=b"x=" + b"y" * 70_000).status_code == 413


def test_a_link_from_a_chat_is_followed_with_the_strict_cookie(browser: Browser) -> None:
    """A browser sends it only when a page of ours sends it on."""
    bounced = browser.client.get("/alerts", headers={"sec-fetch-site": "cross-site"}, follow_redirects=False)
    assert bounced.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in bounced.text
    again = browser.client.get("/alerts", headers={"sec-fetch-site": "same-origin"}, follow_redirects=False)
    assert again.headers["location"].startswith("/login")


def test_every_page_says_how_it_may_be_used(store: SqlStore, runtime: Runtime) -> None:
    """Nothing from elsewhere, no frame, no copy, no referrer; programs' routes are as they were."""
    browser = signed_in(store, runtime)
    for path in (*PAGES, "/login"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"].split("; ")
        assert {"default-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} <= set(policy)
        assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-store")
        assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("no-referrer", "nosniff")
    style = browser.client.get("/static/style.css")
    assert (style.status_code, style.headers["content-type"].partition(";")[0]) == (200, "text/css")
    assert browser.client.get("/static/../app.py").status_code == 404
    assert browser.client.get("/health/liveliness", headers={"accept": "text/html"}).json() == "I'm alive!"
    assert browser.client.get("/openapi.json", headers={"accept": "text/html"}).json()["openapi"] == "3.1.0"
    assert browser.client.get("/nowhere").status_code == 404

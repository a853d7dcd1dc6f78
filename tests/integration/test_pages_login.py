"""Access to the pages: the admin key, sessions, CSRF protection, and the headers of every page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from alertworker.errors import StoreUnavailable
from alertworker.pipeline import Runtime
from alertworker.store import SessionStore, SqlStore
from alertworker.store.schema.sessions import SESSIONS
from alertworker.web.pages.session import COOKIE, MAX_AGE
from alertworker.web.throttle import BURST
from tests.integration.pages import ADMIN, Browser, context, signed_in

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
PAGES = ("/", "/alerts", "/alerts/x")


@pytest.fixture
def browser(store: SqlStore, runtime: Runtime) -> Browser:
    """Return a browser without a login."""
    return Browser(context(store, runtime.broker))


@pytest.mark.parametrize("path", PAGES)
def test_without_a_login_every_page_leads_to_it(browser: Browser, path: str) -> None:
    """After the login the requested page opens."""
    page = browser.get(f"{path}?state=open")
    assert page.url.startswith("http://testserver/login?next=")
    assert page.form("/login")["next"] == [f"{path}?state=open"]


def test_the_admin_key_opens_the_pages_and_nothing_else_does(browser: Browser) -> None:
    """The publish key, a cut key and an invented cookie do not."""
    for key in ("publish-key", "", ADMIN[:-1]):
        assert browser.log_in(key).status in (403, 429)
    assert browser.client.cookies.get(COOKIE) is None
    browser.client.cookies.set(COOKIE, "WyJBZGEiLCJ4Il0.aSXXXX.made-up")
    assert "/login" in browser.get("/alerts").url
    browser.client.cookies.clear()

    assert browser.log_in(ADMIN).url == "http://testserver/"
    assert "Ada" in browser.get("/alerts").text


def test_a_session_ends_with_its_time_with_the_key_and_when_one_logs_out(store: SqlStore, runtime: Runtime) -> None:
    """A cookie is not valid under another key."""
    browser = signed_in(store, runtime)
    cookie = browser.client.cookies[COOKIE]
    other = Browser(context(store, runtime.broker, admin="another-key"))
    other.client.cookies.set(COOKIE, cookie)
    assert "/login" in other.get("/").url

    browser.send(browser.get("/"), "/logout")
    assert browser.client.cookies.get(COOKIE) is None
    assert "/login" in browser.get("/").url

    browser.log_in()
    with store.engine.begin() as connection:
        connection.execute(update(SESSIONS).values(ends_at=datetime.now(UTC)))
    assert "/login" in browser.get("/").url


def test_a_logout_ends_the_session_in_every_process_and_no_other_session(store: SqlStore, runtime: Runtime) -> None:
    """Somebody may have copied the cookie."""
    browser, second = signed_in(store, runtime), signed_in(store, runtime)
    thief = Browser(context(store, runtime.broker))
    thief.client.cookies.set(COOKIE, browser.client.cookies[COOKIE])
    assert thief.get("/alerts").url == "http://testserver/alerts"

    browser.send(browser.get("/"), "/logout")

    assert "/login" in thief.get("/alerts").url
    assert second.get("/alerts").url == "http://testserver/alerts"


def test_the_database_holds_no_cookie_and_forgets_old_sessions(store: SqlStore, runtime: Runtime) -> None:
    browser = signed_in(store, runtime)
    with store.engine.begin() as connection:
        [kept] = connection.execute(select(SESSIONS.c.digest)).scalars()
        assert kept != browser.client.cookies[COOKIE]
        connection.execute(update(SESSIONS).values(ends_at=datetime.now(UTC)))
    signed_in(store, runtime)
    with store.engine.begin() as connection:
        assert connection.execute(select(SESSIONS.c.digest)).scalar_one() != kept


def test_without_the_database_a_page_and_the_login_give_the_reason(
    store: SqlStore, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(store, runtime)
    form = browser.get("/login")

    def away(_self: object, _work: object, *, reads: bool = False) -> None:
        raise StoreUnavailable("the database is unavailable")

    monkeypatch.setattr(SessionStore, "on_connection", away)
    for page in (browser.get("/"), browser.send(form, "/login", key=ADMIN, name="Ada")):
        assert (page.status, "the database is unavailable" in page.text) == (503, True)


def test_cookies_are_out_of_reach_and_nothing_signed_is_given_before_a_login(browser: Browser) -> None:
    """Cookies are HttpOnly and strict. A signed value before a login would let a weak key be guessed offline."""
    asked = browser.client.get("/login")
    assert COOKIE not in asked.headers["set-cookie"]
    token = browser.get("/login").form("/login")["csrf"][0]
    answer = browser.client.post("/login", data={"csrf": token, "key": ADMIN, "name": "Ada"}, follow_redirects=False)
    [session] = [one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)]
    assert {"HttpOnly", "SameSite=strict", f"Max-Age={MAX_AGE}", "Path=/"} <= set(session.split("; "))
    assert "Secure" not in session


def test_over_https_the_cookie_is_secure(store: SqlStore, runtime: Runtime) -> None:
    """The browser sends it over no other connection."""
    browser = Browser(context(store, runtime.broker), base="https://testserver")
    token = browser.get("/login").form("/login")["csrf"][0]
    answer = browser.client.post("/login", data={"csrf": token, "key": ADMIN, "name": "Ada"}, follow_redirects=False)
    assert all("Secure" in one.split("; ") for one in answer.headers.get_list("set-cookie") if "Max-Age=0" not in one)


def test_wrong_keys_are_slowed_down_and_the_right_one_with_them(browser: Browser) -> None:
    """The limit is per address. After too many wrong keys the right key is refused for a while, too."""
    for number in range(BURST):
        assert browser.log_in(f"wrong-{number}").status == 403
    refused = browser.log_in(ADMIN)
    assert (refused.status, browser.client.cookies.get(COOKIE)) == (429, None)
    assert "Too many attempts with a wrong key" in refused.text


def test_a_session_goes_on_while_its_address_may_send_no_new_key(store: SqlStore, runtime: Runtime) -> None:
    """Routes and login share one limit. A person who is logged in is not locked out by guesses of others."""
    browser = signed_in(store, runtime)
    for number in range(BURST):
        headers = {"Authorization": f"Bearer guess-{number}"}
        assert browser.client.post("/v1/events", headers=headers).status_code == 401
    assert browser.log_in("another-guess").status == 429

    assert browser.get("/alerts").url == "http://testserver/alerts"
    assert "/login" in browser.send(browser.get("/"), "/logout").url
    assert browser.log_in().url == "http://testserver/"  # this key was right here within the hour


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/\nx", "//["])
def test_a_login_leads_nowhere_else(browser: Browser, path: str) -> None:
    """The address of the login page cannot change that."""
    page = browser.send(browser.get("/login"), "/login", key=ADMIN, name="Ada", next=path)
    assert page.url == "http://testserver/"


def test_without_an_admin_key_the_page_only_explains_how_to_set_one(store: SqlStore, runtime: Runtime) -> None:
    """This holds for all pages and the login."""
    browser = Browser(context(store, runtime.broker, admin=None))
    for path in ("/", "/login", "/alerts/x"):
        page = browser.get(path)
        assert (page.status, "ALERTWORKER_API_KEY" in page.text) == (403, True)
    assert browser.client.post("/login", data={"key": ""}).status_code == 403


def test_a_form_that_is_not_ours_does_nothing(store: SqlStore, runtime: Runtime) -> None:
    """The token is missing or another's, or the browser reports another site."""
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
    """A browser sends it only after a redirect by one of our own pages."""
    bounced = browser.client.get("/alerts", headers={"sec-fetch-site": "cross-site"}, follow_redirects=False)
    assert bounced.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in bounced.text
    again = browser.client.get("/alerts", headers={"sec-fetch-site": "same-origin"}, follow_redirects=False)
    assert again.headers["location"].startswith("/login")


def test_every_page_restricts_its_use_by_headers(store: SqlStore, runtime: Runtime) -> None:
    """The headers forbid other sources, frames, copies and referrers. The routes for programs are unchanged."""
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

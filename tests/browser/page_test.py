#!/usr/bin/python3
"""The dashboard in a real browser: what it shows, each order that it gives, and that no text becomes markup."""

import json
import os
import time

from browser import PHONE, Keys, Page, axe
from proxy import Proxy
from harness import ROOT, main, temporary_folder, test, wait_for
from http_client import POD, Web

EVIL = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
NEVER = {"cron": "0 0 1 1 *", "template": "pod.json"}


def pod(*command):
    return json.dumps({**POD, "spec": {"containers": [{"name": "main", "image": "x", "command": list(command)}]}})


JOBS = {
    "pi": {**NEVER, "description": EVIL},
    "bad": {**NEVER, "template": "bad.json"},
    "slow": {**NEVER, "template": "slow.json"},
    "berlin": {"cron": "30 2 * * *", "template": "pod.json", "timezone": "Europe/Berlin"},
    "off": {"cron": "", "template": "pod.json"},
}
FILES = {
    "bad.json": pod("sh", "-c", "seq 1 5000; echo 'Error: it broke'; seq 1 50; exit 3"),
    "slow.json": pod("sh", "-c", "echo first; sleep 3; echo last"),
}


def world(**options):
    web = Web(jobs=options.pop("jobs", JOBS), files={**FILES, **options.pop("files", {})}, **options)
    return web, Page(web)


def run(web, job, **body):
    """The run of a job, once it is over."""
    _, answer = web.post(f"/v1/jobs/default/{job}/trigger", body, {"Content-Type": "application/json"})
    wait_for(lambda: web.get(f"/v1/runs/{answer['run']}")[1].get("state") == "finished", 30, f"end of {job}")
    return answer["run"]


def names(page):
    return page.js("return [...document.querySelectorAll('th a.row')].map((each) => each.textContent)")


def safe(page):
    assert page.js("return window.pwned") is None, "text became markup"
    assert not page.js("return document.querySelectorAll('main img, main script, dialog img').length")
    complaints = page.complaints()
    assert complaints == [], complaints


@test("the list shows each job's state, schedule and next run", seconds=60)
def _():
    web, page = world()
    page.open()
    for name, words in (("berlin", ("enabled", "30 2 * * *", "Europe/Berlin", "in ", "02:30")), ("off", ("disabled",)),
                        ("pi", ("<img src=x",))):
        row = page.find("tr", name).text
        assert all(word in row for word in words), row
    page.choose("#zone", "utc")
    page.wait(lambda: any(f"{hour}:30 UTC+0" in page.find("tr", "berlin").text for hour in ("00", "01")), "UTC")
    page.choose("#zone", "mine")
    page.wait(lambda: "UTC-" in page.find("tr", "berlin").text, "the viewer's zone")
    assert page.find("tr", "berlin").find_element("css selector", "time").get_attribute("title").count("\n") == 2
    safe(page)


@test("a filter stands in the address, and an order in the head", seconds=60)
def _():
    web, page = world()
    page.open("#/jobs?q=ber")
    assert names(page) == ["berlin"]
    page.type("#search", "PI")
    page.wait(lambda: names(page) == ["pi"], "only pi")
    assert page.hash() == "#/jobs?q=PI"
    page.open("#/jobs?state=disabled")
    assert names(page) == ["off"]
    page.open()
    page.click("button.sort", "Job")
    page.wait(lambda: names(page)[:1] == ["slow"], "the last name first")
    assert page.hash() == "#/jobs?sort=-name"


@test("a run is asked for with arguments, and ends on its page with its output", seconds=60)
def _():
    web, page = world()
    page.open("#/jobs/default/pi")
    page.click("[data-action=trigger]")
    page.type("#field-args", f"one\n{EVIL}")
    page.type("#field-reason", EVIL)
    page.click("dialog button.primary")
    page.shows("succeeded")
    page.shows("hello one " + EVIL, ".log")
    assert "/runs/" in page.hash() and "manual" in page.text()
    safe(page)
    page.open("#/jobs/default/pi")
    page.find("table.runs td", "succeeded")
    assert page.all("svg.bars path") and "1 succeeded" in page.find("svg.bars").get_attribute("aria-label")
    safe(page)


@test("the list and a job's page change as things happen", seconds=60)
def _():
    web, page = world()
    page.open()
    page.shows("live", "#link")
    run(web, "bad")
    page.wait(lambda: "failing" in page.find("tr", "bad").text, "failing")
    page.click("th a.row", "pi")
    page.find("h1", "pi")
    run(web, "pi")
    page.find("table.runs td", "succeeded")


@test("a page on which nothing happens asks for nothing", seconds=60)
def _():
    web, page = world()
    page.open()
    page.shows("live", "#link")
    asked = "return performance.getEntriesByType('resource').length"
    before = page.js(asked)
    time.sleep(3)
    assert page.js(asked) == before


@test("output comes while the run goes on", seconds=60)
def _():
    web, page = world()
    _, answer = web.post("/v1/jobs/default/slow/trigger", {}, {"Content-Type": "application/json"})
    page.open(f"#/runs/{answer['run']}")
    page.shows("first", ".log")
    assert "last" not in page.text(".log") and "running" in page.text()
    page.shows("last", ".log")
    page.shows("succeeded")


@test("a long output is drawn in part, searched, and its first error found", seconds=60)
def _():
    web, page = world()
    name = run(web, "bad")
    page.open(f"#/runs/{name}")
    page.shows("5051 lines")
    assert len(page.all(".line")) < 200
    page.click("#first-error")
    page.shows("Error: it broke", ".log")
    page.type(".logbar input", "4321")
    page.wait(lambda: [each.text for each in page.all(".log mark")] == ["4321"], "the match")
    page.shows("1 lines", ".logbar")
    link = page.find("a[download]").get_attribute("href")
    assert link.endswith(f"/v1/runs/{name}/log") and "exit code 3" in page.text()


@test("a job is suspended with a reason and an end, and resumed", seconds=60)
def _():
    web, page = world()
    page.open("#/jobs/default/pi")
    page.click("[data-action=suspend]")
    page.choose("#field-until", "3600")
    page.type("#field-reason", EVIL)
    page.click("dialog button.primary")
    page.find("[data-action=resume]")
    order = web.get("/v1/jobs/default/pi")[1]["suspended"]
    assert order["reason"] == EVIL and 3500 < order["until"]["unix"] - time.time() < 3700
    page.shows(EVIL, "main .banner")
    page.open("#/jobs?state=suspended")
    assert EVIL in page.find("tr", "pi").text
    safe(page)
    page.open("#/jobs/default/pi")
    page.click("[data-action=resume]")
    page.find("[data-action=suspend]")
    assert web.get("/v1/jobs/default/pi")[1]["state"] == "enabled"


@test("a pause of all jobs wants their number, and can be ended", seconds=60)
def _():
    web, page = world()
    page.open()
    page.click("button", "Pause all")
    page.type("#field-reason", "repairs")
    page.type("#field-count", "4")
    page.click("dialog button.danger")
    assert not web.get("/v1/status")[1].get("paused") and page.all("dialog")
    page.type("#field-count", "5")
    page.click("dialog button.danger")
    page.shows("repairs", "#banners")
    assert web.get("/v1/status")[1]["paused"]["reason"] == "repairs"
    page.click("#banners button")
    page.wait(lambda: "paused" not in page.text("#banners"), "the end of the pause")


@test("many jobs are ordered about at once, if their number is confirmed", seconds=60)
def _():
    web, page = world()
    page.open()
    for name in ("bad", "pi"):
        page.click(f"input[aria-label='select {name}']")
    page.click(".bulk button", "Suspend")
    page.type("#field-reason", "a move")
    page.type("#field-count", "2")
    page.click("dialog button.danger")
    page.wait(lambda: "suspended" in page.find("tr", "bad").text and "suspended" in page.find("tr", "pi").text, "both suspended")
    assert web.get("/v1/jobs?state=suspended")[1]["metadata"]["total"] == 2
    page.open("#/jobs?state=suspended")
    page.click("input[aria-label='select pi']")
    page.click(".bulk button", "All 2 that match")
    page.click(".bulk button", "Resume")
    page.type("#field-count", "3")
    page.click("dialog button.danger")
    assert web.get("/v1/jobs?state=suspended")[1]["metadata"]["total"] == 2
    page.type("#field-count", "2")
    page.click("dialog button.danger")
    wait_for(lambda: web.get("/v1/jobs?state=suspended")[1]["metadata"]["total"] == 0, 30, "the end of both")


@test("alerts of a job are silenced with a reason and an end", seconds=60)
def _():
    web, page = world()
    page.open("#/jobs/default/pi")
    page.click("[data-action=silence]", "Silence")
    page.type("#field-reason", EVIL)
    page.click("dialog button.primary")
    page.shows("Silenced", "main .banner")
    assert web.get("/v1/jobs/default/pi")[1]["silenced"]["reason"] == EVIL
    safe(page)
    page.click("[data-action=silence]", "End silence")
    page.wait(lambda: "Silenced" not in page.text("main"), "the end of the silence")


@test("what comes is shown by hour, by job and one by one", seconds=60)
def _():
    web, page = world(jobs={**JOBS, "hourly": {"cron": "0 * * * *", "template": "pod.json"},
                            "same": {"cron": "0 * * * *", "template": "pod.json"}})
    page.open("#/upcoming?hours=6")
    assert len(page.js("return [...document.querySelectorAll('.hour:not(.l0)')]")) >= 24 * 7 - 1
    page.shows("2 start: hourly, same", "main")
    assert page.js("return document.querySelectorAll('.lanes rect').length") == 12
    assert len(page.all("tbody tr")) == 12
    page.js("document.querySelector('.hour:not(.l0)').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    page.shows("From Tue" if time.gmtime().tm_wday == 1 else "From ", "main")
    assert "hours=1" in page.hash()
    safe(page)


@test("each order stands in the audit, with who and why", seconds=60)
def _():
    web, page = world()
    web.post("/v1/jobs/default/pi/suspend", {"reason": EVIL, "until": "+1h"}, {"Content-Type": "application/json"})
    run(web, "bad", args=[EVIL])
    page.open("#/audit")
    rows = [row.text for row in page.all("tbody tr")]
    assert len(rows) == 2 and "trigger" in rows[0] and EVIL in rows[0] and "suspend" in rows[1] and EVIL in rows[1], rows
    safe(page)
    page.click("tbody a.row", "pi")
    page.wait(lambda: len(page.all("tbody tr")) == 1, "only one job's")
    web.post("/v1/jobs/default/pi/resume", {}, {"Content-Type": "application/json"})
    page.shows("resume", "tbody")


@test("below any path of a proxy, and what is forbidden is not offered", seconds=60)
def _():
    web, _ = world()
    proxy = Proxy(web, "/tools/scheduler")
    page = Page(web, base=f"http://localhost:{proxy.port}/tools/scheduler/")
    page.open()
    page.shows("live", "#link")
    page.click("th a.row", "pi")
    page.click("[data-action=trigger]")
    page.click("dialog button.primary")
    page.shows("succeeded")
    proxy.may = []
    page.open()
    page.find("tr", "pi")
    assert not page.all("button", "Pause all")
    page.open("#/jobs/default/pi")
    assert not page.all("[data-action=trigger], [data-action=suspend], [data-action=silence], [data-action=backfill]")
    proxy.may, proxy.forbids = None, True
    page.open()
    page.click("input[aria-label='select pi']")
    page.click(".bulk button", "Run now")
    page.type("#field-count", "1")
    page.click("dialog button.danger")
    page.shows("forbidden", "dialog .wrong")
    page.click("dialog button.cancel")
    page.wait(lambda: not page.all(".bulk button", "Run now"), "no button")


@test("past slots are counted before they run", seconds=60)
def _():
    web, page = world()
    page.open("#/jobs/default/pi")
    page.click("[data-action=backfill]")
    page.moment("#field-from", "2024-06-01T00:00")
    page.moment("#field-to", "2026-06-01T00:00")
    page.click("dialog button.primary")
    page.find("dialog h2", "Run 2 past slots")
    assert web.get("/v1/runs")[1]["items"] == []
    page.type("#field-count", "2")
    page.click("dialog button.danger")
    wait_for(lambda: len(web.get("/v1/runs?outcome=succeeded")[1]["items"]) == 2, 30, "both runs")
    page.find("table.runs td", "backfill")


@test("a mistake in a form is told in it", seconds=60)
def _():
    web, page = world()
    page.open("#/jobs/default/pi")
    page.click("[data-action=suspend]")
    page.choose("#field-until", "at")
    page.moment("dialog input[type=datetime-local]", "2020-01-01T00:00:00")
    page.click("dialog button.primary")
    page.shows("is past", "dialog .wrong")
    page.click("dialog button.cancel")
    page.wait(lambda: not page.all("dialog"), "no dialog")


@test("a slot that did not run says why, and what would be created can be seen", seconds=60)
def _():
    web, page = world(jobs={**JOBS, "often": {"cron": "* * * * * *", "template": "pod.json"}})
    web.post("/v1/jobs/default/often/suspend", {"reason": "a rest"}, {"Content-Type": "application/json"})
    page.open("#/jobs/default/often?outcome=skipped")
    page.find("table.runs tr.not-run", "skipped")
    page.click("table.runs tr.not-run button", "Why?")
    page.shows("a rest", "dialog")
    page.keys(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog"), "no dialog")
    page.click("[data-action=manifest]")
    page.shows('"kind": "Pod"', "dialog pre")


@test("a schedule that was refused is told, with the place", seconds=60)
def _():
    folder = temporary_folder()
    web, page = world(folder=folder)
    page.open()
    page.shows("live", "#link")
    with open(os.path.join(folder, "schedule.yml"), "w") as file:
        file.write('pi: {cron: "61 * * * *", template: pod.json}\n')
    page.shows("schedule.yml:1:", "#banners")
    assert "still at work" in page.text("#banners")


@test("without the token there is a form, and with it the page", seconds=60)
def _():
    folder = temporary_folder()
    path = os.path.join(folder, "token")
    with open(path, "w") as file:
        file.write("a-token-of-some-length\n")
    web, page = world(arguments=("--token-file", path))
    page.driver.get("about:blank")
    page.driver.get(page.base)
    page.type("#field-token", "wrong")
    page.click("dialog button.primary")
    page.shows("token", "dialog .wrong")
    page.type("#field-token", "a-token-of-some-length")
    page.click("dialog button.primary")
    page.find("tr", "berlin")
    page.shows("live", "#link")
    assert "a-token" not in page.js("return document.cookie + JSON.stringify(localStorage) + location")


@test("a list of 10,000 jobs is a page of rows, searched and turned by the server", seconds=120)
def _():
    web, page = world(jobs={f"job-{number:05}": NEVER for number in range(10000)})
    page.open("#/jobs?limit=500")
    page.shows("500 of 10000 shown, 9500 more", ".pages")
    spent = page.js("const t = performance.now(); for (let y = 0; y < 4000; y += 200) { scrollTo(0, y); "
                    "document.body.offsetHeight; } return performance.now() - t")
    assert spent < 5000, spent
    page.keys("n")
    page.wait(lambda: names(page)[:1] == ["job-00500"], "the next page")
    page.open("#/jobs?q=job-09999")
    assert names(page) == ["job-09999"]


@test("the keyboard reaches everything", seconds=60)
def _():
    web, page = world()
    page.open()
    page.keys("jj")
    assert page.js("return document.activeElement.textContent") == "berlin"
    page.keys(Keys.ENTER)
    page.find("h1", "berlin")
    page.settled()
    page.keys("r")
    page.find("dialog")
    page.keys(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog"), "no dialog")
    page.keys("1")
    page.find("h1", "Jobs")
    page.keys("/pi")
    page.wait(lambda: page.hash() == "#/jobs?q=pi", "the search")
    page.js("document.activeElement.blur()")
    page.keys("?")
    page.shows("next row", "dialog")


@test("no view has a serious finding of axe, light or dark", seconds=120)
def _():
    source = axe()
    web, page = world()
    name = run(web, "bad")
    web.post("/v1/jobs/default/pi/suspend", {"reason": "rest"}, {"Content-Type": "application/json"})
    found = []
    for dark in (False, True):
        page.dark(dark)
        for view in ("#/jobs", "#/jobs/default/bad", "#/jobs/default/pi", "#/runs", f"#/runs/{name}", "#/upcoming", "#/audit",
                     "#/nowhere"):
            page.open(view)
            found += [(view, dark, each) for each in page.violations(source, ["color-contrast"] if dark else None)]
    page.open("#/jobs/default/pi")
    page.click("[data-action=trigger]")
    found += page.violations(source)
    assert found == [], found


@test("a phone shows all without scrolling sideways", seconds=60)
def _():
    web = Web(jobs=JOBS, files=FILES)
    name = run(web, "bad")
    page = Page(web, size=PHONE)
    for view in ("#/jobs", "#/jobs/default/bad", "#/runs", f"#/runs/{name}", "#/upcoming", "#/audit"):
        page.open(view)
        wide = page.js("return document.documentElement.scrollWidth")
        assert wide <= PHONE[0], (view, wide)


@test("a file below --lua-path replaces the bundled one", seconds=60)
def _():
    folder = temporary_folder()
    os.makedirs(os.path.join(folder, "core/http/page"))
    with open(os.path.join(folder, "core/http/page/page.css"), "w") as file:
        file.write("body { color: red }")
    web = Web(arguments=("--lua-path", folder))
    assert web.get("/page/page.css")[1] == "body { color: red }"
    response = web.response("GET", "/page/app.js")
    assert response.status == 200 and "script-src 'self'" in response.headers["Content-Security-Policy"]
    with open(os.path.join(ROOT, "core/http/page/app.js")) as file:
        assert response.text == file.read()
    for path in ("/page/none.js", "/page/..%2fpage.css", "/page/%2e%2e", "/page/Makefile"):
        assert web.get(path)[0] == 404, path


main()

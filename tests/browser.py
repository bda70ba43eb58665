"""A headless Chromium, spoken to over a pipe in its DevTools protocol: no driver, no network."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from itertools import count

CHROMIUM = shutil.which("chromium")
_FIRST = 10  # a number above those that the browser wants


class Page:
    """A tab. `events` are those that came, as (method, parameters)."""

    def __init__(self, told, tell):
        self.events = []
        self._told = told
        self._tell = tell
        self._numbers = count(1)
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Performance"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """What a method answers."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._tell, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _next(self):
        message = json.loads(b"".join(iter(lambda: self._told.read(1), b"\0")))
        if "method" in message:
            self.events.append((message["method"], message["params"]))
        return message

    def wait(self, method):
        """Wait for an event, of which none came until now."""
        while method not in [name for name, _ in self.events]:
            self._next()

    def open(self, url):
        """Load a page, and wait until all of it is there."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def evaluate(self, script):
        """The value of an expression, also of a promise."""
        done = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def size(self, width, height=900):
        """Be as wide as this, in pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)

    def scheme(self, name):
        """Prefer colours: light or dark."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def press(self, key, code=0, text=""):
        """Press a key, and let it go."""
        told = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = "keyDown" if text else "rawKeyDown"
        more = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type=down, **told, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def click(self, selector):
        """Click in the middle of an element, once the browser has drawn where it is."""
        x, y = self.evaluate(
            f"(async () => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const frame = () => new Promise(requestAnimationFrame);"
            "await frame(); await frame();"
            "const box = one.getBoundingClientRect();"
            "return [box.left + box.width / 2, box.top + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, *, whole=False):
        """What is seen, or with `whole` all of the page, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    @property
    def busy(self):
        """Seconds of CPU time that the page's process has had."""
        metrics = self.call("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in metrics if one["name"] == "ProcessTime")

    @property
    def requests(self):
        """The addresses that were asked for."""
        return [
            params["request"]["url"]
            for name, params in self.events
            if name == "Network.requestWillBeSent"
        ]

    @property
    def complaints(self):
        """What the browser says of errors, and of what the policy refused."""
        return [
            params
            for name, params in self.events
            if name == "Runtime.exceptionThrown"
            or (name == "Log.entryAdded" and params["entry"]["level"] == "error")
        ]


@contextmanager
def page(profile):
    """A page in a browser whose profile is in a new directory."""
    theirs_in, ours_out = _pipe()
    ours_in, theirs_out = _pipe()
    command = [
        *("bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "-", CHROMIUM),
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
        *("--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--hide-scrollbars", f"--user-data-dir={profile}"),
    ]
    with subprocess.Popen(
        command,
        pass_fds=(theirs_in, theirs_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as browser:
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            with os.fdopen(ours_in, "rb") as told:
                made = Page(told, ours_out)
                yield made
                made._session = None
                made.call("Browser.close")
        finally:
            os.close(ours_out)
            try:
                browser.wait(20)
            except subprocess.TimeoutExpired:
                browser.kill()


def _pipe():
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST) for end in ends]
    for end in ends:
        os.close(end)
    return high

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The app as a person uses it, on a display of its own: the demo disc is dragged onto the window by real
mouse moves, one click starts it, its prompt is on the screen (pixels compared), keys are answered.
Then what is no disc is dropped, and what happens when an engine or the app is killed."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SKIP = 77
BUTTON_BLUE = (0x35, 0x84, 0xE4)
ERROR_RED = (0xC0, 0x1C, 0x28)
# From the window's top right corner to the middle of a header button.
HEADER_PAUSE, HEADER_MENU, HEADER_ROW = 262, 142, 28


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIP)


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited %d seconds for %s" % (seconds, what))
        time.sleep(0.2)


class Picture:
    """Rows of RGB bytes."""

    def __init__(self, source):
        data = subprocess.run(source, check=True, capture_output=True, timeout=20).stdout
        magic, size, depth, pixels = data.split(b"\n", 3)
        assert magic == b"P6" and depth == b"255", (magic, depth)
        self.width, self.height = map(int, size.split())
        stride = self.width * 3
        self.rows = [pixels[i * stride:(i + 1) * stride] for i in range(self.height)]

    def scaled(self, zoom):
        for row in self.rows:
            wide = b"".join(row[i:i + 3] * zoom for i in range(0, len(row), 3))
            for _ in range(zoom):
                yield wide

    def shows(self, other, zoom):
        """Whether @other is in this picture, each of its pixels as @zoom × @zoom equal ones."""
        rows = list(other.scaled(zoom))
        busiest = max(range(len(rows)), key=lambda y: len(set(rows[y][i:i + 3] for i in range(0, len(rows[y]), 3))) +
                      rows[y].count(rows[y][:3]) * -1e-6)
        for y, row in enumerate(self.rows):
            at = row.find(rows[busiest])
            top = y - busiest
            if at >= 0 and at % 3 == 0 and top >= 0 and top + len(rows) <= self.height:
                if all(self.rows[top + i][at:at + len(r)] == r for i, r in enumerate(rows)):
                    return True
        return False

    def middle_of(self, colour):
        """The middle of the pixels of @colour, or None where there are few."""
        needle, xs, ys = bytes(colour), [], []
        for y, row in enumerate(self.rows):
            first = row.find(needle)
            while first >= 0 and first % 3:
                first = row.find(needle, first + 1)
            if first >= 0:
                xs += [first // 3, row.rfind(needle) // 3]
                ys.append(y)
        return ((min(xs) + max(xs)) // 2, (min(ys) + max(ys)) // 2) if len(ys) > 10 else None


class Desktop:
    """An X server with a window manager, a session bus and empty folders; all of it goes with close()."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="vapp-")
        os.mkdir(self.folder + "/run", 0o700)
        self.processes = []
        self.env = {k: v for k, v in os.environ.items()
                    if k not in ("WAYLAND_DISPLAY", "DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "VITRINE_DEMO_ISO")}
        self.env.update(XDG_RUNTIME_DIR=self.folder + "/run", XDG_DATA_HOME=self.folder + "/data",
                        XDG_CONFIG_HOME=self.folder + "/config", XDG_CACHE_HOME=self.folder + "/cache",
                        HOME=self.folder, LC_ALL="C.UTF-8", GDK_BACKEND="x11", GSK_RENDERER="cairo",
                        GTK_A11Y="none", GSETTINGS_BACKEND="memory")
        read, write = os.pipe()
        self.spawn(["Xvfb", "-displayfd", str(write), "-screen", "0", "1700x1050x24", "-nolisten", "tcp"],
                   pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as pipe:
            self.env["DISPLAY"] = ":" + pipe.readline().strip()
        bus = self.spawn(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE)
        self.env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
        self.spawn(["openbox"])

    def spawn(self, argv, **options):
        with open(self.folder + "/" + os.path.basename(argv[0]) + ".log", "ab") as log:
            options.setdefault("stdout", log)
            process = subprocess.Popen(argv, env=self.env, stderr=log, **options)
        self.processes.append(process)
        return process

    def log_of(self, program):
        with open(self.folder + "/" + program + ".log", errors="replace") as file:
            return "".join(line for line in file if "fd limit" not in line)

    def end(self, process, how=signal.SIGTERM):
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.processes.remove(process)

    def xdo(self, *words):
        result = subprocess.run(["xdotool", *map(str, words)], env=self.env, capture_output=True, text=True,
                                timeout=20)
        return result.stdout.strip()

    def window(self, name, seconds=20):
        """(id, x, y, width, height) of a window that is shown."""
        def find():
            ids = self.xdo("search", "--onlyvisible", "--name", name).split()
            for number in ids:
                words = self.xdo("getwindowgeometry", "--shell", number).split()
                g = dict(w.split("=") for w in words if "=" in w)
                if g and int(g["WIDTH"]) > 50:
                    return int(number), int(g["X"]), int(g["Y"]), int(g["WIDTH"]), int(g["HEIGHT"])
            return None
        return wait_for("the window “%s”" % name, find, seconds)

    def picture(self, window=None):
        return Picture(["env", "DISPLAY=" + self.env["DISPLAY"], "import", "-window",
                        str(window) if window else "root", "-depth", "8", "ppm:-"])

    def click(self, x, y):
        self.xdo("mousemove", x - 3, y - 1, "sleep", 0.05, "mousemove", x, y, "sleep", 0.1, "click", 1)

    def drag(self, x0, y0, x1, y1):
        self.xdo("mousemove", x0, y0, "sleep", 0.2, "mousedown", 1)
        for step in range(1, 13):
            self.xdo("mousemove", x0 + (x1 - x0) * step // 12, y0 + (y1 - y0) * step // 12, "sleep", 0.06)
        self.xdo("mousemove", x1 + 1, y1 + 1, "sleep", 0.5, "mousemove", x1, y1, "sleep", 0.5, "mouseup", 1)

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            if process.stdout:
                process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class App(unittest.TestCase):
    def setUp(self):
        self.desktop = Desktop()
        self.addCleanup(self.desktop.close)
        self.addCleanup(self.stop_machines)
        self.started = time.monotonic()

    def stop_machines(self):
        for machine in self.machines():
            if machine["state"] not in ("off", "crashed"):
                self.ctl("stop", "--force", machine["bundle"])

    def ctl(self, *args, check=True):
        result = subprocess.run([VITRINECTL, *args], env=self.desktop.env, capture_output=True, text=True, timeout=60)
        if check:
            self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def machines(self):
        return json.loads(self.ctl("list", "--json"))

    def state(self):
        return self.machines()[0]["state"]

    def start_app(self, *args):
        self.app = self.desktop.spawn([VITRINE, *args])
        window = self.desktop.window("^Vitrine$")
        self.desktop.xdo("windowmove", window[0], 400, 100)
        time.sleep(0.5)
        self.where = self.desktop.window("^Vitrine$")

    def drop(self, path):
        """Drags @path from a file manager's window onto the app's; returns the file manager."""
        source = self.desktop.spawn([DRAG_SOURCE, path])
        window = self.desktop.window("^drag source$")
        self.desktop.xdo("windowmove", window[0], 20, 20)
        time.sleep(0.4)
        _, x, y, width, height = self.desktop.window("^drag source$")
        _, ax, ay, aw, ah = self.where
        self.desktop.drag(x + width // 2, y + height // 2, ax + aw // 2, ay + ah // 2)
        return source

    def click_header(self, from_right, window=None):
        _, x, y, width, _ = self.where
        self.desktop.click(x + width - from_right, y + HEADER_ROW)

    def click_blue(self, window):
        number, x, y, _, _ = window
        place = wait_for("the blue button", lambda: self.desktop.picture(number).middle_of(BUTTON_BLUE), 10)
        self.desktop.click(x + place[0], y + place[1])

    def assert_screen_is_shown(self, zoom):
        """The guest's pixels, as the engine photographs them, are the window's."""
        def same():
            before = self.desktop.folder + "/guest.png"
            self.ctl("screenshot", self.name, before)
            guest = Picture(["convert", before, "-depth", "8", "ppm:-"])
            return self.desktop.picture(self.where[0]).shows(guest, zoom)
        wait_for("the guest's pixels in the window at zoom %d" % zoom, same, 15)

    def step(self, what):
        print("%5.1f s  %s" % (time.monotonic() - self.started, what), flush=True)

    def test_drop_start_type_pause_resume_force_off(self):
        self.start_app()
        self.step("the app is there")
        source = self.drop(DEMO)
        page = self.desktop.window("^New machine$")
        self.step("dropped")
        self.click_blue(page)
        wait_for("the machine to run", lambda: self.machines() and self.state() == "running")
        self.desktop.end(source)
        self.name = self.machines()[0]["name"]
        self.ctl("wait", self.name, "--for", "text:demo:.*# $", "--timeout", "45")
        self.step("the prompt is there")
        self.assert_screen_is_shown(1)
        self.step("and on the screen, pixel by pixel")
        self.desktop.xdo("windowsize", self.where[0], 1500, 900, "windowmove", self.where[0], 100, 50)
        self.assert_screen_is_shown(2)
        self.where = self.desktop.window("^Vitrine$")
        self.step("in a larger window, each as four")

        self.desktop.xdo("type", "--delay", "30", "echo A$((6*7))b")
        self.desktop.xdo("key", "Return")
        self.ctl("wait", self.name, "--for", "text:A42b", "--timeout", "20")
        self.assert_screen_is_shown(2)
        self.step("typed, and answered")

        self.desktop.xdo("keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
        time.sleep(0.3)
        self.desktop.xdo("type", "qqq")
        time.sleep(0.5)
        self.assertNotIn("qqq", self.ctl("text", self.name), "the chord released the keyboard")

        self.click_header(HEADER_PAUSE)
        wait_for("the pause", lambda: self.state() == "paused")
        self.click_header(HEADER_PAUSE)
        wait_for("it to go on", lambda: self.state() == "running")
        self.desktop.xdo("type", "--delay", "30", "echo B$((5*5))c")
        self.desktop.xdo("key", "Return")
        self.ctl("wait", self.name, "--for", "text:B25c", "--timeout", "20")
        self.step("paused, and resumed")

        self.click_header(HEADER_MENU)
        time.sleep(0.6)
        self.desktop.xdo("key", "f")
        time.sleep(1)
        self.assertEqual(self.state(), "running", "forcing off is asked about first")
        self.desktop.xdo("key", "alt+f")
        wait_for("it to be off", lambda: self.state() == "off")
        self.step("forced off")
        self.assert_no_complaints()

    def test_crashed_engine_and_killed_app(self):
        self.ctl("create", DEMO, "--name", "one", "--memory", "256M", "--start")
        self.ctl("create", DEMO, "--name", "two", "--memory", "256M", "--start")
        self.start_app()
        self.desktop.end(self.app, signal.SIGKILL)
        self.assertEqual([m["state"] for m in self.machines()], ["running", "running"], "machines outlive the app")

        self.name = "one"
        self.desktop.env["VITRINE_PRESENTER"] = "gl"  # the other tests have cairo
        one = next(m for m in self.machines() if m["name"] == "one")
        self.start_app(one["bundle"])
        self.ctl("pause", "one")
        self.assert_screen_is_shown(1)
        self.step("the app found it again")

        engines = [p for p in os.listdir("/proc") if p.isdigit() and self.is_engine_of(p, one["bundle"])]
        self.assertEqual(len(engines), 1)
        os.kill(int(engines[0]), signal.SIGKILL)
        wait_for("the app's offer to start it again",
                 lambda: self.desktop.picture(self.where[0]).middle_of(BUTTON_BLUE))
        self.assertEqual({m["name"]: m["state"] for m in self.machines()}, {"one": "crashed", "two": "running"})
        self.click_blue(self.where)
        wait_for("it to run again", lambda: all(m["state"] == "running" for m in self.machines()))
        self.step("crashed, and started again")
        self.assert_no_complaints()

    @staticmethod
    def is_engine_of(pid, bundle):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            return False
        return b"engine" in words[0] and bundle.encode() in words

    def test_what_is_no_disc_is_refused_in_the_create_page(self):
        folder = self.desktop.folder
        with open(DEMO, "rb") as file:
            head = file.read(1 << 20)
        files = {"empty.iso": b"", "short.iso": head, "tool.iso": b"\x7fELF\2\1\1\0AI\2" + bytes(4096),
                 "song.iso": b"no disc" * 4096}
        for name, content in files.items():
            with open(folder + "/" + name, "wb") as file:
                file.write(content)
        os.mkdir(folder + "/folder")
        self.start_app()
        for name in ["folder", *files]:
            source = self.drop(folder + "/" + name)
            page = self.desktop.window("^New machine$")
            time.sleep(0.7)
            shown = self.desktop.picture(page[0])
            self.assertIsNone(shown.middle_of(BUTTON_BLUE), name + " can be started")
            self.assertIsNotNone(shown.middle_of(ERROR_RED), name + ": nothing says what is wrong")
            self.desktop.xdo("key", "Escape")
            wait_for("the page to close", lambda: not self.desktop.xdo("search", "--name", "^New machine$"))
            self.desktop.end(source)
            self.step(name + " is refused")
        self.assertEqual(self.machines(), [])
        self.assert_no_complaints()

    def assert_no_complaints(self):
        # GDK 4.8 asks for the monitor of a window that the X server has not placed yet.
        log = "".join(line for line in self.desktop.log_of("vitrine").splitlines(True)
                      if "gdk_monitor_get_geometry" not in line)
        self.assertFalse("CRITICAL" in log or "WARNING" in log, log)


if __name__ == "__main__":
    for tool in ("Xvfb", "xdotool", "openbox", "import", "convert", "dbus-daemon"):
        if not shutil.which(tool):
            skip(tool + " is not installed")
    VITRINE, VITRINECTL, DRAG_SOURCE, MAKE_MEDIA = sys.argv[1:5]
    del sys.argv[1:5]
    media = os.environ.get("VITRINE_TEST_MEDIA") or os.path.join(os.path.dirname(VITRINECTL), "../../tests/ui/media")
    made = subprocess.run([MAKE_MEDIA, "demo", media], capture_output=True, text=True)
    if made.returncode != 0:
        skip("the demo disc cannot be made here: " + made.stderr.strip())
    DEMO = os.path.abspath(os.path.join(media, "demo.iso"))
    unittest.main(verbosity=2)

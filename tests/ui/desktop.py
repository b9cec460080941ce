# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""What tests of the app and of the viewer share: a desktop of their own with real key strokes and mouse
moves, pictures of it, and machines."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

SKIP = 77


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIP)


def wait_for(what, condition, seconds=60):  # for a computer that is busy with more than this
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited %d seconds for %s" % (seconds, what))
        time.sleep(0.2)


def make_iso(path, platform=0):
    """A disc that firmware would boot, and nothing on it. @platform: El Torito's, 0 BIOS, EFh UEFI."""
    image = bytearray(40 * 2048)
    image[16 * 2048:16 * 2048 + 7] = b"\x01CD001\x01"
    image[16 * 2048 + 40:16 * 2048 + 72] = b"TESTOS".ljust(32)
    struct.pack_into("<I", image, 16 * 2048 + 80, 40)
    struct.pack_into("<H", image, 16 * 2048 + 128, 2048)
    image[17 * 2048:17 * 2048 + 30] = b"\x00CD001\x01EL TORITO SPECIFICATION"
    struct.pack_into("<I", image, 17 * 2048 + 71, 20)
    image[20 * 2048] = 1
    image[20 * 2048 + 1] = platform
    image[20 * 2048 + 30:20 * 2048 + 33] = b"\x55\xaa\x88"
    image[18 * 2048:18 * 2048 + 7] = b"\xffCD001\x01"
    with open(path, "wb") as file:
        file.write(image)


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
        path = self.folder + "/" + program + ".log"
        if not os.path.exists(path):  # it was not started
            return ""
        with open(path, errors="replace") as file:
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

    def app_window(self, *others):
        """The app's, whose title is the machine's name while it shows one: of the folder, or of @others."""
        folder = self.env["XDG_DATA_HOME"] + "/vitrine/machines"
        bundles = [*others, *(os.listdir(folder) if os.path.isdir(folder) else [])]
        names = [re.escape(os.path.splitext(os.path.basename(bundle))[0]) for bundle in bundles]
        return self.window("^(%s)$" % "|".join(["Vitrine", *names]))

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


class MachineTest(unittest.TestCase):
    """A desktop of one's own, and vitrinectl on it. Machines that still run go with it."""

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
        result = subprocess.run([Programs.vitrinectl, *args], env=self.desktop.env, capture_output=True, text=True, timeout=60)
        if check:
            self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def machines(self):
        return json.loads(self.ctl("list", "--json"))

    def state(self):
        return self.machines()[0]["state"]

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

    def assert_no_complaints(self):
        # GDK 4.8 asks for the monitor of a window that the X server has not placed yet.
        log = "".join(line for line in self.desktop.log_of("vitrine").splitlines(True)
                      if "gdk_monitor_get_geometry" not in line)
        self.assertFalse("CRITICAL" in log or "WARNING" in log, log)


class Programs:
    """What main() was given."""
    vitrine = vitrinectl = demo = None


def main(vitrinectl, make_media):
    """Runs the tests of __main__, or says what is missing for them."""
    for tool in ("Xvfb", "xdotool", "openbox", "import", "convert", "dbus-daemon"):
        if not shutil.which(tool):
            skip(tool + " is not installed")
    Programs.vitrinectl = vitrinectl
    media = os.environ.get("VITRINE_TEST_MEDIA") or os.path.join(os.path.dirname(vitrinectl), "../../tests/ui/media")
    made = subprocess.run([make_media, "demo", media], capture_output=True, text=True)
    if made.returncode != 0:
        skip("the demo disc cannot be made here: " + made.stderr.strip())
    Programs.demo = os.path.abspath(os.path.join(media, "demo.iso"))
    unittest.main(verbosity=2)

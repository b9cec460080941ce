# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""App and viewer on a Wayland compositor that has a keyboard and a mouse: it is a window on the test's X server, where
xdotool types and moves. A guest with a relative mouse gets the motion beyond the window's edge. The engine has no
guest, but echoes what is typed and tells how far its mouse was moved."""
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

from desktop import Desktop, Programs, skip, wait_for

WIDTH, HEIGHT = 1600, 900
GUEST_WIDTH = 720
STEP, N_STEPS = 10, 30


class Input(unittest.TestCase):
    def setUp(self):
        self.desktop = Desktop()
        self.addCleanup(self.desktop.close)
        self.start_compositor()
        self.ctl("create", "--name", "Box", "--disk", "none")
        self.ctl("start", "--headless", "Box")
        self.addCleanup(self.ctl, "stop", "--force", "Box")

    def ctl(self, *args):
        result = subprocess.run([Programs.vitrinectl, *args], env=self.desktop.env, capture_output=True, text=True,
                                timeout=30)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def start_compositor(self):
        ini = self.desktop.folder + "/weston.ini"
        with open(ini, "w") as file:
            file.write("[shell]\npanel-position=none\n")
        self.desktop.spawn(["weston", "--backend=x11-backend.so", "--use-pixman", "--idle-time=0", "--config=" + ini,
                            "--width=%d" % WIDTH, "--height=%d" % HEIGHT, "--socket=wayland-9"])
        wait_for("the compositor", lambda: os.path.exists(self.desktop.env["XDG_RUNTIME_DIR"] + "/wayland-9"))
        window = wait_for("its window", lambda: self.desktop.xdo("search", "--onlyvisible", "--class", "Weston"))
        time.sleep(1)
        words = subprocess.run(["xwininfo", "-id", window.split()[0]], env=self.desktop.env, capture_output=True,
                               text=True, timeout=10).stdout
        self.x, self.y = (int(n) for n in re.findall(r"Absolute upper-left [XY]: +(-?\d+)", words))
        self.desktop.env["WAYLAND_DISPLAY"] = "wayland-9"

    def guest_corner(self):
        """Where on the X server's screen the guest's green words begin."""
        rows = self.desktop.picture().rows
        for y, row in enumerate(rows[self.y:self.y + HEIGHT]):
            for x in range(self.x, self.x + WIDTH - 40):
                if all(row[i] < 120 and row[i + 1] > 230 and row[i + 2] < 40 for i in range(3 * x, 3 * x + 60, 3)):
                    return x, self.y + y
        return None

    def take_the_mouse_beyond_the_edge(self, margin):
        """@margin: from the guest's picture to a place inside the window."""
        left, top = wait_for("the guest's words", self.guest_corner)
        time.sleep(1)
        room = left - margin - self.x > STEP * N_STEPS + 20
        start, step = (left - margin, -STEP) if room else (left + GUEST_WIDTH + margin, STEP)
        self.desktop.xdo("mousemove", 2, 2, "sleep", 0.3, "mousemove", start, top + 200, "sleep", 0.5, "mousedown", 1,
                         "sleep", 0.2, "mouseup", 1)
        time.sleep(0.7)
        for _ in range(N_STEPS):
            self.desktop.xdo("mousemove_relative", "--", step, 0)
        time.sleep(0.5)
        self.desktop.xdo("type", "--delay", "50", "mouse")
        self.desktop.xdo("key", "Return")
        wait_for("all of the motion: " + str(step * N_STEPS),
                 lambda: "mouse %d 0\n" % (step * N_STEPS) in self.ctl("text", "Box"), 5)
        return start, top + 200

    def test_the_app(self):
        self.desktop.env["GDK_BACKEND"] = "wayland"
        self.desktop.spawn([VITRINE, self.desktop.env["XDG_DATA_HOME"] + "/vitrine/machines/Box.vitrine"])
        self.take_the_mouse_beyond_the_edge(100)
        self.desktop.xdo("keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
        time.sleep(0.5)
        before = self.ctl("text", "Box")
        self.desktop.xdo("type", "free")
        time.sleep(0.5)
        self.assertEqual(self.ctl("text", "Box"), before, "the chord released the keyboard")
        self.assertNotIn("CRITICAL", self.desktop.log_of("vitrine"))

    def test_the_viewer(self):
        self.desktop.env["SDL_VIDEODRIVER"] = "wayland"
        self.desktop.spawn([VIEW, "Box"])
        self.take_the_mouse_beyond_the_edge(-20)


if __name__ == "__main__":
    for tool in ("weston", "Xvfb", "xdotool", "xwininfo", "import"):
        if not shutil.which(tool):
            skip(tool + " is not installed")
    VITRINE, VIEW, Programs.vitrinectl = sys.argv[1:4]
    del sys.argv[1:4]
    unittest.main(verbosity=2)

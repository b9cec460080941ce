# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""vitrine-view as a person uses it: real keys and mouse moves, and its window's pixels compared with the
guest's framebuffer."""
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "ui"))
from desktop import MachineTest, Picture, Programs, main, wait_for  # noqa: E402


class View(MachineTest):
    name = "demo"

    def start_machine(self):
        self.ctl("create", Programs.demo, "--name", self.name, "--memory", "256M")
        self.ctl("start", self.name, "--headless")

    def start_view(self, *options):
        self.view = self.desktop.spawn([VIEW, self.name, *options])
        self.window()

    def window(self):
        def find():
            tree = subprocess.run(["xwininfo", "-root", "-tree"], env=self.desktop.env, capture_output=True,
                                  text=True, timeout=10).stdout
            for line in tree.splitlines():
                if '"demo' in line and "vitrine-view" in line.lower():
                    return int(line.split()[0], 16)
            return None
        return wait_for("the viewer's window", find)

    def title(self):
        return subprocess.run(["xprop", "-id", str(self.window()), "_NET_WM_NAME"], env=self.desktop.env,
                              capture_output=True, text=True, timeout=10).stdout

    def size(self):
        words = self.desktop.xdo("getwindowgeometry", "--shell", self.window()).split()
        values = dict(w.split("=") for w in words if "=" in w)
        return int(values["WIDTH"]), int(values["HEIGHT"])

    def chord(self):
        self.desktop.xdo("keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
        time.sleep(0.3)

    def type_and_expect(self, text, answer):
        self.desktop.xdo("type", "--delay", "30", text)
        self.desktop.xdo("key", "Return")
        self.ctl("wait", self.name, "--for", "text:(?m)^" + answer, "--timeout", "20")

    def shown_pixels_are_the_guests(self, zoom):
        def same():
            self.ctl("screenshot", self.name, self.desktop.folder + "/guest.png")
            guest = Picture(["convert", self.desktop.folder + "/guest.png", "-depth", "8", "ppm:-"])
            return self.desktop.picture().shows(guest, zoom)
        wait_for("the guest's pixels in the viewer at zoom %d" % zoom, same, 15)

    def test_keys_full_screen_and_release(self):
        self.start_machine()
        self.start_view()
        self.ctl("wait", self.name, "--for", "text:demo:.*# $", "--timeout", "45")
        self.shown_pixels_are_the_guests(1)
        self.assertIn("Left Ctrl + left Alt", self.title())
        self.step("the prompt, pixel by pixel")
        self.type_and_expect("echo A$((6*7))b", "A42b")
        self.step("typed, and answered")

        self.desktop.xdo("key", "ctrl+alt+Return")
        wait_for("full screen", lambda: self.size() == (1700, 1050))
        self.shown_pixels_are_the_guests(2)
        self.step("full screen, each pixel as four")
        self.type_and_expect("echo B$((5*5))c", "B25c")

        self.chord()
        self.assertNotIn("left Alt", self.title())
        self.desktop.xdo("type", "qqq")
        time.sleep(0.5)
        self.assertNotIn("qqq", self.ctl("text", self.name), "the chord released the keyboard")
        self.desktop.xdo("key", "F11")
        wait_for("the window", lambda: self.size() != (1700, 1050))
        self.step("released, and out of full screen")

        self.ctl("stop", "--force", self.name)
        self.assertEqual(self.view.wait(10), 0, "it ends with the machine")
        self.desktop.processes.remove(self.view)
        self.assertEqual(self.desktop.log_of("vitrine-view"), "")

    def test_held_keys_are_released_with_the_focus(self):
        self.start_machine()
        self.start_view()
        self.ctl("wait", self.name, "--for", "text:demo:.*# $", "--timeout", "45")
        self.desktop.xdo("keydown", "shift")
        time.sleep(0.3)
        self.desktop.xdo("windowminimize", self.window())
        time.sleep(0.5)
        self.desktop.xdo("keyup", "shift")
        self.ctl("type", self.name, "echo lower$((1+1))\\n")
        self.ctl("wait", self.name, "--for", "text:(?m)^lower2", "--timeout", "20")

    def test_a_kiosk_is_not_left(self):
        self.start_machine()
        self.start_view("--kiosk")
        self.ctl("wait", self.name, "--for", "text:demo:.*# $", "--timeout", "45")
        self.assertEqual(self.size(), (1700, 1050))
        self.chord()
        self.desktop.xdo("key", "alt+F4")
        self.desktop.xdo("key", "ctrl+alt+Return")
        self.desktop.xdo("key", "Return")
        self.type_and_expect("echo C$((3*3))d", "C9d")
        self.assertEqual(self.size(), (1700, 1050))

    def test_what_cannot_be_shown_is_said(self):
        self.ctl("create", Programs.demo, "--name", self.name)
        for arguments, code, words in [(["nobody"], 3, "nobody"), ([self.name], 4, "--start"), ([], 2, "--help"),
                                       ([self.name, "--release-chord", "x"], 2, "left-ctrl")]:
            result = subprocess.run([VIEW, *arguments], env=self.desktop.env, capture_output=True, text=True,
                                    timeout=20)
            self.assertEqual(result.returncode, code, arguments)
            self.assertIn(words, result.stderr)


if __name__ == "__main__":
    VIEW, vitrinectl, make_media = sys.argv[1:4]
    del sys.argv[1:4]
    main(vitrinectl, make_media)

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The app as a person uses it, on a display of its own: the demo disc is dragged onto the window by real
mouse moves, one click starts it, its prompt is on the screen (pixels compared), keys are answered.
Then what is no disc is dropped, and what happens when an engine or the app is killed."""
import json
import os
import signal
import sys
import time

from desktop import MachineTest, Programs, main, wait_for

BUTTON_BLUE = (0x35, 0x84, 0xE4)
ERROR_RED = (0xC0, 0x1C, 0x28)
# From the window's top right corner to the middle of a header button.
HEADER_PAUSE, HEADER_MENU, HEADER_ROW = 262, 142, 28


class App(MachineTest):
    def start_app(self, *args):
        self.app = self.desktop.spawn([VITRINE, *args])
        window = self.desktop.app_window()
        self.desktop.xdo("windowmove", window[0], 400, 100)
        time.sleep(0.5)
        self.where = self.desktop.app_window()

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

    def test_drop_start_type_pause_resume_force_off(self):
        self.start_app()
        self.step("the app is there")
        source = self.drop(Programs.demo)
        page = self.desktop.window("^New Machine$")
        self.step("dropped")
        self.click_blue(page)
        wait_for("the machine to run", lambda: self.machines() and self.state() == "running")
        self.desktop.end(source)
        self.name = self.machines()[0]["name"]
        self.ctl("wait", self.name, "--for", "text:demo:.*# $", "--timeout", "45")
        self.step("the prompt is there")
        disc = json.loads(self.ctl("stats", self.name, "--json"))["drives"][1]
        self.assertGreater(disc["reads"], 100, "reads from the disc are counted")
        self.assertGreater(disc["read-bytes"], os.path.getsize(Programs.demo) // 2)
        self.assert_screen_is_shown(1)
        self.step("and on the screen, pixel by pixel")
        self.desktop.xdo("windowsize", self.where[0], 1500, 900, "windowmove", self.where[0], 100, 50)
        self.assert_screen_is_shown(2)
        self.where = self.desktop.app_window()
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
        self.ctl("create", Programs.demo, "--name", "one", "--memory", "256M", "--start")
        self.ctl("create", Programs.demo, "--name", "two", "--memory", "256M", "--start")
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

        self.kill_engine(one["bundle"])
        self.assertEqual({m["name"]: m["state"] for m in self.machines()}, {"one": "crashed", "two": "running"})
        self.click_blue(self.where)
        wait_for("it to run again", lambda: all(m["state"] == "running" for m in self.machines()))
        self.step("crashed, and started again")

        self.ctl("wait", "one", "--for", "text:demo:", "--timeout", "120")
        wait_for("its screen to have the keyboard", lambda: self.types("one"))
        self.kill_engine(one["bundle"])
        self.step("crashed with the keyboard grabbed")
        self.assert_no_complaints()

    def types(self, machine):
        self.desktop.xdo("key", "x")
        return "# x" in self.ctl("text", machine)

    def kill_engine(self, bundle):
        engines = [p for p in os.listdir("/proc") if p.isdigit() and self.is_engine_of(p, bundle)]
        self.assertEqual(len(engines), 1)
        os.kill(int(engines[0]), signal.SIGKILL)
        wait_for("the app's offer to start it again",
                 lambda: self.desktop.picture(self.where[0]).middle_of(BUTTON_BLUE))

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
        with open(Programs.demo, "rb") as file:
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
            page = self.desktop.window("^New Machine$")
            time.sleep(0.7)
            shown = self.desktop.picture(page[0])
            self.assertIsNone(shown.middle_of(BUTTON_BLUE), name + " can be started")
            self.assertIsNotNone(shown.middle_of(ERROR_RED), name + ": nothing says what is wrong")
            self.desktop.xdo("key", "Escape")
            wait_for("the page to close", lambda: not self.desktop.xdo("search", "--name", "^New Machine$"))
            self.desktop.end(source)
            self.step(name + " is refused")
        self.assertEqual(self.machines(), [])
        self.assert_no_complaints()


if __name__ == "__main__":
    VITRINE, vitrinectl, DRAG_SOURCE, make_media = sys.argv[1:5]
    del sys.argv[1:5]
    main(vitrinectl, make_media)

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The screen in the app: who has the keyboard, what is typed for one, what its words are good for, and
that its pixels are the guest's, with both presenters at scale 1 and 2."""
import subprocess
import sys
import time

from desktop import MachineTest, Programs, main, wait_for

HEADER_MENU, HEADER_ROW = 142, 28
PROMPT = "text:demo:.*# $"
# Asks as a screen reader does; Debian's python has the bindings.
READ_ALOUD = """
import gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi
def find(node, depth=0):
    if node is None or depth > 40:
        return None
    if node.get_role_name() == "text" and "screen" in (node.get_name() or ""):
        return node
    for i in range(node.get_child_count()):
        found = find(node.get_child_at_index(i), depth + 1)
        if found:
            return found
node = find(Atspi.get_desktop(0))
if node:
    text = node.get_text_iface()
    print(text.get_caret_offset())
    print(Atspi.Text.get_text(text, 0, Atspi.Text.get_character_count(text)))
"""


class Screen(MachineTest):
    name = "demo"

    def boot(self):
        self.ctl("create", Programs.demo, "--name", self.name, "--memory", "256M")
        self.ctl("start", self.name, "--headless")
        self.ctl("wait", self.name, "--for", PROMPT, "--timeout", "60")

    def start_app(self, **environment):
        self.desktop.env.update(environment)
        self.app = self.desktop.spawn([VITRINE, self.machines()[0]["bundle"]])
        window = self.desktop.app_window()
        self.desktop.xdo("windowmove", window[0], 100, 60)
        time.sleep(1)
        self.where = self.desktop.app_window()

    def text(self):
        return self.ctl("text", self.name)

    def type_here(self, text):
        self.desktop.xdo("type", "--delay", "30", text)

    def assert_typed(self, text, answer):
        self.type_here(text)
        self.desktop.xdo("key", "Return")
        self.ctl("wait", self.name, "--for", "text:(?m)^" + answer, "--timeout", "20")

    def open_menu(self, key):
        _, x, y, width, _ = self.where
        self.desktop.click(x + width - HEADER_MENU, y + HEADER_ROW)
        time.sleep(0.7)
        self.desktop.xdo("key", key)
        time.sleep(0.7)

    def set_clipboard(self, content):
        holder = subprocess.Popen(["xclip", "-selection", "clipboard", "-i"], env=self.desktop.env,
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        holder.communicate(content, timeout=20)

    def clipboard(self, selection="clipboard"):
        return subprocess.run(["xclip", "-selection", selection, "-o"], env=self.desktop.env, capture_output=True,
                              timeout=10).stdout.decode()

    def test_keyboard_and_words(self):
        self.boot()
        self.start_app(GTK_A11Y="atspi")
        self.step("the prompt is there")

        self.assert_typed("echo A$((6*7))b", "A42b")
        self.open_menu("Escape")
        self.assert_typed("echo B$((5*5))c", "B25c")
        self.step("a menu that closes gives the keyboard back")

        self.desktop.xdo("key", "ctrl+alt+Return")
        wait_for("full screen", lambda: self.desktop.app_window()[3] == 1700)
        self.assert_typed("echo C$((3*3))d", "C9d")
        self.desktop.xdo("key", "ctrl+alt+Return")
        wait_for("the window", lambda: self.desktop.app_window()[3] < 1700)
        self.step("full screen and back while the guest has the keyboard")

        self.desktop.xdo("keydown", "shift")
        time.sleep(0.3)
        self.desktop.xdo("windowminimize", self.where[0])
        time.sleep(0.7)
        self.desktop.xdo("keyup", "shift")
        self.ctl("type", self.name, "echo lower$((1+1))\\n")
        self.ctl("wait", self.name, "--for", "text:(?m)^lower2", "--timeout", "20")
        self.desktop.xdo("windowmap", self.where[0], "windowactivate", "--sync", self.where[0])
        time.sleep(1)
        self.assert_typed("echo D$((2*2))e", "D4e")
        self.step("what is held is let go when the window loses the focus")

        self.set_clipboard("echo 'Zy|{~}' \u4e2d\r\n".encode())
        self.open_menu("y")
        wait_for("the dialog", lambda: self.desktop.xdo("search", "--name", "^Type Clipboard$"))
        time.sleep(1)
        self.desktop.xdo("key", "Return")
        self.ctl("wait", self.name, "--for", "text:(?m)^Zy\\|\\{~\\}", "--timeout", "20")
        wait_for("the dialog to close", lambda: not self.desktop.xdo("search", "--name", "^Type Clipboard$"))
        time.sleep(0.5)
        self.step("typed the clipboard")
        self.set_clipboard(b"x" * (10 << 20))
        self.open_menu("y")
        time.sleep(2)
        self.desktop.xdo("key", "Return", "key", "Escape")
        time.sleep(0.5)
        self.assertNotIn("xxxx", self.text())
        self.assert_typed("echo E$((4*4))f", "E16f")
        self.step("10 MB are refused, and nothing hangs")

        self.select_and_copy()
        self.step("selected, and copied")
        self.read_aloud()
        self.step("a screen reader reads it")
        self.go_back()
        self.step("back in the library")
        log = self.desktop.log_of("vitrine")
        self.assertFalse("CRITICAL" in log, log)

    def select_and_copy(self):
        self.ctl("type", self.name, "clear; echo one two-three four\\n")
        self.ctl("wait", self.name, "--for", "text:(?m)^one two-three four", "--timeout", "20")
        time.sleep(1)
        _, x, y, width, height = self.where
        page = self.desktop.picture(self.where[0])
        top = next(i for i in range(80, height) if any(page.rows[i][j] > 100 for j in range(60, 3 * (width - 20), 3)))
        left = min(j // 3 for i in range(top, top + 16) for j in range(60, 3 * (width - 20), 3) if page.rows[i][j] > 100)
        at = lambda column: (x + left + 9 * column + 4, y + top + 5)  # noqa: E731
        self.desktop.xdo("mousemove", *at(4), "keydown", "shift", "mousedown", 1, "sleep", 0.2, "mousemove", *at(8),
                         "sleep", 0.1, "mousemove", *at(12), "sleep", 0.3, "mouseup", 1, "keyup", "shift")
        time.sleep(0.7)
        self.assertEqual(self.clipboard("primary"), "two-three")
        self.desktop.xdo("key", "ctrl+c")
        time.sleep(0.7)
        self.assertEqual(self.clipboard(), "two-three")
        self.assert_typed("echo F$((2*3))g", "F6g")

    def go_back(self):
        """To the library, while the machine runs on."""
        self.desktop.xdo("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
        time.sleep(0.5)
        self.desktop.xdo("key", "alt+Left")
        time.sleep(2)
        self.assertIsNone(self.app.poll(), "the app has ended")
        self.assertIn("running", self.ctl("list"))

    def read_aloud(self):
        said = []

        def spoken():
            said[:] = [subprocess.run(["/usr/bin/python3", "-c", READ_ALOUD], env=self.desktop.env, capture_output=True,
                                      text=True, timeout=30).stdout]
            return "F6g" in said[0]
        wait_for("the words on the accessibility bus", spoken, 20)
        caret, text = said[0].split("\n", 1)
        self.assertEqual([line.rstrip() for line in text.split("\n") if line.strip()],
                         [line.rstrip() for line in self.text().split("\n") if line.strip()])
        self.assertTrue(text[:int(caret)].rstrip().endswith("#"), "the caret is behind the prompt")

    def test_pixels_at_both_scales_with_both_presenters(self):
        self.boot()
        for presenter in ("cairo", "gl"):
            for scale, sizes in ((1, ((1000, 700, 1), (1600, 1000, 2))), (2, ((800, 520, 2),))):
                self.start_app(VITRINE_PRESENTER=presenter, GDK_SCALE=str(scale), GTK_A11Y="none")
                for width, height, zoom in sizes:
                    self.desktop.xdo("windowsize", self.where[0], width * scale, height * scale, "windowmove",
                                     self.where[0], 20, 20)
                    self.assert_screen_is_shown(zoom)
                    self.step("%s at scale %d: each pixel as %d×%d" % (presenter, scale, zoom, zoom))
                self.desktop.end(self.app)


if __name__ == "__main__":
    VITRINE, vitrinectl, make_media = sys.argv[1:4]
    del sys.argv[1:4]
    main(vitrinectl, make_media)

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The app where there is little room: on a telephone, or beside another window. Its windows become 360 wide in each
language, and what leaves the header is in a menu."""
import sys
import time
import unittest

from desktop import Programs, wait_for
from tree import BUTTON, LABEL, LIST, MENU_ITEM, TreeTest, says, tree_desktop

WIDTH = 360


class Narrow(TreeTest):
    def make_narrow(self, window):
        """As a person does, who drags the edge: the window folds on the way and can then go on."""
        def is_narrow():
            self.desktop.xdo("windowsize", window, WIDTH, 640)
            return self.width_of(window) == WIDTH
        wait_for("the window to become %d wide, from %d" % (WIDTH, self.width_of(window)), is_narrow, 5)

    def width_of(self, window):
        words = self.desktop.xdo("getwindowgeometry", "--shell", window).split()
        return int(dict(w.split("=") for w in words)["WIDTH"])

    def windows(self):
        return self.desktop.xdo("search", "--onlyvisible", "--class", "vitrine").split()

    def test_every_language_fits(self):
        self.create("Box")
        self.addCleanup(self.desktop.env.pop, "LANGUAGE", None)
        for language in ("en", "de", "zh_CN"):
            with self.subTest(language):
                self.desktop.env["LANGUAGE"] = language
                self.start_app()
                wait_for("the machine", self.machine_items)
                self.make_narrow(self.desktop.app_window()[0])
                self.desktop.end(self.app)
        self.app = None

    def machine_items(self):
        return [name for role, name in map(says, self.tree()) if role == "table cell" and name.startswith("Box")]

    def test_every_language_fits_with_no_machine_and_on_the_create_page(self):
        iso = self.desktop.folder + "/a rather long name of a disc, as they come.iso"
        with open(iso, "wb") as file:
            file.write(bytes(4 << 20))
        self.addCleanup(self.desktop.env.pop, "LANGUAGE", None)
        for language in ("en", "de", "zh_CN"):
            with self.subTest(language):
                self.desktop.env["LANGUAGE"] = language
                self.start_app(iso)
                wait_for("the create page", lambda: len(self.windows()) == 2)
                time.sleep(0.7)
                for window in self.windows():
                    self.make_narrow(window)
                self.desktop.end(self.app)
        self.app = None

    def test_what_the_header_has_no_room_for_is_in_the_menu(self):
        self.create("Box", "Zebra")
        self.start_app()
        self.find_machine("Box, Off")
        self.find(BUTTON, "Sort")
        self.make_narrow(self.desktop.app_window()[0])
        wait_for("the buttons to go", lambda: not self.find_now(BUTTON, "Sort") and
                 not self.find_now(BUTTON, "Show as list"))
        self.find(BUTTON, "Search")
        self.find(BUTTON, "New machine")
        self.key("F10")
        shown = {name for role, name in map(says, self.tree()) if role == MENU_ITEM}
        self.assertLessEqual({"By Name", "By Last Use", "By State", "Preferences", "About Vitrine"}, shown)
        self.choose("As List", "i")
        self.find(LIST, "Machines")
        self.ctl("start", "--headless", "Zebra")
        self.find_machine("Zebra, Running")
        self.key("F10")
        self.choose("By State", "s")
        wait_for("what runs to come first", lambda: self.in_order() == ["Zebra, Running", "Box, Off"])
        window = self.desktop.app_window()[0]
        self.desktop.xdo("windowsize", window, 900, 640)
        self.find(BUTTON, "Sort")
        self.find(BUTTON, "Show as grid")
        self.key("F10")
        self.find(MENU_ITEM, "Preferences")
        self.assertIsNone(self.find_now(MENU_ITEM, "By State"), "what the header has is not in the menu, too")

    def in_order(self):
        return [name for role, name in map(says, self.tree()) if role == "list item" and ", " in name]

    def open_running_box(self):
        self.create("Box")
        self.ctl("start", "--headless", "Box")
        self.start_app()
        self.find_machine("Box, Running")
        self.select_first()
        self.key("Return")
        self.find(BUTTON, "Machine menu")

    def test_a_narrow_header_says_only_the_keys_that_release_the_keyboard(self):
        self.open_running_box()
        time.sleep(1)
        _, x, y, width, height = self.desktop.app_window()
        self.desktop.click(x + width // 2, y + height // 2)
        does = "Left Ctrl + left Alt releases the keyboard"
        sentences = lambda: [name for role, name in map(says, self.tree()) if role == LABEL and name.startswith(does)]
        wait_for("the sentence", sentences)
        self.make_narrow(self.desktop.app_window()[0])
        self.find(LABEL, "Ctrl+Alt")
        self.assertTrue(any(node.get_description().startswith(does) for node in self.tree()),
                        "what the keys do is not said to those who do not see")
        self.desktop.xdo("windowsize", self.desktop.app_window()[0], 900, 640)
        wait_for("the sentence to be back", lambda: not self.find_now(LABEL, "Ctrl+Alt") and sentences())

    def test_the_shortcuts_fit_a_small_screen_in_every_language(self):
        self.addCleanup(self.desktop.env.pop, "LANGUAGE", None)
        for language in ("en", "de", "zh_CN"):
            with self.subTest(language):
                self.desktop.env["LANGUAGE"] = language
                self.start_app()
                time.sleep(1)
                main = str(self.desktop.app_window()[0])
                self.key("ctrl+question")
                shown = wait_for("the shortcuts", lambda: [w for w in self.windows() if w != main])
                time.sleep(0.7)
                width = self.width_of(shown[0])
                self.desktop.end(self.app)
                self.assertLessEqual(width, 800)
        self.app = None

    def test_a_running_machine_is_paused_from_the_menu(self):
        self.open_running_box()
        self.make_narrow(self.desktop.app_window()[0])
        wait_for("the button to go", lambda: not self.find_now(BUTTON, "Pause"))
        time.sleep(1)
        self.desktop.xdo("keydown", "Control_L", "keydown", "Alt_L", "keyup", "Alt_L", "keyup", "Control_L")
        time.sleep(0.5)
        self.key("F10")
        self.choose("Pause", "p")
        wait_for("the pause", lambda: self.machines()[0]["state"] == "paused")


if __name__ == "__main__":
    Programs.vitrine, Programs.vitrinectl = sys.argv[1:3]
    del sys.argv[1:3]
    with tree_desktop():
        unittest.main(verbosity=2)

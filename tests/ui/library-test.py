# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""What is done with machines in the library, and where the keyboard is afterwards."""
import os
import sys
import unittest

from desktop import Programs, wait_for
from tree import BUTTON, Atspi, GLib, TreeTest, says, tree_desktop


class Library(TreeTest):
    def focused(self):
        """What has the keyboard, as a screen reader would say it."""
        for node in self.tree():
            try:
                if node.get_state_set().contains(Atspi.StateType.FOCUSED):
                    name = says(node)[1]
                    return name or says(node.get_parent())[1]
            except GLib.Error:
                pass
        return None

    def assert_focus(self, name):
        wait_for("the keyboard to be on “%s”, not on “%s”" % (name, self.focused()), lambda: self.focused() == name, 5)

    def start_with(self, *names):
        self.create(*names)
        self.start_app()
        wait_for("the machines", lambda: len(self.shown_machines()) == len(names))

    def delete(self, name):
        before = self.names()
        self.assertIn(name, before)
        self.key("Delete")
        wait_for("“%s” to go" % name, lambda: self.names() == [n for n in before if n != name])

    # The Trash

    def test_after_one_is_deleted_the_keyboard_is_on_the_next(self):
        self.start_with("Ada", "Bob", "Cid", "Dan")
        self.select_first()
        self.key("Right")
        self.assert_focus("Bob, Off")
        self.delete("Bob")
        self.assert_focus("Cid, Off")
        self.delete("Cid")
        self.assert_focus("Dan, Off")
        self.delete("Dan")  # the last: the one before it
        self.assert_focus("Ada, Off")
        self.delete("Ada")
        self.assert_focus("New machine")

    def test_in_the_list_and_from_the_menu_too(self):
        self.start_with("Ada", "Bob", "Cid")
        self.click(BUTTON, "Show as list")
        self.select_first()
        self.key("Down")
        self.assert_focus("Bob, Off")
        self.key("shift+F10")
        self.choose("Move to Trash", "t")
        wait_for("it to go", lambda: self.names() == ["Ada", "Cid"])
        self.assert_focus("Cid, Off")

    def test_the_keyboard_stays_where_another_program_deletes(self):
        self.start_with("Ada", "Bob", "Cid")
        self.select_first()
        self.key("Right")
        self.ctl("delete", "Ada")
        wait_for("it to go", lambda: self.shown_machines() == ["Bob, Off", "Cid, Off"])
        self.assert_focus("Bob, Off")

    def test_undo_by_key_as_long_as_it_is_offered(self):
        self.start_with("Ada", "Bob", "Cid")
        self.select_first()
        self.key("ctrl+z")  # nothing yet
        self.delete("Ada")
        self.assert_focus("Bob, Off")
        self.delete("Bob")
        self.assert_focus("Cid, Off")
        self.key("ctrl+z")
        wait_for("the last one to return", lambda: self.names() == ["Bob", "Cid"])
        self.key("ctrl+z")
        wait_for("the one before it", lambda: self.names() == ["Ada", "Bob", "Cid"])
        wait_for("nothing more to be offered", lambda: not self.find_now(BUTTON, "Undo"))
        self.key("ctrl+z")
        self.assertEqual(os.listdir(self.desktop.env["XDG_DATA_HOME"] + "/Trash/info"), [])
        wait_for("all to be shown", lambda: len(self.shown_machines()) == 3)

    # The menu

    def test_the_menu_key_opens_the_menu_below_the_machine(self):
        self.start_with("Ada", "Bob", "Cid")
        self.select_first()
        self.key("Right")
        before = self.windows()
        _, left, top, _, _ = self.desktop.app_window()
        tile = self.find_machine("Bob, Off").get_extents(Atspi.CoordType.WINDOW)
        self.key("Menu")
        menu = wait_for("the menu", lambda: self.windows() - before).pop()
        words = self.desktop.xdo("getwindowgeometry", "--shell", menu).split()
        place = {k: int(v) for k, v in (w.split("=") for w in words)}
        self.assertAlmostEqual(place["X"] + place["WIDTH"] / 2, left + tile.x + tile.width / 2, delta=8)  # the frame
        shadow = 30
        self.assertGreater(place["Y"] + shadow, top + tile.y + tile.height)

    def windows(self):
        return set(self.desktop.xdo("search", "--onlyvisible", "--class", "vitrine").split())


if __name__ == "__main__":
    Programs.vitrine, Programs.vitrinectl = sys.argv[1:3]
    del sys.argv[1:3]
    with tree_desktop():
        unittest.main(verbosity=2)

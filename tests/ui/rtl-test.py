# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The app from right to left. GTK turns a window around where the app speaks such a language, and ours has no such
translation yet: the German words stand in for one, under the name of Arabic."""
import os
import shutil
import sys
import unittest

from desktop import Programs, wait_for
from tree import BUTTON, TreeTest, tree_desktop


class RightToLeft(TreeTest):
    def setUp(self):
        super().setUp()
        po = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(Programs.vitrine)))) + "/po"
        self.addCleanup(shutil.rmtree, po + "/ar")
        shutil.copytree(po + "/de", po + "/ar")
        self.addCleanup(self.desktop.env.pop, "LANGUAGE", None)
        self.desktop.env["LANGUAGE"] = "ar"

    def test_the_library_and_a_machine_are_turned_around_and_the_guests_screen_is_not(self):
        self.create("Ada", "Box")
        self.start_app()
        self.find_machine("Ada, Aus")
        self.key("Home")
        self.key("Left")  # the second machine is on the left of the first
        self.key("Return")
        wait_for("the machine on the left to start", lambda: [m["name"] for m in self.machines()
                                                              if m["state"] == "running"] == ["Box"])
        self.find(BUTTON, "Maschinenmenü")
        self.key("ctrl+alt")  # the keyboard comes back
        _, x, y, width, _ = self.desktop.app_window()
        self.desktop.click(x + width - 28, y + 28)  # back, which is on the right, where others close a window
        self.find_machine("Ada, Aus")
        self.find_machine("Box, Läuft")


if __name__ == "__main__":
    Programs.vitrine, Programs.vitrinectl = sys.argv[1:3]
    del sys.argv[1:3]
    with tree_desktop():
        unittest.main(verbosity=2)

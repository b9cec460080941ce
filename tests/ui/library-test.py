# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""What is done with machines in the library, where the keyboard is afterwards, and machines in odd places."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from desktop import Programs, wait_for
from tree import BUTTON, LABEL, Atspi, GLib, TreeTest, says, tree_desktop


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
        self.choose("Move to Trash", "m")
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
        self.assert_focus("Bob, Off")
        self.key("ctrl+z")
        wait_for("the one before it", lambda: self.names() == ["Ada", "Bob", "Cid"])
        self.assert_focus("Ada, Off")
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

    def test_a_long_press_opens_the_menu_of_what_is_under_the_finger(self):
        self.create("Ada", "Bob")
        self.app = self.desktop.spawn([LONG_PRESS])
        self.choose("Start", "s")
        self.find_machine("Bob, Running")
        self.assertEqual(self.shown_machines(), ["Ada, Off", "Bob, Running"])
        self.assertNotIn("CRITICAL", self.desktop.log_of("long-press"))

    def windows(self):
        return set(self.desktop.xdo("search", "--onlyvisible", "--class", "vitrine").split())

    # What lies elsewhere

    def create_elsewhere(self, *options):
        """A machine where the app does not look by itself; returns its folder."""
        self.ctl("create", "--name", "Box", *options)
        folder = tempfile.mkdtemp(prefix="stick-", dir=self.desktop.folder)
        bundle = folder + "/Box.vitrine"
        os.rename(self.root + "/Box.vitrine", bundle)
        return bundle

    def test_a_machine_that_was_moved_is_located_in_the_file_chooser(self):
        bundle = self.create_elsewhere("--disk", "none")
        self.start_app(bundle)
        self.find(LABEL, "The machine is off")
        self.key("alt+Left")
        self.find_machine("Box, Off")
        moved = self.desktop.folder + "/cupboard/Box.vitrine"
        os.makedirs(os.path.dirname(moved))
        os.rename(bundle, moved)
        self.find_machine("Box, Missing")
        self.choose_folder("l", self.desktop.folder)  # no machine
        self.find(LABEL, "This is not a machine")
        self.key("Escape")
        self.find_machine("Box, Missing")
        self.choose_folder("l", moved)
        self.find_machine("Box, Off")
        self.assertEqual(self.shown_machines(), ["Box, Off"])
        self.key("Return")  # it has the keyboard, and is whole
        wait_for("it to run", lambda: json.loads(self.ctl("info", moved, "--json"))["state"] == "running")
        self.ctl("stop", "--force", moved)

    def choose_folder(self, letter, folder):
        self.select_first()
        self.key("shift+F10")
        self.choose("Locate…", letter)
        chooser = self.desktop.window("^Where Is “Box” Now")
        self.desktop.xdo("windowfocus", chooser[0])
        time.sleep(0.7)
        self.key("ctrl+l", "ctrl+a")
        self.desktop.xdo("type", "--delay", "15", folder)
        time.sleep(0.7)
        self.key("Return")
        wait_for("the file chooser to close",
                 lambda: not self.desktop.xdo("search", "--onlyvisible", "--name", "^Where Is"))

    def test_a_machine_on_a_read_only_medium(self):
        bundle = self.create_elsewhere("--disk", "64M")
        folder = os.path.dirname(bundle)
        read_only = "mount --bind %s %s && mount -o remount,bind,ro %s" % (folder, folder, folder)
        if subprocess.run(["unshare", "-m", "sh", "-c", read_only], capture_output=True).returncode:
            self.skipTest("nothing can be mounted here")
        self.app = self.desktop.spawn(["unshare", "-m", "sh", "-c", '%s && exec "$@"' % read_only, "sh",
                                       Programs.vitrine, bundle])
        self.desktop.app_window(bundle)
        self.find(LABEL, "The machine is off")
        self.key("alt+Left")
        self.find_machine("Box, Off")
        self.select_first()
        self.key("F2")
        self.find(BUTTON, "Rename")
        self.type_into("Name", "Office", "Return")
        self.find(LABEL, "The machine could not be renamed")
        self.find_labelled("Read-only file system")
        self.key("Escape")
        self.select_first()
        self.key("Delete")
        self.find(LABEL, "Delete “Box” for Good?")
        self.key("Escape")
        self.clone_first("Mine", "Return")
        self.find_machine("Mine, Off")
        self.assertEqual(os.listdir(self.root), ["Mine.vitrine"], "the copy is where new machines are")
        self.assertEqual(os.listdir(folder), ["Box.vitrine"])

    def find_labelled(self, words):
        wait_for("the words “%s”" % words, lambda: any(words in says(node)[1] for node in self.tree()))

    # Copies

    def test_a_copy_that_is_cancelled_leaves_nothing(self):
        self.ctl("create", "--name", "Box", "--disk", "none")
        with open(self.root + "/Box.vitrine/big.raw", "wb") as disk:
            for _ in range(64):
                disk.write(os.urandom(1 << 20))
        self.ctl("set", "Box", "drive-1.type=disk", "drive-1.path=big.raw")
        self.desktop.env["LD_PRELOAD"] = SLOW_COPY
        self.start_app()
        del self.desktop.env["LD_PRELOAD"]
        self.find_machine("Box, Off")
        self.clone_first("Twin", "Return")
        self.find(LABEL, "Cloning “Box”")
        wait_for("some of it to be copied", self.progress)
        self.click(BUTTON, "Cancel")
        wait_for("the work to end", lambda: not self.find_now(LABEL, "Cloning “Box”"))
        self.assertEqual(os.listdir(self.root), ["Box.vitrine"], "nothing is left of it, hidden or not")
        self.assertEqual(self.shown_machines(), ["Box, Off"])
        self.assertIsNone(self.find_now(LABEL, "The machine could not be cloned"), "that was asked for")

    def progress(self):
        bar = self.find_now("progress bar", "Cloning “Box”")
        return bar and Atspi.Value.get_current_value(bar) > 0

    # Two apps

    def start_another(self):
        """An app in a session of its own, which does not know of the first; both can be seen."""
        self.start_app()
        first = self.app
        accessible = subprocess.run(["gdbus", "call", "--session", "--dest", "org.a11y.Bus", "--object-path",
                                     "/org/a11y/bus", "--method", "org.a11y.Bus.GetAddress"],
                                    env=self.desktop.env, capture_output=True, text=True, timeout=10).stdout
        bus = self.desktop.spawn(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE)
        kept = self.desktop.env["DBUS_SESSION_BUS_ADDRESS"]
        self.desktop.env.update(DBUS_SESSION_BUS_ADDRESS=bus.stdout.readline().decode().strip(),
                                AT_SPI_BUS_ADDRESS=accessible.split("'")[1])
        second = self.desktop.spawn([Programs.vitrine])
        self.desktop.env["DBUS_SESSION_BUS_ADDRESS"] = kept
        del self.desktop.env["AT_SPI_BUS_ADDRESS"]
        self.addCleanup(bus.stdout.close)
        self.addCleanup(self.desktop.end, bus)
        return first, second

    def turn_to(self, app):
        self.app = app
        window = wait_for("its window", lambda: self.desktop.xdo("search", "--onlyvisible", "--pid", app.pid))
        self.desktop.xdo("windowactivate", "--sync", window.split()[0])
        time.sleep(0.5)

    def test_two_apps_on_one_machine_see_what_the_other_does(self):
        self.create("Box", "Other")
        mine, theirs = self.start_another()
        self.turn_to(theirs)
        self.find_machine("Box, Off")
        self.turn_to(mine)
        self.select_first()
        self.key("Right")
        self.delete("Other")
        self.app = theirs
        wait_for("the other to know", lambda: self.shown_machines() == ["Box, Off"])
        self.app = mine
        self.key("ctrl+z")
        self.app = theirs
        self.find_machine("Other, Off")
        self.app = mine
        self.select_first()
        self.key("Return")
        self.app = theirs
        self.find_machine("Box, Running")
        self.turn_to(theirs)
        self.select_first()
        self.key("Return")
        self.find(BUTTON, "Machine menu")
        time.sleep(1)
        self.desktop.xdo("type", "--delay", "40", "both")
        wait_for("what was typed in the second", lambda: "both" in self.ctl("text", "Box"))
        self.turn_to(mine)
        self.desktop.xdo("type", "--delay", "40", "mine")
        wait_for("what was typed in the first", lambda: "bothmine" in self.ctl("text", "Box"))
        self.desktop.end(theirs, signal.SIGKILL)
        self.desktop.xdo("type", "--delay", "40", "more")
        wait_for("the first to go on", lambda: "bothminemore" in self.ctl("text", "Box"))


if __name__ == "__main__":
    Programs.vitrine, Programs.vitrinectl, SLOW_COPY, LONG_PRESS = sys.argv[1:5]
    del sys.argv[1:5]
    with tree_desktop():
        unittest.main(verbosity=2)

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The library through the eyes of a screen reader: every control is found in the accessibility tree by its role and
its name, and used by its own action or by keys. Machines have an engine without a guest, so this takes seconds."""
import json
import os
import subprocess
import sys
import time
import unittest

from desktop import Programs, make_iso, wait_for
from tree import BUTTON, ENTRY, GRID, LABEL, LIST, MENU_ITEM, SPIN, Atspi, CONTROLS, TreeTest, says, tree_desktop


class Library(TreeTest):
    # What there is

    def test_every_control_has_a_name(self):
        self.create("Box")
        self.start_app()
        self.find_machine("Box, Off")
        self.click(BUTTON, "Show as list")
        self.key("ctrl+f")
        self.find(ENTRY, "Search machines")
        self.assert_all_named()

    def assert_all_named(self):
        for node in self.tree():
            role, name = says(node)
            if role not in CONTROLS or name:
                continue
            parent = node.get_parent()
            around = [says(parent), says(parent.get_parent())] if parent else []
            # A menu button and a search entry are named themselves and made of parts.
            self.assertTrue(any(n for _, n in around), "a %s in %s has no name" % (role, around))

    def test_a_damaged_machine_is_listed_with_what_is_wrong(self):
        self.create("Good")
        os.makedirs(self.root + "/Broken.vitrine")
        with open(self.root + "/Broken.vitrine/machine.conf", "w") as conf:
            conf.write("[machine]\nname=Broken\nuuid=x\n")
        self.start_app()
        node = self.find_machine("Broken, Damaged")
        self.find_machine("Good, Off")
        self.assertIn("cannot be read", node.get_description())
        self.key("Home", "Return")
        self.find(LABEL, "The machine cannot run")

    def test_an_empty_library_offers_a_file(self):
        self.start_app()
        self.find(BUTTON, "Choose a File…")
        self.assertIsNone(self.find_now(BUTTON, "Try the Demo"), "there is no demo here")

    # Making machines

    def test_a_disc_that_is_opened_becomes_a_machine(self):
        iso = DESKTOP.folder + "/test-os.iso"
        make_iso(iso)
        self.start_app(iso)
        self.find(BUTTON, "Create and Start")
        for name in ("Memory", "Processors", "Disk"):
            self.find(SPIN, name)
        self.find(ENTRY, "Name")
        self.click(BUTTON, "Create Without Starting")
        wait_for("the machine, named by its disc", lambda: self.names() == ["Testos"])
        with open(self.root + "/Testos.vitrine/machine.conf") as conf:
            text = conf.read()
        self.assertIn(iso, text)
        self.assertNotIn("uefi", text)

    def test_a_disc_that_only_uefi_boots_gets_it(self):
        iso = DESKTOP.folder + "/test-os.iso"
        make_iso(iso, platform=0xEF)
        self.start_app(iso)
        self.click(BUTTON, "Create Without Starting")
        wait_for("the machine", lambda: self.names() == ["Testos"])
        with open(self.root + "/Testos.vitrine/machine.conf") as conf:
            self.assertIn("firmware=uefi", conf.read())

    def test_enter_on_the_create_page_creates_and_starts(self):
        iso = DESKTOP.folder + "/test-os.iso"
        make_iso(iso)
        self.start_app(iso)
        start = self.find(BUTTON, "Create and Start")
        wait_for("it to be possible", lambda: start.get_state_set().contains(Atspi.StateType.SENSITIVE))
        DESKTOP.xdo("windowfocus", DESKTOP.window("^New Machine$")[0], "key", "Return")
        wait_for("it to run", lambda: [m["state"] for m in self.machines()] == ["running"])
        DESKTOP.window("^Testos$")

    def test_a_disc_that_is_dropped_becomes_a_machine_that_runs(self):
        iso = DESKTOP.folder + "/test-os.iso"
        make_iso(iso)
        self.start_app()
        self.find(BUTTON, "Choose a File…")
        source = self.drag_from(iso)
        self.drag_over(0.5, 0.5)
        self.find(LABEL, "Drop to begin a new machine with “test-os.iso”")
        DESKTOP.xdo("mouseup", 1)
        self.click(BUTTON, "Create and Start")
        wait_for("it to run", lambda: [m["state"] for m in self.machines()] == ["running"])
        DESKTOP.end(source)

    def drag_from(self, *paths):
        """A file manager beside the app, with the button down on what it offers."""
        source = DESKTOP.spawn([DRAG_SOURCE, *paths])
        for window, x, y in ((DESKTOP.window("^drag source$"), 20, 20), (DESKTOP.app_window(), 400, 100)):
            DESKTOP.xdo("windowmove", window[0], x, y)
        time.sleep(0.5)
        _, x, y, width, height = DESKTOP.window("^drag source$")
        self.drag_at = x + width // 2, y + height // 2
        DESKTOP.xdo("mousemove", *self.drag_at, "sleep", 0.2, "mousedown", 1)
        return source

    def drag_over(self, right, down):
        """To a place in the app's window, as parts of its size."""
        _, x, y, width, height = DESKTOP.app_window()
        (x0, y0), (x1, y1) = self.drag_at, (x + int(width * right), y + int(height * down))
        for step in range(1, 13):
            DESKTOP.xdo("mousemove", x0 + (x1 - x0) * step // 12, y0 + (y1 - y0) * step // 12, "sleep", 0.06)
        DESKTOP.xdo("mousemove", x1 + 1, y1 + 1, "sleep", 0.4)

    def test_ten_thousand_files_for_a_running_machine_become_its_disc(self):
        self.create("Box")
        self.ctl("start", "--headless", "Box")
        folder = DESKTOP.folder + "/many/"
        os.makedirs(folder, exist_ok=True)
        for i in range(10000):
            with open(folder + "file %d.txt" % i, "w") as file:
                file.write("%d\n" % i)
        self.start_app()
        self.find_machine("Box, Running")
        source = self.drag_from(folder)
        self.drag_over(0.1, 0.2)
        self.find(LABEL, "Drop to give “Box” a disc with these 10000 files and folders")
        DESKTOP.xdo("mouseup", 1)
        self.find(LABEL, "A disc with the files is in the drive of “Box”", 60)
        DESKTOP.end(source)
        disc = json.loads(self.ctl("info", "Box", "--json"))["definition"]["drive-0.path"]
        self.assertEqual(os.path.basename(disc), "files-0.iso")
        with open(self.root + "/Box.vitrine/files-0.iso", "rb") as iso:
            iso.seek(16 * 2048)
            self.assertEqual(iso.read(6), b"\x01CD001")

    def test_a_disc_on_a_running_machine_is_asked_about_once(self):
        iso = DESKTOP.folder + "/test-os.iso"
        make_iso(iso)
        self.create("Box")
        self.ctl("start", "--headless", "Box")

        def disc():
            return json.loads(self.ctl("info", "Box", "--json"))["definition"]["drive-0.path"]
        self.start_app()
        self.find_machine("Box, Running")
        source = self.drag_from(iso)
        self.drag_over(0.1, 0.2)
        self.find(LABEL, "Drop to insert “test-os.iso” into “Box”, or to begin a new machine with it")
        DESKTOP.xdo("mouseup", 1)
        self.find("check box", "Always do this with discs for a running machine")
        time.sleep(0.3)
        self.key("alt+a", "alt+i")  # GTK 4.8 has no action for check boxes
        wait_for("the disc", lambda: disc() == iso)
        DESKTOP.end(source)
        self.ctl("media", "Box", "eject")
        source = self.drag_from(iso)
        self.drag_over(0.1, 0.2)
        self.find(LABEL, "Drop to insert “test-os.iso” into “Box”")
        DESKTOP.xdo("mouseup", 1)
        wait_for("the disc, unasked", lambda: disc() == iso)
        DESKTOP.end(source)

    # What is done with them

    def test_what_another_program_does_is_seen(self):
        self.create("Box", "Other")
        self.start_app()
        self.find_machine("Box, Off")
        self.ctl("rename", "Box", "Office")
        self.find_machine("Office, Off")
        self.ctl("start", "--headless", "Office")
        self.find_machine("Office, Running")
        self.ctl("delete", "Other")
        wait_for("it to go", lambda: self.shown_machines() == ["Office, Running"])

    def test_rename_by_key(self):
        self.create("Box")
        self.start_app()
        self.find_machine("Box, Off")
        self.select_first()
        self.key("F2")
        self.find(BUTTON, "Rename")
        self.type_into("Name", "Office", "Return")
        self.find_machine("Office, Off")
        self.assertEqual(os.listdir(self.root), ["Office.vitrine"])

    def test_clone_by_the_menu_key(self):
        self.create("Box")
        self.start_app()
        self.find_machine("Box, Off")
        self.clone_first("Twin", "Return")
        self.find_machine("Twin, Off")
        self.assertEqual(self.names(), ["Box", "Twin"])

    def test_the_menu_offers_what_can_be_done(self):
        self.create("Box")
        self.start_app()
        self.find_machine("Box, Off")
        self.select_first()
        self.key("shift+F10")
        self.find(MENU_ITEM, "Start")
        shown = {name for role, name in map(says, self.tree()) if role == MENU_ITEM}
        self.assertLessEqual({"Open", "Start", "Rename…", "Clone…", "Move to Trash"}, shown)
        self.assertFalse({"Pause", "Resume", "Force Off…", "Locate…", "Remove from List"} & shown, shown)

    def test_delete_and_undo(self):
        self.create("Box", "Other")
        self.start_app()
        self.find_machine("Box, Off")
        self.select_first()
        self.key("Delete")
        wait_for("it to go", lambda: self.names() == ["Other"])
        self.click(BUTTON, "Undo")
        self.find_machine("Box, Off")
        self.assertEqual(self.names(), ["Box", "Other"])
        self.assertEqual(os.listdir(DESKTOP.env["XDG_DATA_HOME"] + "/Trash/info"), [])

    def test_a_running_machine_is_not_deleted(self):
        self.create("Box")
        self.ctl("start", "--headless", "Box")
        self.start_app()
        self.find_machine("Box, Running")
        self.select_first()
        self.key("Delete")
        self.find(LABEL, "“Box” is running. Stop it before deleting it")
        self.assertEqual(self.names(), ["Box"])

    def test_typing_searches(self):
        self.create("Debian", "Fedora", "FreeDOS")
        self.start_app()
        wait_for("three machines", lambda: len(self.shown_machines()) == 3)
        time.sleep(0.3)
        DESKTOP.xdo("type", "--delay", "60", "fed")
        wait_for("one of them", lambda: self.shown_machines() == ["Fedora, Off"])
        self.type_into("Search machines", "nothing like it")
        wait_for("none", lambda: not self.shown_machines())
        self.find(LABEL, "No Machine Found")
        self.key("Escape")
        wait_for("all of them again", lambda: len(self.shown_machines()) == 3)

    def test_list_and_grid_are_remembered(self):
        self.create("Box")
        self.start_app()
        self.find_machine("Box, Off")
        self.click(BUTTON, "Show as list")
        self.find(LIST, "Machines")
        self.find(BUTTON, "Show as grid")
        DESKTOP.end(self.app)
        self.start_app()
        self.find(LIST, "Machines")
        self.find_machine("Box, Off")

    def test_a_machine_from_elsewhere_that_is_gone_can_be_removed_from_the_list(self):
        elsewhere = DESKTOP.folder + "/stick"
        self.create("Box")
        os.makedirs(elsewhere)
        os.rename(self.root + "/Box.vitrine", elsewhere + "/Box.vitrine")
        self.start_app(elsewhere + "/Box.vitrine")
        self.find(LABEL, "The machine is off")
        self.key("alt+Left")
        self.find_machine("Box, Off")
        subprocess.run(["rm", "-r", elsewhere], check=True)
        self.find_machine("Box, Missing")
        self.select_first()
        self.key("shift+F10")
        self.find(MENU_ITEM, "Locate…")
        self.choose("Remove from List", "r")
        wait_for("it to go", lambda: not self.shown_machines())


if __name__ == "__main__":
    Programs.vitrine, Programs.vitrinectl, DRAG_SOURCE = sys.argv[1:4]
    del sys.argv[1:4]
    with tree_desktop() as DESKTOP:
        unittest.main(verbosity=2)

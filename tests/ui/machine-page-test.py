# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The page of a running machine: who has the keyboard, what is said about it, and that a narrow window loses
nothing. The machine's engine has no guest, but echoes what is typed."""
import os
import sys
import time
import unittest

from desktop import Programs, wait_for
from tree import BUTTON, LABEL, MENU_ITEM, TreeTest, says, tree_desktop


class MachinePage(TreeTest):
    def open_running(self, **settings):
        self.create("Box")
        self.ctl("start", "--headless", "Box")
        self.set(**settings)
        self.start_app(self.root + "/Box.vitrine")
        self.find(BUTTON, "Pause")
        time.sleep(0.5)

    def set(self, **settings):
        folder = self.desktop.env["XDG_CONFIG_HOME"] + "/glib-2.0/settings"
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/keyfile", "w") as file:
            file.write("[org/vitrine/Vitrine]\n")
            file.writelines("%s='%s'\n" % (key.replace("_", "-"), value) for key, value in settings.items())

    def text(self):
        return self.ctl("text", "Box")

    def type(self, text):
        self.desktop.xdo("type", "--delay", "40", text)
        time.sleep(0.4)

    def labels(self):
        return [name for role, name in map(says, self.tree()) if role == LABEL]

    def test_a_pause_gives_the_keyboard_back_until_the_machine_goes_on(self):
        self.open_running()
        self.type("one")
        self.assertIn("one", self.text())
        self.ctl("pause", "Box")
        self.find(LABEL, "Paused")
        time.sleep(0.3)
        self.type("two")
        self.ctl("resume", "Box")
        wait_for("it to go on", lambda: "Running" in self.labels())
        time.sleep(0.5)
        self.assertNotIn("two", self.text(), "what stands still was typed on")
        self.type("three")
        self.assertIn("three", self.text())

    def test_full_screen_names_the_chord_that_was_chosen(self):
        self.open_running(release_chord="right-ctrl+right-shift")
        self.key("ctrl+alt+Return")
        self.find(LABEL, "Right Ctrl + right Shift releases keyboard and pointer; the controls are at the top edge")
        right_ctrl, right_shift = 105, 62  # by name, xdotool would press the left ones, too
        self.desktop.xdo("keydown", right_ctrl, "keydown", right_shift, "keyup", right_shift, "keyup", right_ctrl)
        time.sleep(0.4)
        self.type("free")
        self.assertNotIn("free", self.text())

    def badge(self):
        """What runs the guest, as the header says it: that depends on the computer."""
        return next((cpu for cpu in ("Software CPU", "KVM") if self.find_now(BUTTON, cpu)), None)

    def test_a_narrow_window_reaches_everything(self):
        self.write_desktop_settings("gtk-decoration-layout=:close")  # as GNOME has it
        self.open_running()
        cpu = wait_for("the badge", self.badge)
        window = self.desktop.app_window(self.root + "/Box.vitrine")
        self.desktop.xdo("windowsize", window[0], 500, 640)
        wait_for("the buttons to go", lambda: not self.badge())
        self.desktop.xdo("windowsize", window[0], 360, 640)
        wait_for("the size, and a frame's", lambda: self.desktop.app_window()[3] <= 370)
        self.click(BUTTON, "Machine menu")
        for name in ("Pause", "Power Button", "Force Off…", "Settings", "Log"):
            self.find(MENU_ITEM, name)
        self.choose("Processor", "o")
        self.find(LABEL, cpu)

    def write_desktop_settings(self, *lines):
        os.makedirs(self.desktop.env["XDG_CONFIG_HOME"] + "/gtk-4.0", exist_ok=True)
        with open(self.desktop.env["XDG_CONFIG_HOME"] + "/gtk-4.0/settings.ini", "w") as file:
            file.write("\n".join(["[Settings]", *lines, ""]))

    def still_moves_after_a_second(self):
        """Whether what a pause brings is on its way for long, with all motion made 20 times as slow."""
        self.ctl("pause", "Box")
        self.find(LABEL, "Resume")
        time.sleep(1)
        first = self.desktop.picture().rows
        time.sleep(1)
        return self.desktop.picture().rows != first

    def test_nothing_moves_where_motion_is_not_wanted(self):
        self.desktop.env["GTK_SLOWDOWN"] = "20"
        self.addCleanup(self.desktop.env.pop, "GTK_SLOWDOWN")
        self.write_desktop_settings("gtk-enable-animations=false")
        self.open_running()
        self.assertFalse(self.still_moves_after_a_second())
        self.desktop.end(self.app)
        self.ctl("resume", "Box")
        self.write_desktop_settings("gtk-enable-animations=true")
        self.start_app(self.root + "/Box.vitrine")
        self.find(BUTTON, "Pause")
        time.sleep(0.5)
        self.assertTrue(self.still_moves_after_a_second(), "or else this test shows nothing")

    def dark_pixels(self):
        """In the header, where the badge is."""
        picture = self.desktop.picture(self.desktop.app_window()[0])
        return sum(max(row[i:i + 3]) < 90 for row in picture.rows[8:46] for i in range(3 * 45, 3 * 170, 3))

    def test_high_contrast_outlines_what_a_tint_tells(self):
        self.open_running()
        usual = self.dark_pixels()
        self.desktop.end(self.app)
        self.desktop.env["ADW_DEBUG_HIGH_CONTRAST"] = "1"
        self.addCleanup(self.desktop.env.pop, "ADW_DEBUG_HIGH_CONTRAST")
        self.start_app(self.root + "/Box.vitrine")
        wait_for("the badge", self.badge)
        time.sleep(0.5)
        self.assertGreater(self.dark_pixels(), usual + 200)

    def test_the_log_tells_what_was_done(self):
        disc = self.desktop.folder + "/disc.iso"
        with open(disc, "wb") as file:
            file.write(bytes(16 * 2048) + b"\x01CD001\x01" + bytes(8 * 2048))
        self.open_running()
        self.ctl("pause", "Box")
        self.ctl("resume", "Box")
        self.ctl("media", "Box", "insert", disc)
        self.ctl("media", "Box", "eject")
        self.ctl("stop", "Box")
        wait_for("it to be off", lambda: self.machines()[0]["state"] == "off")
        with open(self.root + "/Box.vitrine/engine.log") as file:
            log = file.read()
        said = ["started", "Paused", "Resumed", "disc.iso", "no disc", "power button", "is off"]
        self.assertEqual([words for words in said if words not in log], [], log)
        self.assertEqual(said, sorted(said, key=log.index), "in the order in which it was done")


if __name__ == "__main__":
    Programs.vitrine, Programs.vitrinectl = sys.argv[1:3]
    del sys.argv[1:3]
    with tree_desktop():
        unittest.main(verbosity=2)

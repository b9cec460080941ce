# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""A machine's settings, and copies of it: what the pages say is true, what is typed counts, what is cancelled leaves
nothing, and an engine that dies under an open window does no harm."""
import os
import signal
import sys
import time
import unittest

from desktop import Programs, wait_for
from tree import BUTTON, ENTRY, LABEL, SPIN, Atspi, TreeTest, says, tree_desktop


class Settings(TreeTest):
    def open_settings(self):
        self.select_first()
        self.key("shift+F10")
        self.choose("Settings", "t")
        self.desktop.window("^Settings of ")
        self.find(SPIN, "Memory in MiB")

    def labels(self):
        return [name for role, name in map(says, self.tree()) if role == LABEL]

    def engine(self):
        """The process id of the engine that runs a machine of this test."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"engine" in words[0] and any(self.root.encode() in word for word in words):
                return int(pid)
        return None

    def test_drives_tell_their_size_and_their_file(self):
        self.ctl("create", "--name", "Box", "--disk", "20G")
        self.start_app()
        self.find_machine("Box, Off")
        self.open_settings()
        wait_for("the size", lambda: any(name.startswith("20.0\xa0GiB, takes ") for name in self.labels()))
        wait_for("its file", lambda: any(name.startswith(self.root) and os.path.exists(name) for name in self.labels()))
        self.find(LABEL, "qcow2, which grows as it fills")

    def test_what_it_runs_on_follows_the_file(self):
        self.ctl("create", "--name", "Box", "--disk", "none")
        self.start_app()
        self.find_machine("Box, Off")
        self.open_settings()
        self.find(LABEL, "Automatic")
        self.ctl("set", "Box", "cpu=software")
        self.find(LABEL, "Software CPU")

    def test_the_firmware_follows_the_file(self):
        self.ctl("create", "--name", "Box", "--disk", "none")
        self.start_app()
        self.find_machine("Box, Off")
        self.open_settings()
        self.find(LABEL, "BIOS")
        self.ctl("set", "Box", "firmware=uefi")
        self.find(LABEL, "UEFI")

    def test_a_name_that_is_typed_is_the_folders_too(self):
        self.create("Box")
        self.start_app()
        self.find_machine("Box, Off")
        self.open_settings()
        _, x, y, width, _ = self.desktop.window("^Settings of ")
        self.desktop.click(x + width // 2, y + 110)
        self.type_into("Name", "Office", "Return")
        self.desktop.window("^Settings of Office$")
        wait_for("the folder", lambda: os.listdir(self.root) == ["Office.vitrine"])
        self.key("Escape")
        self.find_machine("Office, Off")

    def test_a_copy_that_is_cancelled_leaves_nothing(self):
        self.ctl("create", "--name", "Box", "--disk", "1G")
        with open(self.root + "/Box.vitrine/disk-0.qcow2", "ab") as file:
            for _ in range(1500):
                file.write(bytes(1 << 20))
        self.start_app()
        self.find_machine("Box, Off")
        self.clone_first("Twin")
        self.desktop.xdo("key", "Return")
        end = time.monotonic() + 5
        while len(os.listdir(self.root)) == 1 and time.monotonic() < end:
            time.sleep(0.01)
        self.assertEqual(len(os.listdir(self.root)), 2, "the copy has begun")
        for _ in range(8):
            self.desktop.xdo("key", "alt+c")
        wait_for("the copy to go", lambda: os.listdir(self.root) == ["Box.vitrine"])
        time.sleep(1)
        self.assertEqual(os.listdir(self.root), ["Box.vitrine"])
        self.assertIsNone(self.find_now(LABEL, "The machine could not be cloned"), "it was cancelled: no mistake")

    def test_an_engine_that_dies_under_the_settings_does_no_harm(self):
        self.ctl("create", "--name", "Box", "--disk", "1G")
        self.start_app()
        for page in ("System", "Drives", "Advanced"):
            self.ctl("start", "--headless", "Box")
            self.find_machine("Box, Running")
            self.open_settings()
            self.choose_page(page)
            self.assertTrue([name for name in self.labels() if "Applies at the next start" in name])
            os.kill(self.engine(), signal.SIGKILL)
            wait_for("the notes to go",
                     lambda: not [name for name in self.labels() if "Applies at the next start" in name])
            self.key("Escape")
            self.find_machine("Box, Stopped unexpectedly")
        log = self.desktop.log_of("vitrine").replace("GLib-GIO-WARNING **: unable to send notifications", "")
        self.assertEqual([line for line in log.splitlines() if "WARNING" in line and "notifications" not in line], [])

    def choose_page(self, name):
        """A tab is there twice, for wide windows and for narrow ones."""
        for node in self.tree():
            if says(node) == ("page tab", name):
                Atspi.Action.do_action(node, 0)
        time.sleep(0.6)


if __name__ == "__main__":
    Programs.vitrine, Programs.vitrinectl = sys.argv[1:3]
    del sys.argv[1:3]
    with tree_desktop():
        unittest.main(verbosity=2)

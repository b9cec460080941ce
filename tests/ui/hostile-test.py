# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The app before an engine that a guest has taken over: whatever that says, the app answers, says what is
wrong, and can be left."""
import os
import pathlib
import subprocess
import sys
import time

from desktop import MachineTest, Programs, main


class Hostile(MachineTest):
    def answers(self, seconds=3):
        """Whether the app's main loop turns: it is asked for its actions."""
        began = time.monotonic()
        result = subprocess.run(["gdbus", "call", "--session", "--timeout", "20", "--dest", "org.vitrine.Vitrine",
                                 "--object-path", "/org/vitrine/Vitrine", "--method", "org.gtk.Actions.List"],
                                env=self.desktop.env, capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertLess(time.monotonic() - began, seconds)

    def attacked(self, kind):
        self.ctl("create", Programs.demo, "--name", kind)
        bundle = next(m["bundle"] for m in self.machines() if m["name"] == kind)
        self.desktop.env.update(VITRINE_ENGINE=ENGINE, VITRINE_HOSTILE=kind)
        self.ctl("start", kind, "--headless")
        app = self.desktop.spawn([VITRINE, bundle])
        window = self.desktop.app_window()
        time.sleep(2.5)
        for _ in range(3):
            self.answers()
            time.sleep(0.4)
        self.assertIsNone(app.poll(), "the app lives")
        picture = self.desktop.picture(window[0])
        memory = int(next(line for line in pathlib.Path("/proc/%d/status" % app.pid).read_text().splitlines()
                          if line.startswith("VmRSS")).split()[1]) / 1024
        self.assertLess(memory, 700, "MiB of memory")
        self.desktop.end(app)
        log = self.desktop.log_of("vitrine")
        self.assertNotIn("CRITICAL", log)
        self.step("%s: lives, in %.0f MiB" % (kind, memory))
        return picture, log

    def stop_machines(self):
        pass  # they obey nobody, and end by themselves

    @staticmethod
    def says_something(picture):
        """Whether there are words over the black screen."""
        middle = picture.rows[picture.height // 2 - 30:picture.height // 2 + 70]
        return any(max(row[150 * 3:-150 * 3]) > 120 for row in middle)

    def test_pictures_that_cannot_be(self):
        picture, log = self.attacked("sizes")
        self.assertTrue(self.says_something(picture))
        self.assertIn("cannot be", log)

    def test_memory_that_goes_away(self):
        picture, _ = self.attacked("shrink")
        self.assertTrue(self.says_something(picture))

    def test_a_flood_of_changes(self):
        picture, _ = self.attacked("flood")
        self.assertTrue(self.says_something(picture))

    def test_a_flood_of_states(self):
        self.attacked("signals")

    def test_words_that_are_none(self):
        self.attacked("words")


if __name__ == "__main__":
    VITRINE, vitrinectl, make_media, ENGINE = sys.argv[1:5]
    ENGINE = os.path.abspath(ENGINE)
    del sys.argv[1:5]
    main(vitrinectl, make_media)

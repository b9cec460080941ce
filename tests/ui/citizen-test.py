# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""What the desktop asks of the app and it of the desktop: search, notifications, shutdown and sleep, over real
buses with small services on them; and its settings, driven as a screen reader would. Machines have no guests:
their engine is the tests' own."""
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import unittest

from desktop import MachineTest, Programs, make_iso, skip, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM_PYTHON = "/usr/bin/python3"
SEARCH = ["gdbus", "call", "--session", "--timeout", "10", "--dest", "org.vitrine.Vitrine", "--object-path",
          "/org/vitrine/Vitrine/SearchProvider", "--method"]


class Citizen(MachineTest):
    def setUp(self):
        super().setUp()
        self.desktop.env["VITRINE_ENGINE"] = ENGINE
        bus = self.desktop.spawn(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE)
        self.desktop.env["DBUS_SYSTEM_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
        self.ctl("create", "--name", "Büro", "--disk", "none", "--memory", "64M")

    def start_services(self):
        self.services = self.desktop.spawn([SYSTEM_PYTHON, HERE + "/fake-services.py"], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE)
        self.said = queue.Queue()
        self.addCleanup(self.services.stdin.close)
        threading.Thread(target=self.listen, daemon=True).start()
        for _ in range(3):
            self.hears("owns")

    def listen(self):
        for line in self.services.stdout:
            self.said.put(line.decode().strip())

    def hears(self, words, seconds=15):
        """The next thing said that begins so."""
        end = time.monotonic() + seconds
        heard = []
        while time.monotonic() < end:
            try:
                line = self.said.get(timeout=0.2)
            except queue.Empty:
                continue
            heard.append(line)
            if line.startswith(words):
                return line
        self.fail("“%s” was not said, but %s" % (words, heard))

    def tell(self, words):
        self.services.stdin.write(words.encode() + b"\n")
        self.services.stdin.flush()

    def start_service(self):
        self.app = self.desktop.spawn([VITRINE, "--gapplication-service"])
        wait_for("the app on the bus", lambda: "()" in self.call_app("Ping"))

    def call_app(self, method):
        return subprocess.run(["gdbus", "call", "--session", "--timeout", "5", "--dest", "org.vitrine.Vitrine",
                               "--object-path", "/", "--method", "org.freedesktop.DBus.Peer." + method],
                              env=self.desktop.env, capture_output=True, text=True).stdout

    def search(self, method, *arguments):
        done = subprocess.run([*SEARCH, "org.gnome.Shell.SearchProvider2." + method, *arguments],
                              env=self.desktop.env, capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def bundle(self):
        return self.machines()[0]["bundle"]

    def info(self):
        return json.loads(self.ctl("info", "Büro", "--json"))

    def test_the_desktops_search_finds_and_opens_a_machine(self):
        self.start_service()
        bundle = self.bundle()
        self.assertIn(bundle, self.search("GetInitialResultSet", "['büRO']"))
        self.assertNotIn(bundle, self.search("GetSubsearchResultSet", "['%s']" % bundle, "['büro', 'x']"))
        metas = self.search("GetResultMetas", "['%s', '/nowhere']" % bundle)
        self.assertIn("'name': <'Büro'>", metas)
        self.assertNotIn("nowhere", metas)
        self.search("ActivateResult", bundle, "['b']", "0")
        self.desktop.app_window()
        self.assert_no_complaints()

    def test_a_machine_that_pauses_by_itself_is_told_with_its_reason(self):
        self.start_services()
        self.ctl("start", "--headless", "Büro")
        self.start_service()
        wait_for("the app to see the machine", lambda: "Running" in
                 self.search("GetResultMetas", "['%s']" % self.bundle()))
        self.ctl("type", "Büro", "full\\n")
        told = self.hears("notify")
        self.assertIn("Büro is paused", told)
        self.assertIn("/full/disk.qcow2", told)
        self.ctl("resume", "Büro")
        self.hears("withdrawn")

    def test_an_installation_that_comes_to_rest_is_told_and_clicked(self):
        iso = self.desktop.folder + "/installer.iso"
        make_iso(iso)
        self.ctl("create", iso, "--name", "Neu", "--disk", "1G", "--memory", "64M")
        self.start_services()
        self.ctl("start", "--headless", "Neu")
        self.ctl("start", "--headless", "Büro")  # has no disc: installs nothing
        self.app = self.desktop.spawn([VITRINE])
        self.desktop.xdo("windowminimize", self.desktop.app_window()[0])
        for word in ("rest", "work", "rest"):
            time.sleep(7)  # it looks every five seconds, at times that the guest says
            self.ctl("type", "Neu", word + "\\n")
            self.ctl("type", "Büro", word + "\\n")
        self.assertIn("Neu needs attention | The installation", self.hears("notify"))
        time.sleep(6)
        self.assertTrue(self.said.empty(), "it is told once, and of no machine that installs nothing")
        self.ctl("type", "Neu", "work\\n")
        self.hears("withdrawn")
        self.ctl("type", "Neu", "rest\\n")
        self.hears("notify Neu")
        self.tell("click")
        self.desktop.window("^Neu$")

    def test_a_disk_that_is_nearly_full_is_told_when_a_machine_starts(self):
        self.desktop.env["LD_PRELOAD"] = FULL_DISK
        self.start_services()
        self.start_service()
        del self.desktop.env["LD_PRELOAD"]
        wait_for("the machine", lambda: "Büro" in self.search("GetResultMetas", "['%s']" % self.bundle()))
        self.assertTrue(self.said.empty(), "nothing runs that could write")
        self.ctl("start", "--headless", "Büro")
        self.assertIn("Disk space is running out | 104.9\u00a0MB is left where “Büro”", self.hears("notify"))

    def test_a_shutdown_waits_until_guests_are_off(self):
        self.start_services()
        self.app = self.desktop.spawn([VITRINE])
        self.desktop.app_window()
        self.ctl("start", "--headless", "Büro")
        self.assertIn("shutdown:sleep delay", self.hears("inhibit"))
        self.tell("shutdown 1")
        wait_for("the guest to turn off", lambda: self.state() == "off")
        self.hears("released")
        self.assertEqual(self.info()["stop-reason"], "guest")

    def test_a_deaf_guest_does_not_keep_the_computer_on(self):
        self.start_services()
        self.ctl("start", "--headless", "Büro")
        self.ctl("type", "Büro", "deaf\\n")
        self.desktop.env.update(GTK_A11Y="atspi")
        self.app = self.desktop.spawn([VITRINE])
        self.desktop.app_window()
        self.hears("inhibit")
        self.tell("shutdown 1")
        begin = time.monotonic()
        time.sleep(1)
        self.assertTrue(self.said.empty(), "it was not waited for")
        self.accessible("has", "label", "This Computer Is Shutting Down")
        self.hears("released")
        self.assertLess(time.monotonic() - begin, 6, "logind had to stop waiting")
        self.assertEqual(self.state(), "running")

    def test_machines_pause_for_sleep_and_go_on_afterwards(self):
        self.start_services()
        self.ctl("start", "--headless", "Büro")
        self.app = self.desktop.spawn([VITRINE])
        self.hears("inhibit")
        self.tell("sleep 1")
        self.hears("released")
        self.assertEqual(self.state(), "paused")
        self.tell("sleep 0")
        wait_for("it to go on", lambda: self.state() == "running")
        self.hears("inhibit")

    def test_nothing_is_asked_of_logind_while_no_machine_runs(self):
        self.start_services()
        self.app = self.desktop.spawn([VITRINE])
        self.desktop.app_window()
        time.sleep(3)
        self.assertTrue(self.said.empty(), "no machine runs")

    def close_window_with(self, **environment):
        self.desktop.env.update(environment)
        self.app = self.desktop.spawn([VITRINE])
        window = self.desktop.app_window()
        time.sleep(2.5)  # until the machine is connected
        self.desktop.xdo("windowfocus", window[0], "key", "ctrl+w")

    def test_closing_the_window_turns_machines_off_where_that_is_preferred(self):
        folder = self.desktop.folder + "/config/glib-2.0/settings"
        os.makedirs(folder)
        with open(folder + "/keyfile", "w") as file:
            file.write("[org/vitrine/Vitrine]\non-close='power-off'\n")
        del self.desktop.env["GSETTINGS_BACKEND"]
        self.ctl("start", "--headless", "Büro")
        self.close_window_with(GIO_MODULE_DIR=self.desktop.folder)
        wait_for("the machine to be off", lambda: self.state() == "off")

    def test_in_a_sandbox_leave_is_asked_to_run_without_a_window(self):
        self.start_services()
        self.ctl("start", "--headless", "Büro")
        self.close_window_with(GTK_USE_PORTAL="1")
        self.hears("background Virtual machines are running")
        self.assertEqual(self.state(), "running")

    def test_the_app_speaks_the_users_language(self):
        self.desktop.env.update(GTK_A11Y="atspi", LANGUAGE="de")
        self.app = self.desktop.spawn([VITRINE])
        self.desktop.app_window()
        self.accessible("has", "push button", "Neue Maschine")
        self.assertIn("Es gibt keine Maschine", subprocess.run(
            [Programs.vitrinectl, "info", "x"], env=self.desktop.env, capture_output=True, text=True).stderr)

    # The settings

    def accessible(self, *steps):
        done = subprocess.run([SYSTEM_PYTHON, HERE + "/accessible.py", *steps], env=self.desktop.env,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def open_settings(self):
        self.desktop.env.update(GTK_A11Y="atspi")
        self.app = self.desktop.spawn([VITRINE, self.bundle()])
        self.desktop.app_window()
        self.accessible("press", "push button", "Machine menu", "press", "menu item", "Settings")
        self.desktop.window("Büro")

    def definition(self, key):
        return self.info()["definition"].get(key)

    def assert_becomes(self, key, value):
        wait_for("%s to become %s, from %s" % (key, value, self.definition(key)),
                 lambda: self.definition(key) == value, 8)

    def test_each_settings_page_writes_to_the_definition(self):
        self.open_settings()
        self.accessible("value", "spin button", "Memory", "128")
        self.assert_becomes("memory", "128M")
        self.accessible("value", "spin button", "Processors", "1")
        self.assert_becomes("cpus", "1")
        self.step("System")
        self.accessible("choose", "page tab", "Display", "press", "check box", "Thumbnail")
        self.assert_becomes("thumbnail", "false")
        self.step("Display")
        self.accessible("choose", "page tab", "Drives", "press", "check box", "Start menu")
        self.assert_becomes("boot-menu", "true")
        self.accessible("press", "push button", "Remove drive")
        wait_for("the disc drive to go", lambda: self.definition("drive-0.type") is None)
        self.step("Drives")
        self.accessible("choose", "page tab", "Advanced", "press", "check box", "Repeatable clock")
        self.assert_becomes("clock", "deterministic")
        self.step("Advanced")
        self.assert_no_complaints()

    def test_settings_follow_what_others_write_and_say_what_waits(self):
        self.ctl("start", "--headless", "Büro")
        self.open_settings()
        self.accessible("has", "label", "Applies at the next start")
        self.ctl("set", "Büro", "drive-3.type=cdrom")
        self.ctl("set", "Büro", "thumbnail=false")
        time.sleep(1)
        self.accessible("choose", "page tab", "Display", "press", "check box", "Thumbnail")  # it was off by then
        self.assert_becomes("thumbnail", "true")

    def test_preferences_are_kept(self):
        self.desktop.env.update(GTK_A11Y="atspi")
        del self.desktop.env["GSETTINGS_BACKEND"]
        self.desktop.env["GIO_MODULE_DIR"] = self.desktop.folder  # no dconf here: GLib keeps a file
        self.app = self.desktop.spawn([VITRINE])
        window = self.desktop.app_window()
        self.desktop.xdo("windowfocus", window[0], "key", "ctrl+comma")
        self.accessible("press", "check box", "Live thumbnails", "choose", "page tab", "Keyboard", "press", "push button",
                        "Remove Ctrl+Alt+Down")
        path = self.desktop.folder + "/config/glib-2.0/settings/keyfile"

        def kept():
            with open(path) as file:
                text = file.read()
            return "live-thumbnails=false" in text and "Down" not in text.split("reserved-chords=")[-1].split("\n")[0]
        wait_for("the settings file", lambda: os.path.exists(path) and kept(), 8)

    def test_every_control_has_a_name(self):
        self.open_settings()
        self.assertEqual(self.accessible("nameless"), "")


if __name__ == "__main__":
    VITRINE, Programs.vitrinectl, ENGINE, FULL_DISK = sys.argv[1:5]
    del sys.argv[1:5]
    for tool in ("Xvfb", "xdotool", "openbox", "dbus-daemon", "gdbus"):
        if not shutil.which(tool):
            skip(tool + " is not installed")
    if subprocess.run([SYSTEM_PYTHON, "-c", "import gi; gi.require_version('Atspi', '2.0')"],
                      capture_output=True).returncode:
        skip("python3-gi and gir1.2-atspi-2.0 are not installed")
    unittest.main(verbosity=2)

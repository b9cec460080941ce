# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""What tests share that find the app's controls in the accessibility tree, by role and name, and use them by their
own actions and by real keys. The system's python has the bindings."""
import contextlib
import json
import os
import subprocess
import sys
import time
import unittest
import warnings

from desktop import SKIP, Desktop, Programs, skip, wait_for

try:
    import gi
    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi, GLib
except (ImportError, ValueError) as missing:
    print("skipped:", missing)
    sys.exit(SKIP)

warnings.filterwarnings("ignore", "Atspi.*deprecated")
# Of GTK 4.8; later versions have other names for some.
BUTTON, ENTRY, MENU_ITEM, LABEL, SPIN, GRID, LIST = ("push button", "text", "menu item", "label", "spin button",
                                                     "table", "list")
CONTROLS = {BUTTON, ENTRY, "check box", SPIN, "combo box", LIST, GRID, MENU_ITEM}
ALIKE = {"entry": ENTRY, "toggle button": BUTTON}


def walk(node):
    """All that is there below @node, but what is hidden (GTK 4.8 does not tell which page of a stack is in front).
    What goes away meanwhile is not there."""
    try:
        n = node.get_child_count()
    except GLib.Error:
        return
    for i in range(n):
        try:
            child = node.get_child_at_index(i)
            if not child or not child.get_state_set().contains(Atspi.StateType.VISIBLE):
                continue
        except GLib.Error:
            continue
        yield child
        yield from walk(child)


def plain(name):
    """“Rename” of “_Rename Rename”: GTK 4.8 names a button by its label, mnemonic and all, and by what is in it."""
    half = name.replace("_", "")
    middle = len(half) // 2
    return half[:middle] if half[:middle] == half[middle + 1:] else half


def says(node):
    try:
        role = node.get_role_name()
        return ALIKE.get(role, role), plain(node.get_name())
    except GLib.Error:
        return "", ""


class TreeTest(unittest.TestCase):
    desktop = None  # of tree_desktop(), for all tests

    def setUp(self):
        self.app = None
        self.root = self.desktop.env["XDG_DATA_HOME"] + "/vitrine/machines"
        self.addCleanup(self.end_app)

    def end_app(self):
        for machine in self.machines():
            if machine["state"] in ("running", "paused"):
                self.ctl("stop", "--force", machine["bundle"])
        if self.app:
            self.desktop.end(self.app)
        subprocess.run(["rm", "-rf", self.root, self.desktop.env["XDG_CONFIG_HOME"], self.desktop.env["XDG_CACHE_HOME"],
                        self.desktop.env["XDG_DATA_HOME"] + "/Trash"], check=True)
        log = "".join(line for line in self.desktop.log_of("vitrine").splitlines(True)
                      if "gdk_monitor_get_geometry" not in line and "Atspi" not in line)
        self.assertFalse("CRITICAL" in log, log)

    def ctl(self, *args):
        result = subprocess.run([Programs.vitrinectl, *args], env=self.desktop.env, capture_output=True, text=True,
                                timeout=30)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def machines(self):
        return json.loads(self.ctl("list", "--json"))

    def names(self):
        return sorted(m["name"] for m in self.machines())

    def create(self, *names):
        for name in names:
            self.ctl("create", "--name", name, "--disk", "none")

    def start_app(self, *args):
        self.app = self.desktop.spawn([Programs.vitrine, *args])
        self.desktop.app_window(*args)

    def tree(self):
        top = Atspi.get_desktop(0)
        for i in range(top.get_child_count()):
            app = top.get_child_at_index(i)
            if app and says(app)[1] == "vitrine" and app.get_process_id() == self.app.pid:
                yield from walk(app)

    def find_now(self, role, name):
        for node in self.tree():
            if says(node) == (role, name):
                return node
        return None

    def find(self, role, name, seconds=60):
        try:
            return wait_for("the %s “%s”" % (role, name), lambda: self.find_now(role, name), seconds)
        except AssertionError:
            print("There are:", sorted({"%s “%s”" % says(node) for node in self.tree() if says(node)[1]}))
            raise

    def find_machine(self, label):
        """A machine's tile or row, by what it is called and what it does."""
        def find():
            for node in self.tree():
                role, name = says(node)
                if name == label and role in ("table cell", "list item"):
                    return node
            return None
        return wait_for("the machine “%s”" % label, find, 15)

    def shown_machines(self):
        states = (", Off", ", Running", ", Paused", ", Damaged", ", Missing")
        return sorted(name for role, name in map(says, self.tree()) if name.endswith(states))

    def click(self, role, name):
        self.find(role, name)
        node = wait_for("“%s” to be of use" % name, lambda: self.usable(role, name), 15)
        time.sleep(0.3)
        self.assertTrue(Atspi.Action.do_action(node, 0), "“%s” does nothing" % name)

    def usable(self, role, name):
        """A menu button is there twice: of its parts, one does something."""
        for node in self.tree():
            if (says(node) == (role, name) and node.get_state_set().contains(Atspi.StateType.SENSITIVE) and
                    node.get_action_iface() and Atspi.Action.get_n_actions(node) > 0):
                return node
        return None

    def choose(self, name, letter):
        """From the menu that is open. GTK 4.8 knows an action of menu items and does nothing for it: by the letter."""
        self.find(MENU_ITEM, name)
        time.sleep(0.3)
        self.key(letter)

    def type_into(self, name, text, *then):
        """Over what stands in an entry that has the keyboard."""
        self.find(ENTRY, name)
        time.sleep(0.5)
        self.key("ctrl+a")
        self.desktop.xdo("type", "--delay", "40", text)
        time.sleep(0.3)
        self.key(*then)

    def key(self, *chords):
        for chord in chords:
            self.desktop.xdo("key", chord)
            time.sleep(0.25)

    def clone_first(self, name, *then):
        """By the menu key: @name in the question, and the keys that answer it."""
        self.select_first()
        self.key("shift+F10")
        self.choose("Clone…", "c")
        self.find(BUTTON, "Clone")
        self.type_into("Name", name, *then)

    def select_first(self):
        wait_for("the machines", self.shown_machines)
        time.sleep(0.3)
        self.key("Home")


@contextlib.contextmanager
def tree_desktop():
    """A desktop with an accessibility bus, on which the app remembers its settings, for all TreeTests."""
    desktop = Desktop()
    desktop.env["GTK_A11Y"] = "atspi"
    desktop.env["GSETTINGS_BACKEND"] = "keyfile"  # forgotten with its folder
    os.environ.update({k: desktop.env[k] for k in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME")})
    os.environ.pop("AT_SPI_BUS_ADDRESS", None)
    desktop.env.pop("AT_SPI_BUS_ADDRESS", None)
    TreeTest.desktop = desktop
    try:
        if Atspi.init() not in (0, 1):
            skip("there is no accessibility bus")
        yield desktop
    finally:
        desktop.close()

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The app as a screen reader sees it: accessible.py STEP…, run by the system's python, which has the bindings.
  press ROLE NAME      does its action (the last of that name: windows come one after the other)
  choose ROLE NAME     does the action of all of that name: a tab is there for wide and for narrow windows
  value ROLE NAME N    sets a number
  text ROLE NAME TEXT  sets a text
  has ROLE NAME        it is there
  nameless             lists controls that have no name: a screen reader could not say what they are"""
import sys
import time
import warnings

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib

warnings.simplefilter("ignore")
CONTROLS = ("push button", "check box", "toggle button", "entry", "text", "spin button", "combo box", "slider",
            "page tab", "menu item", "radio button")


def walk(node):
    yield node
    for i in range(node.get_child_count()):
        child = node.get_child_at_index(i)
        if child:
            yield from walk(child)


def everything():
    desktop = Atspi.get_desktop(0)
    for i in range(desktop.get_child_count()):
        app = desktop.get_child_at_index(i)
        if app and app.get_name() == "vitrine":
            yield from walk(app)


def find(role, name):
    """Polled: what was asked for before may not be done yet."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            found = [n for n in everything() if n.get_role_name() == role and name in (n.get_name() or "")]
            if found:
                return found
        except GLib.GError:
            pass  # a widget went while we looked
        time.sleep(0.2)
    sys.exit("no %s named “%s”" % (role, name))


def press(role, name):
    for node in reversed(find(role, name)):
        action = node.get_action_iface()
        if action and action.get_n_actions():
            action.do_action(0)
            time.sleep(0.5)
            return
    sys.exit("nothing can be done with the %s “%s”" % (role, name))


def choose(role, name):
    for node in find(role, name):
        action = node.get_action_iface()
        if action and action.get_n_actions():
            action.do_action(0)
    time.sleep(0.8)


def set_value(role, name, number):
    node = find(role, name)[-1]
    node.get_value_iface().set_current_value(float(number))


def set_text(role, name, text):
    for node in reversed(find(role, name)):
        editable = node.get_editable_text_iface()
        if editable:
            editable.set_text_contents(text)
            return
    sys.exit("no text can be set in the %s “%s”" % (role, name))


def nameless():
    for node in everything():
        if node.get_role_name() in CONTROLS and not (node.get_name() or "").strip():
            parents, parent = [], node.get_parent()
            while parent and len(parents) < 4:
                parents.append("%s “%s”" % (parent.get_role_name(), parent.get_name()))
                parent = parent.get_parent()
            print("%s in %s" % (node.get_role_name(), " in ".join(parents)))


words = sys.argv[1:]
while words:
    verb = words.pop(0)
    if verb == "nameless":
        nameless()
        continue
    role, name = words.pop(0), words.pop(0)
    if verb == "press":
        press(role, name)
    elif verb == "choose":
        choose(role, name)
    elif verb == "has":
        find(role, name)
    elif verb == "value":
        set_value(role, name, words.pop(0))
    elif verb == "text":
        set_text(role, name, words.pop(0))
    else:
        sys.exit("what is “%s”?" % verb)

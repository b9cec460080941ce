# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The part of logind and of a notification daemon that an app sees, on the buses of the environment. Says
on stdout what it was asked ("inhibit WHAT MODE", "released", "notify SUMMARY | BODY"), and takes
"shutdown 1", "shutdown 0", "sleep 1", "sleep 0" on stdin as what this computer is about to do, and "click" on
the notification."""
import os
import sys

from gi.repository import Gio, GLib

LOGIN = """<node><interface name="org.freedesktop.login1.Manager">
  <method name="Inhibit"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
    <arg type="s" direction="in"/><arg type="h" direction="out"/></method>
  <property name="InhibitDelayMaxUSec" type="t" access="read"/>
  <signal name="PrepareForShutdown"><arg type="b"/></signal>
  <signal name="PrepareForSleep"><arg type="b"/></signal>
</interface></node>"""
NOTIFICATIONS = """<node><interface name="org.freedesktop.Notifications">
  <method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
    <arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>
  <method name="CloseNotification"><arg type="u" direction="in"/></method>
  <signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
  <method name="GetCapabilities"><arg type="as" direction="out"/></method>
  <method name="GetServerInformation"><arg type="s" direction="out"/><arg type="s" direction="out"/>
    <arg type="s" direction="out"/><arg type="s" direction="out"/></method>
</interface></node>"""

BACKGROUND = """<node><interface name="org.freedesktop.portal.Background">
  <method name="RequestBackground"><arg type="s" direction="in"/><arg type="a{sv}" direction="in"/>
    <arg type="o" direction="out"/></method>
</interface></node>"""


def say(*words):
    print(*words, flush=True)


def on_released(channel, condition):
    say("released")
    return False


def on_login(connection, sender, path, interface, method, arguments, invocation):
    what, who, why, mode = arguments.unpack()
    read, write = os.pipe()
    fds = Gio.UnixFDList()
    handle = fds.append(write)
    os.close(write)
    GLib.io_add_watch(GLib.IOChannel.unix_new(read), GLib.IO_HUP, on_released)
    invocation.return_value_with_unix_fd_list(GLib.Variant("(h)", (handle,)), fds)
    say("inhibit", what, mode)


def on_notification(connection, sender, path, interface, method, arguments, invocation):
    if method == "Notify":
        app, replaces, icon, summary, body = arguments.unpack()[:5]
        say("notify", summary, "|", body)
        invocation.return_value(GLib.Variant("(u)", (7,)))
    elif method == "GetCapabilities":
        invocation.return_value(GLib.Variant("(as)", (["actions", "body"],)))
    elif method == "GetServerInformation":
        invocation.return_value(GLib.Variant("(ssss)", ("fake", "fake", "1", "1.2")))
    else:
        say("withdrawn")
        invocation.return_value(None)


def on_background(connection, sender, path, interface, method, arguments, invocation):
    say("background", arguments.unpack()[1]["reason"])
    invocation.return_value(GLib.Variant("(o)", ("/org/freedesktop/portal/desktop/request/1",)))


def own(bus, name, path, xml, call, get=None):
    interface = Gio.DBusNodeInfo.new_for_xml(xml).interfaces[0]
    bus.register_object(path, interface, call, get, None)
    Gio.bus_own_name_on_connection(bus, name, Gio.BusNameOwnerFlags.NONE, lambda *_: say("owns", name), None)


def on_command(channel, condition, system):
    line = sys.stdin.readline().split()
    if not line:
        loop.quit()
        return False
    if line[0] == "click":
        session.emit_signal(None, "/org/freedesktop/Notifications", "org.freedesktop.Notifications", "ActionInvoked",
                            GLib.Variant("(us)", (7, "default")))
        return True
    signal = {"shutdown": "PrepareForShutdown", "sleep": "PrepareForSleep"}[line[0]]
    system.emit_signal(None, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", signal,
                       GLib.Variant("(b)", (line[1] == "1",)))
    return True


system = Gio.bus_get_sync(Gio.BusType.SYSTEM)
session = Gio.bus_get_sync(Gio.BusType.SESSION)
own(system, "org.freedesktop.login1", "/org/freedesktop/login1", LOGIN, on_login,
    lambda *_: GLib.Variant("t", 6000000))
own(session, "org.freedesktop.Notifications", "/org/freedesktop/Notifications", NOTIFICATIONS, on_notification)
own(session, "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", BACKGROUND, on_background)
GLib.io_add_watch(GLib.IOChannel.unix_new(0), GLib.IO_IN | GLib.IO_HUP, on_command, system)
loop = GLib.MainLoop()
loop.run()

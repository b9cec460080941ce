# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""vitrinectl as scripts use it: arguments, output, exit codes. The engine's guest is a fake that
echoes what is typed (tests/engine/fake-machine.c)."""
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata
import unittest

VITRINECTL = sys.argv.pop(1)
DONE, FAILED, USAGE, NO_MACHINE, WRONG_STATE = range(5)


def make_iso(path, boots=True, sectors=40):
    image = bytearray(sectors * 2048)
    image[16 * 2048:16 * 2048 + 7] = b"\x01CD001\x01"
    image[16 * 2048 + 40:16 * 2048 + 72] = b"TEST".ljust(32)
    struct.pack_into("<I", image, 16 * 2048 + 80, sectors)
    struct.pack_into("<H", image, 16 * 2048 + 128, 2048)
    at = 17
    if boots:
        image[17 * 2048:17 * 2048 + 30] = b"\x00CD001\x01EL TORITO SPECIFICATION"
        struct.pack_into("<I", image, 17 * 2048 + 71, 20)
        image[20 * 2048] = 1
        image[20 * 2048 + 30:20 * 2048 + 33] = b"\x55\xaa\x88"
        at = 18
    image[at * 2048:at * 2048 + 7] = b"\xffCD001\x01"
    with open(path, "wb") as file:
        file.write(image)


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vctl-")
        os.mkdir(self.folder + "/run", 0o700)
        self.env = dict(os.environ, XDG_DATA_HOME=self.folder + "/data",
                        XDG_RUNTIME_DIR=self.folder + "/run", HOME=self.folder, LC_ALL="C.UTF-8")
        self.env.pop("DISPLAY", None)
        self.env.pop("WAYLAND_DISPLAY", None)
        self.iso = self.folder + "/some-os_1.0.iso"
        make_iso(self.iso)

    def tearDown(self):
        for machine in json.loads(self.run_verb("list", "--json").stdout):
            if machine["state"] not in ("off", "crashed"):
                self.run_verb("stop", "--force", machine["bundle"])
        shutil.rmtree(self.folder)

    def run_verb(self, *args, input=""):
        return subprocess.run([VITRINECTL, *args], env=self.env, input=input, text=True,
                              capture_output=True, timeout=20)

    def check(self, code, *args, **kw):
        result = self.run_verb(*args, **kw)
        self.assertEqual(result.returncode, code, (args, result.stdout, result.stderr))
        if code != DONE:
            self.assertEqual(result.stdout, "")
            self.assertTrue(result.stderr.startswith("vitrinectl: "), result.stderr)
        return result

    def start(self, name="Box"):
        self.check(DONE, "create", "--name", name, "--disk", "none", "--start")
        return name

    def state(self, name="Box"):
        return json.loads(self.check(DONE, "info", name, "--json").stdout)["state"]

    # Usage

    def test_usage_errors_exit_2_and_show_the_usage(self):
        for args in (["start"], ["frobnicate"], ["info", "a", "b"], ["list", "--nonsense"],
                     ["create", "--memory", "lots"], ["create", "--cpus", "99"],
                     ["create", "--firmware", "rom"], ["create", "--cpu", "fast"],
                     ["create", "--disk", "x"], ["wait", "x"], ["media", "x"],
                     ["click", "x", "1"], ["click", "x", "1", "y"], ["sendkey", "x"]):
            self.check(USAGE, *args)
        self.assertEqual(self.run_verb().returncode, USAGE)

    def test_help_and_version_are_on_stdout(self):
        for args in (["--help"], ["help"], ["create", "--help"], ["--version"]):
            result = self.check(DONE, *args)
            self.assertIn("vitrinectl", result.stdout)
            self.assertEqual(result.stderr, "")

    def test_no_such_machine_is_3_for_every_verb(self):
        for args in (["info"], ["set", "k=v"], ["delete"], ["start"], ["stop"], ["pause"],
                     ["resume"], ["reset"], ["wait", "--for", "off"], ["media", "eject"],
                     ["screenshot", "x.png"], ["text"], ["type", "x"], ["sendkey", "a"],
                     ["click", "1", "1"], ["console"], ["log"], ["stats"],
                     ["clone"], ["rename", "x"]):
            self.check(NO_MACHINE, args[0], "nobody", *args[1:])

    def test_a_machine_that_is_off_is_4_for_verbs_that_need_it_on(self):
        self.check(DONE, "create", "--name", "Box", "--disk", "none")
        for args in (["stop"], ["pause"], ["resume"], ["reset"], ["wait", "--for", "text:x"],
                     ["screenshot", "x.png"], ["text"], ["type", "x"], ["sendkey", "a"],
                     ["click", "1", "1"], ["console"], ["stats"]):
            self.check(WRONG_STATE, args[0], "Box", *args[1:])

    # Create

    def test_create_prints_the_name_and_takes_it_from_the_iso(self):
        self.assertEqual(self.check(DONE, "create", self.iso).stdout, "some os 1.0\n")
        self.assertEqual(self.check(DONE, "create", self.iso).stdout, "some os 1.0 2\n")
        info = json.loads(self.check(DONE, "info", "some os 1.0 2", "--json").stdout)
        self.assertEqual(info["definition"]["drive-1.path"], self.iso)
        self.assertTrue(os.path.exists(info["bundle"] + "/disk-0.qcow2"))

    def test_create_follows_its_options(self):
        self.check(DONE, "create", "--name", "B", "--memory", "192M", "--cpus", "3", "--disk", "7G",
                   "--cpu", "software")
        info = json.loads(self.check(DONE, "info", "B", "--json").stdout)
        self.assertEqual(info["definition"]["memory"], "192M")
        self.assertEqual(info["definition"]["cpus"], "3")
        self.assertEqual(info["definition"]["cpu"], "software")
        with open(info["bundle"] + "/disk-0.qcow2", "rb") as disk:
            header = disk.read(32)
        self.assertEqual(struct.unpack(">Q", header[24:32])[0], 7 << 30)

    def test_bad_media_are_named_and_leave_nothing(self):
        empty, short, appimage = (self.folder + "/" + n for n in ("e.iso", "s.iso", "a.AppImage"))
        open(empty, "w").close()
        with open(self.iso, "rb") as iso, open(short, "wb") as out:
            out.write(iso.read()[:-3000])
        with open(self.iso, "rb") as iso, open(appimage, "wb") as out:
            out.write(b"\x7fELF\x02\x01\x01\x00AI\x02" + iso.read()[11:])
        for path, words in ((empty, "is empty"), (short, "is incomplete"),
                            (appimage, "is an AppImage"), (self.folder, "is a folder"),
                            (self.folder + "/nothing.iso", "There is no file")):
            result = self.check(FAILED, "create", path)
            self.assertIn(words, result.stderr)
            self.assertIn(path, result.stderr)
        self.assertEqual(self.check(DONE, "list", "--json").stdout, "[]\n")

    def test_an_iso_that_does_not_boot_is_warned_of(self):
        make_iso(self.iso, boots=False)
        self.assertIn("does not boot", self.check(DONE, "create", self.iso).stderr)

    def test_memory_beyond_the_hosts_is_refused(self):
        self.assertIn("more than this computer has",
                      self.check(FAILED, "create", "--memory", "512G").stderr)

    # Definition

    def test_set_is_all_or_nothing(self):
        self.check(DONE, "create", "--name", "Box", "--disk", "none")
        for wrong in ("memory=2X", "cpus=99", "foo=1", "name="):
            self.check(USAGE, "set", "Box", "cpus=4", wrong)
        for wrong, words in (("memory=900G", "more than this computer"), ("clock=deterministic", "cpus=1")):
            self.assertIn(words, self.check(FAILED, "set", "Box", "cpus=4", wrong).stderr)
        self.check(USAGE, "set", "Box", "cpus")
        definition = json.loads(self.check(DONE, "info", "Box", "--json").stdout)["definition"]
        self.assertNotEqual(definition["cpus"], "4")
        self.check(DONE, "set", "Box", "cpus=4", "boot=disk,cdrom")
        definition = json.loads(self.check(DONE, "info", "Box", "--json").stdout)["definition"]
        self.assertEqual((definition["cpus"], definition["boot"]), ("4", "disk,cdrom"))

    def test_set_name_is_a_rename(self):
        for name in ("Box", "Other"):
            self.check(DONE, "create", "--name", name, "--disk", "none")
        self.assertIn("already", self.check(FAILED, "set", "Box", "cpus=4", "name=Other").stderr)
        self.check(DONE, "set", "Box", "cpus=4", "name=Third")
        info = json.loads(self.check(DONE, "info", "Third", "--json").stdout)
        self.assertTrue(info["bundle"].endswith("/Third.vitrine"), info["bundle"])
        self.assertEqual(info["definition"]["cpus"], "4")
        self.check(DONE, "start", "Third")
        self.check(FAILED, "set", "Third", "name=Other")
        self.assertEqual(self.check(DONE, "set", "Third", "name=Fourth").stderr, "")
        # Its folder is still the third's, but the name is taken.
        self.check(FAILED, "rename", "Other", "Fourth")
        self.check(FAILED, "create", "--name", "Fourth", "--disk", "none")

    def test_what_no_start_would_take_is_not_created(self):
        self.check(USAGE, "create", "--name", "")
        self.assertRegex(self.check(FAILED, "create", "--disk", "99999T").stderr, r"\d\sPiB cannot")
        self.assertEqual(self.check(DONE, "list", "--json").stdout, "[]\n")

    def test_the_list_is_sorted_by_name(self):
        for name in ("Box 10", "Box 2", "apple"):
            self.check(DONE, "create", "--name", name, "--disk", "none")
        self.assertEqual(self.check(DONE, "list", "--names").stdout, "Box 2\nBox 10\napple\n")

    def test_text_from_before_a_reset_is_not_waited_for(self):
        self.start()
        self.check(DONE, "type", "Box", r"graphics\n")
        self.check(DONE, "type", "Box", r"past\n")
        self.check(DONE, "wait", "Box", "--for", "text:past", "--timeout", "5")
        self.check(DONE, "reset", "Box")
        self.check(FAILED, "wait", "Box", "--for", "text:past", "--timeout", "0.3")
        self.assertIn("reset", self.check(DONE, "log", "Box").stdout)

    def test_a_damaged_definition_names_file_group_and_key(self):
        self.check(DONE, "create", "--name", "Box", "--disk", "none")
        conf = self.folder + "/data/vitrine/machines/Box.vitrine/machine.conf"
        with open(conf, "a") as file:
            file.write("cpus=many\n[machine]\ncpus=many\n")
        result = self.check(FAILED, "start", "Box.vitrine")
        for word in (conf, "[machine] cpus", "“many”", "a number from 1 to 16"):
            self.assertIn(word, result.stderr)
        self.assertIn("damaged", self.check(DONE, "list").stdout)

    def test_delete_moves_to_the_trash(self):
        self.check(DONE, "create", "--name", "Box", "--disk", "none")
        result = self.run_verb("delete", "Box")
        if result.returncode != DONE:  # no Trash on this file system
            self.assertIn("--force", result.stderr)
            self.check(DONE, "delete", "Box", "--force")
        self.check(NO_MACHINE, "info", "Box")

    # Life

    def test_life_from_start_to_off(self):
        self.start()
        self.assertEqual(self.state(), "running")
        self.check(WRONG_STATE, "start", "Box")
        self.check(WRONG_STATE, "delete", "Box", "--force")
        self.check(DONE, "pause", "Box")
        self.assertEqual(self.state(), "paused")
        self.check(WRONG_STATE, "type", "Box", "x")
        self.check(DONE, "resume", "Box")
        self.check(DONE, "reset", "Box")
        self.check(DONE, "stop", "Box")
        self.check(DONE, "wait", "Box", "--for", "off", "--timeout", "5")
        self.assertIn("is off", self.check(DONE, "log", "Box").stdout)

    def test_start_paused_does_not_run(self):
        self.check(DONE, "create", "--name", "Box", "--disk", "none")
        self.check(DONE, "start", "--paused", "--headless", "Box")
        self.assertEqual(self.state(), "paused")

    def test_a_guest_that_turns_off_ends_its_engine(self):
        self.start()
        self.check(DONE, "type", "Box", r"off\n")
        self.check(DONE, "wait", "Box", "--for", "off", "--timeout", "5")
        left = [name for name in os.listdir(self.folder + "/run/vitrine") if "cpu-probe" not in name]
        self.assertEqual(left, [])

    def test_a_crash_is_told(self):
        self.start()
        self.run_verb("type", "Box", r"crash\n")
        self.check(DONE, "wait", "Box", "--for", "crashed", "--timeout", "5")
        self.assertIn("engine.log", self.check(DONE, "info", "Box").stdout)
        self.check(DONE, "start", "Box")

    def test_wait_times_out_with_1(self):
        self.start()
        result = self.check(FAILED, "wait", "Box", "--for", "off", "--timeout", "0.2")
        self.assertIn("running after 0.2", result.stderr)
        result = self.check(FAILED, "wait", "Box", "--for", "text:never", "--timeout", "0.2")
        self.assertIn("never", result.stderr)
        self.assertIn("Timed out after 0.2 seconds: ", result.stderr)
        self.check(USAGE, "wait", "Box", "--for", "text:(", "--timeout", "1")
        self.check(USAGE, "wait", "Box", "--for", "happy")

    def test_a_wait_ends_when_the_machine_does(self):
        self.start()
        wait = subprocess.Popen([VITRINECTL, "wait", "Box", "--for", "text:never"], env=self.env,
                                stderr=subprocess.PIPE, text=True)
        time.sleep(0.2)
        self.check(DONE, "stop", "--force", "Box")
        self.assertIn("off", wait.communicate(timeout=5)[1])
        self.assertEqual(wait.returncode, WRONG_STATE)

    # Screen and keyboard

    def test_what_is_typed_is_waited_for_and_read(self):
        self.start()
        self.assertEqual(self.check(DONE, "wait", "Box", "--for", "text:fake +guest").stdout,
                         "fake guest\n")
        self.check(DONE, "type", "Box", r"Hi, you \\ there!\n")
        self.check(DONE, "wait", "Box", "--for", r"text:^Hi, you \\ there!$", "--timeout", "5")
        self.assertIn("Hi, you \\ there!\n", self.check(DONE, "text", "Box").stdout)
        self.assertEqual(json.loads(self.check(DONE, "text", "Box", "--json").stdout)["rows"], 25)
        self.assertIn("“é”", self.check(FAILED, "type", "Box", "é").stderr)

    def test_keys_and_clicks_arrive(self):
        self.start()
        self.check(DONE, "sendkey", "Box", "x", "shift+y", "ctrl+alt+delete")
        self.check(DONE, "wait", "Box", "--for", "text:xY", "--timeout", "5")
        self.assertIn("“bogus”", self.check(USAGE, "sendkey", "Box", "bogus").stderr)
        self.check(DONE, "click", "Box", "20", "20", "--button", "right")
        self.check(DONE, "wait", "Box", "--for", "text:click", "--timeout", "5")
        self.assertIn("“”", self.check(USAGE, "sendkey", "Box", "").stderr)
        for place in (["-5", "20"], ["20", "-5"], ["--", "-5", "20"], ["-5", "-5", "--button", "left"]):
            self.assertIn("not a place", self.check(USAGE, "click", "Box", *place).stderr)
        self.assertIn("720×400", self.check(FAILED, "click", "Box", "9999", "0").stderr)

    def test_graphics_have_no_text_but_a_picture(self):
        self.start()
        self.check(DONE, "type", "Box", r"graphics\n")
        self.assertIn("graphics mode", self.check(FAILED, "text", "Box").stderr)
        png = self.folder + "/s.png"
        self.assertIn("PNG", self.check(USAGE, "screenshot", "Box", self.folder + "/s.jpg").stderr)
        self.check(DONE, "screenshot", "Box", png)
        with open(png, "rb") as file:
            data = file.read()
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", data[16:24]), (720, 400))
        for bad in ("/gone/s.png", "", self.folder):
            where = self.folder + bad if bad.startswith("/gone") else bad
            wrong = self.check(FAILED, "screenshot", "Box", where).stderr
            self.assertIn(f"“{where}” cannot be written: ", wrong)
        self.assertEqual([f for f in os.listdir(self.folder) if "XXX" in f or ".png." in f], [])
        piped = subprocess.run([VITRINECTL, "screenshot", "Box", "-"], env=self.env,
                               capture_output=True).stdout
        self.assertEqual(piped[:8], data[:8])

    def test_media_on_and_off(self):
        def disc():
            info = json.loads(self.check(DONE, "info", "Box", "--json").stdout)
            return info["definition"]["drive-0.path"]
        self.start()
        self.check(DONE, "media", "Box", "insert", self.iso)
        self.assertEqual(disc(), self.iso)
        self.check(FAILED, "media", "Box", "insert", self.folder + "/missing.iso")
        self.check(FAILED, "media", "Box", "eject", "--drive", "3")
        self.check(DONE, "media", "Box", "eject")
        self.assertEqual(disc(), "")
        self.check(DONE, "stop", "--force", "Box")
        self.check(DONE, "media", "Box", "insert", self.iso)
        self.assertEqual(disc(), self.iso)
        self.check(USAGE, "media", "Box", "swap")
        self.check(USAGE, "media", "Box", "insert")

    def test_files_and_folders_become_a_disc_that_goes_with_the_eject(self):
        self.check(DONE, "create", "--name", "Box", "--disk", "none")
        bundle = json.loads(self.check(DONE, "info", "Box", "--json").stdout)["bundle"]
        disc = bundle + "/files-0.iso"
        os.mkdir(self.folder + "/things")
        note = self.folder + "/things/note.txt"
        with open(note, "w") as file:
            file.write("A note of mine")
        for state in ("off", "running"):
            if state == "running":
                self.check(DONE, "start", "Box")
            self.check(DONE, "media", "Box", "insert", self.folder + "/things")
            with open(disc, "rb") as file:
                self.assertIn(b"A note of mine", file.read())
            info = json.loads(self.check(DONE, "info", "Box", "--json").stdout)
            # Not where it is today: the bundle may move.
            self.assertEqual(info["definition"]["drive-0.path"], "files-0.iso")
            self.check(DONE, "media", "Box", "eject")
            self.assertFalse(os.path.exists(disc))
        self.check(DONE, "media", "Box", "insert", note, self.iso)
        self.check(DONE, "media", "Box", "insert", "--files", note)
        # One file is taken for an ISO only where it is one, or is called so.
        self.check(DONE, "media", "Box", "insert", note)
        shutil.copy(note, self.folder + "/note.iso")
        self.check(FAILED, "media", "Box", "insert", self.folder + "/note.iso")
        self.assertTrue(os.path.exists(disc))
        # A second, empty drive spares the disc in the first.
        self.check(DONE, "media", "Box", "insert", self.iso)
        self.check(DONE, "stop", "--force", "Box")
        self.check(DONE, "set", "Box", "drive-2.type=cdrom")
        for _ in range(2):
            self.check(DONE, "media", "Box", "insert", self.folder + "/things")
            definition = json.loads(self.check(DONE, "info", "Box", "--json").stdout)["definition"]
            self.assertEqual((definition["drive-0.path"], definition["drive-2.path"]), (self.iso, "files-2.iso"))
        # What was inserted last is what is ejected first.
        for drives in ((self.iso, ""), ("", "")):
            self.check(DONE, "media", "Box", "eject")
            definition = json.loads(self.check(DONE, "info", "Box", "--json").stdout)["definition"]
            self.assertEqual((definition["drive-0.path"], definition["drive-2.path"]), drives)
        wrong = self.check(FAILED, "media", "Box", "insert", note, self.folder + "/gone")
        self.assertIn("/gone", wrong.stderr)

    def test_stats_are_json(self):
        self.start()
        stats = json.loads(self.check(DONE, "stats", "Box", "--json").stdout)
        self.assertGreater(stats["uptime-seconds"], 0)
        self.assertEqual(stats["instructions"], 2000)
        words = self.check(DONE, "stats", "Box").stdout
        self.assertRegex(words, r"(?m)^seconds since the start +\d+\.\d$")
        self.assertRegex(words, r"(?m)^memory in use +\S+\s[KMG]iB$")
        self.assertRegex(words, r"(?m)^drive 0 +\S+\sKiB read \(2 times\)")
        keys = json.loads(self.check(DONE, "info", "Box", "--keys", "--json").stdout)
        self.assertIn("memory", keys)
        self.assertIn("“--”", self.check(USAGE, "info", "-lead").stderr)

    def test_stats_tell_whether_the_screen_changed(self):
        self.start()
        self.check(DONE, "wait", "Box", "--for", "running")
        screen = lambda: json.loads(self.check(DONE, "stats", "Box", "--json").stdout)["screen"]
        before = screen()
        self.assertEqual(screen(), before)
        self.check(DONE, "type", "Box", "hello")
        self.check(DONE, "wait", "Box", "--for", "text:hello", "--timeout", "15")
        self.assertNotEqual(screen(), before)

    def test_words_are_in_the_users_language_and_json_in_none(self):
        self.start()
        english = {verb: self.check(DONE, *verb, "--json").stdout for verb in (("info", "Box"), ("list",))}
        for language, state, frames in (("de", "Zustand", "gezeigte Bilder"), ("zh_CN", "状态", "已显示帧数")):
            self.env["LANGUAGE"] = language
            lines = self.check(DONE, "info", "Box").stdout.splitlines()
            self.assertRegex(lines[0], "^%s +\\S+$" % state)
            # Values stand under each other, however wide the labels' letters are.
            wide = [sum(2 if unicodedata.east_asian_width(c) == "W" else 1 for c in line[:line.rindex(" ") + 1])
                    for line in lines if line.count("  ") and line.split()[0] in (state, "name", "uuid", "cpus")]
            self.assertEqual(wide, [19] * 4)
            self.assertRegex(self.check(DONE, "stats", "Box").stdout, "(?m)^%s +" % frames)
            self.assertNotIn("running", self.check(DONE, "list").stdout)
            for verb, json_text in english.items():
                self.assertEqual(self.check(DONE, *verb, "--json").stdout, json_text)
        self.start("Kiste") # its engine speaks the language it was started in
        self.check(DONE, "pause", "Kiste")
        self.assertNotIn("cannot", self.check(WRONG_STATE, "type", "Kiste", "x").stderr)

    # Clone, rename

    def test_clone_prints_the_new_name_and_leaves_the_old_machine(self):
        self.check(DONE, "create", "--name", "Box", "--disk", "1M")
        self.assertEqual(self.check(DONE, "clone", "Box").stdout, "Box copy\n")
        self.assertEqual(self.check(DONE, "clone", "Box").stdout, "Box copy 2\n")
        self.assertEqual(self.check(DONE, "clone", "Box", "--name", "Other").stdout, "Other\n")
        infos = [json.loads(self.check(DONE, "info", n, "--json").stdout) for n in ("Box copy 2", "Other")]
        self.assertNotEqual(infos[0]["definition"]["uuid"], infos[1]["definition"]["uuid"])
        self.assertTrue(os.path.exists(infos[1]["bundle"] + "/disk-0.qcow2"))
        self.assertIn("already", self.check(FAILED, "clone", "Box", "--name", "Other").stderr)

    def test_a_running_machine_is_not_cloned(self):
        self.start()
        self.check(WRONG_STATE, "clone", "Box")
        self.assertEqual(len(json.loads(self.check(DONE, "list", "--json").stdout)), 1)

    def test_rename_changes_name_and_folder(self):
        self.check(DONE, "create", "--name", "Box", "--disk", "none")
        self.check(DONE, "rename", "Box", "Büro")
        info = json.loads(self.check(DONE, "info", "Büro", "--json").stdout)
        self.assertTrue(info["bundle"].endswith("/Büro.vitrine"), info["bundle"])
        self.check(NO_MACHINE, "info", "Box")
        self.check(DONE, "create", "--name", "Other", "--disk", "none")
        self.check(FAILED, "rename", "Other", "Büro")
        self.check(USAGE, "rename", "Other", "")
        self.check(USAGE, "rename", "Other")

    # Console

    def test_console_of_a_script(self):
        self.start()
        result = self.check(DONE, "console", "Box", input="hello serial\n")
        self.assertIn("ready", result.stdout)
        self.assertIn("hello serial", result.stdout)

    def test_console_on_a_terminal_leaves_by_its_key(self):
        self.start()
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(VITRINECTL, [VITRINECTL, "console", "Box"], self.env)
        got = b""
        while b"ready" not in got:
            got += os.read(fd, 1000)
        os.write(fd, b"abc\x03\x1d")
        time.sleep(0.1)
        for _ in range(50):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            try:
                got += os.read(fd, 1000)
            except OSError:
                pass
            time.sleep(0.05)
        else:
            os.kill(pid, signal.SIGKILL)
            self.fail("console did not leave")
        self.assertEqual(os.waitstatus_to_exitcode(status), DONE)
        self.assertIn("abc\x03", self.check(DONE, "text", "Box").stdout)
        self.assertEqual(self.state(), "running")

    def test_doctor_speaks_without_machines(self):
        names = [f["name"] for f in json.loads(self.check(DONE, "doctor", "--json").stdout)]
        for name in ("engine", "firmware", "cpu", "memory"):
            self.assertIn(name, names)


if __name__ == "__main__":
    unittest.main()

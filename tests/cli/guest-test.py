# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The main job from a shell, on the real engine: a machine from an ISO that boots, speaks, listens,
is photographed, writes its disk, and ends. The guest is tests/cli/echo-guest.S on a disc."""
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

VITRINECTL, GUEST, RUN, BUILD = sys.argv[1:5]
del sys.argv[1:5]


def make_iso(path, program):
    """El Torito, no emulation: the BIOS loads 2 KiB from sector 21 to 7C00h and jumps there."""
    image = bytearray(40 * 2048)
    image[16 * 2048:16 * 2048 + 7] = b"\x01CD001\x01"
    image[16 * 2048 + 40:16 * 2048 + 72] = b"ECHO".ljust(32)
    struct.pack_into("<I", image, 16 * 2048 + 80, 40)
    struct.pack_into("<H", image, 16 * 2048 + 128, 2048)
    image[17 * 2048:17 * 2048 + 30] = b"\x00CD001\x01EL TORITO SPECIFICATION"
    struct.pack_into("<I", image, 17 * 2048 + 71, 20)
    image[18 * 2048:18 * 2048 + 7] = b"\xffCD001\x01"
    entry = bytearray(32)
    entry[0], entry[30], entry[31] = 1, 0x55, 0xAA
    total = sum(struct.unpack("<16H", entry)) & 0xFFFF
    struct.pack_into("<H", entry, 28, -total & 0xFFFF)
    image[20 * 2048:20 * 2048 + 32] = entry
    struct.pack_into("<BBHBBHI", image, 20 * 2048 + 32, 0x88, 0, 0, 0, 0, 4, 21)
    image[21 * 2048:21 * 2048 + len(program)] = program
    with open(path, "wb") as file:
        file.write(image)


class Guest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vguest-")
        os.mkdir(self.folder + "/run", 0o700)
        self.env = dict(os.environ, XDG_DATA_HOME=self.folder + "/data",
                        XDG_RUNTIME_DIR=self.folder + "/run", HOME=self.folder, LC_ALL="C.UTF-8")
        self.env.pop("DISPLAY", None)
        self.env.pop("WAYLAND_DISPLAY", None)
        self.iso = self.folder + "/echo.iso"
        with open(GUEST, "rb") as guest:
            make_iso(self.iso, guest.read())

    def tearDown(self):
        for machine in json.loads(self.ctl("list", "--json")):
            if machine["state"] not in ("off", "crashed"):
                self.ctl("stop", "--force", machine["bundle"])
        shutil.rmtree(self.folder)

    def ctl(self, *args, code=0, input=""):
        result = subprocess.run([VITRINECTL, *args], env=self.env, input=input, text=True,
                                capture_output=True, timeout=60)
        if result.returncode != code:
            log = self.folder + "/data/vitrine/machines/echo.vitrine/engine.log"
            text = open(log).read() if os.path.exists(log) else "(no log)"
            self.fail(f"{args}: {result.returncode}\n{result.stdout}{result.stderr}\n{text}")
        return result.stdout

    def boot(self, *args):
        self.ctl("create", self.iso, "--memory", "32M", "--cpus", "1", "--disk", "16M", "--start",
                 *args)
        self.wait("ECHO GUEST READY")

    def wait(self, text):
        self.ctl("wait", "echo", "--for", "text:" + text, "--timeout", "30")

    def bundle(self):
        return json.loads(self.ctl("info", "echo", "--json"))["bundle"]

    def test_an_iso_boots_listens_and_turns_off(self):
        self.boot()
        self.ctl("type", "echo", "Hello, World!\\n")
        self.wait("^Hello, World!$")
        self.assertIn("Hello, World!", self.ctl("text", "echo"))
        self.assertIn("serial too", self.ctl("console", "echo", input="serial too\r"))
        png = self.folder + "/s.png"
        self.ctl("screenshot", "echo", png)
        with open(png, "rb") as file:
            self.assertEqual(struct.unpack(">II", file.read(24)[16:24]), (720, 400))
        self.ctl("type", "echo", "#")
        self.ctl("wait", "echo", "--for", "off", "--timeout", "10")

    def test_the_power_button_reaches_the_guest(self):
        self.boot()
        self.ctl("stop", "echo")
        self.ctl("wait", "echo", "--for", "off", "--timeout", "10")

    def test_a_paused_guest_stands_still_and_goes_on(self):
        self.boot()
        self.ctl("pause", "echo")
        before = json.loads(self.ctl("stats", "echo", "--json"))
        time.sleep(0.3)
        after = json.loads(self.ctl("stats", "echo", "--json"))
        self.assertEqual(before["instructions"], after["instructions"])
        self.assertEqual(before["uptime-seconds"], after["uptime-seconds"])
        self.ctl("resume", "echo")
        self.ctl("type", "echo", "awake")
        self.wait("awake")

    def test_reset_from_inside_and_outside_boots_again(self):
        self.boot()
        for how in (("type", "echo", "x%"), ("reset", "echo")):
            self.ctl("type", "echo", "before")
            self.wait("before")
            self.ctl(*how)
            for _ in range(100):
                text = self.ctl("text", "echo")
                if "READY" in text and "before" not in text:
                    break
                time.sleep(0.1)
            else:
                self.fail("no second boot: " + text)
            self.ctl("type", "echo", "again")
            self.wait("again")

    def test_graphics_are_photographed(self):
        self.boot()
        self.ctl("type", "echo", "=")
        for _ in range(100):
            png = self.folder + "/g.png"
            self.ctl("screenshot", "echo", png)
            with open(png, "rb") as file:
                size = struct.unpack(">II", file.read(24)[16:24])
            if size != (720, 400):
                break
            time.sleep(0.05)
        self.assertIn(size, ((320, 200), (640, 400)))
        self.ctl("text", "echo", code=1)

    def test_what_the_guest_writes_is_on_the_disk_after_off(self):
        self.boot()
        self.ctl("type", "echo", "*")
        self.wait("WRITTEN")
        self.ctl("stop", "echo", "--force")
        disk = self.bundle() + "/disk-0.qcow2"
        if shutil.which("qemu-io"):
            out = subprocess.run(["qemu-io", "-f", "qcow2", "-c", "read -P 0x5a 0 512", disk],
                                 capture_output=True, text=True).stdout
            self.assertNotIn("failed", out)
            self.assertIn("read 512/512", out)
        with open(disk, "rb") as file:
            self.assertIn(b"\x5a" * 512, file.read())

    def test_a_disposable_run_leaves_the_disk_as_it_was(self):
        self.boot()
        self.ctl("stop", "echo", "--force")
        files = sorted(os.listdir(self.bundle()))
        self.ctl("start", "echo", "--disposable")
        self.wait("ECHO GUEST READY")
        self.ctl("type", "echo", "*")
        self.wait("WRITTEN")
        self.ctl("stop", "echo", "--force")
        with open(self.bundle() + "/disk-0.qcow2", "rb") as file:
            self.assertNotIn(b"\x5a" * 512, file.read())
        self.assertEqual(sorted(os.listdir(self.bundle())), files)

    def test_a_disc_taken_out_is_gone_at_the_next_boot(self):
        self.boot()
        self.ctl("media", "echo", "eject")
        self.ctl("reset", "echo")
        self.wait("(?i)no bootable device")
        self.ctl("media", "echo", "insert", self.iso)
        self.ctl("reset", "echo")
        for _ in range(100):
            if "READY" in self.ctl("text", "echo"):
                return
            time.sleep(0.1)
        self.fail(self.ctl("text", "echo"))

    def test_drives_may_leave_gaps_and_are_counted(self):
        self.ctl("create", self.iso, "--memory", "32M", "--disk", "none")
        self.ctl("set", "echo", "drive-4.type=cdrom", "drive-4.path=" + self.iso,
                 "drive-0.type=none")
        self.ctl("start", "echo")
        self.wait("READY")
        drives = json.loads(self.ctl("stats", "echo", "--json"))["drives"]
        self.assertEqual([d["drive"] for d in drives], [4])
        self.assertGreater(drives[0]["read-bytes"], 2048)

    def test_run_boots_a_disc_named_from_where_one_stands(self):
        env = dict(self.env, VITRINE_BUILD_DIR=BUILD)
        gone = subprocess.run([RUN, "gone.iso"], cwd=self.folder, env=env, text=True, capture_output=True, timeout=120)
        self.assertNotEqual(gone.returncode, 0)
        self.assertIn(self.folder + "/gone.iso", gone.stderr)
        self.assertEqual(json.loads(self.ctl("list", "--json")), [])
        # What is typed at once waits for the guest in its serial port.
        run = subprocess.Popen([RUN, "echo.iso"], cwd=self.folder, env=env, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
        try:
            line = run.stdout.readline()
            self.assertIn("“echo” runs. This is its serial console", line)
            self.wait("ECHO GUEST READY")
            run.stdin.write("from the terminal\r")
            run.stdin.close()
            self.assertIn("from the terminal", run.stdout.read())
            self.assertEqual(run.wait(timeout=20), 0)
        finally:
            run.kill()
            run.stdout.close()
        self.assertEqual(json.loads(self.ctl("info", "echo", "--json"))["state"], "running")

    def test_a_limit_on_file_sizes_pauses_the_machine_until_it_is_lifted(self):
        self.boot()
        with open(self.bundle() + "/running") as file:
            pid = int(file.read().split("pid=")[1].split()[0])
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
        self.ctl("type", "echo", "*")
        self.ctl("wait", "echo", "--for", "paused-problem", "--timeout", "20")
        info = json.loads(self.ctl("info", "echo", "--json"))
        self.assertIn("disk-0.qcow2", info["problem"])
        self.assertIn("could not be written", info["problem"])
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        self.ctl("resume", "echo")
        self.wait("WRITTEN")
        self.ctl("stop", "echo", "--force")
        with open(self.bundle() + "/disk-0.qcow2", "rb") as file:
            self.assertIn(b"\x5a" * 512, file.read())

    def test_a_machine_goes_to_the_trash_whole_and_only_when_off(self):
        self.boot()
        self.ctl("delete", "echo", code=4)
        self.ctl("type", "echo", "*")
        self.wait("WRITTEN")
        self.ctl("stop", "echo", "--force")
        self.ctl("delete", "echo")
        self.assertEqual(json.loads(self.ctl("list", "--json")), [])
        trashed = self.folder + "/data/Trash/files/echo.vitrine"
        with open(trashed + "/disk-0.qcow2", "rb") as disk:
            self.assertIn(b"\x5a" * 512, disk.read())
        self.assertIn("machine.conf", os.listdir(trashed))

    def test_two_machines_live_apart(self):
        self.boot()
        self.ctl("create", self.iso, "--name", "other", "--memory", "32M", "--disk", "none",
                 "--start")
        with open(self.bundle() + "/running") as file:
            pid = int(file.read().split("pid=")[1].split()[0])
        self.ctl("wait", "other", "--for", "text:READY", "--timeout", "30")
        os.kill(pid, signal.SIGKILL)
        self.ctl("wait", "echo", "--for", "crashed", "--timeout", "5")
        self.ctl("type", "other", "still here")
        self.ctl("wait", "other", "--for", "text:still here", "--timeout", "10")

    def test_a_disk_in_use_is_refused_by_name(self):
        self.boot()
        disk = self.bundle() + "/disk-0.qcow2"
        self.ctl("create", "--name", "thief", "--disk", "none", "--memory", "32M")
        self.ctl("set", "thief", "drive-1.type=disk", "drive-1.path=" + disk)
        for language, words in (("", "in use by vitrine-engine"), ("de", "benutzt, und zwar von vitrine-engine"),
                                ("zh_CN", "使用")):
            result = subprocess.run([VITRINECTL, "start", "thief"], env=dict(self.env, LANGUAGE=language),
                                    text=True, capture_output=True, timeout=20)
            self.assertEqual(result.returncode, 1)
            self.assertIn(disk, result.stderr)
            self.assertIn(words, result.stderr)
        self.assertEqual(json.loads(self.ctl("info", "echo", "--json"))["state"], "running")

    def test_an_idle_guest_costs_little(self):
        self.boot()
        time.sleep(0.5)
        before = json.loads(self.ctl("stats", "echo", "--json"))
        time.sleep(3)
        after = json.loads(self.ctl("stats", "echo", "--json"))
        used = after["cpu-seconds"] - before["cpu-seconds"]
        self.assertLess(used / (after["uptime-seconds"] - before["uptime-seconds"]), 0.03)


if __name__ == "__main__":
    unittest.main()

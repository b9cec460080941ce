# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""Real systems, made by make-media.sh, booted and used through vitrinectl as a person would.

media-test.py VITRINECTL FOLDER TEST…: FOLDER keeps the media; each TEST is a method below."""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

VITRINECTL, MEDIA = sys.argv[1:3]
del sys.argv[1:3]
MAKE_MEDIA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "make-media.sh")


def read_png(path):
    """(width, height, rows of bytes) of an 8-bit RGB or RGBA picture; filters are left in: enough to tell pictures apart."""
    with open(path, "rb") as file:
        data = file.read()
    width, height = struct.unpack(">II", data[16:24])
    packed, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    return width, height, zlib.decompress(packed)


class Media(unittest.TestCase):
    name = "guest"

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vmedia-")
        os.mkdir(self.folder + "/run", 0o700)
        self.env = dict(os.environ, XDG_DATA_HOME=self.folder + "/data",
                        XDG_RUNTIME_DIR=self.folder + "/run", HOME=self.folder, LC_ALL="C.UTF-8")
        self.env.pop("DISPLAY", None)
        self.env.pop("WAYLAND_DISPLAY", None)

    def tearDown(self):
        for machine in json.loads(self.ctl("list", "--json")):
            if machine["state"] not in ("off", "crashed"):
                self.ctl("stop", "--force", machine["bundle"])
        shutil.rmtree(self.folder)

    def ctl(self, *args, code=0, timeout=60):
        result = subprocess.run([VITRINECTL, *args], env=self.env, text=True, capture_output=True,
                                timeout=timeout)
        if result.returncode != code:
            self.fail(f"{args}: {result.returncode}\n{result.stdout}{result.stderr}{self.state()}")
        return result.stdout

    def state(self):
        """What the guest shows and the engine says, for a failure's report."""
        report = ""
        for verb in ("text", "log"):
            result = subprocess.run([VITRINECTL, verb, self.name], env=self.env, text=True,
                                    capture_output=True, timeout=60)
            report += f"--- {verb}\n{result.stdout[-3000:]}{result.stderr}"
        return report

    def make(self, target, file):
        subprocess.run([MAKE_MEDIA, target, MEDIA], check=True, timeout=1500)
        return os.path.join(MEDIA, file)

    def boot(self, medium, *args, memory="256M", cpus=1):
        self.ctl("create", medium, "--name", self.name, "--memory", memory, "--cpus", str(cpus),
                 "--start", *args)

    def wait(self, text, timeout=120):
        self.ctl("wait", self.name, "--for", "text:" + text, "--timeout", str(timeout),
                 timeout=timeout + 30)

    def wait_off(self, timeout=120):
        self.ctl("wait", self.name, "--for", "off", "--timeout", str(timeout), timeout=timeout + 30)

    def type(self, text):
        self.ctl("type", self.name, text)

    def key(self, *keys):
        self.ctl("sendkey", self.name, *keys)

    def picture(self):
        path = self.folder + "/screen.png"
        self.ctl("screenshot", self.name, path)
        return read_png(path)

    def wait_picture(self, is_right, what, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if is_right(self.picture()):
                return
            time.sleep(0.5)
        self.fail(what + "\n" + self.state())

    # --- the demo ------------------------------------------------------------------------------

    def run_demo(self, cpus):
        self.boot(self.make("demo", "demo.iso"), "--disk", "none", cpus=cpus)
        self.wait(r"demo:.*#")
        self.type("echo cpus=$(grep -c ^processor /proc/cpuinfo) $((6*7))\\n")
        self.wait(f"cpus={cpus} 42")
        self.ctl("stop", self.name)  # the power button
        self.wait_off()

    def demo_1_cpu(self):
        self.run_demo(1)

    def demo_2_cpus(self):
        self.run_demo(2)

    def demo_4_cpus(self):
        self.run_demo(4)

    def pae(self):
        self.boot(self.make("pae", "pae.iso"), "--disk", "none")
        self.wait(r"demo:.*#", 240)
        self.type("uname -m; grep -o pae /proc/cpuinfo\\n")
        self.wait("^i686")
        self.type("poweroff\\n")
        self.wait_off()

    # --- boot loaders --------------------------------------------------------------------------

    def grub_rescue(self):
        self.boot(self.make("grub-rescue", "grub-rescue.iso"), "--disk", "none", memory="64M")
        self.wait("grub>")
        self.type("expr=21; echo answer-$expr$expr; ls (cd)/boot/grub/i386-pc/ls.mod\\n")
        self.wait("answer-2121")
        self.wait("^ls.mod|ls\\.mod *$")

    def ipxe(self):
        self.boot(self.make("ipxe", "ipxe.iso"), "--disk", "none", memory="64M")
        self.wait("iPXE initialising devices")
        for _ in range(120):
            if "iPXE>" in self.ctl("text", self.name):
                break
            self.key("ctrl+b")
            time.sleep(0.5)
        self.wait("iPXE>", 5)
        self.type("echo one two\\n")
        self.wait("^one two")

    # --- memory tests --------------------------------------------------------------------------

    def run_memtest(self, build):
        self.boot(self.make("memtest-" + build, f"memtest-{build}.iso"), "--disk", "none",
                  memory="64M")
        self.wait("Memtest86\\+", 120)
        self.wait("Pass: +[1-9]", 3000)
        self.assertRegex(self.ctl("text", self.name), r"Errors: +0\b")

    def memtest_x64(self):
        self.run_memtest("x64")

    def memtest_ia32(self):
        self.run_memtest("ia32")

    # --- Debian --------------------------------------------------------------------------------

    def installer_text(self):
        self.boot(self.make("installer-text", "installer-text.iso"), memory="1G")
        self.wait("Rescue mode")
        self.key("down")
        self.key("up")
        self.key("ret")
        self.wait("(?i)(choose|select a) language", 900)
        time.sleep(1)
        before = self.picture()
        self.key("down")
        self.wait_picture(lambda now: now != before, "the arrow key moved nothing", 60)

    def installer_gtk(self):
        self.boot(self.make("installer-gtk", "installer-gtk.iso"), memory="1G")
        self.wait("Graphical install")
        self.key("ret")
        # The language list is light, with a logo above: the kernel's console before it is black.
        self.wait_picture(lambda p: p[:2] == (800, 600) and len(set(p[2])) > 40,
                          "no graphical installer", 1200)
        time.sleep(10)
        before = self.picture()
        self.key("down")
        self.wait_picture(lambda now: now != before, "the arrow key moved nothing", 120)

    def debian(self):
        disk = self.folder + "/debian.qcow2"
        shutil.copyfile(self.make("debian", "debian.qcow2"), disk)
        self.boot(disk, memory="512M")
        self.wait("tty1\\s+vitrine login:|login:", 600)
        self.wait("vitrine login:", 60)
        self.type("root\\n")
        self.wait("Password:", 60)
        self.type("vitrine\\n")
        self.wait("root@vitrine:~#", 120)
        self.type("systemctl is-system-running; cat /sys/class/block/sda/device/model; id -u\\n")
        self.wait("VITRINE HARDDISK", 60)
        self.type("dd if=/dev/urandom of=/root/file bs=64k count=64 && sync && sha256sum /root/file && echo wrote=$?\\n")
        self.wait("wrote=0", 120)
        self.ctl("stop", self.name)  # the power button
        self.wait_off(240)
        self.check_disk(disk)

    def check_disk(self, disk):
        if not shutil.which("qemu-img"):
            return
        subprocess.run(["qemu-img", "check", "-q", disk], check=True)
        raw = self.folder + "/debian.raw"
        subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
        result = subprocess.run(["/sbin/e2fsck", "-fn", raw + "?offset=1048576"], text=True,
                                capture_output=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    suite = unittest.TestSuite(Media(name) for name in sys.argv[1:])
    sys.exit(not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful())

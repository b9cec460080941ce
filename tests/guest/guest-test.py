# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""Operating systems on the whole machine, driven as a person at vitrinectl drives them.

    guest-test.py VITRINECTL GUEST     boots one row of the table at the end, and does what its function says
    guest-test.py VITRINECTL list      names them

A failure prints the guest's text screen, its serial port and the engine's log. With VITRINE_SHOTS=FOLDER
the photographs that a test takes are left there, to be looked at."""
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT_PASSWORD = "vitrine"
PATIENCE = 180  # seconds for one step: tests share their processors with others


class Failure(Exception):
    pass


class Missing(Exception):
    """This computer lacks something that the test needs."""


def mount_room(path, size):
    """A file system of @size bytes at @path, which only this process and its children see."""
    NEW_NAMESPACE, NEW_USER = 0x20000, 0x10000000
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None).unshare(NEW_NAMESPACE | (NEW_USER if uid else 0)):
        raise Missing("no mount namespace of our own")
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
    os.makedirs(path)
    for command in (["mount", "--make-rprivate", "/"],
                    ["mount", "-t", "tmpfs", "-o", f"size={size}", "room", path]):
        if subprocess.run(command).returncode:
            raise Missing("cannot mount a small file system")


class Picture:
    """A PNG as vitrinectl writes it: eight bits a channel, red green blue and perhaps alpha."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.width, self.height, depth, kind = struct.unpack(">IIBB", data[16:26])
        if depth != 8 or kind not in (2, 6):
            raise Failure(f"{path}: an unexpected kind of PNG ({depth} bits, type {kind})")
        packed, at = b"", 8
        while at < len(data):
            length, name = struct.unpack(">I4s", data[at:at + 8])
            if name == b"IDAT":
                packed += data[at + 8:at + 8 + length]
            at += 12 + length
        self.step = 3 if kind == 2 else 4
        self.rows = self._unfilter(zlib.decompress(packed), self.step, self.width * self.step)

    @staticmethod
    def _unfilter(data, step, length):
        rows, above = [], bytes(length)
        for start in range(0, len(data), length + 1):
            kind, row = data[start], bytearray(data[start + 1:start + 1 + length])
            for i in range(length if kind else 0):
                left = row[i - step] if i >= step else 0
                corner = above[i - step] if i >= step else 0
                up = above[i]
                if kind == 4:
                    nearest = left + up - corner
                    a, b, c = abs(nearest - left), abs(nearest - up), abs(nearest - corner)
                    guess = left if a <= b and a <= c else up if b <= c else corner
                else:
                    guess = (0, left, up, (left + up) // 2)[kind]
                row[i] = (row[i] + guess) & 255
            above = bytes(row)
            rows.append(above)
        return rows

    def colours(self, top=0):
        """How many there are below line @top."""
        return len({row[i:i + 3] for row in set(self.rows[top:]) for i in range(0, len(row), self.step)})

    def lines_unlike(self, other, width, height=16):
        """The text lines in whose first @width pixels two pictures of one size differ."""
        if (self.width, self.height) != (other.width, other.height):
            raise Failure("the screen has changed its size")
        return sorted({y // height for y in range(self.height)
                       if self.rows[y][:width * self.step] != other.rows[y][:width * self.step]})


class Guest:
    """A machine of its own, in folders of its own."""

    def __init__(self, name, medium, memory="256M", cpus=1, disk="none", room=0):
        self.name, self.n_shots = name, 0
        self.folder = tempfile.mkdtemp(prefix="vguest-")
        os.mkdir(self.folder + "/run", 0o700)
        self.env = dict(os.environ, XDG_DATA_HOME=self.folder + "/data",
                        XDG_RUNTIME_DIR=self.folder + "/run", LC_ALL="C.UTF-8")
        self.medium = self._make_medium(medium)
        if room:
            mount_room(self.folder + "/data", room)
        self.ctl("create", self.medium, "--name", name, "--memory", memory, "--cpus", str(cpus),
                 "--cpu", "software", *([] if medium.endswith(".qcow2") else ["--disk", disk]),
                 *(["--firmware", "uefi"] if medium.startswith("uefi-disk") else []))

    @property
    def bundle(self):
        return f"{self.folder}/data/vitrine/machines/{self.name}.vitrine"

    def _make_medium(self, medium):
        target = medium.split(".")[0]
        result = subprocess.run([HERE + "/make-media.sh", target, self.folder], text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if result.returncode:
            raise Failure(f"{medium} cannot be made:\n{result.stdout}")
        return f"{self.folder}/{medium}"

    def try_ctl(self, *args, timeout=PATIENCE):
        return subprocess.run([VITRINECTL, *args], env=self.env, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=timeout)

    def ctl(self, *args, timeout=PATIENCE):
        result = self.try_ctl(*args, timeout=timeout)
        if result.returncode:
            raise Failure(f"vitrinectl {' '.join(args)}: {result.stderr or result.returncode}")
        return result.stdout

    def start(self):
        self.ctl("start", self.name, "--headless")

    def wait(self, regex, patience=PATIENCE):
        """Until the text screen or the serial port has shown @regex."""
        self.ctl("wait", self.name, "--for", "text:" + regex, "--timeout", str(patience),
                 timeout=patience + 30)

    def wait_until(self, what, condition, patience=PATIENCE, pause=0.3):
        end = time.monotonic() + patience
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise Failure(f"not within {patience} seconds: {what}")
            time.sleep(pause)

    def screen(self):
        """What the text screen shows now; nothing in a graphics mode."""
        result = self.try_ctl("text", self.name)
        return result.stdout if result.returncode == 0 else ""

    def wait_screen(self, regex, patience=PATIENCE):
        """Until the text screen shows @regex at this moment."""
        return self.wait_until(f"“{regex}” on the screen",
                               lambda: re.search(regex, self.screen(), re.MULTILINE), patience)

    def type(self, text):
        self.ctl("type", self.name, text.replace("\\", "\\\\").replace("\n", "\\n"))

    def keys(self, *names):
        self.ctl("sendkey", self.name, *names)

    def run(self, command, regex):
        """Types a command at a shell; @regex must not match the command itself."""
        self.type(command + "\n")
        self.wait(regex)

    def shell(self, command, regex=None):
        """The same at a shell on the serial port; without @regex nothing is waited for."""
        subprocess.run([VITRINECTL, "console", self.name], env=self.env, input=command + "\n", text=True,
                       stdout=subprocess.DEVNULL, timeout=PATIENCE)
        if regex:
            self.wait(regex)

    def kill_engine(self):
        """As a crash, or the kernel when memory is short."""
        with open(self.bundle + "/running") as file:
            pid = int(re.search(r"pid=(\d+)", file.read())[1])
        os.kill(pid, signal.SIGKILL)
        self.wait_until("the engine to be gone", lambda: self.state() in ("off", "crashed"))

    def picture(self, label):
        path = f"{self.folder}/{label}.png"
        self.ctl("screenshot", self.name, path)
        if os.environ.get("VITRINE_SHOTS"):
            shutil.copy(path, f"{os.environ['VITRINE_SHOTS']}/{self.name}-{label}.png")
        return Picture(path)

    def steady_picture(self, label):
        """A picture of a screen that has come to rest."""
        before = [self.picture(label)]

        def at_rest():
            now = self.picture(label)
            same = now.rows == before[0].rows
            before[0] = now
            return same
        self.wait_until("a screen at rest", at_rest, pause=1)
        return before[0]

    def power_button(self):
        self.ctl("stop", self.name)

    def wait_off(self, patience=PATIENCE):
        self.ctl("wait", self.name, "--for", "off", "--timeout", str(patience), timeout=patience + 30)

    def state(self):
        return json.loads(self.ctl("info", self.name, "--json"))["state"]

    def check_alive(self):
        if self.state() != "running":
            raise Failure(f"the machine is {self.state()}")

    def tell(self):
        for title, args in (("screen", ["text"]), ("engine", ["log"])):
            result = self.try_ctl(*args[:1], self.name)
            print(f"--- {title}\n{(result.stdout + result.stderr).strip()[-6000:]}")
        console = self.try_ctl("console", self.name)
        print(f"--- serial port\n{console.stdout[-3000:]}")

    def close(self):
        self.try_ctl("stop", "--force", self.name)
        if os.path.ismount(self.folder + "/data"):
            subprocess.run(["umount", "--lazy", self.folder + "/data"])
        shutil.rmtree(self.folder, ignore_errors=True)


def linux_shell(guest, machine):
    """Both Linux demos: a prompt on the screen, typed commands, and off by the command."""
    guest.wait_screen(r"^demo:\S*# *$")
    guest.picture("prompt")
    guest.run("echo $((6 * 7)) is it", r"^42 is it$")
    guest.run("uname -m | sed 's/^/machine /'", f"^machine {machine}$")
    guest.run("sha256sum </dev/null", "^e3b0c44298fc1c149afbf4c8996fb924")
    guest.run("seq 3000 | gzip | gunzip | md5sum", "^b11eb4d6c9bcc2bab4d1c0ec0eb2b8a4|^[0-9a-f]{32}  -$")


def demo(guest):
    linux_shell(guest, "x86_64")
    n_cpus = json.loads(guest.ctl("info", guest.name, "--json"))["definition"]["cpus"]
    guest.run("nproc | sed 's/^/processors /'", f"^processors {n_cpus}$")
    # Every processor works at once, each at its own sum.
    guest.run("for i in $(seq " + n_cpus + "); do (seq 20000 | md5sum >/tmp/s$i) & done; wait; "
              "cat /tmp/s* | uniq | wc -l | sed 's/^/sums /'", "^sums 1$")
    if n_cpus == "1":
        guest.type("poweroff\n")
    else:
        guest.power_button()
    guest.wait_off()


def pae(guest):
    linux_shell(guest, "i686")
    guest.run("grep -o -m1 -w pae /proc/cpuinfo | sed 's/^/has /'", "^has pae$")
    files_as_a_disc(guest)
    guest_ejects(guest)
    guest.type("poweroff\n")
    guest.wait_off()
    if os.path.exists(guest.bundle + "/files-0.iso"):
        raise Failure("a disc that is in no drive was left behind")


def files_as_a_disc(guest):
    """Files and folders that are dropped on a machine: the guest mounts a disc and has them all."""
    given = {"Grüße, 世界.txt": b"hello\n", "box/a long name with spaces.dat": os.urandom(3 << 20),
             "box/deep/er/empty": b""}
    for name, content in given.items():
        path = f"{guest.folder}/given/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    guest.ctl("media", guest.name, "insert", *(f"{guest.folder}/given/{top}" for top in ("Grüße, 世界.txt", "box")))
    lines = sorted(f"{hashlib.md5(content).hexdigest()}  ./{name}\n".encode() for name, content in given.items())
    guest.run("mkdir -p /disc && mount -t iso9660 /dev/sr0 /disc && cd /disc && "
              "find . -type f -exec md5sum {} + | sort | md5sum | sed 's/^/all: /'; cd /",
              f"^all: {hashlib.md5(b''.join(lines)).hexdigest()}")
    guest.run("echo x >/disc/new || echo it is read-only | tr a-z A-Z", "^IT IS READ-ONLY$")
    guest.run("umount /disc && echo put away | tr a-z A-Z", "^PUT AWAY$")


def guest_ejects(guest):
    """What a guest puts out stays out, and whoever looks at the machine sees it."""
    def disc():
        drives = json.loads(guest.ctl("info", guest.name, "--json"))["definition"]
        return drives["drive-0.path"]
    if disc() != "files-0.iso":
        raise Failure(f"the disc in the drive is “{disc()}”")
    # The kernel opens the tray at the last close, and closes it at the next open.
    guest.run("echo 1 >/proc/sys/dev/cdrom/autoeject; mount /dev/sr0 /disc; umount /disc; echo out | tr a-z A-Z", "^OUT$")
    guest.wait_until("an empty drive", lambda: disc() == "")
    guest.run("mount /dev/sr0 /disc && echo in again | tr a-z A-Z", "^IN AGAIN$")
    guest.wait_until("the disc again", lambda: disc() == "files-0.iso")
    guest.type("umount /disc\n")
    guest.wait_until("an empty drive", lambda: disc() == "")


def disk_full(guest):
    """The host's disk fills up while the guest writes its own. It waits, and loses nothing."""
    guest.wait_screen(r"^demo:\S*# *$")
    hog = guest.folder + "/data/hog"
    with open(hog, "wb") as file:
        file.write(bytes(DISK_FULL_ROOM - (6 << 20)))
    # 16 MiB, no two of them alike, for a disk that finds 6 MiB of room.
    guest.run("head -c 1048576 /dev/urandom >/tmp/noise; "
              "make() { for i in $(seq 16); do echo $i; cat /tmp/noise; done | head -c 16777216; }; echo ready | tr a-z A-Z", "^READY$")
    guest.type("make | dd of=/dev/sda bs=1M iflag=fullblock conv=fsync; echo written | tr a-z A-Z\n")
    guest.ctl("wait", guest.name, "--for", "paused-problem", "--timeout", "90")
    problem = json.loads(guest.ctl("info", guest.name, "--json"))["problem"]
    if "disk-0.qcow2" not in problem or "no room" not in problem:
        raise Failure(f"the machine says “{problem}”")
    # Resuming alone does not help; and it says so again.
    guest.try_ctl("resume", guest.name)
    guest.ctl("wait", guest.name, "--for", "paused-problem", "--timeout", "30")
    os.remove(hog)
    guest.ctl("resume", guest.name)
    guest.wait_screen("^WRITTEN")
    guest.run("echo 3 >/proc/sys/vm/drop_caches; make | cmp - /dev/sda 2>&1 | sed 's/^/compared: /'", "^compared: cmp: EOF on -")
    if "Buffer I/O error" in guest.ctl("console", guest.name):
        raise Failure("the guest has seen an error")
    guest.type("poweroff\n")
    guest.wait_off()
    check = subprocess.run(["qemu-img", "check", guest.bundle + "/disk-0.qcow2"], text=True, capture_output=True)
    if check.returncode:
        raise Failure(check.stdout + check.stderr)


VARIABLES = "/sys/firmware/efi/efivars"
VENDOR = "5a6b3c1e-0d4f-4c2b-9a11-7c2f5b0e9d31"


def uefi_shell(guest):
    """From power-on to a prompt on the serial port, in a graphics mode as UEFI leaves it."""
    guest.start()
    guest.wait("Welcome to Vitrine")
    guest.shell(f"ls {VARIABLES} | grep -c ^BootOrder- | sed 's/^/orders: /'", "^orders: 1$")


def write_variable(name, text):
    """Non-volatile, for boot services and the system."""
    return f"printf '\\007\\000\\000\\000{text}' >{VARIABLES}/{name}-{VENDOR}"


def check_variables(guest, *names):
    for name in names:
        guest.shell(f"echo {name} is $(tail -c +5 {VARIABLES}/{name}-{VENDOR})", f"^{name} is value-of-{name}\r?$")


def wait_kept(guest, text):
    def look():
        with open(guest.bundle + "/nvram.fd", "rb") as file:
            return text.encode() in file.read()
    guest.wait_until(f"“{text}” in nvram.fd", look, 10)


def uefi(guest):
    """Its variables last: over power-off, a killed engine, one killed in the middle of writes, and a full host disk."""
    guest.wait("Welcome to Vitrine")
    picture = guest.picture("logo")
    if picture.width < 800 or picture.colours() < 50:
        raise Failure(f"a screen of {picture.width} pixels with {picture.colours()} colours: where is the firmware's logo?")
    guest.shell(write_variable("One", "value-of-One") + "; poweroff")
    guest.wait_off()

    uefi_shell(guest)
    check_variables(guest, "One")
    guest.shell(write_variable("Two", "value-of-Two") + "; echo two | tr a-z A-Z", "^TWO$")
    wait_kept(guest, "value-of-Two")
    guest.kill_engine()

    uefi_shell(guest)
    check_variables(guest, "One", "Two")
    guest.shell("for i in $(seq 200); do " + write_variable("Many-$i", "x$i") + "; done & sleep 0.2; echo many | tr a-z A-Z",
                "^MANY$")
    guest.kill_engine()

    uefi_shell(guest)
    check_variables(guest, "One", "Two")
    hog = guest.folder + "/data/hog"
    with open(hog, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    guest.shell(write_variable("Three", "value-of-Three"))
    guest.ctl("wait", guest.name, "--for", "paused-problem", "--timeout", "30")
    problem = json.loads(guest.ctl("info", guest.name, "--json"))["problem"]
    if "nvram.fd" not in problem or "no room" not in problem:
        raise Failure(f"the machine says “{problem}”")
    os.remove(hog)
    guest.ctl("resume", guest.name)
    wait_kept(guest, "value-of-Three")
    check_variables(guest, "One", "Two", "Three")


def uefi_disk(guest):
    """An installed disk, without a boot entry: by its EFI/BOOT/BOOTX64.EFI."""
    guest.wait("Welcome to Vitrine")
    guest.shell("dmesg | grep -c 'EFI v2' | sed 's/^/by UEFI: /'", "^by UEFI: 1$")
    picture = guest.picture("console")
    if picture.width < 800 or picture.colours() < 2:
        raise Failure("there is no console on the firmware's screen")
    guest.power_button()
    guest.wait_off()


def grub_rescue(guest):
    guest.wait_screen(r"^grub> *$")
    guest.picture("prompt")
    guest.type("echo Hello from GRUB\n")
    guest.wait_screen("^Hello from GRUB")
    # The line comes back by an arrow, and is changed at its end.
    guest.keys("up")
    guest.type(", again\n")
    guest.wait_screen("^Hello from GRUB, again")
    guest.type("if cpuid -l; then echo long mode; fi\n")
    guest.wait_screen("^long mode")
    guest.type("halt\n")
    guest.wait_off()


def ipxe(guest):
    guest.wait_screen("Ctrl-B|iPXE>")
    guest.wait_until("iPXE's prompt", lambda: "iPXE>" in guest.screen() or guest.keys("ctrl+b"), pause=1)
    guest.picture("prompt")
    guest.type("set greeting Hello && echo ${greeting} from ${platform}\n")
    guest.wait_screen("^Hello from pcbios")
    guest.check_alive()


def memtest_numbers(guest):
    """Passes done, percent of this pass, errors; None while the screen is being drawn."""
    text = guest.screen()
    percent = re.search(r"Pass +(\d+)%", text)
    passes = re.search(r"Pass: *(\d+)", text)
    errors = re.search(r"Errors: *(\d+)", text)
    if not (percent and passes and errors):
        return None
    return int(passes[1]), int(percent[1]), int(errors[1])


def memtest_until(guest, condition, patience):
    def look():
        numbers = memtest_numbers(guest)
        if numbers and numbers[2]:
            raise Failure(f"memory errors: {numbers[2]}")
        return numbers and condition(numbers[0], numbers[1])
    guest.wait_until("memtest86+ far enough", look, patience, pause=1)


def memtest_start(guest):
    memtest_until(guest, lambda passes, percent: passes or percent >= 5, 240)
    guest.picture("testing")


def memtest_pass(guest):
    memtest_until(guest, lambda passes, percent: passes >= 1, 3000)
    guest.picture("passed")


def installer_text(guest):
    guest.wait_screen(r"\*Install")
    guest.picture("menu")
    guest.keys("down")
    guest.wait_screen(r"\*Rescue mode")
    guest.keys("up")
    guest.wait_screen(r"\*Install")
    guest.keys("ret")
    guest.wait_screen("(?s)Select a language.*English", 600)
    before = guest.steady_picture("language")
    guest.keys("down")

    def moved_lines():
        lines = guest.picture("language-down").lines_unlike(before, 540)  # left of the list's slider
        return len(lines) >= 2 and lines
    lines = guest.wait_until("the bar at another line", moved_lines)
    if lines != [lines[0], lines[0] + 1]:
        raise Failure(f"one arrow key changed lines {lines}")
    guest.keys("up")
    guest.wait_until("the bar back", lambda: guest.picture("language-up").rows == before.rows)


def installer_gtk(guest):
    guest.wait_screen(r"\*Graphical install")
    guest.keys("ret")
    guest.wait_until("a graphics mode", lambda: guest.picture("boot").width >= 800, 300, pause=3)
    guest.wait_until("a picture with many colours", lambda: guest.picture("language").colours() > 200, 1200, pause=5)
    # The banner is there before the list below it.
    guest.wait_until("the list of languages", lambda: guest.picture("language").colours(top=150) > 50, 600, pause=5)
    before = guest.steady_picture("language")
    guest.keys("down")
    guest.wait_until("the picture to change", lambda: guest.picture("language-down").rows != before.rows)


def debian(guest):
    guest.wait_screen(r"\*Debian")
    guest.picture("menu")
    guest.keys("ret")
    guest.wait_screen(r"login: *$", 900)
    guest.picture("login")
    guest.type("root\n")
    guest.wait_screen(r"Password: *$")
    guest.type(ROOT_PASSWORD + "\n")
    guest.wait_screen(r"root@vitrine:~# *$")
    guest.run("echo $((6 * 7)) on $(tty)", "^42 on /dev/tty1$")
    guest.run("grep -o ahci /proc/interrupts | sed 's/^/disk by /'", "^disk by ahci$")
    guest.run("systemctl --failed --no-legend | wc -l | sed 's/^/units failed: /'", "^units failed: 0$")
    guest.run("dd if=/dev/urandom of=noise bs=1M count=8 status=none; sync; cat noise noise | wc -c", "^16777216$")
    guest.picture("commands")
    guest.power_button()
    guest.wait_off(600)
    check_image(guest.medium, guest.folder)


def check_image(image, folder):
    def must(*command):
        result = subprocess.run(command, text=True, capture_output=True)
        if result.returncode:
            raise Failure(f"{' '.join(command)}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout
    must("qemu-img", "check", image)
    raw = folder + "/disk.raw"
    must("qemu-img", "convert", "-O", "raw", image, raw)
    with open(raw, "rb") as disk:
        first_sector, = struct.unpack("<I", disk.read(512)[454:458])
    partition = f"{raw}?offset={first_sector * 512}"
    must("/sbin/e2fsck", "-f", "-n", partition)
    # An orderly end leaves nothing in the journal to be replayed.
    if "needs_recovery" in must("/sbin/dumpe2fs", "-h", partition):
        raise Failure("the file system was not unmounted")


DISK_FULL_ROOM = 32 << 20

GUESTS = {
    # name: (what it does, medium, memory, processors[, disk, room for the machine's folder])
    "demo": (demo, "demo.iso", "256M", 1),
    "demo-2": (demo, "demo.iso", "256M", 2),
    "demo-4": (demo, "demo.iso", "256M", 4),
    "demo-16": (demo, "demo.iso", "512M", 16),
    "pae": (pae, "pae.iso", "256M", 1),
    "disk-full": (disk_full, "pae.iso", "256M", 1, "64M", DISK_FULL_ROOM),
    "uefi": (uefi, "uefi.iso", "256M", 1, "none", 4 << 20),
    "uefi-disk": (uefi_disk, "uefi-disk.qcow2", "256M", 2),
    "grub-rescue": (grub_rescue, "grub-rescue.iso", "64M", 1),
    "ipxe": (ipxe, "ipxe.iso", "64M", 1),
    "memtest": (memtest_start, "memtest-x64.iso", "64M", 1),
    "memtest-x64": (memtest_pass, "memtest-x64.iso", "64M", 1),
    "memtest-ia32": (memtest_pass, "memtest-ia32.iso", "64M", 1),
    "installer-text": (installer_text, "installer-text.iso", "1G", 1),
    "installer-gtk": (installer_gtk, "installer-gtk.iso", "1G", 1),
    "debian": (debian, "debian.qcow2", "512M", 1),
}


def main():
    if NAME == "list":
        print("\n".join(GUESTS))
        return 0
    does, *how = GUESTS[NAME]
    guest = None
    start = time.monotonic()
    try:
        guest = Guest(NAME, *how)
        guest.start()
        does(guest)
    except Missing as missing:
        print(f"{NAME}: {missing}")
        return 77
    except (Failure, subprocess.TimeoutExpired) as failure:
        print(f"{NAME}: after {time.monotonic() - start:.0f} s: {failure}")
        if guest:
            guest.tell()
        return 1
    finally:
        if guest:
            guest.close()
    print(f"{NAME}: {time.monotonic() - start:.0f} s")
    return 0


VITRINECTL, NAME = sys.argv[1:3]
if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""Vitrine on hosts whose KVM is of every kind of no use, made by a preloaded library (kvm-host.c): what the doctor says,
word for word, what a machine runs on, and that none is left half started."""
import configparser
import glob
import itertools
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

VITRINECTL, ENGINE, LIBRARY = sys.argv[1:4]
del sys.argv[1:4]
SPLIT_IRQCHIP = 121
NEEDED = {"USER_MEMORY": 3, "SET_TSS_ADDR": 4, "EXT_CPUID": 7, "MP_STATE": 14, "DESTROY_MEMORY_REGION_WORKS": 21,
          "IRQ_ROUTING": 25, "JOIN_MEMORY_REGIONS_WORKS": 30, "IRQFD": 32, "IOEVENTFD": 36, "SET_IDENTITY_MAP_ADDR": 37,
          "VCPU_EVENTS": 41, "DEBUGREGS": 50, "XSAVE": 55, "XCRS": 56, "SIGNAL_MSI": 77, "READONLY_MEM": 81,
          "SPLIT_IRQCHIP": SPLIT_IRQCHIP, "IMMEDIATE_EXIT": 136}
PROBE_IOCTLS = ("CREATE_VM", "SET_IDENTITY_MAP_ADDR", "SET_TSS_ADDR", "ENABLE_CAP", "SET_USER_MEMORY_REGION", "CREATE_VCPU",
                "GET_VCPU_MMAP_SIZE", "GET_SUPPORTED_CPUID", "SET_CPUID2", "GET_SREGS", "SET_SREGS", "SET_REGS",
                "SET_SIGNAL_MASK", "RUN")
STATE_IOCTLS = tuple("%s_%s" % (way, what) for what in ("SREGS", "REGS", "XSAVE", "XCRS", "DEBUGREGS", "VCPU_EVENTS", "MP_STATE",
                                                         "LAPIC", "MSRS") for way in ("GET", "SET"))
STATE_IOCTLS += "GET_MSR_INDEX_LIST", "SET_GSI_ROUTING", "GET_DIRTY_LOG"
BACKEND_IOCTLS = ("CREATE_VM", "SET_IDENTITY_MAP_ADDR", "SET_TSS_ADDR", "ENABLE_CAP", "SET_USER_MEMORY_REGION", "CREATE_VCPU",
                  "GET_VCPU_MMAP_SIZE", "GET_SUPPORTED_CPUID", "SET_CPUID2")
ERRNOS = ("EPERM", "EIO", "ENXIO", "ENOMEM", "EFAULT", "EBUSY", "ENODEV", "EINVAL", "EMFILE", "ENOTTY", "ENOSPC", "ENOSYS",
          "E2BIG")
UPDATE = "Update the kernel: Linux 4.12 has all of it."
DMESG = "Run “sudo dmesg | grep -i kvm”: the kernel may say why."
SELF = "Update the kernel, and whatever this computer itself runs in."
DEVICE = "Let the device in: “--device=/dev/kvm” for Docker and Podman, “--device=kvm” for Flatpak."
HELD = "Another program holds the processor's virtualisation, so KVM cannot have it."
NOT_KVM = ("not-kvm", "What lies at /dev/kvm is not the kernel's KVM.", "Run “sudo rm -r /dev/kvm”, and restart the computer.")

# Where the kernel hides the flag, CPUID tells a processor that has nothing from one that was switched off.
with open("/proc/cpuinfo", encoding="ascii", errors="replace") as cpuinfo:
    FLAGS = re.search(r"^flags\s*:.*$", cpuinfo.read(), re.M).group().split()
if "vmx" in FLAGS:
    NO_FLAG = {"switched off": ("open=ENOENT root={}/intel-off", "firmware-off", "Hardware virtualisation (VT-x) is switched off "
                                "in this computer's firmware.", "Restart the computer, enter its BIOS or UEFI setup, and switch "
                                "on Intel Virtualization Technology (VT-x).")}
elif "svm" in FLAGS:
    NO_FLAG = {"switched off": ("open=ENOENT root={}/amd-off", "firmware-off", "Hardware virtualisation (AMD-V) is switched off "
                                "in this computer's firmware.", "Restart the computer, enter its BIOS or UEFI setup, and switch "
                                "on SVM (AMD-V).")}
else:
    NO_FLAG = {"no hardware": ("open=ENOENT root={}/intel-off", "no-hardware", "This computer's processor has no hardware "
                               "virtualisation (VT-x or AMD-V).", ""),
               "not nested": ("open=ENOENT root={}/guest", "not-nested", "This computer is itself a virtual machine, and is given "
                              "no hardware virtualisation.", "Switch on nested virtualisation for it where it runs.")}

# name: what the library pretends; the reason; the words; the remedy. {} is the test's folder.
HOSTS = {
    "no node in a container": ("open=ENOENT root={}/with-kvm", "no-node", "The kernel has KVM, but there is no /dev/kvm here, "
                               "as in a container or a sandbox.", DEVICE),
    "module not loaded": ("open=ENOENT root={}/intel", "no-module", "There is no /dev/kvm: the kernel's KVM module is not loaded.",
                          "Run “sudo modprobe kvm_intel”. If it is refused, switch on VT-x in the BIOS or UEFI setup."),
    "module not loaded, AMD": ("open=ENOENT root={}/amd", "no-module", "There is no /dev/kvm: the kernel's KVM module is not loaded.",
                               "Run “sudo modprobe kvm_amd”. If it is refused, switch on AMD-V in the BIOS or UEFI setup."),
    **NO_FLAG,
    "not in the group": ("open=EACCES node={}/node", "no-permission", "/dev/kvm is closed to you: your user is not in the group "
                         "“games”.", "Run “sudo usermod -aG games $USER”, and log in again."),
    "not logged in since": ("open=EACCES node={}/node member=%s" % pwd.getpwuid(os.getuid()).pw_name, "no-permission",
                            "/dev/kvm is closed to this session: it began before your user was put into the group “games”.",
                            "Log out, and log in again."),
    "no group may": ("open=EACCES node={}/closed", "no-permission", "/dev/kvm is closed to you: only the administrator may open it.",
                     "Run “sudo chgrp kvm /dev/kvm; sudo chmod 660 /dev/kvm; sudo usermod -aG kvm $USER”, and log in again."),
    "device forbidden": ("open=EPERM", "forbidden", "This container or sandbox forbids the use of /dev/kvm.", DEVICE),
    "a regular file": ("node={}/node", *NOT_KVM),
    "a folder": ("node={}", *NOT_KVM),
    "another device": ("node=/dev/null", *NOT_KVM),
    "no files left": ("open=EMFILE", "failed", "KVM does not work here: open failed (Too many open files).", DMESG),
    "old interface": ("api=11", "old-api", "This kernel's KVM has version 11 of its interface; Vitrine needs version 12.", UPDATE),
    "no split irqchip": ("lacks=%d" % SPLIT_IRQCHIP, "missing", "This kernel's KVM lacks what Vitrine needs: "
                         "KVM_CAP_SPLIT_IRQCHIP.", UPDATE),
    "held by somebody": ("fail=KVM_CREATE_VM:EBUSY root={}/with-kvm", "held", HELD,
                         "Shut down the virtual machines of other programs."),
    "held by VirtualBox": ("fail=KVM_CREATE_VM:EBUSY root={}/vboxdrv", "held", HELD.replace("Another program", "VirtualBox"),
                           "Shut down the machines of VirtualBox; if that is not enough, run “sudo modprobe -r vboxdrv”."),
    "held by VMware": ("fail=KVM_CREATE_VM:EBUSY root={}/vmmon", "held", HELD.replace("Another program", "VMware"),
                       "Shut down the machines of VMware; if that is not enough, run “sudo modprobe -r vmmon”."),
    "no memory": ("fail=KVM_CREATE_VM:ENOMEM", "failed", "KVM does not work here: KVM_CREATE_VM failed (Cannot allocate memory).",
                  "Close other programs and machines: there is no memory for it."),
    "runs nothing": ("fail=KVM_RUN:EIO", "failed", "KVM does not work here: KVM_RUN failed (Input/output error).", DMESG),
    "never returns": ("run=never", "hangs", "This computer's KVM hangs in real mode.", SELF),
    "loops": ("guest=ebfe", "hangs", "This computer's KVM hangs in real mode.", SELF),
    "sleeps": ("guest=f4ebfd", "hangs", "This computer's KVM hangs in real mode.", SELF),
    "gives up": ("run=exit:17", "stops", "This computer's KVM gives up in real mode (exit 17).", SELF),
    "computes wrongly": ("run=wrong", "wrong", "This computer's KVM computes wrongly in real mode.", SELF),
}
KVM_WORKS = subprocess.run([ENGINE, "--probe-cpu", "--fresh"], capture_output=True, text=True, timeout=20,
                           env=dict(os.environ, LC_ALL="C.UTF-8"))


def host_reason():
    report = configparser.ConfigParser(interpolation=None)
    report.read_string(KVM_WORKS.stdout)
    return report["cpu"]["reason"]


HAS_KVM = host_reason() in ("slow", "faster")
NEEDS_KVM = "no usable /dev/kvm here (%s)" % host_reason()


def needs_kvm(pretence):
    """What comes after /dev/kvm has opened is the host's own but for one thing."""
    return not re.search(r"open=|node=", pretence)


class KvmHosts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kvm-host-")
        os.mkdir(self.folder + "/run", 0o700)
        self.env = dict(os.environ, XDG_DATA_HOME=self.folder + "/data", XDG_RUNTIME_DIR=self.folder + "/run",
                        HOME=self.folder, LC_ALL="C.UTF-8", VITRINE_ENGINE=ENGINE)
        self.make_hosts()
        self.pretence = ""

    def tearDown(self):
        self.pretence = ""
        for machine in json.loads(self.vitrinectl("list", "--json").stdout):
            if machine["state"] not in ("off", "crashed"):
                self.vitrinectl("stop", "--force", machine["bundle"])
        shutil.rmtree(self.folder)

    def make_hosts(self):
        for name, cpuinfo, misc, modules in (("with-kvm", "flags : vmx", "232 kvm", ["kvm_intel"]),
                                             ("intel", "vendor_id : GenuineIntel\nflags : vmx lm", "", []),
                                             ("amd", "vendor_id : AuthenticAMD\nflags : svm lm", "", []),
                                             ("intel-off", "vendor_id : GenuineIntel\nflags : lm", "", []),
                                             ("amd-off", "vendor_id : AuthenticAMD\nflags : lm", "", []),
                                             ("guest", "vendor_id : GenuineIntel\nflags : lm hypervisor", "", []),
                                             ("vboxdrv", "", "", ["vboxdrv"]), ("vmmon", "", "", ["vmmon"])):
            root = self.folder + "/" + name
            os.makedirs(root + "/proc")
            for module in modules or ["none"]:
                os.makedirs(root + "/sys/module/" + module)
            for file, text in (("cpuinfo", cpuinfo), ("misc", misc)):
                with open(root + "/proc/" + file, "w", encoding="ascii") as out:
                    out.write(text + "\n")
        for file, mode in (("node", 0o660), ("closed", 0o600)):
            with open(self.folder + "/" + file, "w", encoding="ascii"):
                os.chmod(self.folder + "/" + file, mode)
        if os.geteuid() == 0:
            os.chown(self.folder + "/node", 0, 60)  # base-passwd's group "games", which nobody is in

    def environment(self):
        if not self.pretence:
            return self.env
        return dict(self.env, KVM_HOST=self.pretence.replace("{}", self.folder), LD_PRELOAD=LIBRARY)

    def on_host(self, pretence):
        self.pretence = pretence

    def vitrinectl(self, *args):
        return subprocess.run([VITRINECTL, *args], env=self.environment(), text=True, capture_output=True, timeout=30)

    def check(self, *args):
        result = self.vitrinectl(*args)
        self.assertEqual(result.returncode, 0, (self.pretence, args, result.stderr))
        return result.stdout

    def probe(self, *options):
        began = time.monotonic()
        result = subprocess.run([ENGINE, "--probe-cpu", *options], env=self.environment(), text=True, capture_output=True,
                                timeout=20)
        self.took = time.monotonic() - began
        self.assertEqual(result.returncode, 0, result.stderr)
        report = configparser.ConfigParser(interpolation=None)
        report.read_string(result.stdout)
        return report["cpu"]

    def hosts(self):
        for name, (pretence, reason, words, remedy) in HOSTS.items():
            if needs_kvm(pretence) and not HAS_KVM or "games" in words and os.geteuid() != 0:
                continue
            self.on_host(pretence)
            yield name, reason, words, remedy

    def state(self, name):
        info = json.loads(self.check("info", name, "--json"))
        return info["state"], info.get("cpu-backend"), info.get("cpu-reason")

    def pretend_fast(self):
        """The figures that are kept say that KVM is faster, so machines are made on it."""
        self.on_host("")
        self.probe("--fresh")
        (path,) = glob.glob(self.folder + "/run/vitrine/cpu-probe-*")
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"kvm-mips=.*", "kvm-mips=1e9", file.read())
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    # What is said

    def test_the_doctor_says_what_is_wrong_and_what_to_do(self):
        for name, reason, words, remedy in self.hosts():
            finding = {f["name"]: f for f in json.loads(self.check("doctor", "--json"))}["cpu"]
            expected = ("Machines run on Vitrine's software CPU. %s %s" % (words, remedy)).rstrip()
            self.assertEqual((finding["words"], finding["good"]), (expected, False), name)
            self.assertIn("! cpu             " + expected, self.check("doctor").splitlines())
            self.assertEqual(self.probe()["reason"], reason, name)

    def test_each_capability_that_is_missing_is_named(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        for name, number in NEEDED.items():
            self.on_host("lacks=%d" % number)
            report = self.probe()
            self.assertEqual(report["reason"], "missing", name)
            self.assertIn("KVM_CAP_%s." % name, report["words"])

    def test_each_error_of_opening_has_its_reason(self):
        expected = dict.fromkeys(ERRNOS, "failed")
        expected.update(EPERM="forbidden", EACCES="no-permission", EBUSY="held", ENOENT="no-node", ENXIO="no-node",
                        ENODEV="no-node")
        for errno, reason in expected.items():
            self.on_host("open=%s root={}/with-kvm" % errno)
            report = self.probe()
            self.assertEqual((report["backend"], report["reason"]), ("software", reason), errno)

    def test_each_ioctl_that_fails_is_named_with_its_error(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        for names, errnos in ((PROBE_IOCTLS, ERRNOS), (STATE_IOCTLS, ("EIO", "EINVAL"))):
            for name, errno in itertools.product(names, errnos):
                self.on_host("fail=KVM_%s:%s" % (name, errno))
                report = self.probe("--fresh")
                self.assertEqual(report["backend"], "software")
                self.assertEqual(report["reason"], "held" if errno == "EBUSY" else "failed", self.pretence)
                if errno != "EBUSY":
                    self.assertIn("KVM_%s failed (" % name, report["words"])

    def test_a_kvm_that_hangs_costs_a_moment(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        for pretence in ("run=never", "guest=ebfe", "guest=f4ebfd"):
            self.on_host(pretence)
            took = []
            for _ in range(5):
                self.probe("--fresh")
                took.append(self.took)
            self.assertLess(min(took), 0.2, pretence)  # with the program's own start, on a busy machine

    def test_a_choice_is_made_in_a_tenth_of_a_second(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        took = []
        for _ in range(10):
            self.probe("--fresh")
            took.append(self.took)
        self.assertLess(min(took), 0.1)

    def test_kvm_that_works_is_told_with_its_figures(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        report = self.probe("--fresh")
        self.assertGreater(float(report["kvm-mips"]), 0)
        self.assertGreater(float(report["software-mips"]), 0)
        faster = float(report["kvm-mips"]) >= float(report["software-mips"])
        self.assertEqual((report["backend"], report["reason"]), ("kvm", "faster") if faster else ("software", "slow"))
        if not faster:
            self.assertRegex(report["words"], r"slower: [0-9.]+ against [0-9]+ million instructions per second\.$")

    # What runs

    def test_auto_runs_on_every_host(self):
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M")
        for name, _, words, remedy in self.hosts():
            self.check("start", "Box", "--headless")
            self.assertEqual(self.state("Box"), ("running", "software", (words + " " + remedy).rstrip()), name)
            self.assertIn(words, self.check("log", "Box"))
            self.check("stop", "--force", "Box")

    def test_a_wish_for_kvm_is_refused_in_one_message_and_leaves_nothing(self):
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M", "--cpu", "kvm")
        for name, _, words, remedy in self.hosts():
            result = self.vitrinectl("start", "Box", "--headless")
            self.assertEqual(result.returncode, 1, name)
            self.assertRegex(result.stderr, r"^vitrinectl: \S+/machine\.conf: \[machine\] cpu is “kvm”, which does not work on this "
                             r"computer\. .* Set it to auto, and the machine runs without KVM\.\n$")
            self.assertIn(("%s %s" % (words, remedy)).rstrip(), result.stderr)
            self.assertEqual(self.state("Box")[0], "off")
            self.assertEqual([n for n in os.listdir(self.folder + "/run/vitrine") if not n.startswith("cpu-probe")], [])

    def test_a_wish_for_kvm_is_granted_where_it_works(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M", "--cpu", "kvm", "--start")
        state, backend, reason = self.state("Box")
        self.assertEqual((state, backend), ("running", "kvm"))
        self.assertIn("This machine is set to run on KVM", reason)
        if host_reason() == "slow":
            self.assertRegex(reason, r"slower here .* against [0-9]+ million instructions per second\.")

    def test_kvm_that_vanishes_after_the_probe_is_done_without(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M")
        self.pretend_fast()
        self.on_host("opens=1 root={}/with-kvm")
        self.check("start", "Box", "--headless")
        state, backend, reason = self.state("Box")
        self.assertEqual((state, backend), ("running", "software"))
        self.assertIn("there is no /dev/kvm here", reason)
        self.check("stop", "--force", "Box")
        self.check("set", "Box", "cpu=kvm")
        self.pretend_fast()
        self.on_host("opens=1 root={}/with-kvm")
        result = self.vitrinectl("start", "Box", "--headless")
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no /dev/kvm here", result.stderr)
        self.assertEqual(self.state("Box")[0], "off")

    def test_kvm_that_fails_when_the_machine_is_made_is_done_without(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M")
        self.pretend_fast()
        for name in BACKEND_IOCTLS:
            for errno in ("EINVAL", "EBUSY", "ENOMEM"):
                self.on_host("fail=KVM_%s:%s" % (name, errno))
                self.check("start", "Box", "--headless")
                state, backend, reason = self.state("Box")
                self.assertEqual((state, backend), ("running", "software"), self.pretence)
                self.assertRegex(reason, r"^(KVM did not start the machine|KVM does not work here|Another program holds)")
                self.check("stop", "--force", "Box")

    def test_a_machine_that_began_without_kvm_can_go_there(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M", "--cpu", "software")
        self.on_host("can=all")
        self.check("start", "Box", "--headless")
        self.check("wait", "Box", "--for", "text:No bootable device", "--timeout", "20")
        self.assertEqual(self.state("Box")[:2], ("running", "software"))
        self.check("set", "Box", "cpu=kvm")
        self.assertEqual(self.state("Box")[:2], ("running", "kvm"))
        self.check("set", "Box", "cpu=software")
        self.assertEqual(self.state("Box")[:2], ("running", "software"))

    def test_kvm_that_fails_while_the_machine_runs_is_left(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M")
        self.pretend_fast()
        for pretence in ("fail=KVM_RUN:EIO", "fail=KVM_RUN:EBUSY", "fail=KVM_RUN:EFAULT", "run=exit:9", "run=exit:17",
                         "fail=KVM_SET_REGS:EINVAL", "fail=KVM_SET_SREGS:EINVAL", "fail=KVM_SET_LAPIC:EIO",
                         "fail=KVM_SET_XSAVE:EINVAL", "fail=KVM_SET_MP_STATE:EINVAL"):
            self.on_host(pretence)
            self.check("start", "Box", "--headless")
            self.check("wait", "Box", "--for", "text:No bootable device", "--timeout", "20")
            state, backend, reason = self.state("Box")
            self.assertEqual(state, "running", pretence)
            if pretence.startswith("fail="):  # else the software CPU helps out, as often as it must
                self.assertEqual(backend, "software", pretence)
                self.assertIn("KVM could not go on with this machine", reason)
            self.check("stop", "--force", "Box")

    def test_hyperv_is_refused_or_done_without_where_kvm_cannot_have_it(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M", "--cpu", "kvm", "--os", "win10")
        self.check("start", "Box", "--headless")
        self.assertEqual(self.state("Box")[:2], ("running", "kvm"))
        self.check("stop", "--force", "Box")
        self.on_host("lacks=188")  # KVM_CAP_X86_USER_SPACE_MSR
        self.check("start", "Box", "--headless")
        self.assertEqual(self.state("Box")[:2], ("running", "kvm"))
        self.check("stop", "--force", "Box")
        self.check("set", "Box", "hyperv=on")
        result = self.vitrinectl("start", "Box", "--headless")
        self.assertEqual(result.returncode, 1)
        self.assertIn("The Hyper-V interface that is set for this machine needs a newer KVM", result.stderr)
        self.assertEqual(self.state("Box")[0], "off")
        self.check("set", "Box", "cpu=software")
        self.check("start", "Box", "--headless")
        self.assertEqual(self.state("Box")[:2], ("running", "software"))

    def start_and_get_stuck(self):
        """A machine that got as far as its firmware, and a KVM that never gives it back."""
        stuck = self.folder + "/stuck"
        if os.path.exists(stuck):
            os.unlink(stuck)
        self.on_host("run=stuck:{}/stuck")
        self.check("start", "Box", "--headless")
        self.check("wait", "Box", "--for", "text:SeaBIOS", "--timeout", "20")
        with open(stuck, "w", encoding="ascii"):
            time.sleep(0.5)

    def test_a_machine_that_kvm_does_not_give_back_can_be_forced_off(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "1G", "--memory", "64M", "--cpu", "kvm")
        for _ in range(2):  # nothing of the first is in the second's way
            self.start_and_get_stuck()
            began = time.monotonic()
            self.check("stop", "--force", "Box")
            self.assertLess(time.monotonic() - began, 10)
            self.assertEqual(self.state("Box")[0], "off")
            info = json.loads(self.check("info", "Box", "--json"))
            self.assertEqual(info["stop-reason"], "user")
            with open(info["bundle"] + "/engine.log", encoding="utf-8") as log:
                self.assertIn("KVM does not give a virtual CPU of this machine back", log.read())
            self.assertEqual(self.engines(), [])

    def test_a_machine_that_kvm_does_not_give_back_ends_when_it_is_to_pause(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M", "--cpu", "kvm")
        self.start_and_get_stuck()
        self.assertNotEqual(self.vitrinectl("pause", "Box").returncode, 0)
        info = json.loads(self.check("info", "Box", "--json"))
        self.assertEqual((info["state"], info["stop-reason"]), ("off", "cpu"))

    def engines(self):
        """The processes that run machines of this test."""
        def runs_ours(folder):
            try:
                with open(folder + "/cmdline", encoding="utf-8", errors="replace") as file:
                    words = file.read()
                    return "vitrine-engine" in words and self.folder in words
            except OSError:
                return False
        return [folder for folder in glob.glob("/proc/[0-9]*") if runs_ours(folder)]

    def test_a_wish_for_kvm_that_fails_when_the_machine_is_made_is_told_once(self):
        if not HAS_KVM:
            self.skipTest(NEEDS_KVM)
        self.check("create", "--name", "Box", "--disk", "none", "--memory", "64M", "--cpu", "kvm")
        self.pretend_fast()
        for name in BACKEND_IOCTLS:
            self.on_host("fail=KVM_%s:EINVAL" % name)
            result = self.vitrinectl("start", "Box", "--headless")
            self.assertEqual(result.returncode, 1, self.pretence)
            self.assertRegex(result.stderr, r"^vitrinectl: [^\n]*KVM[^\n]*\n$")
            self.assertEqual(self.state("Box")[0], "off")


if __name__ == "__main__":
    if not HAS_KVM:
        print("some hosts are left out: " + NEEDS_KVM, file=sys.stderr)
    unittest.main()

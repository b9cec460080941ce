# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""What file managers take our files for, with our types in a database of its own; and that every key of the
settings schema is read somewhere, so that no preference is without effect."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest


class Types(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("update-mime-database") or not shutil.which("gio"):
            raise unittest.SkipTest("shared-mime-info and gio are not installed")
        cls.folder = tempfile.mkdtemp(prefix="vmime-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        packages = cls.folder + "/mime/packages"
        os.makedirs(packages)
        shutil.copy(os.path.join(SOURCE, "data/org.vitrine.Vitrine.mime.xml"), packages + "/org.vitrine.Vitrine.xml")
        shutil.copy("/usr/share/mime/packages/freedesktop.org.xml", packages)
        subprocess.run(["update-mime-database", cls.folder + "/mime"], check=True, capture_output=True)

    def type_of(self, name, content=b"", folder=False):
        path = os.path.join(self.folder, name)
        if folder:
            os.mkdir(path)
        else:
            with open(path, "wb") as file:
                file.write(content)
        env = dict(os.environ, XDG_DATA_HOME=self.folder, XDG_DATA_DIRS=self.folder, LC_ALL="C.UTF-8")
        told = subprocess.run(["gio", "info", "-a", "standard::content-type", path], env=env, capture_output=True,
                              text=True).stdout
        return re.search(r"content-type: (\S+)", told).group(1)

    def test_a_definition_is_a_machine(self):
        self.assertEqual(self.type_of("machine.conf", b"# A Vitrine machine.\n[machine]\n"),
                         "application/x-vitrine-machine")

    def test_folders_stay_folders_and_discs_discs(self):
        self.assertEqual(self.type_of("Box.vitrine", folder=True), "inode/directory")
        self.assertEqual(self.type_of("disc.iso", bytes(32769) + b"CD001" + bytes(4096)), "application/x-cd-image")

    def test_an_ovf_has_a_type(self):
        self.assertEqual(self.type_of("box.ovf", b"<?xml version='1.0'?><Envelope/>"), "application/x-ovf")


class Schema(unittest.TestCase):
    def test_every_key_is_used(self):
        with open(os.path.join(SOURCE, "data/org.vitrine.Vitrine.gschema.xml")) as file:
            keys = re.findall(r'<key name="([^"]+)"', file.read())
        code = ""
        for where, _, names in os.walk(os.path.join(SOURCE, "src")):
            for name in names:
                if name.endswith(".c") and name != "preferences-window.c":
                    with open(os.path.join(where, name)) as file:
                        code += file.read()
        self.assertEqual([key for key in keys if '"%s"' % key not in code], [])


if __name__ == "__main__":
    SOURCE = sys.argv.pop(1)
    unittest.main(verbosity=2)

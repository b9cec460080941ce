# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The manual pages name every verb and option that there is, and are well formed; completion offers verbs, machines
(with spaces in their names), options, keys and files."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest


def run(*argv, env=None):
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, env=env)


class Manual(unittest.TestCase):
    def page(self, name):
        with open(os.path.join(SOURCE, "docs/man", name)) as file:
            return file.read().replace("\\-", "-")

    def test_every_verb_and_option_is_in_its_page(self):
        page = self.page("vitrinectl.1")
        for verb in run(CTL, "--list-verbs").stdout.split():
            self.assertRegex(page, r"\.It Cm %s\b" % verb)
            for option in re.findall(r"--([a-z-]+)", run(CTL, verb, "--help").stdout):
                entry = re.search(r"(?ms)^\.It Cm %s\b.*?(?=^\.It Cm (?!%s\b)|^\.El)" % (verb, verb), page).group(0)
                self.assertIn("-" + option, entry, verb)

    def test_options_of_the_other_programs_are_in_their_pages(self):
        for program, name in ((VITRINE, "vitrine.1"), (VIEW, "vitrine-view.1")):
            known = set(re.findall(r"--([a-z-]+)", run(program, "--help").stdout))
            for option in known - {"help", "help-all", "help-gapplication", "help-gtk", "display"}:
                self.assertIn("-" + option, self.page(name))

    def test_pages_are_well_formed(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        for name in ("vitrine.1", "vitrinectl.1", "vitrine-view.1"):
            lint = run("mandoc", "-T", "lint", "-W", "warning", os.path.join(SOURCE, "docs/man", name))
            self.assertEqual(lint.stdout + lint.stderr, "")


class WithMachines(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vcompl-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.env = dict(os.environ, XDG_DATA_HOME=self.folder, XDG_RUNTIME_DIR=self.folder, HOME=self.folder,
                        GSETTINGS_BACKEND="memory", LC_ALL="C.UTF-8",
                        PATH=os.path.dirname(CTL) + ":" + os.environ["PATH"])
        for name in ("debian", "my own box"):
            made = run(CTL, "create", "--name", name, "--disk", "none", env=self.env)
            self.assertEqual(made.returncode, 0, made.stderr)

    def run_shell(self, *argv):
        if not shutil.which(argv[0]):
            self.skipTest(argv[0] + " is not installed")
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=self.env, cwd=self.folder)
        self.assertEqual(done.stderr, "")
        return [line for line in done.stdout.split("\n") if line]


class Completion(WithMachines):
    def complete(self, *words):
        script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vitrinectl; ' \
                 'printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", script, "bash", os.path.join(SOURCE, "data/completions/vitrinectl.bash"),
                               CTL, *words], capture_output=True, text=True, timeout=30, env=self.env, cwd=self.folder)
        return [line for line in done.stdout.split("\n") if line]

    def test_verbs(self):
        self.assertEqual(self.complete("res"), ["resume", "reset"])

    def test_machines_by_name_with_their_spaces_quoted(self):
        self.assertEqual(self.complete("start", ""), ["debian", "my\\ own\\ box"])
        self.assertEqual(self.complete("stop", "my\\ o"), ["my\\ own\\ box"])

    def test_options_of_a_verb(self):
        self.assertEqual(self.complete("start", "debian", "--p"), ["--paused"])
        self.assertEqual(self.complete("create", "--firmware", ""), ["bios", "uefi"])

    def test_keys_of_a_machine(self):
        self.assertIn("memory=", self.complete("set", "debian", "me"))

    def test_files(self):
        open(self.folder + "/disc.iso", "w").close()
        self.assertEqual(self.complete("create", "di"), ["disc.iso"])
        self.assertEqual(self.complete("media", "debian", "insert", "di"), ["disc.iso"])


class OtherShells(WithMachines):
    """zsh and fish offer verbs, machines as they are called, and options; their own line editors quote."""

    def fish(self, line):
        offered = self.run_shell("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
                                 os.path.join(SOURCE, "data/completions/vitrinectl.fish"), "vitrinectl " + line)
        return sorted(offer.split("\t")[0] for offer in offered)

    def zsh(self, *words):
        """What the function hands to compadd, which sorts out by itself what does not begin alike."""
        script = 'function compadd() { [[ $1 == -a ]] && print -rl -- ${(P)2} }; function _files() { print FILES }; ' \
                 'file=$1; shift; words=("$@"); CURRENT=$#; PREFIX=$words[-1]; source $file'
        return self.run_shell("zsh", "-f", "-c", script, "zsh", os.path.join(SOURCE, "data/completions/_vitrinectl"),
                              "vitrinectl", *words)

    def test_fish(self):
        self.assertEqual(self.fish("res"), ["reset", "resume"])
        self.assertEqual(self.fish("start "), ["debian", "my own box"])
        self.assertEqual(self.fish("start my"), ["my own box"])
        self.assertEqual(self.fish("start debian --p"), ["--paused"])
        open(self.folder + "/disc.iso", "w").close()
        self.assertEqual(self.fish("create di"), ["disc.iso"])

    def test_zsh(self):
        self.assertEqual(set(self.zsh("res")), set(run(CTL, "--list-verbs").stdout.split()))
        self.assertEqual(sorted(self.zsh("start", "")), ["debian", "my own box"])
        self.assertIn("--paused", self.zsh("start", "debian", "--p"))
        self.assertEqual(self.zsh("create", "di"), ["FILES"])
        self.assertEqual(self.zsh("media", "debian", "insert", ""), ["FILES"])


if __name__ == "__main__":
    CTL, VIEW, VITRINE, SOURCE = (os.path.abspath(path) for path in sys.argv[1:5])
    del sys.argv[1:5]
    unittest.main(verbosity=2)

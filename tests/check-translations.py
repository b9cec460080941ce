# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""POTFILES.in names every file with text for people, and every language in LINGUAS has all of it: nothing missing,
nothing fuzzy, formats that fit; and errors are told in words that gettext knows. What is missing is printed as it has to go
into the .po file."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = sys.argv[1]
FOLDERS = ("src", "data")
MARKED = re.compile(r'(?:\b(?:_|N_|C_|ngettext|g_dngettext)\(\s*"|translatable="yes")')


def lines(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def marked_files():
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                path = os.path.join(where, name)
                if not name.endswith((".c", ".h", ".ui")):
                    continue
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                if MARKED.search(text) and (name.endswith(".ui") or "glib/gi18n.h" in text):
                    yield os.path.relpath(path, ROOT)


# What tells the user of an error, and the function of ours that prints a table for people.
TELLS = re.compile(r"\b(g_set_error(?:_literal)?|g_error_new(?:_literal)?|g_prefix_error(?:_literal)?|"
                   r"g_propagate_prefixed_error|g_task_return_new_error|usage_error|machine_object_refuse|refuse|"
                   r"verb_print_row)\s*\(")
STRING = re.compile(r'"(?:\\.|[^"\\])*"')


def argument_end(text, at):
    """Where the parenthesis closes that opened before @at."""
    depth = 1
    while depth:
        string = STRING.match(text, at)
        at = string.end() if string else at + 1
        if not string:
            depth += {"(": 1, ")": -1}.get(text[at - 1], 0)
    return at


def said_in_english():
    """Sentences in the arguments of calls that TELL, outside of gettext's."""
    for where, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in sorted(names):
            path = os.path.join(where, name)
            if not name.endswith(".c"):
                continue
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for call in TELLS.finditer(text):
                at, end = call.end(), argument_end(text, call.end())
                while at < end:
                    marked = re.compile(r"\b(?:_|N_|C_|ngettext)\(").match(text, at)
                    string = STRING.match(text, at)
                    if string and re.search("[A-Za-z]{2,} [A-Za-z]{2,}", string[0]):
                        line = text.count("\n", 0, at) + 1
                        yield "%s:%d: %s is not in _()" % (os.path.relpath(path, ROOT), line, string[0])
                    at = argument_end(text, marked.end()) if marked else string.end() if string else at + 1


def run(*argv):
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C.UTF-8"))


listed = lines("po/POTFILES.in")
wrong = ["po/POTFILES.in does not name " + path for path in sorted(marked_files()) if path not in listed]
wrong += ["po/POTFILES.in names %s, which is not there" % path
          for path in listed if not os.path.exists(os.path.join(ROOT, path))]

wrong += said_in_english()

with tempfile.TemporaryDirectory() as folder:
    pot = folder + "/all.pot"
    made = run("xgettext", "--files-from=po/POTFILES.in", "--from-code=UTF-8", "--add-comments", "--keyword=_",
               "--keyword=N_", "--keyword=C_:1c,2", "--keyword=g_dngettext:2,3", "--keyword=ngettext:1,2",
               "--output=" + pot)
    if made.returncode:
        wrong.append(made.stderr)
    for language in lines("po/LINGUAS"):
        po, merged = "po/%s.po" % language, folder + "/%s.po" % language
        steps = [run("msgfmt", "--check", "-o", "/dev/null", po),
                 run("msgmerge", "--quiet", "--no-fuzzy-matching", "-o", merged, po, pot)]
        wrong += [step.stderr for step in steps if step.returncode]
        for what, option in (("untranslated", "--untranslated"), ("fuzzy", "--only-fuzzy")):
            left = run("msgattrib", option, "--no-obsolete", "--no-wrap", merged).stdout
            if "msgid" in left:
                wrong.append("%s has %s text:\n%s" % (po, what, left.split("\n\n", 1)[-1]))
if wrong:
    sys.exit("\n".join(wrong) + "\n(ninja vitrine-update-po brings the .po files up to date)")

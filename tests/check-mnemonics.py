# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""Inside one menu each underlined letter stands for one item, in English and in every language of LINGUAS."""
import ast
import collections
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

ROOT = sys.argv[1]


def translations(language):
    """msgid → msgstr, of what has no context and no plural."""
    with open(os.path.join(ROOT, "po", language + ".po"), encoding="utf-8") as file:
        pairs = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n)+)', file.read(), re.M)
    return {unquote(source): unquote(target) for source, target in pairs}


def unquote(lines):
    return "".join(ast.literal_eval(line) for line in lines.splitlines())


def labels(menu):
    """Of the items that a menu shows at once: submenus have letters of their own."""
    for section in [menu] + menu.findall("section"):
        for item in section.findall("item") + section.findall("submenu"):
            for attribute in item.findall("attribute[@name='label'][@translatable='yes']"):
                yield attribute.text


def clashes(menu, words):
    by_letter = collections.defaultdict(list)
    for label in map(lambda text: words.get(text, text), labels(menu)):
        letter = re.search("_(.)", label)
        by_letter[letter[1].lower() if letter else "no letter"].append(label)
    return {letter: found for letter, found in by_letter.items() if len(found) > 1}


def menus():
    folder = os.path.join(ROOT, "src", "ui")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".ui"):
            for menu in ElementTree.parse(os.path.join(folder, name)).getroot().iter("menu"):
                yield "%s: %s" % (name, menu.get("id")), menu


with open(os.path.join(ROOT, "po", "LINGUAS"), encoding="utf-8") as linguas:
    languages = {line.strip(): translations(line.strip()) for line in linguas if line.strip() and line[0] != "#"}
languages["English"] = {}
found = list(menus())
assert any(list(labels(menu)) for _, menu in found), "no menu was found"
wrong = ["%s, %s: %s for %s" % (where, language, letter, " and ".join(texts))
         for where, menu in found for language, words in languages.items()
         for letter, texts in clashes(menu, words).items()]
if wrong:
    sys.exit("\n".join(wrong))

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
function __vitrinectl_needs_verb
    test (count (commandline -opc)) -eq 1
end
function __vitrinectl_needs_machine
    set -l words (commandline -opc)
    test (count $words) -eq 2; and not contains -- $words[2] create list doctor
end
function __vitrinectl_options
    set -l words (commandline -opc)
    vitrinectl $words[2] --help 2>/dev/null | string match -ra -- '--[a-z-]+' | sort -u
end
complete -c vitrinectl -f -n __vitrinectl_needs_verb -a '(vitrinectl --list-verbs)'
complete -c vitrinectl -f -n __vitrinectl_needs_machine -a '(vitrinectl list --names)'
complete -c vitrinectl -n 'not __vitrinectl_needs_verb; and string match -q -- "-*" (commandline -ct)' -a '(__vitrinectl_options)'

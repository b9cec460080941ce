# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
# Completion of vitrinectl for bash: verbs, options, machines by name, files. All of it comes from vitrinectl itself.

_vitrinectl_add() {
    # Lines of stdin that begin with the current word become candidates; names may have spaces.
    local line cur=$1
    while IFS= read -r line; do
        [[ $line == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$line")")
    done
}

_vitrinectl() {
    local command=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]} plain=${COMP_WORDS[COMP_CWORD]//\\/}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        _vitrinectl_add "$plain" < <("$command" --list-verbs 2>/dev/null)
        return
    fi
    case $prev in
        --firmware) _vitrinectl_add "$plain" < <(printf '%s\n' bios uefi); return ;;
        --cpu) _vitrinectl_add "$plain" < <(printf '%s\n' auto kvm software); return ;;
        --button) _vitrinectl_add "$plain" < <(printf '%s\n' left middle right); return ;;
        --for) _vitrinectl_add "$plain" < <(printf '%s\n' off running paused paused-problem failed text:); compopt -o nospace; return ;;
        --name | --memory | --cpus | --disk | --os | --timeout | --drive) return ;;
    esac
    if [[ $cur == -* ]]; then
        _vitrinectl_add "$plain" < <("$command" "$verb" --help 2>/dev/null | grep -o -- '--[a-z-]*' | sort -u)
        return
    fi
    case $verb in
        create) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$plain"); return ;;
        list | doctor) return ;;
    esac
    if [ "$COMP_CWORD" -eq 2 ]; then
        _vitrinectl_add "$plain" < <("$command" list --names 2>/dev/null)
        return
    fi
    case $verb in
        media)
            [ "$COMP_CWORD" -eq 3 ] && { _vitrinectl_add "$plain" < <(printf '%s\n' insert eject); return; }
            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$plain") ;;
        screenshot) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$plain") ;;
        set)
            _vitrinectl_add "$plain" < <("$command" info "${COMP_WORDS[2]//\\/}" --keys 2>/dev/null | sed 's/$/=/')
            compopt -o nospace ;;
    esac
}

complete -F _vitrinectl vitrinectl

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/library-order.h"

/* What runs first, then what wants attention, then the rest. */
static int state_rank(VitrineMachine *machine)
{
    if (vitrine_machine_is_missing(machine))
        return 5;
    if (vitrine_machine_is_damaged(machine))
        return 4;
    switch (vitrine_machine_get_state(machine)) {
    case CLIENT_RUNNING: return 0;
    case CLIENT_PAUSED_PROBLEM:
    case CLIENT_FAILED: return 1;
    case CLIENT_PAUSED: return 2;
    case CLIENT_CRASHED: return 3;
    default: return 4;
    }
}

static int compare_names(VitrineMachine *a, VitrineMachine *b)
{
    /* As file managers do: "Box 2" before "Box 10". */
    g_autofree char *left = g_utf8_collate_key_for_filename(vitrine_machine_get_name(a), -1);
    g_autofree char *right = g_utf8_collate_key_for_filename(vitrine_machine_get_name(b), -1);
    int order = strcmp(left, right);
    return order ? order : strcmp(vitrine_machine_get_bundle(a), vitrine_machine_get_bundle(b));
}

int library_order_compare(VitrineMachine *a, VitrineMachine *b, SortOrder order)
{
    if (order == SORT_ORDER_RECENT) {
        bool a_live = vitrine_machine_is_live(a), b_live = vitrine_machine_is_live(b);
        int64_t left = vitrine_machine_get_last_used(a), right = vitrine_machine_get_last_used(b);
        if (a_live != b_live)
            return b_live - a_live;
        if (!a_live && left != right) /* all that run are in use now: their logs only flicker */
            return left < right ? 1 : -1;
    } else if (order == SORT_ORDER_STATE) {
        int difference = state_rank(a) - state_rank(b);
        if (difference)
            return difference;
    }
    return compare_names(a, b);
}

static char *fold(const char *text)
{
    g_autofree char *normal = g_utf8_normalize(text, -1, G_NORMALIZE_ALL);
    return g_utf8_casefold(normal ? normal : text, -1);
}

bool library_order_matches(VitrineMachine *machine, const char *search)
{
    g_autofree char *name = fold(vitrine_machine_get_name(machine));
    g_autofree char *folded = fold(search);
    g_auto(GStrv) words = g_strsplit_set(folded, " \t", -1);
    for (unsigned i = 0; words[i]; i++)
        if (!strstr(name, words[i]))
            return false;
    return true;
}

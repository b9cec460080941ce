/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* The orders of the library, and its search. */
#include "base/errors.h"
#include "ui/library-order.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A machine as the client library would have found it; no engine. */
static VitrineMachine *machine(const char *name, ClientState state, int64_t last_used)
{
    g_autofree char *bundle = g_strdup_printf("/nowhere/%s.vitrine", name);
    ClientMachine client = { .bundle = bundle,
                             .folder_name = (char *)name,
                             .problem = (char *)"",
                             .state = state,
                             .last_used = last_used };
    return vitrine_machine_new(&client);
}

static VitrineMachine *damaged(const char *name, bool missing)
{
    g_autoptr(GError) error = g_error_new_literal(APP_ERROR, APP_ERROR_INVALID, "no");
    g_autofree char *bundle = g_strdup_printf("/nowhere/%s.vitrine", name);
    ClientMachine client = { .bundle = bundle,
                             .folder_name = (char *)name,
                             .problem = (char *)"",
                             .damage = error,
                             .missing = missing };
    return vitrine_machine_new(&client);
}

static void assert_order(SortOrder order, VitrineMachine *first, VitrineMachine *second)
{
    assert_true(library_order_compare(first, second, order) < 0);
    assert_true(library_order_compare(second, first, order) > 0);
    assert_int_equal(library_order_compare(first, first, order), 0);
}

static void names_sort_by_their_numbers(void **state)
{
    g_autoptr(VitrineMachine) two = machine("Box 2", CLIENT_OFF, 0);
    g_autoptr(VitrineMachine) ten = machine("Box 10", CLIENT_OFF, 0);
    assert_order(SORT_ORDER_NAME, two, ten);
}

static void what_was_used_last_comes_first(void **state)
{
    g_autoptr(VitrineMachine) old = machine("A", CLIENT_OFF, 100);
    g_autoptr(VitrineMachine) new = machine("B", CLIENT_OFF, 200);
    g_autoptr(VitrineMachine) never = machine("C", CLIENT_OFF, 0);
    g_autoptr(VitrineMachine) runs = machine("D", CLIENT_RUNNING, 50);
    assert_order(SORT_ORDER_RECENT, new, old);
    assert_order(SORT_ORDER_RECENT, old, never);
    assert_order(SORT_ORDER_RECENT, runs, new);
}

static void two_that_run_do_not_change_places_by_their_logs(void **state)
{
    g_autoptr(VitrineMachine) a = machine("A", CLIENT_RUNNING, 100);
    g_autoptr(VitrineMachine) b = machine("B", CLIENT_RUNNING, 200);
    assert_order(SORT_ORDER_RECENT, a, b);
}

static void what_runs_comes_before_what_needs_help_and_the_rest(void **state)
{
    g_autoptr(VitrineMachine) runs = machine("Z", CLIENT_RUNNING, 0);
    g_autoptr(VitrineMachine) needs = machine("Y", CLIENT_PAUSED_PROBLEM, 0);
    g_autoptr(VitrineMachine) paused = machine("X", CLIENT_PAUSED, 0);
    g_autoptr(VitrineMachine) crashed = machine("W", CLIENT_CRASHED, 0);
    g_autoptr(VitrineMachine) off = machine("V", CLIENT_OFF, 0);
    g_autoptr(VitrineMachine) gone = damaged("A", true);
    VitrineMachine *const in_order[] = { runs, needs, paused, crashed, off, gone };
    for (unsigned i = 1; i < G_N_ELEMENTS(in_order); i++)
        assert_order(SORT_ORDER_STATE, in_order[i - 1], in_order[i]);
}

static void a_search_finds_all_words_in_any_case(void **state)
{
    g_autoptr(VitrineMachine) box = machine("Büro Debian 12", CLIENT_OFF, 0);
    assert_true(library_order_matches(box, ""));
    assert_true(library_order_matches(box, "deb"));
    assert_true(library_order_matches(box, "12 BÜRO"));
    assert_true(library_order_matches(box, "bu\xcc\x88ro")); /* ü as u and its dots */
    assert_false(library_order_matches(box, "debian 11"));
}

static void a_damaged_machine_is_not_live_and_says_so(void **state)
{
    g_autoptr(VitrineMachine) bad = damaged("A", false);
    g_autoptr(VitrineMachine) gone = damaged("B", true);
    g_autofree char *text = NULL, *gone_text = NULL;
    g_object_get(bad, "state-text", &text, NULL);
    g_object_get(gone, "state-text", &gone_text, NULL);
    assert_string_equal(text, "Damaged");
    assert_string_equal(gone_text, "Missing");
    assert_false(vitrine_machine_is_live(bad));
    assert_false(vitrine_machine_can_start(bad));
    assert_string_equal(vitrine_machine_get_problem(bad), "no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_sort_by_their_numbers),
        cmocka_unit_test(what_was_used_last_comes_first),
        cmocka_unit_test(two_that_run_do_not_change_places_by_their_logs),
        cmocka_unit_test(what_runs_comes_before_what_needs_help_and_the_rest),
        cmocka_unit_test(a_search_finds_all_words_in_any_case),
        cmocka_unit_test(a_damaged_machine_is_not_live_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* Discs made of files, read back by somebody else's ISO 9660 reader (bsdtar). */
#include "base/errors.h"
#include "client/file-disc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* in/ is what is given, disc.iso what is made, out/ what a reader found. */
typedef struct {
    char *folder;
    char *iso;
    GPtrArray *paths;
} Fixture;

static char *path_in(Fixture *f, const char *name)
{
    return g_build_filename(f->folder, name, NULL);
}

static void run(Fixture *f, const char *command)
{
    g_autofree char *line = g_strdup_printf("cd '%s' && %s", f->folder, command);
    if (system(line) != 0)
        fail_msg("%s", line);
}

static char *output_of(Fixture *f, const char *command)
{
    g_autofree char *line = g_strdup_printf("cd '%s' && LC_ALL=C.UTF-8 %s", f->folder, command);
    const char *argv[] = { "sh", "-c", line, NULL };
    char *out = NULL;
    assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL,
                             NULL, NULL));
    return out;
}

static int set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);
    /* In memory where that is possible: ten thousand files are slow to make on a disk. */
    g_autofree char *template = g_strdup("/dev/shm/file-disc-XXXXXX");
    f->folder =
        g_mkdtemp(template) ? g_steal_pointer(&template) : g_dir_make_tmp("file-disc-XXXXXX", NULL);
    f->iso = path_in(f, "disc.iso");
    f->paths = g_ptr_array_new_with_free_func(g_free);
    run(f, "mkdir in out");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;
    run(f, "chmod -R u+w . && rm -rf in out");
    g_unlink(f->iso);
    /* Nothing else may be there: no half disc, no temporary file. */
    int left = g_rmdir(f->folder);
    g_ptr_array_unref(f->paths);
    g_free(f->iso);
    g_free(f->folder);
    g_free(f);
    return left;
}

static void give(Fixture *f, const char *name)
{
    g_ptr_array_add(f->paths, path_in(f, name));
}

static void make(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    if (!client_file_disc_create(f->paths, f->iso, NULL, NULL, NULL, &error))
        fail_msg("%s", error->message);
}

static GError *fail_to_make(Fixture *f, ClientProgress progress, gpointer data,
                            GCancellable *cancellable)
{
    GError *error = NULL;
    assert_false(client_file_disc_create(f->paths, f->iso, progress, data, cancellable, &error));
    assert_non_null(error);
    return error;
}

/* As a Linux guest sees it. */
static void extract(Fixture *f)
{
    run(f, "LC_ALL=C.UTF-8 bsdtar -xf disc.iso -C out");
}

static void a_folder_comes_back_as_it_was(void **state)
{
    Fixture *f = *state;
    run(f, "mkdir -p in/box/a/b/c/d/e/f/g/h/i/j/k in/box/empty"
           " && printf hello >in/box/greeting.txt && : >in/box/nothing"
           " && printf '#!/bin/sh\\n' >in/box/tool && chmod 755 in/box/tool"
           " && head -c 5000001 /dev/urandom >in/box/a/b/c/d/e/f/g/h/i/j/k/deep.bin"
           " && ln in/box/greeting.txt in/box/twin && touch -d 2001-02-03 in/box/greeting.txt");
    give(f, "in/box");
    make(f);
    extract(f);
    run(f, "diff -r in/box out/box");
    run(f, "test -x out/box/tool && test ! -x out/box/greeting.txt");
    run(f, "test \"$(date -r out/box/greeting.txt +%F)\" = 2001-02-03");
    g_autofree char *label = output_of(f, "dd if=disc.iso bs=1 skip=32808 count=3 2>/dev/null");
    assert_string_equal(label, "box");
}

static void names_in_any_language_and_of_any_length_are_kept(void **state)
{
    Fixture *f = *state;
    g_autofree char *longest = g_strnfill(251, 'x');
    g_autofree char *command = g_strdup_printf(
        "mkdir in/n && cd in/n && printf 1 >'Grüße, 世界 🦊.txt' && printf 2 >%s.txt"
        " && printf 3 >' two  spaces ' && printf 4 >\"$(printf 'a\\\\b;1')\""
        " && printf 5 >README && printf 6 >readme",
        longest);
    run(f, command);
    give(f, "in/n");
    make(f);
    extract(f);
    run(f, "diff -r in/n out/n");
}

/* Windows does not read Rock Ridge. */
static void joliet_has_the_names_too(void **state)
{
    Fixture *f = *state;
    run(f, "mkdir 'in/Meine Dateien' && printf 1 >'in/Meine Dateien/Grüße aus Köln.txt'");
    give(f, "in/Meine Dateien");
    make(f);
    g_autofree char *list = output_of(f, "bsdtar --options '!rockridge' -tf disc.iso");
    assert_non_null(strstr(list, "Meine Dateien/Grüße aus Köln.txt\n"));
}

static void two_of_one_name_are_both_there(void **state)
{
    Fixture *f = *state;
    run(f, "mkdir in/a in/b in/c && for d in a b c; do printf $d >in/$d/note.txt; done");
    for (const char *d = "abc"; *d; d++) {
        g_autofree char *name = g_strdup_printf("in/%c/note.txt", *d);
        give(f, name);
    }
    make(f);
    extract(f);
    g_autofree char *all = output_of(f, "cat out/note.txt 'out/note (2).txt' 'out/note (3).txt'");
    assert_string_equal(all, "abc");
}

static void names_that_are_not_utf8_are_mended(void **state)
{
    Fixture *f = *state;
    run(f, "mkdir in/d && printf 1 >\"$(printf 'in/d/caf\\351.txt')\""
           " && printf 2 >\"$(printf 'in/d/caf\\350.txt')\"");
    give(f, "in/d");
    make(f);
    extract(f);
    g_autofree char *all = output_of(f, "cat out/d/caf�.txt 'out/d/caf� (2).txt' | wc -c");
    assert_int_equal(atoi(all), 2);
}

static void links_in_folders_bring_nothing_along(void **state)
{
    Fixture *f = *state;
    run(f, "mkdir in/d in/private && printf secret >in/private/key && ln -s ../private/key in/d/key"
           " && ln -s ../private in/d/dir && ln -s d in/d/loop && mkfifo in/d/pipe");
    give(f, "in/d");
    make(f);
    extract(f);
    run(f,
        "test \"$(readlink out/d/key)\" = ../private/key && test -L out/d/dir && test -L out/d/loop"
        " && test ! -e out/d/pipe && ! grep -q secret disc.iso");
}

static void a_link_that_was_given_is_what_it_points_to(void **state)
{
    Fixture *f = *state;
    run(f, "printf content >in/real.txt && ln -s real.txt in/short.txt");
    give(f, "in/short.txt");
    make(f);
    extract(f);
    g_autofree char *content = output_of(f, "test ! -L out/short.txt && cat out/short.txt");
    assert_string_equal(content, "content");
}

static void what_cannot_be_read_is_named(void **state)
{
    Fixture *f = *state;
    run(f, "printf 1 >in/good");
    give(f, "in/good");
    give(f, "in/gone");
    g_autoptr(GError) missing = fail_to_make(f, NULL, NULL, NULL);
    assert_true(g_error_matches(missing, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
    assert_non_null(strstr(missing->message, "/in/gone”"));

    g_ptr_array_set_size(f->paths, 0);
    run(f, "mkfifo in/pipe");
    give(f, "in/pipe");
    g_autoptr(GError) pipe = fail_to_make(f, NULL, NULL, NULL);
    assert_true(g_error_matches(pipe, APP_ERROR, APP_ERROR_INVALID));

    g_ptr_array_set_size(f->paths, 0);
    g_autoptr(GError) nothing = fail_to_make(f, NULL, NULL, NULL);
    assert_true(g_error_matches(nothing, APP_ERROR, APP_ERROR_INVALID));
}

/* The first call comes before the files are counted, the second when the first are written. */
typedef struct {
    unsigned n_calls;
    const char *path;
    GCancellable *cancellable;
} Meddler;

static void meddle(double fraction, gpointer data)
{
    Meddler *meddler = data;
    if (++meddler->n_calls != 2)
        return;
    if (meddler->path)
        assert_int_equal(truncate(meddler->path, 10), 0);
    g_cancellable_cancel(meddler->cancellable);
}

static void a_file_that_changes_meanwhile_is_named(void **state)
{
    Fixture *f = *state;
    run(f, "head -c 9000000 /dev/zero >in/a && head -c 9000000 /dev/zero >in/b");
    give(f, "in/a");
    give(f, "in/b");
    g_autofree char *victim = path_in(f, "in/b");
    g_autoptr(GError) error = fail_to_make(f, meddle, &(Meddler){ .path = victim }, NULL);
    assert_non_null(strstr(error->message, "/in/b” changed"));
}

static void cancelled_it_leaves_the_older_disc(void **state)
{
    Fixture *f = *state;
    run(f, "head -c 30000000 /dev/zero >in/big && printf old >disc.iso");
    give(f, "in/big");
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error =
        fail_to_make(f, meddle, &(Meddler){ .cancellable = cancellable }, cancellable);
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
    g_autofree char *old = output_of(f, "cat disc.iso");
    assert_string_equal(old, "old");
}

static void too_little_space_is_said_before_anything_is_written(void **state)
{
    Fixture *f = *state;
    g_autofree char *huge = path_in(f, "in/huge");
    run(f, "printf 1 >in/huge");
    if (truncate(huge, 4LL << 40) < 0)
        skip(); /* a file system without sparse files of this size */
    give(f, "in/huge");
    g_autoptr(GError) error = fail_to_make(f, NULL, NULL, NULL);
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE));
}

static void a_disc_that_cannot_be_written_to_its_end_is_removed(void **state)
{
    Fixture *f = *state;
    run(f, "head -c 9000000 /dev/zero >in/a");
    give(f, "in/a");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, tight;
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 2000000;
    setrlimit(RLIMIT_FSIZE, &tight);
    g_autoptr(GError) error = fail_to_make(f, NULL, NULL, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_non_null(strstr(error->message, g_strerror(EFBIG)));
}

static void count_calls(double fraction, gpointer data)
{
    double *last = data;
    assert_true(fraction >= *last && fraction <= 1);
    *last = fraction;
}

static void ten_thousand_files_are_no_trouble(void **state)
{
    Fixture *f = *state;
    g_autofree char *folder = path_in(f, "in/many");
    g_mkdir(folder, 0755);
    for (unsigned i = 0; i < 10000; i++) {
        g_autofree char *path = g_strdup_printf("%s/%u.txt", folder, i);
        g_autofree char *content = g_strdup_printf("%u", i);
        assert_true(
            g_file_set_contents_full(path, content, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
    }
    give(f, "in/many");
    g_autoptr(GError) error = NULL;
    double last = 0;
    assert_true(client_file_disc_create(f->paths, f->iso, count_calls, &last, NULL, &error));
    assert_true(last == 1);
    g_autofree char *n = output_of(f, "bsdtar -tf disc.iso | wc -l");
    assert_int_equal(atoi(n), 10002); /* with the folder and the root */
    g_autofree char *one = output_of(f, "bsdtar -xOf disc.iso many/7777.txt");
    assert_string_equal(one, "7777");
}

static gpointer make_another(gpointer data)
{
    Fixture *f = data;
    g_autofree char *iso = path_in(f, "in/other.iso");
    return GINT_TO_POINTER(client_file_disc_create(f->paths, iso, NULL, NULL, NULL, NULL));
}

static void two_at_once_take_turns(void **state)
{
    Fixture *f = *state;
    run(f, "head -c 3000000 /dev/urandom >in/a");
    give(f, "in/a");
    GThread *thread = g_thread_new("other", make_another, f);
    make(f);
    assert_true(GPOINTER_TO_INT(g_thread_join(thread)));
    extract(f);
    run(f, "cmp in/a out/a && rm out/a && bsdtar -xf in/other.iso -C out && cmp in/a out/a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    g_autofree char *reader = g_find_program_in_path("bsdtar");
    if (!reader) {
        g_print("bsdtar (libarchive-tools) is not there\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        TEST(a_folder_comes_back_as_it_was),
        TEST(names_in_any_language_and_of_any_length_are_kept),
        TEST(joliet_has_the_names_too),
        TEST(two_of_one_name_are_both_there),
        TEST(names_that_are_not_utf8_are_mended),
        TEST(links_in_folders_bring_nothing_along),
        TEST(a_link_that_was_given_is_what_it_points_to),
        TEST(what_cannot_be_read_is_named),
        TEST(a_file_that_changes_meanwhile_is_named),
        TEST(cancelled_it_leaves_the_older_disc),
        TEST(too_little_space_is_said_before_anything_is_written),
        TEST(a_disc_that_cannot_be_written_to_its_end_is_removed),
        TEST(ten_thousand_files_are_no_trouble),
        TEST(two_at_once_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

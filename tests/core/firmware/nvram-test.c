/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* The file of UEFI's variables: made, kept, never torn, and what happens when it cannot be written.
 */

#include "core/firmware/nvram.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>
#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE 0x84000u
#define PATIENCE_US (20 * G_TIME_SPAN_SECOND)

typedef struct {
    char *folder, *path, *initial;
    GRecMutex lock;
    unsigned n_problems; /* atomic */
    int error_number;
    NvramOptions options;
} Rig;

static void on_problem(void *opaque, const char *path, int error_number)
{
    Rig *rig = opaque;

    assert_string_equal(path, rig->path);
    rig->error_number = error_number;
    __atomic_fetch_add(&rig->n_problems, 1, __ATOMIC_SEQ_CST);
}

static int setup(void **state)
{
    Rig *rig = g_new0(Rig, 1);
    g_autofree char *bytes = g_malloc(SIZE);

    g_rec_mutex_init(&rig->lock);
    rig->folder = g_dir_make_tmp("nvram-XXXXXX", NULL);
    rig->path = g_build_filename(rig->folder, "machine", "nvram.fd", NULL);
    rig->initial = g_build_filename(rig->folder, "vars.fd", NULL);
    g_autofree char *machine = g_path_get_dirname(rig->path);
    assert_int_equal(g_mkdir(machine, 0700), 0);
    memset(bytes, 0xFF, SIZE);
    memcpy(bytes + 40, "_FVH", 4);
    assert_true(g_file_set_contents(rig->initial, bytes, SIZE, NULL));
    rig->options = (NvramOptions){ .path = rig->path,
                                   .initial = rig->initial,
                                   .lock = &rig->lock,
                                   .on_problem = on_problem,
                                   .opaque = rig };
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    Rig *rig = *state;
    g_autofree char *machine = g_path_get_dirname(rig->path);

    g_unlink(rig->path);
    g_unlink(rig->initial);
    assert_int_equal(g_rmdir(machine), 0); /* and nothing else is in it */
    assert_int_equal(g_rmdir(rig->folder), 0);
    g_rec_mutex_clear(&rig->lock);
    g_free(rig->folder);
    g_free(rig->path);
    g_free(rig->initial);
    g_free(rig);
    return 0;
}

static Nvram *open_it(Rig *rig)
{
    g_autoptr(GError) error = NULL;
    Nvram *nvram = nvram_open(&rig->options, &error);

    if (!nvram)
        fail_msg("%s", error->message);
    return nvram;
}

static void change(Rig *rig, Nvram *nvram, uint32_t value)
{
    Ram *image = nvram_image(nvram);

    g_rec_mutex_lock(&rig->lock);
    memcpy(image->host + 0x1000, &value, sizeof value);
    memcpy(image->host + SIZE - sizeof value, &value, sizeof value);
    g_rec_mutex_unlock(&rig->lock);
    nvram_changed(nvram);
}

/* What the file has; that it is whole, and of one moment, is checked. */
static uint32_t kept(Rig *rig)
{
    g_autofree char *bytes = NULL;
    uint32_t first, last;
    gsize length;

    assert_true(g_file_get_contents(rig->path, &bytes, &length, NULL));
    assert_int_equal(length, SIZE);
    assert_memory_equal(bytes + 40, "_FVH", 4);
    memcpy(&first, bytes + 0x1000, sizeof first);
    memcpy(&last, bytes + SIZE - sizeof last, sizeof last);
    assert_int_equal(first, last);
    return first;
}

static void a_new_machine_gets_the_firmwares_variables(void **state)
{
    Rig *rig = *state;
    g_autoptr(Nvram) nvram = open_it(rig);

    assert_int_equal(kept(rig), UINT32_MAX);
    assert_memory_equal(nvram_image(nvram)->host + 40, "_FVH", 4);
}

static void a_change_is_kept_by_itself_and_found_again(void **state)
{
    Rig *rig = *state;
    Nvram *nvram = open_it(rig);
    gint64 end = g_get_monotonic_time() + PATIENCE_US;

    change(rig, nvram, 17);
    while (kept(rig) != 17 && g_get_monotonic_time() < end)
        g_usleep(1000);
    assert_int_equal(kept(rig), 17);
    change(rig, nvram, 18);
    assert_true(nvram_flush(nvram));
    assert_int_equal(kept(rig), 18);
    change(rig, nvram, 19);
    nvram_free(nvram);
    nvram = open_it(rig);
    assert_int_equal(nvram_image(nvram)->host[0x1000], 19);
    nvram_free(nvram);
}

static void the_file_is_whole_at_any_moment(void **state)
{
    Rig *rig = *state;
    g_autoptr(Nvram) nvram = open_it(rig);
    unsigned n_seen = 0;
    uint32_t seen = 0;

    change(rig, nvram, 0);
    assert_true(nvram_flush(nvram));
    for (uint32_t value = 1; n_seen < 10 && value < 100000; value++) {
        change(rig, nvram, value);
        uint32_t now = kept(rig);
        n_seen += now != seen;
        seen = now;
    }
    assert_int_equal(n_seen, 10);
}

/* A crash in the middle of a copy leaves a part of one beside. */
static void what_a_crash_left_is_no_obstacle(void **state)
{
    Rig *rig = *state;
    g_autofree char *beside = g_strconcat(rig->path, ".new", NULL);
    Nvram *nvram = open_it(rig);

    change(rig, nvram, 4);
    nvram_free(nvram);
    assert_true(g_file_set_contents(beside, "half", 4, NULL));
    nvram = open_it(rig);
    assert_int_equal(nvram_image(nvram)->host[0x1000], 4);
    change(rig, nvram, 5);
    nvram_free(nvram);
    assert_int_equal(kept(rig), 5);
}

/* A machine's folder may have come from anywhere. */
static void what_lies_in_its_way_is_replaced_not_written_to(void **state)
{
    Rig *rig = *state;
    g_autofree char *beside = g_strconcat(rig->path, ".new", NULL);
    g_autofree char *theirs = g_build_filename(rig->folder, "theirs", NULL);
    g_autofree char *text = NULL;

    alarm(20);
    assert_int_equal(mkfifo(beside, 0600), 0);
    nvram_free(open_it(rig));
    assert_true(g_file_set_contents(theirs, "theirs", -1, NULL));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(i ? symlink(theirs, beside) : link(theirs, beside), 0);
        Nvram *nvram = open_it(rig);
        change(rig, nvram, 20 + i);
        assert_true(nvram_flush(nvram));
        nvram_free(nvram);
        assert_int_equal(kept(rig), 20 + i);
    }
    alarm(0);
    assert_int_equal(rig->n_problems, 0);
    assert_true(g_file_get_contents(theirs, &text, NULL, NULL));
    assert_string_equal(text, "theirs");
    g_unlink(theirs);
}

static void refuse_it(Rig *rig)
{
    g_autoptr(GError) error = NULL;

    alarm(20);
    assert_null(nvram_open(&rig->options, &error));
    alarm(0);
    assert_non_null(strstr(error->message, rig->path));
    g_unlink(rig->path);
}

static void what_is_no_file_of_its_kind_is_not_read(void **state)
{
    Rig *rig = *state;

    assert_int_equal(mkfifo(rig->path, 0600), 0);
    refuse_it(rig);
    assert_int_equal(symlink("/dev/zero", rig->path), 0);
    refuse_it(rig);
    assert_true(g_file_set_contents(rig->path, "", 0, NULL));
    assert_int_equal(truncate(rig->path, INT64_C(1) << 40), 0);
    refuse_it(rig);
}

static void a_file_of_other_firmware_is_refused_by_name_and_left_alone(void **state)
{
    Rig *rig = *state;
    g_autofree char *bytes = g_malloc0(SIZE);
    static const gsize lengths[] = { SIZE, SIZE / 2, 0 }; /* of no volume; too short; empty */

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *after = NULL;
        gsize length;
        memcpy(bytes + 40, i ? "_FVH" : "????", 4);
        assert_true(g_file_set_contents(rig->path, bytes, lengths[i], NULL));
        assert_null(nvram_open(&rig->options, &error));
        assert_non_null(strstr(error->message, rig->path));
        assert_true(g_file_get_contents(rig->path, &after, &length, NULL));
        assert_int_equal(length, lengths[i]);
    }
}

static void what_is_to_be_forgotten_is_not_kept(void **state)
{
    Rig *rig = *state;

    nvram_free(open_it(rig));
    rig->options.forget = true;
    Nvram *nvram = open_it(rig);
    change(rig, nvram, 3);
    assert_true(nvram_flush(nvram));
    nvram_free(nvram);
    assert_int_equal(kept(rig), UINT32_MAX);
}

static void wait_for_problem(Rig *rig)
{
    gint64 end = g_get_monotonic_time() + PATIENCE_US;

    while (!__atomic_load_n(&rig->n_problems, __ATOMIC_SEQ_CST) && g_get_monotonic_time() < end)
        g_usleep(1000);
}

/* The file system takes a part of the copy and no more. */
static void a_write_that_fails_is_told_once_and_loses_nothing(void **state)
{
    Rig *rig = *state;
    g_autoptr(Nvram) nvram = open_it(rig);
    struct rlimit before, small;

    change(rig, nvram, 7);
    assert_true(nvram_flush(nvram));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = SIZE / 2;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    change(rig, nvram, 8);
    wait_for_problem(rig);
    change(rig, nvram, 9);
    g_usleep(100 * G_TIME_SPAN_MILLISECOND);
    assert_int_equal(rig->n_problems, 1);
    assert_int_equal(rig->error_number, EFBIG);
    assert_int_equal(kept(rig), 7);
    assert_false(nvram_flush(nvram));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(nvram_flush(nvram));
    assert_int_equal(kept(rig), 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_machine_gets_the_firmwares_variables),
        TEST(a_change_is_kept_by_itself_and_found_again),
        TEST(the_file_is_whole_at_any_moment),
        TEST(what_a_crash_left_is_no_obstacle),
        TEST(what_lies_in_its_way_is_replaced_not_written_to),
        TEST(what_is_no_file_of_its_kind_is_not_read),
        TEST(a_file_of_other_firmware_is_refused_by_name_and_left_alone),
        TEST(what_is_to_be_forgotten_is_not_kept),
        TEST(a_write_that_fails_is_told_once_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

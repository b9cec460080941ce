/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The display and the keyboard under the real VGA BIOS and BIOS: modes as programs set them, and
 * keys as they read them. */

#include "core/cpu/cpu.h"
#include "core/dev/i8042.h"
#include "core/dev/vga.h"
#include "core/machine/machine.h"
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* after those */
#include <cmocka.h>

#define KEY_A 0x1E
#define PATIENCE_US (20 * G_USEC_PER_SEC)

extern const char vga_modes[512];

typedef struct {
    unsigned width, height;
    unsigned scale_x, scale_y; /* of a guest's pixel */
    bool is_text;
} Mode;

/* In the boot sector's order: neighbours differ, so that no picture passes for the next. */
static const Mode modes[] = {
    { 720, 400, 1, 1, true },  { 720, 400, 1, 1, true },  { 640, 400, 2, 2, false },
    { 640, 480, 1, 1, false }, { 640, 400, 2, 2, false }, { 640, 350, 1, 1, false },
    { 640, 400, 2, 2, false }, { 640, 480, 1, 1, false }, { 1024, 768, 1, 1, false },
    { 640, 480, 1, 1, false }, { 800, 600, 1, 1, false }, { 640, 480, 1, 1, false },
};

static uint32_t pixel(const VgaSurface *s, unsigned x, unsigned y)
{
    uint32_t value;

    memcpy(&value, s->ram->host + s->offset + (uint64_t)y * s->stride + 4 * x, 4);
    return value & 0xFFFFFF;
}

/* All 60 dots are lit, and the ones above them are not. */
static bool shows_diagonal(const VgaSurface *s, const Mode *mode)
{
    for (unsigned i = 0; i < 60; i++) {
        unsigned x = 2 * i * mode->scale_x, y = (40 + i) * mode->scale_y;

        if (!pixel(s, x, y) || !pixel(s, x + mode->scale_x - 1, y + mode->scale_y - 1) ||
            pixel(s, x, y - 1))
            return false;
    }
    return true;
}

static bool shows_text(Vga *vga, const char *wanted)
{
    g_autofree char *text = vga_dup_text(vga, NULL, NULL, NULL, NULL);

    return text && g_str_has_prefix(text, wanted);
}

static bool shows_mode(Machine *machine, const Mode *mode, const char *wanted)
{
    VgaRect rects[VGA_MAX_RECTS];
    VgaSurface surface;

    vga_refresh(machine->vga, &surface, rects);
    if (surface.blank || surface.width != mode->width || surface.height != mode->height ||
        surface.is_text != mode->is_text)
        return false;
    return mode->is_text ? shows_text(machine->vga, wanted) : shows_diagonal(&surface, mode);
}

static void wait_for_mode(Machine *machine, unsigned n, const char *wanted)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE_US;

    while (!shows_mode(machine, &modes[n], wanted)) {
        if (g_get_monotonic_time() > deadline)
            fail_msg("mode %u did not show \"%s\"", n, wanted);
        g_usleep(5000);
    }
}

static void press(Machine *machine, unsigned key)
{
    assert_true(i8042_key(machine->i8042, key, true));
    assert_true(i8042_key(machine->i8042, key, false));
}

static void vga_bios_modes_show_what_is_drawn(void **state)
{
    g_autofree char *dir = g_dir_make_tmp("vitrine-vga-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "disk.img", NULL);
    g_autofree char *image = g_malloc0(1 << 20);
    g_autoptr(GError) error = NULL;
    MachineConfig config = { .name = "vga",
                             .memory_bytes = 32 << 20,
                             .n_cpus = 1,
                             .cpu = &cpu_soft_ops,
                             .clock = CLOCK_REAL,
                             .drive[0] = { .path = path },
                             .n_drives = 1,
                             .boot_order = "disk,cdrom",
                             .rtc_base = -1 };
    Machine *machine;

    memcpy(image, vga_modes, 512);
    assert_true(g_file_set_contents(path, image, 1 << 20, NULL));
    machine = machine_new(&config, &error);
    if (!machine)
        fail_msg("%s", error->message);
    assert_true(machine_start(machine, false, &error));
    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        wait_for_mode(machine, i, "Mode ╔═╗\n");
        press(machine, KEY_A);
        wait_for_mode(machine, i, "Mode ╔═╗ a\n");
        press(machine, KEY_A);
    }
    machine_free(machine);
    g_unlink(path);
    g_rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vga_bios_modes_show_what_is_drawn),
    };

    return cmocka_run_group_tests_name("guest/vga-modes", tests, NULL, NULL);
}

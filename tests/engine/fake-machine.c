/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* A machine without a guest, behind the same headers as the real one: its "guest" is a few lines
 * that echo what is typed on a text screen and on the serial port, and obey a few words. So engine,
 * client and command line are tested in milliseconds, and what they do to a machine can be counted.
 *
 * Words, typed and ended with Enter: off (powers off), reset, triple (a reset by triple fault),
 * graphics, mouse (tells how far it was moved), full (host disk full), crash (the process dies),
 * work and rest (a minute goes by, with or without disk and processor). The power button powers off
 * unless "deaf" was typed. */

#include "core/dev/char-backend.h"
#include "core/dev/i8042.h"
#include "core/dev/vga.h"
#include "core/machine/machine.h"
#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COLUMNS 80
#define ROWS 25
#define CELL_WIDTH 9
#define CELL_HEIGHT 16

struct Vga {
    GMutex lock;
    Ram *ram;
    GString *text;
    bool changed, graphics;
    unsigned generation;
};

struct I8042 {
    Machine *machine;
    bool shift;
    GString *line;
};

struct MachinePrivate {
    GMutex lock;
    MachineState state;
    void (*listener)(void *opaque, MachineEvent event);
    void *opaque;
    char *media[MACHINE_MAX_DRIVES];
    char *problem;
    bool deaf;
    unsigned n_triple_faults;
    uint64_t written_bytes;
    Device port; /* as which the serial back end enters us */
    unsigned n_cpus;
};

static void tell(Machine *machine, MachineEvent event)
{
    g_mutex_lock(&machine->priv->lock);
    void (*listener)(void *, MachineEvent) = machine->priv->listener;
    void *opaque = machine->priv->opaque;
    g_mutex_unlock(&machine->priv->lock);
    if (listener)
        listener(opaque, event);
}

static void set_state(Machine *machine, MachineState state)
{
    bool changed = machine->priv->state != state;
    machine->priv->state = state;
    if (changed)
        tell(machine, MACHINE_EVENT_STATE);
}

/* --- The screen --- */

static void screen_append(Machine *machine, const char *text)
{
    Vga *vga = machine->vga;
    g_mutex_lock(&vga->lock);
    g_string_append(vga->text, text);
    vga->changed = true;
    g_mutex_unlock(&vga->lock);
    char_backend_write(machine->serial, (const uint8_t *)text, strlen(text));
}

unsigned vga_refresh(Vga *vga, VgaSurface *out_surface, VgaRect out_rects[VGA_MAX_RECTS])
{
    g_mutex_lock(&vga->lock);
    unsigned n = vga->changed ? 1 : 0;
    vga->changed = false;
    out_rects[0] = (VgaRect){ 0, 0, COLUMNS * CELL_WIDTH, ROWS * CELL_HEIGHT };
    *out_surface = (VgaSurface){ .width = COLUMNS * CELL_WIDTH,
                                 .height = ROWS * CELL_HEIGHT,
                                 .stride = COLUMNS * CELL_WIDTH * 4,
                                 .ram = vga->ram,
                                 .is_text = !vga->graphics,
                                 .generation = vga->generation };
    uint32_t *pixels = (uint32_t *)vga->ram->host;
    unsigned column = 0, row = 0;
    memset(pixels, 0, (gsize)out_surface->stride * out_surface->height);
    for (const char *at = vga->text->str; *at && row < ROWS; at++) {
        if (*at == '\n' || column == COLUMNS) {
            column = 0;
            row++;
        }
        if (*at == '\n' || row == ROWS)
            continue;
        for (unsigned y = 0; y < CELL_HEIGHT; y++)
            for (unsigned x = 0; x < CELL_WIDTH; x++)
                pixels[(row * CELL_HEIGHT + y) * COLUMNS * CELL_WIDTH + column * CELL_WIDTH + x] =
                    0x010000u * (uint8_t)*at + 0x00ff00;
        column++;
    }
    g_mutex_unlock(&vga->lock);
    return n;
}

char *vga_dup_text(Vga *vga, int *out_columns, int *out_rows, int *out_cursor_x, int *out_cursor_y)
{
    if (vga->graphics)
        return NULL;
    if (out_columns)
        *out_columns = COLUMNS;
    if (out_rows)
        *out_rows = ROWS;
    if (out_cursor_x)
        *out_cursor_x = 0;
    if (out_cursor_y)
        *out_cursor_y = 0;
    g_mutex_lock(&vga->lock);
    char *text = g_strdup(vga->text->str);
    g_mutex_unlock(&vga->lock);
    return text;
}

void vga_set_preferred_mode(Vga *vga, unsigned width, unsigned height)
{
}

/* --- The keyboard, and who obeys it --- */

static gpointer power_off_thread(gpointer machine)
{
    machine_power_off(machine);
    tell(machine, MACHINE_EVENT_POWEROFF);
    return NULL;
}

static int mouse_x, mouse_y; /* where the mouse would be, had it no edges */
static int worked_seconds;   /* of processor time, that the process never spent */

/* In place of the C library's. */
int getrusage(__rusage_who_t who, struct rusage *usage)
{
    int result = (int)syscall(SYS_getrusage, who, usage);
    usage->ru_utime.tv_sec += g_atomic_int_get(&worked_seconds);
    return result;
}

static void let_a_minute_go_by(Machine *machine, bool works)
{
    clock_stop(machine->clock);
    clock_set_now_ns(machine->clock, clock_now_ns(machine->clock) + 61 * CLOCK_NS_PER_SECOND);
    clock_start(machine->clock);
    machine->priv->written_bytes += works ? 1 << 30 : 0;
    g_atomic_int_add(&worked_seconds, works ? 61 : 0);
}

static void obey(Machine *machine, const char *word)
{
    if (strcmp(word, "off") == 0) {
        g_thread_unref(g_thread_new("off", power_off_thread, machine));
    } else if (strcmp(word, "reset") == 0) {
        tell(machine, MACHINE_EVENT_RESET);
    } else if (strcmp(word, "triple") == 0) {
        machine->priv->n_triple_faults++;
        tell(machine, MACHINE_EVENT_RESET);
    } else if (strcmp(word, "graphics") == 0) {
        machine->vga->graphics = true;
        machine->vga->generation++;
    } else if (strcmp(word, "deaf") == 0) {
        machine->priv->deaf = true;
    } else if (strcmp(word, "full") == 0) {
        machine->priv->problem = g_strdup("The disk of this computer is full");
        set_state(machine, MACHINE_PAUSED_PROBLEM);
    } else if (strcmp(word, "work") == 0 || strcmp(word, "rest") == 0) {
        let_a_minute_go_by(machine, *word == 'w');
    } else if (strcmp(word, "mouse") == 0) {
        g_autofree char *moved = g_strdup_printf("mouse %d %d\n", g_atomic_int_get(&mouse_x),
                                                 g_atomic_int_get(&mouse_y));
        screen_append(machine, moved);
    } else if (strcmp(word, "crash") == 0) {
        raise(SIGKILL);
    } else {
        screen_append(machine, "what?\n");
    }
}

bool i8042_key(I8042 *i8042, unsigned key, bool down)
{
    static const char plain[] = "?\0331234567890-=\b\tqwertyuiop[]\n?asdfghjkl;'`?\\zxcvbnm,./?*? ";
    static const char shifted[] =
        "?\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n?ASDFGHJKL:\"~?|ZXCVBNM<>?*? ";
    if (key == 0x2a || key == 0x36)
        i8042->shift = down;
    if (!down || key >= sizeof plain - 1 || key == 0x2a || key == 0x36 || key == 0x1d ||
        key == 0x38)
        return true;
    char text[2] = { (i8042->shift ? shifted : plain)[key], 0 };
    screen_append(i8042->machine, text);
    if (text[0] == '\n') {
        g_autofree char *word = g_strdup(i8042->line->str);
        g_string_truncate(i8042->line, 0);
        obey(i8042->machine, word);
    } else {
        g_string_append(i8042->line, text);
    }
    return true;
}

void i8042_mouse(I8042 *i8042, int dx, int dy, int dz, unsigned buttons)
{
    g_atomic_int_add(&mouse_x, dx);
    g_atomic_int_add(&mouse_y, dy);
    if (buttons)
        screen_append(i8042->machine, "click\n");
}

unsigned i8042_keyboard_queued(I8042 *i8042)
{
    return 0;
}

unsigned i8042_leds(I8042 *i8042)
{
    return 0;
}

static void on_serial_input(Device *device, const uint8_t *bytes, size_t length)
{
    g_autofree char *text = g_strndup((const char *)bytes, length);
    screen_append(device->machine, text);
}

static size_t can_accept(Device *device)
{
    return 64;
}

/* --- The machine --- */

Machine *machine_new(const MachineConfig *config, GError **error)
{
    Machine *machine = g_new0(Machine, 1);
    machine->priv = g_new0(struct MachinePrivate, 1);
    g_mutex_init(&machine->priv->lock);
    g_rec_mutex_init(&machine->lock);
    machine->priv->n_cpus = config->n_cpus;
    machine->clock = clock_new(CLOCK_REAL, &machine->lock);
    for (unsigned i = 0; i < config->n_drives; i++)
        machine->priv->media[i] = g_strdup(config->drive[i].path);
    machine->vga = g_new0(Vga, 1);
    machine->vga->ram = ram_new("vga", COLUMNS * CELL_WIDTH * ROWS * CELL_HEIGHT * 4, error);
    machine->vga->text = g_string_new(NULL);
    machine->vga->generation = 1;
    g_mutex_init(&machine->vga->lock);
    machine->i8042 = g_new0(I8042, 1);
    machine->i8042->machine = machine;
    machine->i8042->line = g_string_new(NULL);
    machine->serial = char_backend_new();
    machine->priv->port = (Device){ .machine = machine, .lock = &machine->lock };
    char_backend_set_device(machine->serial, &machine->priv->port, on_serial_input, can_accept);
    return machine;
}

void machine_free(Machine *machine)
{
    if (!machine)
        return;
    clock_free(machine->clock);
    g_rec_mutex_clear(&machine->lock);
    char_backend_free(machine->serial);
    ram_free(machine->vga->ram);
    g_string_free(machine->vga->text, TRUE);
    g_free(machine->vga);
    g_string_free(machine->i8042->line, TRUE);
    g_free(machine->i8042);
    for (unsigned i = 0; i < MACHINE_MAX_DRIVES; i++)
        g_free(machine->priv->media[i]);
    g_free(machine->priv->problem);
    g_free(machine->priv);
    g_free(machine);
}

bool machine_start(Machine *machine, bool paused, GError **error)
{
    screen_append(machine, "\033[1mfake guest\033[0m ready\n");
    clock_start(machine->clock);
    set_state(machine, paused ? MACHINE_PAUSED : MACHINE_RUNNING);
    return true;
}

void machine_pause(Machine *machine)
{
    set_state(machine, MACHINE_PAUSED);
}

bool machine_is_stuck(Machine *machine, bool for_good)
{
    return false;
}

bool machine_abandon(Machine *machine)
{
    return true;
}

void machine_resume(Machine *machine)
{
    g_clear_pointer(&machine->priv->problem, g_free);
    set_state(machine, MACHINE_RUNNING);
}

void machine_reset(Machine *machine)
{
    tell(machine, MACHINE_EVENT_RESET);
}

void machine_power_off(Machine *machine)
{
    set_state(machine, MACHINE_OFF);
}

void machine_press_power_button(Machine *machine)
{
    screen_append(machine, "power button\n");
    if (!machine->priv->deaf)
        g_thread_unref(g_thread_new("off", power_off_thread, machine));
}

MachineState machine_state(const Machine *machine)
{
    return machine->priv->state;
}

char *machine_dup_problem(Machine *machine)
{
    return g_strdup(machine->priv->problem);
}

MachineProblem machine_problem(Machine *machine, char **out_subject)
{
    if (out_subject)
        *out_subject = g_strdup(machine->priv->problem ? "/full/disk.qcow2" : NULL);
    return machine->priv->problem ? MACHINE_PROBLEM_DISK_FULL : MACHINE_PROBLEM_NONE;
}

unsigned machine_triple_faults(const Machine *machine)
{
    return machine->priv->n_triple_faults;
}

void machine_set_listener(Machine *machine, void (*callback)(void *opaque, MachineEvent event),
                          void *opaque)
{
    g_mutex_lock(&machine->priv->lock);
    machine->priv->listener = callback;
    machine->priv->opaque = opaque;
    g_mutex_unlock(&machine->priv->lock);
}

bool machine_set_media(Machine *machine, unsigned drive, const char *path, GError **error)
{
    g_free(machine->priv->media[drive]);
    machine->priv->media[drive] = g_strdup(path);
    tell(machine, MACHINE_EVENT_MEDIA);
    return true;
}

char *machine_dup_media(Machine *machine, unsigned drive)
{
    return g_strdup(machine->priv->media[drive]);
}

bool machine_get_drive_stats(Machine *machine, unsigned drive, DiskStats *out_stats)
{
    *out_stats = (DiskStats){ .read_bytes = 3072,
                              .reads = 2,
                              .written_bytes = machine->priv->written_bytes };
    return drive == 0;
}

uint64_t machine_retired(const Machine *machine, unsigned id)
{
    return 1000;
}

unsigned machine_n_cpus(const Machine *machine)
{
    return machine->priv->n_cpus;
}

bool machine_set_cpu(Machine *machine, const CpuOps *ops, GError **error)
{
    return true;
}

const char *machine_cpu_name(Machine *machine)
{
    return "software";
}

char *machine_dup_cpu_left(Machine *machine)
{
    return NULL;
}

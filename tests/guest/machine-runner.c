/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Runs a machine from the command line, with no engine and no window: for tests, benchmarks and
 * debugging. The guest's debug console goes to stderr, its serial port to stdout; at the end come
 * counts and times. Exit status: 0 the guest powered off (or what was waited for came), 1 it could
 * not be run, 2 wrong usage, 3 time is up, 4 the machine failed or reset with --no-reboot; with
 * --debug-exit what the guest wrote times two plus one, as QEMU has it. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/dev/char-backend.h"
#include "core/dev/i8042.h"
#include "core/dev/vga.h"
#include "core/machine/machine.h"
#include "state-trace.h"
#include <gio/gio.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define POLL_MS 20
#define MIB UINT64_C(0x100000)

typedef struct {
    /* options */
    int memory_mib, n_cpus;
    char **cdroms, **disks, **virtio_disks;
    char *cpu, *software_until;
    int moves_ms;
    char *kernel, *initrd, *append, *firmware, *nvram;
    int timeout_s;
    char *until_serial, *until_debug, *until_text, *marks, *screenshot;
    gboolean rng, uefi, hyperv, deterministic, no_reboot, boot_menu, disk_first, debug_exit, quiet,
        show_text, press_power, pauses;
    gint64 max_instructions;
    char *states;
    gint64 states_from, states_every, states_plant;
    /* what happens; under lock */
    GMutex lock;
    GString *serial, *debug, *line;
    bool powered_off, was_reset, state_changed;
    Machine *machine;
    unsigned n_moves;
    GThread *mover;
    bool mover_quits; /* atomic */
} Runner;

enum { EXIT_OFF = 0, EXIT_CANNOT_RUN = 1, EXIT_USAGE = 2, EXIT_TIME_UP = 3, EXIT_GUEST_FAILED = 4 };

static uint64_t instructions(Runner *r)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < machine_n_cpus(r->machine); i++)
        total += machine_retired(r->machine, i);
    return total;
}

/* --marks: whole lines, and those that match say how far the guest has come. */
static void print_with_marks(Runner *r, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\r')
            continue;
        if (bytes[i] != '\n') {
            g_string_append_c(r->line, bytes[i]);
            continue;
        }
        printf("%s", r->line->str);
        if (g_regex_match_simple(r->marks, r->line->str, G_REGEX_RAW, 0))
            printf(" retired=%" G_GUINT64_FORMAT, instructions(r));
        putchar('\n');
        fflush(stdout);
        g_string_set_size(r->line, 0);
    }
}

static void on_serial(void *opaque, const uint8_t *bytes, size_t length)
{
    Runner *r = opaque;

    g_mutex_lock(&r->lock);
    g_string_append_len(r->serial, (const char *)bytes, length);
    g_mutex_unlock(&r->lock);
    if (r->marks)
        print_with_marks(r, bytes, length);
    else if (!r->quiet && write(STDOUT_FILENO, bytes, length) < 0)
        r->quiet = TRUE;
}

static void on_debug(void *opaque, const uint8_t *bytes, size_t length)
{
    Runner *r = opaque;

    g_mutex_lock(&r->lock);
    g_string_append_len(r->debug, (const char *)bytes, length);
    g_mutex_unlock(&r->lock);
    if (!r->quiet && write(STDERR_FILENO, bytes, length) < 0)
        r->quiet = TRUE;
}

static void on_event(void *opaque, MachineEvent event)
{
    Runner *r = opaque;

    g_mutex_lock(&r->lock);
    r->powered_off |= event == MACHINE_EVENT_POWEROFF;
    r->was_reset |= event == MACHINE_EVENT_RESET;
    g_mutex_unlock(&r->lock);
}

/* A deterministic guest that halts for good gets no further in instructions. */
static bool has_run_enough(Runner *r)
{
    uint64_t most = (uint64_t)r->max_instructions;

    return most &&
           (instructions(r) > most || (r->deterministic && clock_now_ns(r->machine->clock) > most));
}

static bool text_matches(Runner *r)
{
    g_autofree char *text = vga_dup_text(r->machine->vga, NULL, NULL, NULL, NULL);

    return text && g_regex_match_simple(r->until_text, text, G_REGEX_MULTILINE, 0);
}

static bool stream_matches(Runner *r, const GString *stream, const char *pattern)
{
    g_mutex_lock(&r->lock);
    bool found = g_regex_match_simple(pattern, stream->str, G_REGEX_RAW | G_REGEX_MULTILINE, 0);
    g_mutex_unlock(&r->lock);
    return found;
}

static bool wanted_came(Runner *r)
{
    return (r->until_serial && stream_matches(r, r->serial, r->until_serial)) ||
           (r->until_debug && stream_matches(r, r->debug, r->until_debug)) ||
           (r->until_text && text_matches(r));
}

/* The guest changes its CPU; the machine's failure ends the run. */
static void move(Runner *r, const CpuOps *to)
{
    g_autoptr(GError) error = NULL;

    if (machine_set_cpu(r->machine, to, &error))
        r->n_moves++;
    else
        fprintf(stderr, "machine-runner: move to %s: %s\n", to->name, error->message);
}

/* --moves-ms: there and back at random points. */
static gpointer keep_moving(gpointer data)
{
    Runner *r = data;

    while (!__atomic_load_n(&r->mover_quits, __ATOMIC_SEQ_CST)) {
        g_usleep((gulong)g_random_int_range(0, r->moves_ms * 2000 + 1));
        move(r, r->n_moves % 2 ? &cpu_kvm_ops : &cpu_soft_ops);
    }
    return NULL;
}

/* Waits for the end; what the process should exit with. */
static int wait_for_end(Runner *r)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)r->timeout_s * G_USEC_PER_SEC;
    bool pressed = false;

    for (;;) {
        g_usleep(POLL_MS * 1000);
        if (r->pauses && machine_state(r->machine) == MACHINE_RUNNING) {
            machine_pause(r->machine);
            machine_resume(r->machine);
        }
        g_mutex_lock(&r->lock);
        bool off = r->powered_off, reset = r->was_reset && r->no_reboot;
        g_mutex_unlock(&r->lock);
        if (off)
            return machine_exit_code(r->machine) < 0 ? EXIT_OFF
                                                     : machine_exit_code(r->machine) << 1 | 1;
        if (r->software_until && stream_matches(r, r->serial, r->software_until)) {
            r->software_until = NULL;
            move(r, &cpu_kvm_ops);
        }
        if (!pressed && wanted_came(r)) {
            if (!r->press_power)
                return EXIT_OFF;
            machine_press_power_button(r->machine);
            pressed = true;
        }
        if (reset || machine_state(r->machine) == MACHINE_FAILED ||
            machine_state(r->machine) == MACHINE_PAUSED_PROBLEM)
            return EXIT_GUEST_FAILED;
        if (g_get_monotonic_time() > deadline || has_run_enough(r))
            return EXIT_TIME_UP;
    }
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* How often KVM left the guest, and how often it did not know how to go on. */
static void print_kvm(Runner *r)
{
    uint64_t n_exits = 0, n_assisted = 0;

    if (strcmp(machine_cpu_name(r->machine), "kvm") != 0)
        return;
    for (unsigned i = 0; i < machine_n_cpus(r->machine); i++) {
        const KvmCpu *cpu = kvm_cpu(machine_vcpu(r->machine, i));
        n_exits += cpu->n_exits;
        n_assisted += cpu->n_assisted;
    }
    fprintf(stderr, "\nkvm: %" G_GUINT64_FORMAT " exits, %" G_GUINT64_FORMAT " assisted\n", n_exits,
            n_assisted);
}

static void print_end(Runner *r, int status, double wall_s, double cpu_s, uint64_t count)
{
    g_autofree char *problem = machine_dup_problem(r->machine);
    g_autofree char *text =
        r->show_text ? vga_dup_text(r->machine->vga, NULL, NULL, NULL, NULL) : NULL;

    if (text)
        fprintf(stderr, "\n--- screen ---\n%s\n--------------\n", text);
    if (problem)
        fprintf(stderr, "\nproblem: %s\n", problem);
    if (r->n_moves)
        fprintf(stderr, "\nmoves: %u\n", r->n_moves);
    print_kvm(r);
    fprintf(stderr,
            "\nend: status %d, %" G_GUINT64_FORMAT
            " instructions, %.2f s wall, %.2f s CPU, %.1f MIPS, guest time %.3f s\n",
            status, count, wall_s, cpu_s, wall_s > 0 ? count / wall_s / 1e6 : 0,
            clock_now_ns(r->machine->clock) / 1e9);
}

/* The picture as a portable pixmap. */
static void write_screenshot(Runner *r)
{
    VgaSurface surface;
    VgaRect rects[VGA_MAX_RECTS];
    FILE *file = fopen(r->screenshot, "wb");

    vga_refresh(r->machine->vga, &surface, rects);
    if (!file || !surface.ram) {
        fprintf(stderr, "machine-runner: no screenshot\n");
        return;
    }
    fprintf(file, "P6 %u %u 255\n", surface.width, surface.height);
    for (unsigned y = 0; y < surface.height; y++) {
        const uint8_t *pixel = surface.ram->host + surface.offset + (size_t)y * surface.stride;
        for (unsigned x = 0; x < surface.width; x++, pixel += 4) {
            fputc(pixel[2], file);
            fputc(pixel[1], file);
            fputc(pixel[0], file);
        }
    }
    fclose(file);
}

static void fill_config(Runner *r, MachineConfig *config)
{
    *config = (MachineConfig){
        .name = "runner",
        .memory_bytes = r->memory_mib * MIB,
        .n_cpus = r->n_cpus,
        .cpu = g_strcmp0(r->cpu, "kvm") == 0 ? &cpu_kvm_ops
               : r->states                   ? state_trace_ops()
                                             : &cpu_soft_ops,
        .clock = r->deterministic ? CLOCK_DETERMINISTIC : CLOCK_REAL,
        .firmware = r->uefi ? MACHINE_FIRMWARE_UEFI : MACHINE_FIRMWARE_BIOS,
        .firmware_path = r->firmware,
        .nvram_path = r->nvram,
        .boot_order = r->disk_first ? "disk,cdrom" : NULL,
        .boot_menu = r->boot_menu,
        .hyperv = r->hyperv ? MACHINE_HYPERV_ON : MACHINE_HYPERV_OFF,
        .kernel_path = r->kernel,
        .initrd_path = r->initrd,
        .kernel_command_line = r->append,
        .debug_exit = r->debug_exit,
        .has_rng = r->rng,
        .rtc_base = r->deterministic ? 1700000000 : -1,
    };
    for (char **disk = r->disks; disk && *disk && config->n_drives < MACHINE_MAX_DRIVES; disk++)
        config->drive[config->n_drives++] = (MachineDrive){ .path = *disk };
    for (char **disk = r->virtio_disks; disk && *disk && config->n_drives < MACHINE_MAX_DRIVES;
         disk++)
        config->drive[config->n_drives++] = (MachineDrive){ .path = *disk, .is_virtio = true };
    for (char **disc = r->cdroms; disc && *disc && config->n_drives < MACHINE_MAX_DRIVES; disc++)
        config->drive[config->n_drives++] = (MachineDrive){ .path = *disc, .is_cdrom = true };
}

static int run(Runner *r)
{
    g_autoptr(GError) error = NULL;
    MachineConfig config;

    fill_config(r, &config);
    r->machine = machine_new(&config, &error);
    if (!r->machine) {
        fprintf(stderr, "machine-runner: %s\n", error->message);
        return EXIT_CANNOT_RUN;
    }
    state_trace_plant((uint64_t)r->states_plant);
    char_backend_attach(r->machine->serial, on_serial, r);
    char_backend_attach(r->machine->debugcon, on_debug, r);
    machine_set_listener(r->machine, on_event, r);
    gint64 begin = g_get_monotonic_time();
    double cpu_begin = cpu_seconds();
    int status = EXIT_CANNOT_RUN;
    if (r->software_until)
        move(r, &cpu_soft_ops);
    if (r->moves_ms)
        r->mover = g_thread_new("mover", keep_moving, r);
    if ((!r->states || state_trace_attach(r->machine, r->states, (uint64_t)r->states_from,
                                          (uint64_t)r->states_every, &error)) &&
        machine_start(r->machine, false, &error))
        status = wait_for_end(r);
    else
        fprintf(stderr, "machine-runner: %s\n", error->message);
    __atomic_store_n(&r->mover_quits, true, __ATOMIC_SEQ_CST);
    if (r->mover)
        g_thread_join(r->mover);
    machine_pause(r->machine);
    state_trace_detach();
    if (r->screenshot)
        write_screenshot(r);
    print_end(r, status, (g_get_monotonic_time() - begin) / 1e6, cpu_seconds() - cpu_begin,
              instructions(r));
    machine_free(r->machine);
    return status;
}

int main(int argc, char **argv)
{
    static Runner r = { .memory_mib = 256, .n_cpus = 1, .timeout_s = 60, .states_every = 5000000 };
    const GOptionEntry options[] = {
        { "memory", 'm', 0, G_OPTION_ARG_INT, &r.memory_mib, "Memory in MiB", "N" },
        { "cpu", 0, 0, G_OPTION_ARG_STRING, &r.cpu, "software (the default) or kvm", "CPU" },
        { "moves-ms", 0, 0, G_OPTION_ARG_INT, &r.moves_ms,
          "With --cpu kvm: to the software CPU and back all the time, after N ms on average", "N" },
        { "software-until", 0, 0, G_OPTION_ARG_STRING, &r.software_until,
          "With --cpu kvm: run on the software CPU until this comes on the serial port", "REGEX" },
        { "cpus", 0, 0, G_OPTION_ARG_INT, &r.n_cpus, "vCPUs", "N" },
        { "cdrom", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &r.cdroms, "A disc", "ISO" },
        { "disk", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &r.disks, "A hard disk", "IMAGE" },
        { "virtio-disk", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &r.virtio_disks, "One at virtio",
          "IMAGE" },
        { "rng", 0, 0, G_OPTION_ARG_NONE, &r.rng, "A virtio entropy device", NULL },
        { "kernel", 0, 0, G_OPTION_ARG_FILENAME, &r.kernel, "Boot this kernel directly", "FILE" },
        { "initrd", 0, 0, G_OPTION_ARG_FILENAME, &r.initrd, "Its initrd", "FILE" },
        { "append", 0, 0, G_OPTION_ARG_STRING, &r.append, "Its command line", "TEXT" },
        { "firmware", 0, 0, G_OPTION_ARG_FILENAME, &r.firmware, "BIOS image", "FILE" },
        { "uefi", 0, 0, G_OPTION_ARG_NONE, &r.uefi, "UEFI rather than BIOS", NULL },
        { "nvram", 0, 0, G_OPTION_ARG_FILENAME, &r.nvram, "Keeps UEFI's variables", "FILE" },
        { "timeout", 0, 0, G_OPTION_ARG_INT, &r.timeout_s, "Give up after so many seconds", "S" },
        { "until-serial", 0, 0, G_OPTION_ARG_STRING, &r.until_serial, "Serial output", "REGEX" },
        { "until-debug", 0, 0, G_OPTION_ARG_STRING, &r.until_debug, "Debug console", "REGEX" },
        { "until-text", 0, 0, G_OPTION_ARG_STRING, &r.until_text, "Text screen", "REGEX" },
        { "marks", 0, 0, G_OPTION_ARG_STRING, &r.marks, "Add retired=N to such serial lines",
          "REGEX" },
        { "max-instructions", 0, 0, G_OPTION_ARG_INT64, &r.max_instructions,
          "Then stop; of a deterministic guest's time too", "N" },
        { "deterministic", 0, 0, G_OPTION_ARG_NONE, &r.deterministic, "Clock by instructions",
          NULL },
        { "no-reboot", 0, 0, G_OPTION_ARG_NONE, &r.no_reboot, "A reset ends the run", NULL },
        { "hyperv", 0, 0, G_OPTION_ARG_NONE, &r.hyperv, "With Hyper-V's interface", NULL },
        { "boot-menu", 0, 0, G_OPTION_ARG_NONE, &r.boot_menu, "Firmware offers its menu", NULL },
        { "disk-first", 0, 0, G_OPTION_ARG_NONE, &r.disk_first, "Boot from disk, then disc", NULL },
        { "debug-exit", 0, 0, G_OPTION_ARG_NONE, &r.debug_exit, "Port 501h ends the run", NULL },
        { "stop-on-port", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &r.debug_exit, NULL, NULL },
        { "show-text", 0, 0, G_OPTION_ARG_NONE, &r.show_text, "Print the text screen at the end",
          NULL },
        { "screenshot", 0, 0, G_OPTION_ARG_FILENAME, &r.screenshot, "Picture at the end", "PPM" },
        { "pauses", 0, 0, G_OPTION_ARG_NONE, &r.pauses, "Pause and resume some 50 times a second",
          NULL },
        { "press-power", 0, 0, G_OPTION_ARG_NONE, &r.press_power,
          "After what was waited for, press the power button and wait for the end", NULL },
        { "states", 0, 0, G_OPTION_ARG_FILENAME, &r.states,
          "Write the state at intervals (with --deterministic)", "FILE" },
        { "states-from", 0, 0, G_OPTION_ARG_INT64, &r.states_from, "The first", "NS" },
        { "states-every", 0, 0, G_OPTION_ARG_INT64, &r.states_every, "Interval", "NS" },
        { "states-plant", 0, 0, G_OPTION_ARG_INT64, &r.states_plant,
          "Change a register then, which must be found", "NS" },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &r.quiet, "Print the last line only", NULL },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    setlocale(LC_ALL, "");
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 1) {
        fprintf(stderr, "machine-runner: %s\n", error ? error->message : "too many arguments");
        return EXIT_USAGE;
    }
    g_mutex_init(&r.lock);
    r.serial = g_string_new(NULL);
    r.debug = g_string_new(NULL);
    r.line = g_string_new(NULL);
    return run(&r);
}

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/machine-private.h"

#include "core/dev/acpi-pm.h"
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <linux/falloc.h>
#include <string.h>

#define MEMORY_MIN (UINT64_C(1) << 20)
#define MEMORY_BITS 40 /* what the memory space has room for */

/* Telling others. */

void machine_notify(Machine *machine, MachineEvent event)
{
    if (machine->priv->listener)
        machine->priv->listener(machine->priv->listener_opaque, event);
}

void machine_set_listener(Machine *machine, void (*callback)(void *opaque, MachineEvent event),
                          void *opaque)
{
    g_rec_mutex_lock(&machine->priv->life_lock);
    machine->priv->listener_opaque = opaque;
    machine->priv->listener = callback;
    g_rec_mutex_unlock(&machine->priv->life_lock);
}

MachineState machine_state(const Machine *machine)
{
    return __atomic_load_n(&machine->priv->state, __ATOMIC_SEQ_CST);
}

static void set_state(Machine *machine, MachineState state)
{
    __atomic_store_n(&machine->priv->state, state, __ATOMIC_SEQ_CST);
}

static void trouble_clear(MachineTrouble *trouble)
{
    g_free(trouble->subject);
    g_free(trouble->text);
    *trouble = (MachineTrouble){ MACHINE_PROBLEM_NONE };
}

/* Takes @trouble. */
static void set_problem(Machine *machine, MachineTrouble trouble)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->text_lock);
    trouble_clear(&p->problem);
    p->problem = trouble;
    g_mutex_unlock(&p->text_lock);
}

char *machine_dup_problem(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->text_lock);
    char *text = g_strdup(p->problem.text);
    g_mutex_unlock(&p->text_lock);
    return text;
}

MachineProblem machine_problem(Machine *machine, char **out_subject)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->text_lock);
    MachineProblem kind = p->problem.kind;
    if (out_subject)
        *out_subject = g_strdup(p->problem.subject);
    g_mutex_unlock(&p->text_lock);
    return kind;
}

unsigned machine_triple_faults(const Machine *machine)
{
    return __atomic_load_n(&machine->priv->n_triple_faults, __ATOMIC_SEQ_CST);
}

int machine_exit_code(const Machine *machine)
{
    return __atomic_load_n(&machine->priv->exit_code, __ATOMIC_SEQ_CST);
}

/* Changes of state. All are under life_lock, with the vCPUs stopped while anything moves. */

static void let_run(Machine *machine)
{
    g_rec_mutex_lock(&machine->lock);
    rtc_resync(machine->priv->rtc);
    clock_start(machine->clock);
    g_rec_mutex_unlock(&machine->lock);
    set_state(machine, MACHINE_RUNNING);
    machine_io_resume(machine);
    machine_cpus_run(machine);
}

/* Afterwards nothing in the guest moves: vCPUs are parked, time stands, no disk I/O is under way
 * (but what a full host disk parked). */
static void bring_to_rest(Machine *machine)
{
    machine_cpus_stop(machine);
    g_rec_mutex_lock(&machine->lock);
    clock_stop(machine->clock);
    g_rec_mutex_unlock(&machine->lock);
    machine_io_rest(machine);
}

static void reset_at_rest(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    g_rec_mutex_lock(&machine->lock);
    pc_reset(machine);
    if (p->linux_boot)
        pc_boot_kernel(machine);
    g_rec_mutex_unlock(&machine->lock);
    machine_cpus_reset(machine);
}

bool machine_start(Machine *machine, bool paused, GError **error)
{
    g_rec_mutex_lock(&machine->priv->life_lock);
    MachineState state = machine_state(machine);
    if (state == MACHINE_FAILED) {
        g_rec_mutex_unlock(&machine->priv->life_lock);
        g_autofree char *problem = machine_dup_problem(machine);
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    _("The machine has failed (%s). Power it off first."), problem);
        return false;
    }
    if (state == MACHINE_OFF && paused)
        set_state(machine, MACHINE_PAUSED);
    else if (state == MACHINE_OFF)
        let_run(machine);
    g_rec_mutex_unlock(&machine->priv->life_lock);
    if (state == MACHINE_OFF)
        machine_notify(machine, MACHINE_EVENT_STATE);
    return true;
}

void machine_pause(Machine *machine)
{
    g_rec_mutex_lock(&machine->priv->life_lock);
    bool changes = machine_state(machine) == MACHINE_RUNNING;
    if (changes) {
        bring_to_rest(machine);
        set_state(machine, MACHINE_PAUSED);
    }
    g_rec_mutex_unlock(&machine->priv->life_lock);
    if (changes)
        machine_notify(machine, MACHINE_EVENT_STATE);
}

void machine_resume(Machine *machine)
{
    g_rec_mutex_lock(&machine->priv->life_lock);
    MachineState state = machine_state(machine);
    bool changes = state == MACHINE_PAUSED || state == MACHINE_PAUSED_PROBLEM;
    if (changes) {
        set_problem(machine, (MachineTrouble){ MACHINE_PROBLEM_NONE });
        machine_drives_retry(machine);
        if (machine->priv->nvram)
            nvram_retry(machine->priv->nvram);
        let_run(machine);
    }
    g_rec_mutex_unlock(&machine->priv->life_lock);
    if (changes)
        machine_notify(machine, MACHINE_EVENT_STATE);
}

void machine_reset(Machine *machine)
{
    g_rec_mutex_lock(&machine->priv->life_lock);
    MachineState state = machine_state(machine);
    bool changes = state != MACHINE_OFF && state != MACHINE_FAILED;
    if (changes) {
        bring_to_rest(machine);
        reset_at_rest(machine);
        machine_notify(machine, MACHINE_EVENT_RESET); /* before the guest says anything new */
        if (state == MACHINE_RUNNING)
            let_run(machine);
    }
    g_rec_mutex_unlock(&machine->priv->life_lock);
}

/* A machine that is off keeps no memory of what it was. */
static void forget_memory(Ram *ram)
{
    if (fallocate(ram->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, ram->size) < 0)
        memset(ram->host, 0, ram->size);
    ram_wrote(ram, 0, ram->size);
}

static bool power_off(Machine *machine)
{
    bool changes = machine_state(machine) != MACHINE_OFF;

    if (changes) {
        machine_cpus_stop(machine);
        machine_io_forget(machine);
        bring_to_rest(machine);
        if (machine->priv->nvram)
            nvram_flush(machine->priv->nvram);
        forget_memory(machine->ram);
        reset_at_rest(machine);
        set_problem(machine, (MachineTrouble){ MACHINE_PROBLEM_NONE });
        set_state(machine, MACHINE_OFF);
    }
    return changes;
}

void machine_power_off(Machine *machine)
{
    g_rec_mutex_lock(&machine->priv->life_lock);
    bool changes = power_off(machine);
    g_rec_mutex_unlock(&machine->priv->life_lock);
    if (changes)
        machine_notify(machine, MACHINE_EVENT_STATE);
}

void machine_press_power_button(Machine *machine)
{
    g_rec_mutex_lock(&machine->lock);
    acpi_pm_press_power_button(machine->priv->acpi_pm);
    g_rec_mutex_unlock(&machine->lock);
}

/* Requests from inside: done by the control thread, as the one who asks is a part of what has to
 * stop first. */

void machine_request(Machine *machine, MachineRequest request)
{
    MachinePrivate *p = machine->priv;
    unsigned bit = 1u << request;

    if (!(__atomic_fetch_or(&p->pending, bit, __ATOMIC_SEQ_CST) & bit))
        g_async_queue_push(p->requests, GUINT_TO_POINTER(request));
}

/* The guest gets no further than where it asked. */
void machine_request_reset(Machine *machine)
{
    machine_cpus_halt(machine);
    machine_request(machine, REQUEST_RESET);
}

void machine_request_power_off(Machine *machine)
{
    machine_cpus_halt(machine);
    machine_request(machine, REQUEST_POWER_OFF);
}

void machine_report(Machine *machine, MachineRequest request, MachineTrouble trouble)
{
    MachinePrivate *p = machine->priv;

    g_mutex_lock(&p->text_lock);
    trouble_clear(&p->coming_problem);
    p->coming_problem = trouble;
    g_mutex_unlock(&p->text_lock);
    machine_request(machine, request);
}

static void stop_with_problem(Machine *machine, MachineState state)
{
    MachinePrivate *p = machine->priv;

    g_rec_mutex_lock(&p->life_lock);
    bool changes = machine_state(machine) != MACHINE_OFF;
    if (changes) {
        bring_to_rest(machine);
        set_state(machine, state);
        g_mutex_lock(&p->text_lock);
        MachineTrouble trouble = p->coming_problem;
        p->coming_problem = (MachineTrouble){ MACHINE_PROBLEM_NONE };
        g_mutex_unlock(&p->text_lock);
        if (trouble.kind != MACHINE_PROBLEM_NONE)
            set_problem(machine, trouble);
    }
    g_rec_mutex_unlock(&p->life_lock);
    if (changes)
        machine_notify(machine, MACHINE_EVENT_STATE);
}

static void power_off_from_inside(Machine *machine)
{
    g_rec_mutex_lock(&machine->priv->life_lock);
    bool changes = power_off(machine);
    g_rec_mutex_unlock(&machine->priv->life_lock);
    if (changes) {
        machine_notify(machine, MACHINE_EVENT_POWEROFF);
        machine_notify(machine, MACHINE_EVENT_STATE);
    }
}

static gpointer run_control(gpointer data)
{
    Machine *machine = data;
    MachinePrivate *p = machine->priv;

    for (;;) {
        MachineRequest request = GPOINTER_TO_UINT(g_async_queue_pop(p->requests));
        __atomic_fetch_and(&p->pending, ~(1u << request), __ATOMIC_SEQ_CST);
        switch (request) {
        case REQUEST_RESET: machine_reset(machine); break;
        case REQUEST_POWER_OFF: power_off_from_inside(machine); break;
        case REQUEST_PROBLEM: stop_with_problem(machine, MACHINE_PAUSED_PROBLEM); break;
        case REQUEST_FAIL: stop_with_problem(machine, MACHINE_FAILED); break;
        case REQUEST_SOFTWARE_CPU: machine_move_to_software(machine); break;
        case REQUEST_MEDIA: machine_notify(machine, MACHINE_EVENT_MEDIA); break;
        case REQUEST_QUIT: return NULL;
        }
    }
}

/* The A20 gate. */

void machine_set_a20(Machine *machine, bool enabled)
{
    MachinePrivate *p = machine->priv;

    lpc_set_a20(p->lpc, enabled);
    if (__atomic_exchange_n(&p->a20, enabled, __ATOMIC_SEQ_CST) == enabled)
        return;
    for (unsigned i = 0; i < p->n_cpus; i++)
        vcpu_signal(p->cpu[i].vcpu, VCPU_SIGNAL_A20);
}

bool machine_a20(const Machine *machine)
{
    return __atomic_load_n(&machine->priv->a20, __ATOMIC_SEQ_CST);
}

Device *const *machine_devices(Machine *machine)
{
    return (Device *const *)machine->priv->devices->pdata;
}

/* Building. */

static bool check_config(const MachineConfig *config, GError **error)
{
    const char *wrong = NULL;

    if (config->n_cpus < 1 || config->n_cpus > MACHINE_MAX_CPUS)
        wrong = _("A machine has 1 to 16 CPUs.");
    else if (config->clock == CLOCK_DETERMINISTIC && config->n_cpus != 1)
        wrong = _("A machine with a deterministic clock has one CPU.");
    else if (config->memory_bytes < MEMORY_MIN)
        wrong = _("A machine needs at least 1 MiB of memory.");
    else if (config->memory_bytes >= UINT64_C(1) << (MEMORY_BITS - 1))
        wrong = _("A machine can have 512 GiB of memory at most.");
    else if (config->n_drives > MACHINE_MAX_DRIVES)
        wrong = _("A machine has six drives at most.");
    if (wrong)
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, wrong);
    return !wrong;
}

static void copy_config(MachineConfig *to, const MachineConfig *from)
{
    *to = *from;
    to->name = g_strdup(from->name);
    to->firmware_path = g_strdup(from->firmware_path);
    to->vga_rom_path = g_strdup(from->vga_rom_path);
    to->variables_path = g_strdup(from->variables_path);
    to->nvram_path = g_strdup(from->nvram_path);
    to->boot_order = g_strdup(from->boot_order);
    to->kernel_path = g_strdup(from->kernel_path);
    to->initrd_path = g_strdup(from->initrd_path);
    to->kernel_command_line = g_strdup(from->kernel_command_line);
    for (unsigned i = 0; i < from->n_drives; i++)
        to->drive[i].path = g_strdup(from->drive[i].path);
}

static void clear_config(MachineConfig *config)
{
    g_free((char *)config->name);
    g_free((char *)config->firmware_path);
    g_free((char *)config->vga_rom_path);
    g_free((char *)config->variables_path);
    g_free((char *)config->nvram_path);
    g_free((char *)config->boot_order);
    g_free((char *)config->kernel_path);
    g_free((char *)config->initrd_path);
    g_free((char *)config->kernel_command_line);
    for (unsigned i = 0; i < config->n_drives; i++)
        g_free((char *)config->drive[i].path);
}

Machine *machine_new(const MachineConfig *config, GError **error)
{
    if (!check_config(config, error))
        return NULL;

    g_autoptr(Machine) machine = g_new0(Machine, 1);
    MachinePrivate *p = machine->priv = g_new0(MachinePrivate, 1);
    copy_config(&p->config, config);
    g_rec_mutex_init(&machine->lock);
    g_rec_mutex_init(&p->life_lock);
    g_mutex_init(&p->run_lock);
    g_mutex_init(&p->dirty_lock);
    g_cond_init(&p->run_cond);
    g_mutex_init(&p->text_lock);
    p->requests = g_async_queue_new();
    p->devices = g_ptr_array_new();
    p->virtio = g_ptr_array_new();
    p->exit_code = -1;
    machine->memory = address_space_new("memory", UINT64_C(1) << MEMORY_BITS);
    machine->ports = address_space_new("ports", 1 << 16);
    machine->clock = clock_new(config->clock, &machine->lock);

    if (!machine_drives_open(machine, error))
        return NULL;
    g_rec_mutex_lock(&machine->lock);
    bool good = pc_build(machine, error);
    g_rec_mutex_unlock(&machine->lock);
    if (!good || !machine_cpus_new(machine, error))
        return NULL;
    reset_at_rest(machine);
    machine_cpus_start_threads(machine);
    p->control = g_thread_new("control", run_control, machine);
    return g_steal_pointer(&machine);
}

void machine_free(Machine *machine)
{
    if (!machine)
        return;
    MachinePrivate *p = machine->priv;

    if (p->control) {
        machine_set_listener(machine, NULL, NULL);
        machine_power_off(machine);
        machine_request(machine, REQUEST_QUIT);
        g_thread_join(p->control);
    }
    machine_cpus_free(machine);
    machine_drives_close(machine); /* before their controller: that ends what waits on them */
    pc_clear(machine);
    g_ptr_array_unref(p->devices);
    g_ptr_array_unref(p->virtio);
    clock_free(machine->clock);
    address_space_free(machine->memory);
    address_space_free(machine->ports);
    ram_free(machine->ram);
    nvram_free(p->nvram);
    ram_free(p->bios);
    ram_free(p->vga_rom);
    g_async_queue_unref(p->requests);
    trouble_clear(&p->problem);
    trouble_clear(&p->coming_problem);
    g_free(p->cpu_left);
    g_mutex_clear(&p->text_lock);
    g_mutex_clear(&p->run_lock);
    g_mutex_clear(&p->dirty_lock);
    g_cond_clear(&p->run_cond);
    g_rec_mutex_clear(&p->life_lock);
    g_rec_mutex_clear(&machine->lock);
    clear_config(&p->config);
    g_free(p);
    g_free(machine);
}

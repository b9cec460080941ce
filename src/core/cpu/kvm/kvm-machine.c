/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* KVM as a backend: a virtual machine of the kernel's and its vCPUs, made and freed. */

#include "core/cpu/kvm/kvm-machine.h"
#include "core/cpu/kvm/kvm-device.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define IOAPIC_PINS 24

static bool fail(GError **error, const char *what)
{
    int saved = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(saved), "KVM: %s: %s", what,
                g_strerror(saved));
    return false;
}

static bool create_vm(KvmMachine *machine, GError **error)
{
    struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };
    struct kvm_enable_cap all_failures = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE,
                                           .args = { 1 } };
    uint64_t identity_map = KVM_IDENTITY_MAP;

    do
        machine->vm_fd = ioctl(machine->kvm_fd, KVM_CREATE_VM, 0);
    while (machine->vm_fd < 0 && errno == EINTR);
    if (machine->vm_fd < 0)
        return fail(error, _("no virtual machine can be made"));
    if (ioctl(machine->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
        ioctl(machine->vm_fd, KVM_SET_TSS_ADDR, KVM_TSS_ADDRESS) < 0)
        return fail(error, _("its private pages cannot be placed"));
    if (ioctl(machine->vm_fd, KVM_ENABLE_CAP, &split) < 0)
        return fail(error, _("no local interrupt controllers"));
    /* What its emulator lacks is #UD for the guest's user code, unless we ask for it too. */
    if (ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_EXIT_ON_EMULATION_FAILURE) > 0)
        ioctl(machine->vm_fd, KVM_ENABLE_CAP, &all_failures);
    int step_flags = ioctl(machine->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SET_GUEST_DEBUG2);
    machine->step_flags = step_flags > 0 ? (uint32_t)step_flags : 0;
    int size = ioctl(machine->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(struct kvm_run))
        return fail(error, _("no shared page for virtual CPUs"));
    machine->run_size = (size_t)size;
    kvm_dirty_init(machine);
    return true;
}

static void kvm_machine_free(void *backend)
{
    KvmMachine *machine = backend;

    if (!machine)
        return;
    g_rec_mutex_lock(machine->board->lock);
    address_space_remove_listener(machine->board->memory, machine);
    g_rec_mutex_unlock(machine->board->lock);
    if (machine->board->apic_keep)
        machine->board->apic_keep(machine->board->opaque, NULL, NULL);
    kvm_assist_free(machine->assist);
    if (machine->vm_fd >= 0)
        close(machine->vm_fd);
    if (machine->kvm_fd >= 0)
        close(machine->kvm_fd);
    kvm_memory_clear(machine);
    kvm_doorbell_clear(machine);
    g_free(machine->routes);
    g_free(machine->msrs);
    g_mutex_clear(&machine->lock);
    g_mutex_clear(&machine->assist_lock);
    cpu_gate_clear(&machine->gate);
    g_free(machine);
}

static void *kvm_machine_new(const CpuBoard *board, unsigned n_vcpus, GError **error)
{
    KvmTrouble trouble;

    if (clock_kind(board->clock) == CLOCK_DETERMINISTIC) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                            _("KVM cannot run on a deterministic clock"));
        return NULL;
    }
    int kvm_fd = kvm_device_open(&trouble);
    if (kvm_fd < 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("/dev/kvm cannot be used: %s"),
                    g_strerror(trouble.error));
        return NULL;
    }
    KvmMachine *machine = g_new0(KvmMachine, 1);
    machine->board = board;
    machine->n_vcpus = n_vcpus;
    machine->kvm_fd = kvm_fd;
    machine->vm_fd = -1;
    g_mutex_init(&machine->lock);
    g_mutex_init(&machine->assist_lock);
    cpu_gate_init(&machine->gate);
    kvm_route_init(machine);
    if (!kvm_cpu_install_kick(error) || !create_vm(machine, error) ||
        !kvm_memory_init(machine, error)) {
        kvm_machine_free(machine);
        return NULL;
    }
    kvm_doorbell_init(machine);
    if (board->apic_keep)
        board->apic_keep(board->opaque, kvm_irq_send, machine);
    return machine;
}

/* Where the guest's TSC cannot be scaled it has the host's rate. */
static uint64_t tsc_khz(KvmMachine *machine)
{
    int khz = ioctl(machine->vm_fd, KVM_GET_TSC_KHZ, 0);

    if (khz <= 0) { /* older kernels know it of a vCPU only */
        int vm_fd = ioctl(machine->kvm_fd, KVM_CREATE_VM, 0);
        int vcpu_fd = vm_fd < 0 ? -1 : ioctl(vm_fd, KVM_CREATE_VCPU, 0);
        if (vcpu_fd >= 0) {
            khz = ioctl(vcpu_fd, KVM_GET_TSC_KHZ, 0);
            close(vcpu_fd);
        }
        if (vm_fd >= 0)
            close(vm_fd);
    }
    return khz > 0 ? (uint64_t)khz : 0;
}

static bool kvm_limit_model(void *backend, CpuModel *model, GError **error)
{
    KvmMachine *machine = backend;
    uint32_t features[CPU_N_FEATURES];
    uint64_t khz = tsc_khz(machine);

    if (khz == 0)
        return fail(error, _("it does not say how fast its time-stamp counter is"));
    if (!kvm_cpuid_features(machine->kvm_fd, features))
        return fail(error, _("it does not say what its processor can do"));
    kvm_paravirt_limit(machine, model, features);
    if (model->is_host)
        memcpy(model->features, features, sizeof model->features);
    else
        cpu_model_restrict(model, features);
    model->tsc_hz = khz * 1000;
    return true;
}

static uint64_t kvm_tsc_hz_here(const CpuModel *model)
{
    KvmTrouble trouble;
    KvmMachine machine = { .kvm_fd = kvm_device_open(&trouble), .vm_fd = -1 };
    CpuModel limited = *model;
    uint32_t features[CPU_N_FEATURES];
    bool fits = machine.kvm_fd >= 0 && kvm_cpuid_features(machine.kvm_fd, features) &&
                cpu_model_fits(model, features);

    if (fits)
        machine.vm_fd = kvm_device_create_vm(machine.kvm_fd, &trouble);
    fits = machine.vm_fd >= 0 && kvm_limit_model(&machine, &limited, NULL) &&
           memcmp(limited.features, model->features, sizeof limited.features) == 0;
    if (machine.vm_fd >= 0)
        close(machine.vm_fd);
    if (machine.kvm_fd >= 0)
        close(machine.kvm_fd);
    return fits ? limited.tsc_hz : 0;
}

static bool kvm_vcpu_init(Vcpu *vcpu, GError **error)
{
    KvmCpu *cpu = kvm_cpu(vcpu);
    KvmMachine *machine = vcpu->backend;

    cpu->machine = machine;
    cpu->fd = ioctl(machine->vm_fd, KVM_CREATE_VCPU, vcpu->id);
    if (cpu->fd < 0)
        return fail(error, _("no virtual CPU can be made"));
    cpu->run = mmap(NULL, machine->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
    if (cpu->run == MAP_FAILED) {
        cpu->run = NULL;
        return fail(error, _("the page of a virtual CPU cannot be mapped"));
    }
    if (!kvm_dirty_add_cpu(cpu))
        return fail(error, "the dirty ring of a virtual CPU cannot be mapped");
    if (!kvm_cpuid_set(cpu, error))
        return false;
    kvm_state_init(machine, cpu);
    if (vcpu->id == 0 && !kvm_paravirt_init(machine, error))
        return false;
    machine->vcpu[vcpu->id] = cpu;
    if (vcpu->id == 0) {
        g_rec_mutex_lock(machine->board->lock);
        kvm_coalesced_init(machine, cpu);
        g_rec_mutex_unlock(machine->board->lock);
    }
    machine->gate.vcpu[vcpu->id] = vcpu;
    return true;
}

static void kvm_vcpu_clear(Vcpu *vcpu)
{
    KvmCpu *cpu = kvm_cpu(vcpu);

    if (!cpu->machine) /* init was not reached */
        return;
    g_rec_mutex_lock(vcpu->board->lock);
    cpu->machine->vcpu[vcpu->id] = NULL;
    kvm_dirty_remove_cpu(cpu);
    if (vcpu->id == 0)
        kvm_coalesced_clear(cpu->machine);
    g_rec_mutex_unlock(vcpu->board->lock);
    cpu->machine->gate.vcpu[vcpu->id] = NULL;
    vcpu_free(cpu->assistant);
    g_free(cpu->refused);
    if (cpu->run)
        munmap(cpu->run, cpu->machine->run_size);
    if (cpu->fd >= 0)
        close(cpu->fd);
}

static uint64_t kvm_retired(const Vcpu *vcpu)
{
    return 0; /* nobody counts them */
}

static void kvm_code_written(void *backend, Ram *ram, uint64_t offset, uint64_t length)
{
}

const CpuOps cpu_kvm_ops = {
    .name = "kvm",
    .machine_new = kvm_machine_new,
    .machine_free = kvm_machine_free,
    .limit_model = kvm_limit_model,
    .tsc_hz_here = kvm_tsc_hz_here,
    .vcpu_size = sizeof(KvmCpu),
    .vcpu_init = kvm_vcpu_init,
    .vcpu_clear = kvm_vcpu_clear,
    .run = kvm_cpu_run,
    .kick = kvm_cpu_kick,
    .get_state = kvm_get_state,
    .set_state = kvm_set_state,
    .step = kvm_step,
    .retired = kvm_retired,
    .resume = kvm_resume,
    .attach_message = kvm_attach_message,
    .detach_message = kvm_detach_message,
    .collect_dirty = kvm_dirty_collect,
    .sync_dirty = kvm_dirty_sync,
    .code_written = kvm_code_written,
};

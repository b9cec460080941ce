/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/kvm/kvm-probe-calls.h"
#include <errno.h>
#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define MSR_PAT 0x277

static bool failed(KvmTrouble *trouble, const char *what)
{
    kvm_trouble_from_errno(trouble, what, errno);
    return false;
}

#define STATE(name)                                                                                \
    {                                                                                              \
        KVM_GET_##name, KVM_SET_##name, "KVM_GET_" #name, "KVM_SET_" #name                         \
    }
static const struct {
    unsigned long get, set;
    const char *get_name, *set_name;
} states[] = {
    STATE(SREGS),     STATE(REGS),        STATE(XSAVE),    STATE(XCRS),
    STATE(DEBUGREGS), STATE(VCPU_EVENTS), STATE(MP_STATE), STATE(LAPIC),
};
#undef STATE

static bool try_msr(int device_fd, int vcpu_fd, KvmTrouble *trouble)
{
    struct kvm_msr_list list = { .nmsrs = 0 };
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } msrs = { .head.nmsrs = 1, .entry.index = MSR_PAT };
    /* There is more than none: that it says so is all that is asked. */
    if (ioctl(device_fd, KVM_GET_MSR_INDEX_LIST, &list) < 0 && errno != E2BIG)
        return failed(trouble, "KVM_GET_MSR_INDEX_LIST");
    if (ioctl(vcpu_fd, KVM_GET_MSRS, &msrs) < 0)
        return failed(trouble, "KVM_GET_MSRS");
    if (ioctl(vcpu_fd, KVM_SET_MSRS, &msrs) < 0)
        return failed(trouble, "KVM_SET_MSRS");
    return true;
}

bool kvm_probe_state(int device_fd, int vcpu_fd, KvmTrouble *out_trouble)
{
    union {
        struct kvm_xsave largest;
        uint64_t alignment;
    } state;
    for (unsigned i = 0; i < G_N_ELEMENTS(states); i++) {
        if (ioctl(vcpu_fd, states[i].get, &state) < 0)
            return failed(out_trouble, states[i].get_name);
        if (ioctl(vcpu_fd, states[i].set, &state) < 0)
            return failed(out_trouble, states[i].set_name);
    }
    return try_msr(device_fd, vcpu_fd, out_trouble);
}

bool kvm_probe_routing(int vm_fd, KvmTrouble *out_trouble)
{
    struct {
        struct kvm_irq_routing head;
        struct kvm_irq_routing_entry entry;
    } routing = { .head.nr = 1,
                  .entry = { .type = KVM_IRQ_ROUTING_MSI,
                             .u.msi = { .address_lo = 0xFEE00000, .data = 0x40 } } };
    if (ioctl(vm_fd, KVM_SET_GSI_ROUTING, &routing) < 0)
        return failed(out_trouble, "KVM_SET_GSI_ROUTING");
    return true;
}

bool kvm_probe_dirty_log(int vm_fd, unsigned gpa, KvmTrouble *out_trouble)
{
    uint64_t pages = 0;
    struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = &pages };
    if (ioctl(vm_fd, KVM_GET_DIRTY_LOG, &log) < 0)
        return failed(out_trouble, "KVM_GET_DIRTY_LOG");
    if (pages >> gpa / 4096 & 1)
        return true;
    *out_trouble = (KvmTrouble){ .kind = KVM_TROUBLE_FAILED, .what = "KVM_GET_DIRTY_LOG" };
    return false;
}

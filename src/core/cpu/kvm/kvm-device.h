/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* /dev/kvm, opened and checked, and what is wrong with it where it is of no use: as facts, which
 * engine/cpu-words.h turns into words. Included by the KVM backend, its probe and the choice of a
 * CPU.
 *
 * Any thread; nothing here waits for more than the host's kernel does. The descriptors returned
 * are the caller's to close and are closed on exec. */

#include <stdbool.h>

#define KVM_DEVICE_PATH "/dev/kvm"

typedef enum {
    KVM_TROUBLE_NONE,
    /* There is no node. */
    KVM_TROUBLE_NO_HARDWARE,  /* the processor has neither VT-x nor AMD-V */
    KVM_TROUBLE_NOT_NESTED,   /* the same, and the computer is itself a virtual machine */
    KVM_TROUBLE_FIRMWARE_OFF, /* it has, and the firmware switched it off */
    KVM_TROUBLE_NO_MODULE,    /* it has, and kvm_intel or kvm_amd is not loaded */
    KVM_TROUBLE_NO_NODE,      /* the kernel has KVM, and we live where there is no node */
    /* There is one that does not open. */
    KVM_TROUBLE_NO_PERMISSION, /* its mode or group keeps us out */
    KVM_TROUBLE_FORBIDDEN,     /* a container's or sandbox's rules do */
    KVM_TROUBLE_NOT_KVM,       /* what lies there is not KVM */
    /* It opens. */
    KVM_TROUBLE_OLD_API, /* version in @version */
    KVM_TROUBLE_MISSING, /* a capability, in @what */
    KVM_TROUBLE_HELD,    /* another hypervisor has the processor; its module in @what, or NULL */
    KVM_TROUBLE_FAILED,  /* @what failed with @error */
    /* It runs (kvm-probe.h); @what is the guest's mode: "real", "protected", "64-bit". */
    KVM_TROUBLE_STOPS, /* it gives up; the exit reason in @version */
    KVM_TROUBLE_WRONG, /* it computes something else than a processor */
    KVM_TROUBLE_HANGS, /* it does not come back */
    KVM_TROUBLE_N_KINDS
} KvmTroubleKind;

typedef struct {
    KvmTroubleKind kind;
    int error;         /* errno of what failed, or 0 */
    int version;       /* with OLD_API; with STOPS the exit reason */
    const char *what;  /* static: "KVM_CAP_SPLIT_IRQCHIP", "KVM_CREATE_VM", "vboxdrv", or NULL */
    bool is_amd;       /* whose words fit: AMD-V and kvm_amd, or VT-x and kvm_intel */
    char message[160]; /* with FAILED at a machine's start: what the backend said; else "" */
    /* With NO_PERMISSION: */
    char group[32];    /* the group that may open it; "" when there is none worth joining */
    bool group_listed; /* the user was put into it, but this session began before */
} KvmTrouble;

/* Opens /dev/kvm and sees to it that it is KVM, speaks API 12 and has every capability that the
 * backend relies on. -1 and *out_trouble on failure. Does not see whether the processor is free:
 * only kvm_device_create_vm() does. */
int kvm_device_open(KvmTrouble *out_trouble);

/* KVM_CREATE_VM. -1 and *out_trouble on failure. */
int kvm_device_create_vm(int device_fd, KvmTrouble *out_trouble);

/* A failure of @what, an ioctl's name, with @error: FAILED, or HELD where that is what the errno
 * means. For failures after creation; @what is static. */
void kvm_trouble_from_errno(KvmTrouble *out_trouble, const char *what, int error);

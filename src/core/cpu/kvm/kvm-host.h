/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the host says about a KVM that cannot be had: /proc, /sys, CPUID, the groups. Each fills in
 * the kind and the details of a trouble whose @error and @what are set. Included by kvm-device.c.
 * Any thread. */

#include "core/cpu/kvm/kvm-device.h"

/* There is no /dev/kvm: NO_HARDWARE … NO_NODE. */
void kvm_host_find_why_absent(KvmTrouble *trouble);
/* It is closed to us: whose group opens it. */
void kvm_host_find_permission(KvmTrouble *trouble);
/* The processor is taken: by whom. */
void kvm_host_find_holder(KvmTrouble *trouble);

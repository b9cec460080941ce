/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The calls that the probe's guest does not need and a machine does, each tried once on the probe's
 * own: what would fail in the middle of a machine's start or run is known before. Included by
 * kvm-probe.c. */

#include "core/cpu/kvm/kvm-device.h"

/* All state that goes in and out of a vCPU: got, and set to what it is. Before the first run. */
bool kvm_probe_state(int device_fd, int vcpu_fd, KvmTrouble *out_trouble);
/* A route for a message-signalled interrupt. */
bool kvm_probe_routing(int vm_fd, KvmTrouble *out_trouble);
/* The dirty log of slot 0, at most 64 pages, has the page at @gpa, which the guest wrote. */
bool kvm_probe_dirty_log(int vm_fd, unsigned gpa, KvmTrouble *out_trouble);

/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/kvm/kvm-device.h"
#include "core/cpu/kvm/kvm-host.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define API_VERSION 12 /* fixed since Linux 2.6.22 */

/* What the backend relies on, the oldest first: what a kernel lacks is then named by its root.
 * Linux 4.12 has them all. */
#define CAPABILITY(name)                                                                           \
    {                                                                                              \
        name, #name                                                                                \
    }
static const struct {
    int number;
    const char *name;
} needed[] = {
    CAPABILITY(KVM_CAP_USER_MEMORY),
    CAPABILITY(KVM_CAP_SET_TSS_ADDR),
    CAPABILITY(KVM_CAP_EXT_CPUID),
    CAPABILITY(KVM_CAP_MP_STATE),
    CAPABILITY(KVM_CAP_DESTROY_MEMORY_REGION_WORKS),
    CAPABILITY(KVM_CAP_IRQ_ROUTING),
    CAPABILITY(KVM_CAP_JOIN_MEMORY_REGIONS_WORKS),
    CAPABILITY(KVM_CAP_IRQFD),
    CAPABILITY(KVM_CAP_IOEVENTFD),
    CAPABILITY(KVM_CAP_SET_IDENTITY_MAP_ADDR),
    CAPABILITY(KVM_CAP_VCPU_EVENTS),
    CAPABILITY(KVM_CAP_DEBUGREGS),
    CAPABILITY(KVM_CAP_XSAVE),
    CAPABILITY(KVM_CAP_XCRS),
    CAPABILITY(KVM_CAP_SIGNAL_MSI),
    CAPABILITY(KVM_CAP_READONLY_MEM),
    CAPABILITY(KVM_CAP_SPLIT_IRQCHIP),
    CAPABILITY(KVM_CAP_IMMEDIATE_EXIT),
};
#undef CAPABILITY

void kvm_trouble_from_errno(KvmTrouble *out_trouble, const char *what, int error)
{
    *out_trouble = (KvmTrouble){ .kind = KVM_TROUBLE_FAILED, .error = error, .what = what };
    if (error == EBUSY) {
        out_trouble->kind = KVM_TROUBLE_HELD;
        kvm_host_find_holder(out_trouble);
    }
}

static void explain_open(KvmTrouble *out_trouble, int error)
{
    *out_trouble = (KvmTrouble){ .kind = KVM_TROUBLE_FAILED, .error = error, .what = "open" };
    if (error == ENOENT || error == ENXIO || error == ENODEV || error == ENOTDIR)
        kvm_host_find_why_absent(out_trouble);
    else if (error == EACCES)
        kvm_host_find_permission(out_trouble);
    else if (error == EPERM)
        out_trouble->kind = KVM_TROUBLE_FORBIDDEN;
    else if (error == EISDIR || error == ELOOP)
        out_trouble->kind = KVM_TROUBLE_NOT_KVM;
    else if (error == EBUSY)
        kvm_trouble_from_errno(out_trouble, "open", error);
}

/* The node is a character device that knows KVM's first question. */
static bool check_identity(int fd, KvmTrouble *out_trouble)
{
    struct stat about = { 0 };
    int version = -1;
    if (fstat(fd, &about) == 0 && S_ISCHR(about.st_mode))
        version = ioctl(fd, KVM_GET_API_VERSION, 0);
    int error = errno;
    if (version == API_VERSION)
        return true;
    *out_trouble = (KvmTrouble){ .kind = KVM_TROUBLE_OLD_API, .version = version };
    if (version < 0) {
        bool is_other = !S_ISCHR(about.st_mode) || error == ENOTTY || error == EINVAL;
        *out_trouble = (KvmTrouble){ is_other ? KVM_TROUBLE_NOT_KVM : KVM_TROUBLE_FAILED,
                                     .error = error, .what = "KVM_GET_API_VERSION" };
    }
    return false;
}

static bool check_capabilities(int fd, KvmTrouble *out_trouble)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].number) > 0)
            continue;
        *out_trouble = (KvmTrouble){ .kind = KVM_TROUBLE_MISSING, .what = needed[i].name };
        return false;
    }
    return true;
}

int kvm_device_open(KvmTrouble *out_trouble)
{
    /* Not blocked for ever by a FIFO that somebody put there. */
    int fd = open(KVM_DEVICE_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        explain_open(out_trouble, errno);
        return -1;
    }
    if (check_identity(fd, out_trouble) && check_capabilities(fd, out_trouble))
        return fd;
    close(fd);
    return -1;
}

int kvm_device_create_vm(int device_fd, KvmTrouble *out_trouble)
{
    int fd;
    do
        fd = ioctl(device_fd, KVM_CREATE_VM, 0);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        kvm_trouble_from_errno(out_trouble, "KVM_CREATE_VM", errno);
    return fd;
}
